// Log lines: a window of rows over thousands of lines, the newest at the end, which follows what comes.
// Without this script the page is a form and a table with links to older and newer lines.
import { closeLikeMenus, element, keys, reached, send, toast } from "../ui.js";
import { asText, inOrder, marked, placeOf, shown, whole, write } from "./log-lines.js";

const AT_MOST = 25_000;
const PIECE = 1000;
const HELD_AT_MOST = 5000;
const BEYOND = 15; // rows that are drawn above and below what is seen
const NOTHING = { filtered: "No line matches.", all: "No log lines yet. They appear as soon as a camera reports." };

const page = document.getElementById("logs");
const form = document.getElementById("filter");
const box = document.getElementById("lines");
const table = document.getElementById("table");
const body = table.tBodies[0];
const notice = document.getElementById("notice");
const nothing = document.getElementById("nothing");
const held = document.getElementById("held");
const followButton = document.getElementById("follow");
const search = form.elements.q;
const names = new Map([...form.querySelectorAll("[name=source]")].map((input) => [input.value, input.parentElement.textContent.trim()]));

const EMPTY = () => ({
  lines: [], // in order of time and id
  ids: new Set(),
  older: "", // the place where older ones are; "" when there are none
  held: [], // what came while following was paused
  heldMore: 0,
  active: -1,
  anchor: -1, // where a selection that ends at the active line begins
  open: null, // the id of the line that is shown whole
  extra: 0, // how much higher than a row that one is
});
let state = EMPTY();
let text = ""; // what is searched for
let isNewest = "newest" in page.dataset;
let follows = false;
let turn = 0; // grows when the filter changes or a search is stopped: answers to earlier questions are dropped
let loading = 0; // the turn that is loading

// --- lines ------------------------------------------------------------------------------------------------------------

function fresh(lines) {
  return lines.filter((line) => !state.ids.has(line.id) && state.ids.add(line.id)).map(whole);
}

function add(lines, { atFront = false } = {}) {
  const found = fresh(lines);
  if (!found.length) return found;
  const [active, anchor, last] = [state.lines[state.active], state.lines[state.anchor], state.lines.at(-1)];
  if (atFront) state.lines.unshift(...found);
  else {
    state.lines.push(...found);
    // Agents tell their lines late, and each at its own pace.
    if (last && found.some((line, at) => inOrder(line, at ? found[at - 1] : last) < 0)) state.lines.sort(inOrder);
  }
  state.active = active ? state.lines.indexOf(active) : -1;
  state.anchor = anchor ? state.lines.indexOf(anchor) : -1;
  return found;
}

function forgetOldest() {
  const over = state.lines.length - AT_MOST;
  if (over <= 0) return;
  for (const line of state.lines.splice(0, over)) state.ids.delete(line.id);
  state.older = placeOf(state.lines[0]);
  state.active = Math.max(-1, state.active - over);
  state.anchor = Math.max(-1, state.anchor - over);
}

// --- the window of rows -------------------------------------------------------------------------------------------------

let rowHeight = 0;
const height = () => (rowHeight ||= parseFloat(getComputedStyle(page).getPropertyValue("--row")));
addEventListener("resize", () => {
  rowHeight = 0;
  if (follows) toEnd();
  else draw();
});

const space = () => element("tr", { class: "space", role: "presentation", "aria-hidden": "true" });
const above = space();
const below = space();
const rows = new Map(); // by id, of the rows that are drawn

function makeRow(line) {
  const cell = (name, ...content) => element("td", { role: "gridcell", class: name }, ...content);
  return element(
    "tr",
    { role: "row", id: `l${line.id}`, class: line.level },
    cell("at", element("time", { datetime: line.timestamp }, shown(line.timestamp))),
    cell("level", line.level),
    cell("source", names.get(line.source) ?? line.source),
    cell("message", ...marked(line.message, text)),
  );
}

const openAt = () => (state.open === null ? -1 : state.lines.findIndex((line) => line.id === state.open));
const topOf = (index, open = openAt()) => index * height() + (open >= 0 && index > open ? state.extra : 0);

function indexAt(top, open) {
  const index = Math.floor(top / height());
  return open >= 0 && index > open ? Math.max(open, Math.floor((top - state.extra) / height())) : index;
}

