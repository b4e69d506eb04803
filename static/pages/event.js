// The page of an event: kept up to date in place, worked by keys and fingers. Without it the page's links and forms do.
import { sayNext } from "../said.js";
import { ask, fragment, keys, retell, send, toast } from "../ui.js";
import { watch } from "../stream.js";
import { Player } from "./event-player.js";
import { lookedAt } from "./event-seen.js";
import { compare, enlarge } from "./event-stills.js";

const page = document.querySelector(".event-page");
const id = Number(page.dataset.event);
const api = `/api/v1/events/${id}`;
const LOOK_MS = 10_000;
const $ = (selector) => page.querySelector(selector);

let player = null;
let isGone = false;

// --- parts that change ------------------------------------------------------------------------------------------------

// What the server said, without what only tells the time that has passed.
function essence(part) {
  if (part.dataset.key !== undefined) return part.dataset.key;
  const copy = part.cloneNode(true);
  for (const time of copy.querySelectorAll("time[data-relative]")) time.textContent = "";
  return copy.innerHTML;
}

const known = new Map([...page.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, essence(part)]));

const wiring = {
  clip(part) {
    const root = part.querySelector("[data-player]");
    player = root ? new Player(root) : null;
  },
  stills(part) {
    const links = [...part.querySelectorAll("[data-still]")];
    for (const [at, link] of links.entries()) {
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        enlarge(links, at);
      });
    }
    compare(part, links);
  },
};

function isBusy(part) {
  const text = part.querySelector("textarea");
  return Boolean(text && text.value !== text.defaultValue) || Boolean(part.querySelector("details[open]") && part.dataset.part === "remove");
}

function put(part, next) {
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  const wasOpen = part.querySelector("details")?.open;
  part.replaceWith(next);
  if (wasOpen && next.querySelector("details")) next.querySelector("details").open = true;
  if (focused) next.querySelector(`#${focused}`)?.focus({ preventScroll: true });
  wiring[next.dataset.part]?.(next);
  retell(next);
}

async function refresh() {
  if (isGone) return;
  let next;
  try {
    next = (await fragment(location.href)).querySelector(".event-page");
  } catch (error) {
    if (error.status === 404) gone();
    return; // the bar says that the server is away; what is shown stays
  }
  for (const found of next.querySelectorAll("[data-part]")) {
    const name = found.dataset.part;
    const now = essence(found);
    const part = $(`[data-part="${name}"]`);
    if (part && now !== known.get(name) && !isBusy(part)) {
      known.set(name, now);
      put(part, found);
    } else if (part && name === "clip") {
      progress(found.querySelector("[data-progress]")?.getAttribute("value"));
    }
  }
  if ("waiting" in next.dataset) page.dataset.waiting = "";
  else delete page.dataset.waiting;
}

function progress(percent) {
  const bar = $("[data-progress]");
  if (!bar || percent == null) return;
  bar.hidden = false;
  bar.value = percent;
}

function gone() {
  if (isGone) return;
  isGone = true;
  $("#gone").hidden = false;
  for (const control of page.querySelectorAll(".acts button, .acts form, [data-note] button, [data-note] textarea, [data-part=remove], [data-retry]")) {
    control.matches("button, textarea") ? (control.disabled = true) : (control.inert = true);
  }
}

let planned = 0;

function soon(wait = 150) {
  clearTimeout(planned);
  planned = setTimeout(refresh, wait);
}

watch({
  changes(list) {
    for (const change of list) {
      if (change.id === id && change.what === "gone") gone();
      else if (change.id === id && change.progress != null) progress(Math.round(100 * change.progress));
      else if (change.id === id || change.what === "gone") soon();
      else if (change.what === "new" && !$("#later")) soon(1000);
    }
  },
  reload: () => soon(),
});

// Where nothing is told: a look now and then, more often while something is awaited.
setInterval(() => "waiting" in page.dataset && !document.hidden && soon(0), LOOK_MS);
document.addEventListener("visibilitychange", () => document.hidden || soon());

// --- what people do ---------------------------------------------------------------------------------------------------

async function act(work, done = "") {
  try {
    await work();
  } catch (error) {
    if (error.status === 404) gone();
    else toast(error.message, { kind: "bad" });
    return false;
  }
  if (done) toast(done);
  await refresh();
  return true;
}

function toggle(name) {
  const button = $(`[data-change="${name}"] button`);
  if (!button || isGone) return;
  act(() => send("PATCH", api, { [name]: button.getAttribute("aria-pressed") !== "true" }));
}

async function saveNote() {
  const text = $("#note");
  const saved = text.value;
  await act(async () => {
    const { note } = await send("PATCH", api, { note: saved });
    text.defaultValue = note;
    if (text.value === saved) text.value = note;
  }, saved.trim() ? "Note saved" : "Note removed");
}

