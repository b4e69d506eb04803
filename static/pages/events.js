// The gallery while it is shown: new events and their progress, review, selection, keys. All of it can be read and
// filtered without this.
import { ask, counted, element, fragment, icon, keys, retell, send, toast, undo } from "../ui.js";
import { watch } from "../stream.js";
import { askNote } from "./event-note.js";
import { watchStrip } from "./event-filters.js";
import { lastLookedAt } from "./event-seen.js";
import { gallery, idOf, itemOf, items, list, mayChange, merge, name, nameOf, pick, prepare, said, selected, swap } from "./event-cards.js";

const fresh = document.getElementById("fresh");
const settings = gallery.dataset;
const showsNew = settings.showsNew === "1";
const asksMore = settings.asksMore === "1";
const chosen = new Set(settings.cameras ? settings.cameras.split(",") : []);

// --- the list as it is now ----------------------------------------------------------------------------------------------

const keyOfSection = (section) => section.dataset.day ?? section.className;

function mergeList(next) {
  const known = new Set(items().map(idOf));
  merge(list, [...next.children], keyOfSection, (section, current) => {
    const cards = [...section.querySelectorAll(":scope > .cards > .item")];
    if (!current || !cards.length) {
      current?.remove();
      for (const item of cards) arrive(prepare(item), known);
      return section;
    }
    merge(current.querySelector(".cards"), cards, idOf, (item, old) => {
      if (old && said.get(old) === item.outerHTML) return old;
      prepare(item);
      if (!old) return arrive(item, known);
      swap(old, item);
      return item;
    });
    return current;
  });
  for (const id of selected) if (!itemOf(id)) selected.delete(id);
  tellSelection();
}

// When a card goes, the hand that was on it is then on the one behind it.
let lately = null; // the event that one was at, also while a message or a dialog has the focus

function keepingPlace(work) {
  const every = items().map(idOf);
  const on = current();
  const heir = (id) => {
    const at = every.indexOf(id);
    return [id, ...every.slice(at + 1), ...every.slice(0, Math.max(0, at)).reverse()].map(itemOf).find(Boolean);
  };
  const [mine, late] = [on && idOf(on), lately];
  work();
  if (late !== null) lately = heir(late) ? idOf(heir(late)) : null;
  if (on && !current()) heir(mine)?.querySelector(".card").focus({ preventScroll: true });
}

function take(id) {
  keepingPlace(() => itemOf(id)?.remove());
  wantsAll = true;
  soon();
}

function arrive(item, known) {
  if (!known.has(idOf(item))) item.classList.add("arrived");
  pick(item, selected.has(idOf(item)));
  return item;
}

function refill(id, page) {
  const [old, next] = [document.getElementById(id), page.getElementById(id)];
  if (!old || !next || old.innerHTML === next.innerHTML) return;
  const at = [...old.querySelectorAll("a[href]")].indexOf(document.activeElement);
  old.innerHTML = next.innerHTML;
  if (at >= 0) [...old.querySelectorAll("a[href]")][at]?.focus();
}

// --- what changes -----------------------------------------------------------------------------------------------------

const changed = new Set();
const unseen = new Set();
let wantsAll = false;
let timer = 0;
let lookedAt = 0;

function soon() {
  // However much happens, the whole page is asked for every two seconds at most.
  timer ||= setTimeout(look, wantsAll ? Math.max(150, 2000 - (Date.now() - lookedAt)) : 150);
}

async function look() {
  const ids = [...changed].filter(itemOf).slice(0, 100);
  changed.clear();
  try {
    if (wantsAll) {
      wantsAll = false;
      lookedAt = Date.now();
      await lookAtAll();
    } else if (ids.length) await lookAt(ids);
  } catch {
    // The bar says so; the stream comes back by itself, and tells what was missed.
  }
  timer = 0;
  if (wantsAll || changed.size) soon();
}

