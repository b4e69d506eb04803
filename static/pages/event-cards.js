// The cards of the gallery as the page's script has them: with marks to press, exchanged one by one, picked or not.
import { element, icon } from "../ui.js";

export const gallery = document.getElementById("gallery");
export const list = document.getElementById("list");
export const mayChange = gallery.dataset.mayChange === "1";
export const items = () => [...list.querySelectorAll(".item")];
export const itemOf = (id) => list.querySelector(`.item[data-event="${Number(id)}"]`);
export const idOf = (item) => Number(item.dataset.event);
export const selected = new Set();

// What the server said of each, to leave alone what did not change.
export const said = new WeakMap();

export function prepare(item) {
  said.set(item, item.outerHTML);
  if (!mayChange) return item;
  const box = element("input", { type: "checkbox", "aria-label": `Select ${nameOf(item)}` });
  const reviewed = element("button", { type: "button", class: "mark", "data-do": "review" }, icon("check"));
  const star = element("button", { type: "button", class: "mark", "data-do": "star" }, icon("star"));
  item.append(element("span", { class: "marks" }, element("label", { class: "mark pick" }, box), reviewed, star));
  name(item);
  return item;
}

export function nameOf(item) {
  return `${item.querySelector(".where").textContent}, ${item.querySelector(".when").textContent}`;
}

export function name(item) {
  const [reviewed, star] = item.querySelectorAll("[data-do]");
  if (!star) return;
  const say = (button, isOn, on, off) => {
    button.setAttribute("aria-pressed", isOn);
    button.setAttribute("aria-label", `${isOn ? on : off}: ${nameOf(item)}`);
    button.title = isOn ? on : off;
  };
  say(reviewed, item.classList.contains("is-reviewed"), "Not reviewed after all", "Mark as reviewed");
  say(star, item.classList.contains("is-starred"), "Take the star away", "Star: keep for good");
}

export function swap(old, next) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const before = old.querySelector("img");
  const after = next.querySelector("img");
  // The same picture stays, so that nothing flickers.
  if (before && after && before.getAttribute("src") === after.getAttribute("src") && before.complete) after.replaceWith(before);
  old.replaceWith(next);
  pick(next, selected.has(idOf(next)));
  const again = focused?.dataset.do ? `[data-do="${focused.dataset.do}"]` : focused?.matches("input") ? ".pick input" : ".card";
  if (focused) next.querySelector(again)?.focus({ preventScroll: true });
}

// Bring the children of an element to what is wanted, moving none that may stay.
export function merge(into, wanted, keyOf, make) {
  const old = new Map([...into.children].map((child) => [keyOf(child), child]));
  let cursor = into.firstElementChild;
  for (const next of wanted) {
    const current = old.get(keyOf(next));
    old.delete(keyOf(next));
    // What stands before it here and is wanted no more must not hold its place.
    while (cursor && current && cursor !== current && old.has(keyOf(cursor)) && !wanted.some((each) => keyOf(each) === keyOf(cursor))) {
      const gone = cursor;
      cursor = cursor.nextElementSibling;
      old.delete(keyOf(gone));
      gone.remove();
    }
    const isHere = current && cursor === current;
    const shown = make(next, current);
    if (isHere) cursor = shown.nextElementSibling;
    else into.insertBefore(shown, cursor);
  }
  for (const left of old.values()) left.remove();
}

export function pick(item, isOn) {
  item.classList.toggle("is-selected", isOn);
  const box = item.querySelector(".pick input");
  if (box) box.checked = isOn;
}