async function remove() {
  const form = $("[data-remove]");
  if (isGone) return;
  if (!form) {
    toast("A starred event is not removed. Take the star away first.");
    return;
  }
  const points = [...form.querySelectorAll("li")].map((line) => line.textContent);
  const sure = await ask({ title: "Remove this event?", text: form.querySelector("[data-what]").textContent, points, label: "Remove for good", danger: true });
  if (!sure) return;
  try {
    await send("DELETE", api);
  } catch (error) {
    toast(error.message, { kind: "bad" });
    return;
  }
  isGone = true;
  const next = $("#earlier") ?? $("#later");
  sayNext("The event was removed.");
  location.replace(next ? next.href : page.dataset.back);
}

page.addEventListener("submit", (event) => {
  const form = event.target;
  const kind = new URL(form.action).pathname.split("/").pop();
  if (form.dataset.change) toggle(form.dataset.change);
  else if ("note" in form.dataset) saveNote();
  else if ("retry" in form.dataset) act(() => send("POST", kind === "describe-again" ? `${api}/analysis/rerun` : `${api}/jobs/${kind}/retry`), "It is tried again next");
  else if ("remove" in form.dataset) remove();
  else return;
  event.preventDefault();
});
page.addEventListener("click", (event) => {
  if (!event.target.closest("#remove")) return;
  event.preventDefault();
  remove();
});
page.addEventListener("keydown", (event) => {
  if (event.target.id !== "note" || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  saveNote();
});
addEventListener("beforeunload", (event) => {
  const text = $("textarea#note");
  if (text && text.value !== text.defaultValue && !isGone) event.preventDefault();
});

// --- keys and fingers -------------------------------------------------------------------------------------------------

function go(way) {
  const link = $(`#${way}`);
  if (link) location.href = link.href;
  else toast(way === "earlier" ? "This is the earliest event." : "This is the latest event.");
}

const acts = {
  "[": () => go("earlier"),
  "]": () => go("later"),
  j: () => go("earlier"),
  k: () => go("later"),
  b: () => go("back"),
  r: () => toggle("reviewed"),
  s: () => toggle("starred"),
  n: () => $("textarea#note")?.focus(),
  p: () => $("[data-still]")?.click(),
  c: () => {
    $(`#show-${$("#show-swipe")?.getAttribute("aria-pressed") === "true" ? "both" : "swipe"}`)?.click();
    // The arrows move the edge at once.
    $("[data-stage] input:enabled")?.focus({ preventScroll: true });
  },
  Delete: () => remove(),
  ",": () => player?.step(-1),
  ".": () => player?.step(1),
  "<": () => player?.faster(-1),
  ">": () => player?.faster(1),
  f: () => player?.full(),
  m: () => player?.sound(),
};
const run = (key) => acts[key]?.();
keys.add({ "[ j": "Earlier event", "] k": "Later event", b: "Back to the events" }, { group: "Events", run });
keys.add({ r: "Reviewed, or not", s: "Keep (star), or not", n: "Write a note", Delete: "Remove" }, { group: "This event", run });
keys.add({ Space: "Play or pause", ", .": "One frame back, on", "< >": "Slower, faster", f: "Full screen", m: "Sound" }, { group: "Clip", run });
keys.add({ p: "Pictures large", c: "Compare the pictures" }, { group: "Pictures", run });

addEventListener("keydown", (event) => {
  if (event.key !== " " || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !player) return;
  if (event.target instanceof Element && event.target.closest("button, a, input, textarea, select, summary, dialog, .pswp, ol")) return;
  event.preventDefault();
  player.toggle();
});

let touch = null;
addEventListener("touchstart", (event) => {
  const [first, second] = event.touches;
  const isOurs = !second && (visualViewport?.scale ?? 1) < 1.05 && !event.target.closest("input, textarea, select, dialog, .deck, .stage, .lines ol, .pswp, .places");
  touch = isOurs ? { x: first.clientX, y: first.clientY, at: event.timeStamp } : null;
}, { passive: true });
addEventListener("touchend", (event) => {
  if (!touch || event.touches.length) return;
  const [end] = event.changedTouches;
  const across = end.clientX - touch.x;
  const isSwipe = Math.abs(across) > 70 && Math.abs(across) > 2 * Math.abs(end.clientY - touch.y) && event.timeStamp - touch.at < 700;
  touch = null;
  if (isSwipe) go(across > 0 ? "earlier" : "later");
}, { passive: true });

lookedAt(id);
for (const [name, wire] of Object.entries(wiring)) wire($(`[data-part="${name}"]`));