async function lookAt(ids) {
  const page = await fragment(`/fragments/events${settings.query ? `${settings.query}&` : "?"}ids=${ids.join(",")}`);
  const found = new Map([...page.querySelectorAll(".item")].map((item) => [idOf(item), item]));
  for (const id of ids) {
    const [old, next] = [itemOf(id), found.get(id)];
    if (old && !next) take(id);
    else if (old && said.get(old) !== next.outerHTML) swap(old, prepare(next));
  }
}

async function lookAtAll() {
  const page = await fragment(`/${settings.query}`);
  const next = page.getElementById("list");
  if (!next) return location.reload();
  keepingPlace(() => mergeList(next));
  for (const id of ["strip", "summary", "pager", "cameras"]) refill(id, page);
  watchStrip();
  retell(gallery);
}

function progress(id, share) {
  const item = itemOf(id);
  if (!item) return;
  const percent = Math.round(share * 100);
  for (const words of item.querySelectorAll(".words strong, .note")) {
    if (words.textContent.startsWith("Converting the clip")) words.textContent = `Converting the clip, ${percent} %`;
  }
  const bar = item.querySelector(".steps .measured rect");
  if (bar) bar.setAttribute("width", percent);
  else changed.add(id);
}

watch({
  changes(told) {
    for (const { what, id, camera_id: camera, progress: share } of told) {
      if (what === "new" && (!chosen.size || chosen.has(camera))) {
        unseen.add(id);
        wantsAll ||= showsNew;
      } else if (what === "gone") {
        unseen.delete(id);
        if (itemOf(id)) take(id);
      } else if (share !== undefined) progress(id, share);
      else if (itemOf(id)) changed.add(id);
      // By what was found in it, or was done with it, it may now be among those that are asked for.
      else if (what === "changed") wantsAll ||= asksMore && (showsNew || !unseen.has(id));
    }
    if (wantsAll || changed.size) soon();
    if (showsNew || !unseen.size) return;
    fresh.textContent = counted(unseen.size, "new event");
    fresh.hidden = false;
  },
  reload() {
    wantsAll = true;
    soon();
  },
});

fresh.addEventListener("click", () => {
  const query = new URLSearchParams(settings.query);
  for (const part of ["before", "after", "date", "end_date", "hour"]) query.delete(part);
  location.href = query.size ? `/?${query}` : "/";
});

// --- what people do ---------------------------------------------------------------------------------------------------

const shown = element("b", { class: "number" });
const bar = element("div", { class: "bulk", role: "region", "aria-label": "Selected events", hidden: true }, shown);
let last = null;

function choose(item, isOn) {
  if (isOn) selected.add(idOf(item));
  else selected.delete(idOf(item));
  pick(item, isOn);
  last = item;
  tellSelection();
}

function tellSelection() {
  bar.hidden = !selected.size && !gallery.classList.contains("selecting");
  gallery.classList.toggle("has-selection", selected.size > 0);
  shown.replaceChildren(String(selected.size), element("span", { class: "wide" }, " selected"));
  for (const button of bar.querySelectorAll("[data-do]")) button.disabled = !selected.size;
}

function selecting(isOn) {
  gallery.classList.toggle("selecting", isOn);
  if (!isOn) {
    for (const item of items()) pick(item, false);
    selected.clear();
  }
  tellSelection();
}

const SAID = { review: "marked as reviewed", unreview: "no longer marked as reviewed", star: "starred", unstar: "no longer starred", delete: "removed" };
const UNDONE = { review: "unreview", unreview: "review", star: "unstar", unstar: "star" };
const LEFT = { starred: "starred and so kept", busy: "being worked on", unreachable: "not reachable", not_found: "gone already", removing: "being removed" };

function show(id, mark, isOn) {
  const item = itemOf(id);
  if (!item) return;
  item.classList.toggle(mark, isOn);
  name(item);
}

