"use strict";
// The page can be read without this: it opens what a link leads to, and all runs at once.
const runs = document.querySelectorAll("details.run");
const reveal = () => {
  const to = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const run = to && to.closest("details.run");
  if (run && !run.open) { run.open = true; to.scrollIntoView(); }
};
addEventListener("hashchange", reveal);
reveal();
for (const button of document.querySelectorAll("button[data-open]")) {
  button.addEventListener("click", () => { for (const run of runs) run.open = button.dataset.open === "all"; });
}
document.querySelector(".tools").hidden = false;
