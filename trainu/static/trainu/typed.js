/* What was typed for a draft and not sent: kept in this tab alone, offered on the draft's page, and forgotten
   once the draft is decided. For a session that ends meanwhile, for Back, and for the page's other forms; never
   in localStorage, for phones are shared. Without this script nothing is missing but the offer. */
"use strict";
{
  const KEPT = "draft.typed.";
  const FIELDS = "#id_text, #id_subject, #id_hint, #id_reason";
  const page = document.querySelector("[data-draft]");
  const offer = document.getElementById("typed");

  // A browser may refuse to remember anything; then nothing is offered.
  const read = (name) => {
    try {
      return JSON.parse(sessionStorage.getItem(name)) ?? null;
    } catch {
      return null;
    }
  };
  const write = (name, value) => {
    try {
      if (value === null) sessionStorage.removeItem(name);
      else sessionStorage.setItem(name, JSON.stringify(value));
    } catch {
      // Nothing to do: it is lost as it was without this.
    }
  };

  // A message that says what was decided names the draft: of that one nothing is kept.
  for (const told of document.querySelectorAll(".messagelist [class*='draft-']")) {
    for (const word of told.classList) {
      if (word.startsWith("draft-")) write(KEPT + word.slice("draft-".length), null);
    }
  }

  if (page && offer) {
    const { draft, round, reader, keeps } = page.dataset;
    const name = KEPT + draft;
    const fields = () => [...document.querySelectorAll(FIELDS)];
    const kept = () => {
      const found = read(name);
      return found && found.reader === reader ? found : null;
    };
    const unsent = () => {
      const typed = kept()?.typed ?? {};
      return fields().filter((field) => typed[field.name] !== undefined && typed[field.name] !== field.value);
    };
    const show = () => {
      if (!fields().length && !keeps) write(name, null);
      offer.hidden = !unsent().length;
      offer.querySelector("[data-before]").hidden = kept()?.round === round;
    };

    document.addEventListener("input", ({ target }) => {
      if (!target.matches(FIELDS)) return;
      const typed = { ...kept()?.typed, [target.name]: target.value };
      write(name, { reader, round, typed });
      offer.hidden = !unsent().length;
    });
    offer.querySelector("[data-take]").addEventListener("click", () => {
      const changed = unsent();
      const { typed } = kept() ?? { typed: {} };
      for (const field of changed) field.value = typed[field.name];
      offer.hidden = true;
      changed[0]?.focus();
    });
    offer.querySelector("[data-forget]").addEventListener("click", () => {
      write(name, null);
      offer.hidden = true;
    });
    // Also for a page that Back brings again as it was.
    window.addEventListener("pageshow", show);
  }
}