async function act(action, ids, { isUndo = false } = {}) {
  if (!ids.length) return;
  const mark = action.endsWith("review") ? "is-reviewed" : "is-starred";
  const before = new Map(ids.map((id) => [id, Boolean(itemOf(id)?.classList.contains(mark))]));
  // At once on the page; the server's word corrects it.
  if (action !== "delete") for (const id of ids) show(id, mark, !action.startsWith("un"));
  try {
    const { results } = await send("POST", "/api/v1/events/bulk", { action, ids });
    const done = results.filter(({ result }) => result === "done").map(({ id }) => id);
    const left = new Map();
    for (const { result } of results) if (LEFT[result]) left.set(LEFT[result], (left.get(LEFT[result]) ?? 0) + 1);
    if (action === "delete") {
      done.forEach(take);
    }
    const words = [done.length ? `${counted(done.length, "event")} ${SAID[action]}` : "", ...[...left].map(([reason, count]) => `${count} ${reason}`)];
    const text = words.filter(Boolean).join("; ");
    const offer = UNDONE[action] && done.length && !isUndo ? { label: "Undo", run: () => act(UNDONE[action], done, { isUndo: true }) } : null;
    if (text) toast(text, { action: offer });
  } catch (error) {
    // Of many, some may have been so before.
    if (UNDONE[action]) for (const [id, was] of before) show(id, mark, was);
    toast(error.message, { kind: "bad" });
    lookAgain(ids);
  }
}

function lookAgain(ids) {
  for (const id of ids) changed.add(id);
  soon();
}

async function remove(ids) {
  const starred = ids.filter((id) => itemOf(id)?.classList.contains("is-starred")).length;
  const going = ids.length - starred;
  if (!going) return void toast(`${counted(starred, "event")} starred: take the star away first`);
  const points = [`${counted(going, "event")} with pictures, clips and descriptions`];
  if (starred) points.push(`${counted(starred, "event")} starred: kept`);
  const isSure = await ask({
    title: going === 1 ? "Remove this event?" : `Remove ${going} events?`,
    text: `${going === 1 ? "It goes" : "They go"} for good. This cannot be undone.`,
    points,
    label: "Remove for good",
    danger: true,
  });
  if (!isSure) return;
  await act("delete", ids);
  selecting(false);
}

