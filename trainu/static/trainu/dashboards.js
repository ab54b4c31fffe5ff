// Charts by keyboard: the arrow keys show one value after the other. And what is open stays open when the
// numbers are asked for again.
document.addEventListener("keydown", (event) => {
  const picture = event.target.closest?.("[data-pointers]");
  if (!picture || event.altKey || event.ctrlKey || event.metaKey) return;
  const pointers = [...picture.querySelectorAll(".pointer")];
  const shown = pointers.findIndex((one) => one.classList.contains("is-shown"));
  const next = {
    ArrowRight: shown < 0 ? 0 : Math.min(shown + 1, pointers.length - 1),
    ArrowLeft: shown < 0 ? pointers.length - 1 : Math.max(shown - 1, 0),
    Home: 0,
    End: pointers.length - 1,
    Escape: -1,
  }[event.key];
  if (next === undefined || !pointers.length) return;
  event.preventDefault();
  pointers[shown]?.classList.remove("is-shown");
  if (next < 0) return;
  pointers[next].classList.add("is-shown");
  const { left, right } = pointers[next].querySelector(".upright").getBoundingClientRect();
  const frame = picture.getBoundingClientRect();
  if (left < frame.left || right > frame.right) picture.scrollLeft += left - frame.left - frame.width / 2;
});
document.addEventListener("focusout", (event) => {
  if (!event.target.matches?.("[data-pointers]")) return;
  event.target.querySelector(".is-shown")?.classList.remove("is-shown");
});

let open = [];
let scrolled = [];
let focused = null;
const inside = (chart) => [...chart.querySelectorAll(".chart-scroll, .chart-rows")];
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.id !== "sections") return;
  open = [...event.target.querySelectorAll("details[open][id]")].map((one) => one.id);
  scrolled = [...event.target.querySelectorAll(".chart-card")].flatMap((chart) =>
    inside(chart).map((box, index) => [chart.id, index, box.scrollLeft, box.scrollTop]),
  );
  const chart = document.activeElement?.closest(".chart-card, .figure-card");
  const stops = chart ? [...chart.querySelectorAll("a, summary, [tabindex]")] : [];
  focused = chart ? [chart.id, stops.indexOf(document.activeElement)] : null;
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "sections") return;
  event.target.classList.remove("is-stale");
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  for (const [id, index, left, top] of scrolled) {
    const chart = document.getElementById(id);
    inside(chart ?? document.createElement("p"))[index]?.scrollTo({ left, top, behavior: "instant" });
  }
  const chart = focused && document.getElementById(focused[0]);
  chart?.querySelectorAll("a, summary, [tabindex]")[focused[1]]?.focus({ preventScroll: true });
});
