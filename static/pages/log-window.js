// The window of rows over the lines at hand: only what is seen of thousands is in the document.
import { element } from "../ui.js";
import { inOrder, marked, placeOf, shown, whole } from "./log-lines.js";

export const AT_MOST = 25_000;
const BEYOND = 15; // rows that are drawn above and below what is seen

const page = document.getElementById("logs");
export const box = document.getElementById("lines");
export const table = document.getElementById("table");
export const body = table.tBodies[0];
export const names = new Map([...document.querySelectorAll("#filter [name=source]")].map((input) => [input.value, input.parentElement.textContent.trim()]));

const nothingYet = () => ({
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
export const state = nothingYet();
export const view = {
  text: "", // what is searched for
  follows: false,
  top: 0, // how far the box was scrolled when that was looked at last
};

// --- lines ------------------------------------------------------------------------------------------------------------

function fresh(lines) {
  return lines.filter((line) => !state.ids.has(line.id) && state.ids.add(line.id)).map(whole);
}

export function add(lines, { atFront = false } = {}) {
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

export function forgetOldest() {
  const over = state.lines.length - AT_MOST;
  if (over <= 0) return;
  for (const line of state.lines.splice(0, over)) state.ids.delete(line.id);
  state.older = placeOf(state.lines[0]);
  state.active = Math.max(-1, state.active - over);
  state.anchor = Math.max(-1, state.anchor - over);
}

// Another filter: no line of the one before stays.
export function forgetAll() {
  Object.assign(state, nothingYet());
  for (const row of rows.values()) row.remove();
  rows.clear();
}

// --- the window of rows -------------------------------------------------------------------------------------------------

let rowHeight = 0;
export const height = () => (rowHeight ||= parseFloat(getComputedStyle(page).getPropertyValue("--row")));
addEventListener("resize", () => {
  rowHeight = 0;
  if (view.follows) toEnd();
  else draw();
});

const space = () => element("tr", { class: "space", role: "presentation", "aria-hidden": "true" });
export const above = space();
export const below = space();
export const rows = new Map(); // by id, of the rows that are drawn

function makeRow(line) {
  const cell = (name, ...content) => element("td", { role: "gridcell", class: name }, ...content);
  return element(
    "tr",
    { role: "row", id: `l${line.id}`, class: line.level },
    cell("at", element("time", { datetime: line.timestamp }, shown(line.timestamp))),
    cell("level", line.level),
    cell("source", names.get(line.source) ?? line.source),
    cell("message", ...marked(line.message, view.text)),
  );
}

const openAt = () => (state.open === null ? -1 : state.lines.findIndex((line) => line.id === state.open));
// The first and the last line of the selection, or the active line twice.
export function selected() {
  const [from, to] = [state.active, state.anchor < 0 ? state.active : state.anchor];
  return from < to ? [from, to] : [to, from];
}

export const topOf = (index, open = openAt()) => index * height() + (open >= 0 && index > open ? state.extra : 0);

function indexAt(top, open) {
  const index = Math.floor(top / height());
  return open >= 0 && index > open ? Math.max(open, Math.floor((top - state.extra) / height())) : index;
}

export function draw() {
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
  const [from, to] = selected();
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
export function drawSoon() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    draw();
  });
}

export const isAtEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < height() * 1.5;
export function toEnd() {
  draw();
  view.top = box.scrollTop = box.scrollHeight;
  draw();
}
