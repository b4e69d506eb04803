// A word that the next page says: of what was done on this one. Forms state theirs as data-said.
import { toast } from "./ui.js";

const KEPT = "scd-said";

export function sayNext(text, { top = null, unlessAt = "", onlyAway = false } = {}) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ text, top, unlessAt, onlyAway, from: location.pathname }));
  } catch {
    // Without storage the next page says nothing of it.
  }
}

// What the page before left to be said; and where it was scrolled to, when it is the same page again.
export function sayKept() {
  let kept = null;
  try {
    kept = JSON.parse(sessionStorage.getItem(KEPT));
    sessionStorage.removeItem(KEPT);
  } catch {
    // Without storage there is no such word.
  }
  if (!kept) return;
  const here = location.pathname;
  if (kept.top !== null && here === kept.from) scrollTo(0, kept.top);
  if (here !== kept.unlessAt && !(kept.onlyAway && here === kept.from)) toast(kept.text);
}

// A form that is refused answers at its own address: then that page says why.
addEventListener("submit", (event) => {
  const { said, saidAway } = event.target.dataset;
  if (event.defaultPrevented || !(said ?? saidAway)) return;
  sayNext(said ?? saidAway, { top: scrollY, unlessAt: new URL(event.target.action).pathname, onlyAway: said === undefined });
});
