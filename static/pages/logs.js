// Log lines: a window of rows over thousands of lines, the newest at the end, which follows what comes.
// Without this script the page is a form and a table with links to older and newer lines.
import { closeLikeMenus, counted, element, keys, reached, send, toast } from "../ui.js";
import { asText, shown, whole, write } from "./log-lines.js";
import { above, add, AT_MOST, below, body, box, draw, drawSoon, forgetAll, forgetOldest, height, isAtEnd, names, rows, selected, state, table, toEnd, topOf, view } from "./log-window.js";

const PIECE = 1000;
const HELD_AT_MOST = 5000;
const NOTHING = { filtered: "No line matches.", all: "No log lines yet. They appear as soon as a camera reports." };

const page = document.getElementById("logs");
const form = document.getElementById("filter");
const notice = document.getElementById("notice");
const nothing = document.getElementById("nothing");
const held = document.getElementById("held");
const followButton = document.getElementById("follow");
const search = form.elements.q;

let isNewest = "newest" in page.dataset;
let turn = 0; // grows when the filter changes or a search is stopped: answers to earlier questions are dropped
let loading = 0; // the turn that is loading

function tell() {
  const count = state.lines.length;
  document.getElementById("at-hand").textContent = count
    ? `${counted(count, "line")} at hand${state.older ? "" : ", all there are"}`
    : "";
  nothing.hidden = count > 0 || loading === turn;
  const waiting = state.held.length + state.heldMore;
  held.hidden = waiting === 0;
  held.textContent = counted(waiting, "new line");
}

// --- the filter, which is the address -------------------------------------------------------------------------------------

function query() {
  const given = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (value.trim() && !(name === "rows" && value === "500")) given.append(name, value.trim());
  }
  return given;
}

function asked(extra = {}) {
  const given = query();
  given.delete("rows");
  for (const [name, value] of Object.entries(extra)) if (value) given.set(name, value);
  return given;
}

function fill(given) {
  for (const input of form.elements) {
    if (input.type === "checkbox") input.checked = given.getAll(input.name).includes(input.value);
    else if (input.type === "radio") input.checked = (given.get(input.name) ?? "") === input.value;
    else if (input.name === "rows") input.value = given.get("rows") ?? "500";
    else if (input.name) input.value = given.get(input.name) ?? "";
  }
}

function describe() {
  const given = query();
  const sources = given.getAll("source");
  const label = sources.length === 1 ? names.get(sources[0]) ?? sources[0] : sources.length ? `${sources.length} sources` : "All sources";
  document.getElementById("sources-label").textContent = label;
  form.elements.since.closest("details").toggleAttribute("data-on", given.has("since") || given.has("until"));
  for (const [id, format] of [["as-text", "text"], ["as-json", "json"]]) {
    document.getElementById(id).href = `/api/v1/logs/download?${asked({ format })}`;
  }
  view.text = given.get("q") ?? "";
}

let isTyped = false; // whether the address at hand came of typing: more of it takes its place in the history

async function apply({ push = true, typed = false } = {}) {
  const given = query();
  const address = `/logs${given.size ? `?${given}` : ""}`;
  if (push && address !== location.pathname + location.search) {
    history[typed && isTyped ? "replaceState" : "pushState"](null, "", address);
    isTyped = typed;
  } else if (!push) isTyped = false;
  turn += 1;
  forgetAll();
  isNewest = true;
  document.getElementById("newer")?.remove();
  lastId = "";
  describe();
  notice.hidden = true;
  box.classList.add("is-loading");
  listen();
  follow(canFollow());
  await load();
}

// --- loading ----------------------------------------------------------------------------------------------------------------

const wantedRows = () => Math.min(AT_MOST, Number(form.elements.rows.value));
const more = () => state.older && load({ target: Math.min(AT_MOST, state.lines.length + 500) });

