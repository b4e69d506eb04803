// What is asked for, in the strip, the chips and the forms above the cards.

// The strip: arrows go from bar to bar; only one of them is in the way of Tab.
export function watchStrip() {
  const bars = [...document.querySelectorAll("#strip .bars a[href]")];
  const way = bars.find((each) => each === document.activeElement) ?? bars.find((each) => each.classList.contains("on")) ?? bars.at(-1);
  for (const each of bars) each.tabIndex = each === way ? 0 : -1;
}

document.getElementById("strip")?.addEventListener("keydown", (event) => {
  const bars = [...document.querySelectorAll("#strip .bars a[href]")];
  const at = bars.indexOf(event.target);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: bars.length - 1 }[event.key];
  if (at < 0 || to === undefined || !bars[to]) return;
  event.preventDefault();
  bars[at].tabIndex = -1;
  bars[to].tabIndex = 0;
  bars[to].focus();
});

// Of many cameras the chosen one is in sight, too.
const chosenChip = document.querySelector("#cameras [aria-current]");
if (chosenChip) chosenChip.parentElement.scrollTo({ top: chosenChip.offsetTop - chosenChip.parentElement.offsetTop - 8, left: chosenChip.offsetLeft - 60 });

// What a form leaves open does not stand in the address.
addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
});

// The search's own cross takes the search away, not its text alone.
const search = document.getElementById("search");
search?.addEventListener("search", () => search.value || !search.defaultValue || search.form.requestSubmit());
