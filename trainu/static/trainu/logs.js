/* The live tail of the log page: asks for new lines every two seconds (data-every-ms) while its button is
   pressed and the page is in sight. Without it the page shows new lines when it is loaded again. */
"use strict";
{
  const MOST_ROWS = 500;
  const live = document.querySelector(".live");
  const button = live.querySelector("button");
  const status = live.querySelector("[role=status]");
  const wrap = document.querySelector(".table-wrap");
  const body = wrap.querySelector("tbody");
  const empty = document.querySelector(".empty");
  let since = live.dataset.since;
  let timer = 0;
  let arrived = 0;

  const isOn = () => button.getAttribute("aria-pressed") === "true";

  const say = (words) => {
    // Said again, the same words would be read aloud again.
    if (status.textContent !== words) status.textContent = words;
  };

  const stop = (words) => {
    clearTimeout(timer);
    button.setAttribute("aria-pressed", "false");
    say(words);
  };

  const add = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    // The tail looks back a few seconds, so most answers hold lines that are here already.
    const fresh = [...template.content.querySelectorAll("tr")].filter(
      (row) => !body.querySelector(`tr[data-key="${CSS.escape(row.dataset.key)}"]`),
    );
    body.prepend(...fresh);
    while (body.rows.length > MOST_ROWS) body.rows[body.rows.length - 1].remove();
    if (fresh.length) {
      wrap.hidden = false;
      if (empty) empty.hidden = true;
    }
    return fresh.length;
  };

  const ask = async () => {
    const address = new URL(live.dataset.url, location.href);
    address.searchParams.set("since", since);
    let answer;
    try {
      const response = await fetch(address, { headers: { Accept: "application/json" } });
      if (response.redirected || response.status === 403) {
        stop("The live tail has ended: sign in again.");
        return;
      }
      if (!response.ok) throw new Error(String(response.status));
      answer = await response.json();
    } catch {
      if (isOn()) say("No answer from the service. Trying again.");
      return;
    }
    if (!isOn()) return;
    if (answer.too_broad) {
      stop("The live tail has ended, for it took too long. Add a filter.");
      return;
    }
    since = answer.since;
    arrived += add(answer.rows);
    const gap = answer.is_cut ? " More came than can be shown: some are left out." : "";
    say(`${arrived} new line${arrived === 1 ? "" : "s"}.${gap}`);
  };

  const turn = async () => {
    clearTimeout(timer);
    if (!document.hidden) await ask();
    if (isOn() && !document.hidden) timer = setTimeout(turn, Number(live.dataset.everyMs));
  };

  button.addEventListener("click", () => {
    if (isOn()) {
      stop("The live tail is paused.");
    } else {
      button.setAttribute("aria-pressed", "true");
      say("Waiting for new lines.");
      turn();
    }
  });

  document.addEventListener("visibilitychange", () => {
    if (isOn() && !document.hidden) turn();
  });

  button.hidden = false;
}
