/* What HTML cannot do alone: the menu button says whether the menu is open, "/" leads to the search box,
   dropdowns close by Esc or by a click elsewhere, and Django's widgets get the names they lack. Without it everything still works. */
"use strict";
{
  const menu = document.getElementById("navigation");
  const button = document.querySelector(".menu-button");
  if (menu && button) {
    menu.addEventListener("toggle", (event) => {
      button.setAttribute("aria-expanded", String(event.newState === "open"));
    });
    // A drawer that is left open while the window grows would float over its own place.
    matchMedia("(min-width: 64.0625rem)").addEventListener("change", (event) => {
      if (event.matches && menu.matches(":popover-open")) menu.hidePopover();
    });
  }

  const finder = document.getElementById("finder");
  if (finder) {
    const field = finder.querySelector("input");
    // On a phone it is a popover, and opening it is asking for its field.
    finder.addEventListener("toggle", (event) => {
      if (event.newState === "open") field.focus();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest("input, textarea, select, [contenteditable]")) return;
      event.preventDefault();
      if (getComputedStyle(finder).display === "none") finder.showPopover();
      field.focus();
      field.select();
    });
  }

  // Phones are shared: whoever signs out leaves nothing in the tab (see typed.js).
  document.getElementById("logout-form")?.addEventListener("submit", () => {
    try {
      sessionStorage.clear();
    } catch {
      // A browser that keeps nothing.
    }
  });

  const open = () => document.querySelectorAll("details.dropdown[open]");

  document.addEventListener("click", (event) => {
    for (const dropdown of open()) {
      if (!dropdown.contains(event.target)) dropdown.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const dropdown of open()) {
      dropdown.open = false;
      if (dropdown.contains(document.activeElement)) dropdown.querySelector("summary").focus();
    }
  });

  // At load, for that is when Django's own scripts have built their widgets.
  window.addEventListener("load", () => {
    for (const [selector, part] of [[".vDateField", "date"], [".vTimeField", "time"]]) {
      for (const input of document.querySelectorAll(`.datetime ${selector}`)) {
        const label = input.closest(".flex-container")?.querySelector("label, legend");
        input.setAttribute("aria-label", `${label?.textContent ?? ""} ${part}`.trim());
      }
    }
    document.querySelectorAll(".search-label-icon").forEach((icon) => icon.setAttribute("role", "img"));
  });
}