// Older lines until `target` are at hand. A search that looked at enough is asked to go on from where it stopped.
async function load({ target = wantedRows() } = {}) {
  if (loading === turn) return;
  const mine = (loading = turn);
  notice.classList.remove("bad");
  tell();
  try {
    do {
      const limit = Math.max(1, Math.min(PIECE, target - state.lines.length));
      const found = await send("GET", `/api/v1/logs/search?${asked({ limit, before: state.older })}`);
      if (mine !== turn) return;
      state.older = found.further ?? "";
      const [height, top] = [box.scrollHeight, box.scrollTop];
      if (add(found.lines, { atFront: true }).length) {
        draw();
        if (view.follows || height <= box.clientHeight) toEnd();
        else view.top = box.scrollTop = top + box.scrollHeight - height;
        draw();
      }
      box.classList.remove("is-loading");
      notice.hidden = !found.is_cut_short;
      if (found.is_cut_short) {
        const back = `Searched back to ${shown(whole({ timestamp: found.searched_to }).timestamp).slice(0, -4)}`;
        if (state.lines.length < target) say(`${back} …`, "Stop", stop);
        else say(`${back}.`, "Search further back", more);
      }
      tell();
    } while (state.older && state.lines.length < target);
    nothing.textContent = asked().size ? NOTHING.filtered : NOTHING.all;
  } catch (error) {
    if (mine !== turn) return;
    notice.classList.add("bad");
    say(error.message, "Try again", () => load({ target }));
  } finally {
    if (mine === turn) {
      loading = 0;
      box.classList.remove("is-loading");
      tell();
      drawSoon();
    }
  }
}

function stop() {
  turn += 1;
  say("The search was stopped.", "Search further back", () => load());
  tell();
}

function say(sentence, label, run) {
  notice.hidden = false;
  const button = element("button", { type: "button", class: "button" }, label);
  button.addEventListener("click", run);
  notice.replaceChildren(element("span", {}, sentence), button);
}

// --- following --------------------------------------------------------------------------------------------------------------

let stream = null;
let lastId = "";
let again = 0;

function canFollow() {
  const given = query();
  return isNewest && given.get("range") !== "yesterday" && !given.has("until");
}

function listen() {
  clearTimeout(again);
  stream?.close();
  stream = null;
  delete page.dataset.live;
  if (!canFollow() || document.hidden) return;
  stream = new EventSource(`/api/v1/logs/stream?${asked({ after_id: lastId })}`);
  stream.addEventListener("ready", (event) => {
    lastId = event.lastEventId;
    page.dataset.live = "";
    reached(true);
  });
  stream.addEventListener("lines", (event) => {
    lastId = event.lastEventId;
    const news = JSON.parse(event.data);
    if (news.skipped) toast(`${news.skipped.toLocaleString("en")} lines came too fast to be shown here.`);
    take(news.lines);
  });
  stream.addEventListener("error", () => {
    delete page.dataset.live;
    reached(false);
    if (stream?.readyState === EventSource.CLOSED) again = setTimeout(listen, 3000);
  });
}

// A page that nobody sees needs no connection; it is told what it missed when it is seen again.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return stream || listen();
  stream?.close();
  stream = null;
});

function take(lines) {
  if (view.follows) {
    const found = add(lines);
    forgetOldest();
    toEnd();
    for (const line of found) rows.get(line.id)?.classList.add("new");
  } else {
    const known = new Set(state.held.map((line) => line.id));
    state.held.push(...lines.filter((line) => !state.ids.has(line.id) && !known.has(line.id)));
    const over = Math.max(0, state.held.length - HELD_AT_MOST);
    state.held.splice(0, over);
    state.heldMore += over;
  }
  tell();
}

function follow(on) {
  view.follows = on;
  followButton.setAttribute("aria-pressed", on);
  followButton.hidden = !canFollow();
  if (!on) return tell();
  // Of what was held back too long some was let go: then the newest are read anew.
  if (state.heldMore) return apply({ push: false });
  add(state.held.splice(0));
  forgetOldest();
  toEnd();
  tell();
}

// --- the pointer and the keyboard -------------------------------------------------------------------------------------------

function activate(index, { extend = false, isPointer = false } = {}) {
  if (!state.lines.length) return;
  const at = Math.max(0, Math.min(state.lines.length - 1, index));
  if (!extend) state.anchor = -1;
  else if (state.anchor < 0) state.anchor = state.active < 0 ? at : state.active;
  state.active = at;
  if (view.follows && at < state.lines.length - 1) follow(false);
  if (!isPointer) {
    const top = topOf(at) + body.offsetTop;
    const head = body.offsetTop;
    if (top - head < box.scrollTop) box.scrollTop = top - head;
    else if (top + height() > box.scrollTop + box.clientHeight) box.scrollTop = top + height() - box.clientHeight;
    view.top = box.scrollTop;
  }
  draw();
}

function unfold(index) {
  const line = state.lines[index];
  if (!line) return false;
  state.open = state.open === line.id ? null : line.id;
  state.extra = 0;
  if (view.follows) follow(false);
  draw();
  return true;
}