async function note(item) {
  const before = item.querySelector(".note.own")?.lastChild.textContent.trim() ?? "";
  const text = await askNote(nameOf(item), before);
  if (text === null || text === before) return;
  try {
    await send("PATCH", `/api/v1/events/${idOf(item)}`, { note: text });
    toast(text ? "Note kept" : "Note removed");
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
  lookAgain([idOf(item)]);
}

function toggle(kind, on) {
  const isOn = on.every((item) => item.classList.contains(kind === "review" ? "is-reviewed" : "is-starred"));
  return act(isOn ? `un${kind}` : kind, on.map(idOf));
}

const current = () => document.activeElement?.closest?.(".item");
const acted = () => (selected.size ? [...selected].map(itemOf).filter(Boolean) : [current()].filter(Boolean));

function clicked(event) {
  const item = event.target.closest(".item");
  if (!item) return;
  const button = event.target.closest("[data-do]");
  if (button) return void toggle(button.dataset.do, [item]);
  const isBox = event.target.matches(".pick input");
  if (!isBox && event.target.closest(".marks")) return;
  const isPicking = gallery.classList.contains("selecting") && !event.ctrlKey && !event.metaKey;
  if (!isBox && !isPicking && !(event.shiftKey && selected.size)) return;
  if (!isBox) event.preventDefault();
  const isOn = isBox ? event.target.checked : !selected.has(idOf(item));
  const every = items();
  const [from, to] = [every.indexOf(last), every.indexOf(item)].sort((one, other) => one - other);
  if (event.shiftKey && from >= 0) every.slice(from, to + 1).forEach((each) => choose(each, isOn));
  choose(item, isOn);
}

if (mayChange) {
  const add = (action, label, drawing, run) => {
    const button = element("button", { type: "button", class: "button", "data-do": action }, icon(drawing), element("span", {}, label));
    button.addEventListener("click", run);
    bar.append(button);
  };
  add("review", "Reviewed", "check", () => toggle("review", acted()));
  add("star", "Star", "star", () => toggle("star", acted()));
  add("delete", "Remove", "bin", () => remove([...selected]));
  const every = element("button", { type: "button", class: "button", title: "Select all shown" }, element("span", {}, "All"), element("span", { class: "wide" }, " shown"));
  every.addEventListener("click", () => items().forEach((item) => choose(item, true)));
  const end = element("button", { type: "button", class: "icon-button", "aria-label": "End the selection" }, icon("close"));
  end.addEventListener("click", () => selecting(false));
  bar.append(every, end);
  gallery.append(bar);

  const begin = document.getElementById("select");
  const review = document.getElementById("review-all");
  begin?.addEventListener("click", () => selecting(!gallery.classList.contains("selecting")));
  review?.addEventListener("click", () => act("review", items().filter((item) => !item.classList.contains("is-reviewed")).map(idOf)));
  list.addEventListener("click", clicked);
}

// --- keys -------------------------------------------------------------------------------------------------------------

list.addEventListener("focusin", (event) => {
  const item = event.target.closest(".item");
  if (item) lately = idOf(item);
});

function move(step) {
  const every = items();
  const at = every.indexOf(current() ?? itemOf(lately));
  const next = every[at < 0 ? (step > 0 ? 0 : every.length - 1) : Math.min(every.length - 1, Math.max(0, at + step))];
  if (!next) return false;
  next.querySelector(".card").focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

const follow = (selectors) => {
  const link = selectors.map((selector) => document.querySelector(selector)).find(Boolean);
  return link ? void link.click() : false;
};

const camera = (number) => [`#cameras .chip:nth-child(${Number(number) + 1})`];
keys.add({ "/": "Search" }, { run: () => document.getElementById("search")?.focus() });
keys.add({ "j k": "Next, previous event" }, { run: (key) => move(key === "j" ? 1 : -1) });
keys.add({ "[": "Earlier events" }, { run: () => follow(["#pager [rel=next]", "[data-step=earlier]"]) });
keys.add({ "]": "Later events" }, { run: () => follow(["#pager [rel=prev]", "[data-step=later]"]) });
keys.add({ "1 2 3 4 5 6 7 8 9": "A camera more or less" }, { run: (key) => follow(camera(key)) });
keys.add({ 0: "All cameras" }, { run: () => follow(camera(0)) });
if (mayChange) {
  const group = "The event, or all that are selected";
  keys.add({ r: "Reviewed, or not" }, { group, run: () => (acted().length ? void toggle("review", acted()) : false) });
  keys.add({ s: "Star, or not" }, { group, run: () => (acted().length ? void toggle("star", acted()) : false) });
  keys.add({ x: "Select, or not" }, { group, run: () => (current() ? choose(current(), !selected.has(idOf(current()))) : false) });
  keys.add({ a: "Select all shown" }, { group, run: () => items().forEach((item) => choose(item, true)) });
  keys.add({ u: "Undo, while it is offered" }, { group, run: () => undo() });
  keys.add({ n: "Note" }, { group, run: () => (current() ? note(current()) : false) });
  keys.add({ Delete: "Remove" }, { group, run: () => (acted().length ? void remove(acted().map(idOf)) : false) });
  keys.add({ Escape: "End the selection" }, { group, run: () => (bar.hidden ? false : selecting(false)) });
}

for (const item of items()) prepare(item);
watchStrip();

// Back from an event one is at its card again. The page's own way back names it in the address; the browser's does not.
if (performance.getEntriesByType("navigation")[0]?.type === "back_forward") {
  const item = itemOf(lastLookedAt());
  item?.querySelector(".card").focus({ preventScroll: true });
  item?.scrollIntoView({ block: "nearest" });
}
