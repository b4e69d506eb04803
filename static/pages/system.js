// The system page, kept up to date: its changing part is fetched again every few seconds, while somebody sees it.
import { fragment, retell, send, toast } from "../ui.js";

const EVERY_MS = 5000;
const live = document.getElementById("live");
let timer = 0;
let asked = 0;

// What is being selected, as the command to run, must not vanish under the hand.
const isSelecting = () => !getSelection().isCollapsed && live.contains(getSelection().anchorNode);

async function refresh() {
  clearTimeout(timer);
  if (isSelecting()) return later();
  const mine = (asked += 1);
  try {
    const fresh = await fragment(live.dataset.url);
    if (mine !== asked) return; // a later answer is on its way
    const held = live.contains(document.activeElement) ? document.activeElement : null;
    const { id = "", href } = held ?? {};
    live.replaceChildren(fresh);
    retell(live);
    // What is not there any more leaves the focus with what took its place.
    const heirs = [id, id.replace(/-(pause|resume)$/, (_, old) => (old === "pause" ? "-resume" : "-pause"))].filter(Boolean);
    const same = href && [...live.querySelectorAll("a[href]")].find((link) => link.href === href);
    (heirs.map((each) => document.getElementById(each)).find(Boolean) ?? (same || null))?.focus({ preventScroll: true });
  } catch {
    // The bar says that the server does not answer; what is shown stays.
  } finally {
    if (mine === asked) later();
  }
}

function later() {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(refresh, EVERY_MS);
}

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));

live.addEventListener("submit", async (event) => {
  const button = event.submitter;
  if (!button?.dataset.api) return;
  event.preventDefault();
  button.disabled = true;
  const label = button.textContent.trim();
  try {
    const answer = await send("POST", button.dataset.api);
    toast("queued" in answer ? `${answer.queued} ${answer.queued === 1 ? "job is" : "jobs are"} tried again.` : `${answer.name}: ${label === "Run now" ? "looks for work now" : answer.state}.`);
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
  button.disabled = false;
  button.focus({ preventScroll: true });
  await refresh();
});
later();
