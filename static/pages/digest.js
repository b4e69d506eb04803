// Reports that are being written: looks now and then, and shows them once they are there, or why they are not yet.
import { send } from "../ui.js";

const LOOK_MS = 5000;
const waiting = [...document.querySelectorAll("[data-waiting]")];

async function hasNews({ dataset }) {
  const { state, error } = await send("GET", `/api/v1/digests/${dataset.waiting}`);
  // Without an error it is tried at this moment: what was said of the try before stays until it ended.
  return state !== "waiting" || (error !== null && error !== dataset.error);
}

async function look() {
  try {
    for (const report of waiting) if (await hasNews(report)) return location.reload();
  } catch {
    // The server is away for a moment, as the bar says: the next look may find it.
  }
  setTimeout(look, LOOK_MS);
}

if (waiting.length) setTimeout(look, LOOK_MS);
