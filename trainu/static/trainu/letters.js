/* The list of dead letters by keyboard: j and k move, x ticks, r redrives, o opens, ? helps. Off in inputs,
   and for whoever switches them off, which this browser remembers. Each key does what a link or button of the
   row does, so without this script nothing is missing but the keys. */
"use strict";
{
  const OFF = "letters.shortcuts.off";
  const ROW = "letters.row";
  const toggle = document.getElementById("shortcuts-toggle");
  const help = document.getElementById("shortcuts");
  const rows = [...document.querySelectorAll("tr[data-letter]")];

  // A browser may refuse to remember anything; then they are on.
  const stored = (store, name) => {
    try {
      return store.getItem(name);
    } catch {
      return null;
    }
  };
  const store = (place, name, value) => {
    try {
      if (value === null) place.removeItem(name);
      else place.setItem(name, value);
    } catch {
      // Nothing to do: it holds until the page is left.
    }
  };

  let isOn = stored(localStorage, OFF) === null;
  let at = -1;

  const show = () => {
    toggle.textContent = `Keyboard shortcuts: ${isOn ? "on" : "off"}`;
  };

  toggle.addEventListener("click", () => {
    isOn = !isOn;
    store(localStorage, OFF, isOn ? null : "1");
    show();
  });
  show();
  toggle.hidden = false;

  const chosen = () => document.querySelectorAll('[form="chosen"][name="id"]:checked').length;
  const count = document.getElementById("chosen-count");
  const recount = () => {
    if (count) count.textContent = String(chosen());
    for (const row of rows) row.classList.toggle("is-ticked", Boolean(row.querySelector(".tick :checked")));
  };
  document.addEventListener("change", recount);
  // At load, for a page that is come back to has its ticks put back after this script has run.
  window.addEventListener("pageshow", recount);

  const current = () => {
    const inside = rows.indexOf(document.activeElement?.closest?.("tr[data-letter]"));
    return inside >= 0 ? inside : at;
  };

  const go = (index) => {
    if (!rows.length) return;
    at = Math.max(0, Math.min(index, rows.length - 1));
    const link = rows[at].querySelector(".letter-link");
    link.focus({ preventScroll: true });
    rows[at].scrollIntoView({ block: "nearest" });
  };

  const press = (selector) => {
    rows[current()]?.querySelector(selector)?.click();
  };

  const keys = {
    j: () => go(current() + 1),
    k: () => go(Math.max(current(), 1) - 1),
    x: () => press(".tick input"),
    o: () => press(".letter-link"),
    r: () => {
      // The next letter moves up into its place, where this goes on after the answer.
      store(sessionStorage, ROW, String(current()));
      press('[data-verb="redrive"]');
    },
    "?": () => help.showModal(),
  };

  const isWriting = (target) =>
    target.isContentEditable || (target.matches("input, textarea, select") && target.type !== "checkbox");

  document.addEventListener("keydown", (event) => {
    if (!isOn || help.open || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.defaultPrevented || isWriting(event.target) || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });

  const before = stored(sessionStorage, ROW);
  store(sessionStorage, ROW, null);
  if (isOn && before !== null) go(Number(before));
}