body.addEventListener("click", (event) => {
  const row = event.target.closest("tr[id]");
  if (!row || getSelection()?.toString()) return;
  const index = state.lines.findIndex((line) => `l${line.id}` === row.id);
  const message = row.querySelector(".message");
  const opens = index === state.active || row.classList.contains("open") || message.scrollWidth > message.clientWidth;
  activate(index, { extend: event.shiftKey, isPointer: true });
  if (opens && !event.shiftKey) unfold(index);
});

const pageful = () => Math.max(1, Math.floor(box.clientHeight / height()) - 2);
const end = () => state.lines.length - 1;
const start = () => (state.active < 0 ? state.lines.length : state.active);
const moves = {
  ArrowDown: () => start() + 1,
  ArrowUp: () => start() - 1,
  PageDown: () => start() + pageful(),
  PageUp: () => start() - pageful(),
  Home: () => 0,
  End: end,
};

table.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (moves[event.key]) activate(moves[event.key](), { extend: event.shiftKey });
  else if (event.key !== "Enter" && event.key !== " ") return;
  else unfold(state.active);
  event.preventDefault();
});

async function copy() {
  const [from, to] = selected();
  const lines = state.active < 0 ? state.lines : state.lines.slice(from, to + 1);
  if (!lines.length) return toast("There is no line to copy.");
  if (!(await write(`${lines.map(asText).join("\n")}\n`))) {
    return toast("This browser does not let us copy; download the lines instead.", { kind: "bad" });
  }
  return toast(lines.length === 1 ? "The line is copied." : `${lines.length.toLocaleString("en")} lines are copied.`);
}

// --- start --------------------------------------------------------------------------------------------------------------------

let typing = 0;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  apply();
});
form.addEventListener("change", (event) => event.target === search || apply());
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(apply, 350, { typed: true });
});
search.addEventListener("keydown", (event) => event.key === "Escape" && table.focus());
addEventListener("popstate", () => {
  fill(new URLSearchParams(location.search));
  apply({ push: false });
});

box.addEventListener(
  "scroll",
  () => {
    drawSoon();
    const isUp = box.scrollTop < view.top - 1;
    view.top = box.scrollTop;
    if (isUp && view.follows && !isAtEnd()) follow(false);
    if (isUp && box.scrollTop < height() * 10) more();
  },
  { passive: true },
);
followButton.addEventListener("click", () => follow(!view.follows));
held.addEventListener("click", () => {
  follow(true);
  table.focus({ preventScroll: true });
});
document.getElementById("copy").addEventListener("click", copy);

closeLikeMenus(page.querySelectorAll("details[data-drop]"));
const focusTable = () => table.focus({ preventScroll: true });
keys.add({ "/": "Search" }, { run: () => search.focus() });
keys.add({ f: "Follow, or pause" }, { run: () => canFollow() && follow(!view.follows) });
keys.add({ "j k": "Next and previous line" }, {
  run: (key) => {
    focusTable();
    activate(start() + (key === "j" ? 1 : -1));
  },
});
keys.add({ o: "Show the line whole" }, { run: () => unfold(state.active) });
keys.add({ c: "Copy the line, the selection or all" }, { run: () => void copy() });
keys.add({ "g G": "Oldest and newest at hand" }, {
  run: (key) => {
    focusTable();
    activate(key === "g" ? 0 : end());
  },
});

// The rows that the server wrote become the first lines.
const first = [...body.rows].map((row) => ({
  id: Number(row.id.slice(1)),
  timestamp: row.querySelector("time").dateTime,
  level: row.querySelector(".level").textContent,
  source: row.querySelector(".source").dataset.source,
  message: row.querySelector(".message").textContent,
}));
for (const id of ["older", "apply", "clear"]) document.getElementById(id)?.remove();
form.elements.rows.disabled = false;
box.classList.add("live");
box.removeAttribute("tabindex");
box.removeAttribute("role");
box.removeAttribute("aria-label");
table.setAttribute("role", "grid");
table.setAttribute("aria-multiselectable", "true");
table.setAttribute("aria-label", "Log lines, the newest at the end");
table.tabIndex = 0;
body.replaceChildren(above, below);
turn = 1;
describe();
add(first);
state.older = page.dataset.older;
follow(canFollow());
if (!view.follows) toEnd();
listen();
if (state.older && state.lines.length < wantedRows()) load();
