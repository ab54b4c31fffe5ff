// Parts of a page that ask for themselves again. A hidden tab rests; one that cannot be refreshed says so.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});
for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => event.target.classList.add("is-stale"));
}