function draw() {
  const count = state.lines.length;
  const open = openAt();
  const top = box.scrollTop - body.offsetTop;
  const first = Math.max(0, Math.min(count, indexAt(top, open) - BEYOND));
  const last = Math.min(count, indexAt(top + box.clientHeight, open) + 1 + BEYOND);
  // What the focus is on stays in the document, however far away it is scrolled.
  const far = state.active >= 0 && (state.active < first || state.active >= last) ? state.active : -1;
  const keep = new Set(state.lines.slice(first, last).map((line) => line.id));
  if (far >= 0) keep.add(state.lines[far].id);
  for (const [id, row] of rows) {
    if (keep.has(id)) continue;
    row.remove();
    rows.delete(id);
  }
  const [from, to] = state.anchor < 0 ? [state.active, state.active] : [Math.min(state.active, state.anchor), Math.max(state.active, state.anchor)];
  const make = (index) => {
    const line = state.lines[index];
    const row = rows.get(line.id) ?? rows.set(line.id, makeRow(line)).get(line.id);
    row.setAttribute("aria-rowindex", index + 2);
    row.setAttribute("aria-selected", index >= from && index <= to);
    row.classList.toggle("on", index === state.active);
    row.classList.toggle("open", index === open);
    row.style.position = index === far ? "absolute" : "";
    row.style.left = index === far ? "-9999px" : "";
    return row;
  };
  let at = body.firstChild;
  const put = (node) => {
    if (node === at) at = at.nextSibling;
    else body.insertBefore(node, at);
  };
  if (far >= 0 && far < first) put(make(far));
  put(above);
  for (let index = first; index < last; index += 1) put(make(index));
  put(below);
  if (far >= last) put(make(far));
  if (open >= first && open < last) state.extra = rows.get(state.open).offsetHeight - height();
  above.style.height = `${topOf(first, open)}px`;
  below.style.height = `${topOf(count, open) - topOf(last, open)}px`;
  table.setAttribute("aria-rowcount", count + 1);
  if (state.active >= 0) table.setAttribute("aria-activedescendant", `l${state.lines[state.active].id}`);
  else table.removeAttribute("aria-activedescendant");
}

let isDrawing = false;
function drawSoon() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    draw();
  });
}

const isAtEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < height() * 1.5;
function toEnd() {
  draw();
  lastTop = box.scrollTop = box.scrollHeight;
  draw();
}

function tell() {
  const count = state.lines.length;
  document.getElementById("at-hand").textContent = count
    ? `${count.toLocaleString("en")} ${count === 1 ? "line" : "lines"} at hand${state.older ? "" : ", all there are"}`
    : "";
  nothing.hidden = count > 0 || loading === turn;
  const waiting = state.held.length + state.heldMore;
  held.hidden = waiting === 0;
  held.textContent = `${waiting.toLocaleString("en")} new ${waiting === 1 ? "line" : "lines"}`;
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
  text = given.get("q") ?? "";
}

async function apply({ push = true } = {}) {
  const given = query();
  const address = `/logs${given.size ? `?${given}` : ""}`;
  if (push && address !== location.pathname + location.search) history.pushState(null, "", address);
  turn += 1;
  state = EMPTY();
  isNewest = true;
  lastId = "";
  describe();
  notice.hidden = true;
  for (const row of rows.values()) row.remove();
  rows.clear();
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
        if (follows || height <= box.clientHeight) toEnd();
        else lastTop = box.scrollTop = top + box.scrollHeight - height;
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
  if (follows) {
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
  follows = on;
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
  if (follows && at < state.lines.length - 1) follow(false);
  if (!isPointer) {
    const top = topOf(at) + body.offsetTop;
    const head = body.offsetTop;
    if (top - head < box.scrollTop) box.scrollTop = top - head;
    else if (top + height() > box.scrollTop + box.clientHeight) box.scrollTop = top + height() - box.clientHeight;
    lastTop = box.scrollTop;
  }
  draw();
}

function unfold(index) {
  const line = state.lines[index];
  if (!line) return false;
  state.open = state.open === line.id ? null : line.id;
  state.extra = 0;
  if (follows) follow(false);
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
  const [from, to] = state.anchor < 0 ? [state.active, state.active] : [Math.min(state.active, state.anchor), Math.max(state.active, state.anchor)];
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
  typing = setTimeout(apply, 350);
});
search.addEventListener("keydown", (event) => event.key === "Escape" && table.focus());
addEventListener("popstate", () => {
  fill(new URLSearchParams(location.search));
  apply({ push: false });
});

let lastTop = 0;
box.addEventListener(
  "scroll",
  () => {
    drawSoon();
    const isUp = box.scrollTop < lastTop - 1;
    lastTop = box.scrollTop;
    if (isUp && follows && !isAtEnd()) follow(false);
    if (isUp && box.scrollTop < height() * 10) more();
  },
  { passive: true },
);
followButton.addEventListener("click", () => follow(!follows));
held.addEventListener("click", () => {
  follow(true);
  table.focus({ preventScroll: true });
});
document.getElementById("copy").addEventListener("click", copy);

closeLikeMenus(page.querySelectorAll("details[data-drop]"));
const focusTable = () => table.focus({ preventScroll: true });
keys.add({ "/": "Search" }, { run: () => search.focus() });
keys.add({ f: "Follow, or pause" }, { run: () => canFollow() && follow(!follows) });
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
for (const id of ["older", "newer", "apply", "clear"]) document.getElementById(id)?.remove();
form.elements.rows.disabled = false;
form.elements.rows.parentElement.hidden = false;
document.getElementById("copy").hidden = false;
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
if (!follows) toEnd();
listen();
if (state.older && state.lines.length < wantedRows()) load();
