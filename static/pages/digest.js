// A report that is being written: looks now and then, and shows it once it is there.
import { send } from "../ui.js";

const LOOK_MS = 5000;

async function look() {
  try {
    const { state } = await send("GET", `/api/v1${location.pathname}`);
    if (state !== "waiting") return location.reload();
  } catch {
    // The server is away for a moment, as the bar says: the next look may find it.
  }
  setTimeout(look, LOOK_MS);
}

if (document.querySelector("[data-waiting]")) setTimeout(look, LOOK_MS);
