// Parts of a page that the server writes anew: [data-part] elements of the same address, exchanged in place.
import { fragment, retell } from "../ui.js";

const EVERY_MS = 15_000;

export async function exchange(names) {
  const fresh = await fragment(location.href);
  for (const name of names) {
    const now = document.querySelector(`[data-part="${name}"]`);
    const then = fresh.querySelector(`[data-part="${name}"]`);
    // Whoever is in the middle of it keeps what they have; the next round brings the rest.
    if (!now || !then || now.contains(document.activeElement) || now.innerHTML === then.innerHTML) continue;
    now.replaceWith(then);
  }
  retell();
}

export function refreshParts(names, everyMs = EVERY_MS) {
  setInterval(() => {
    // Without an answer the bar says so, and what is shown stays.
    if (!document.hidden) exchange(names).catch(() => {});
  }, everyMs);
}
