// What pages share in the browser. Import it by its neighbour's name: import { toast } from "../ui.js";
//
//   age(seconds)                          "12 s", "5 min", "2 h": the same words as words.age() on the server
//   counted(number, thing)               "1 event", "48,213 events": the same as words.counted() on the server
//   retell(root)                          brings <time data-relative> ("3 min ago") and <time data-age> ("3 min") up to date
//   element(name, attributes, ...children), icon(name)
//   send(method, url, body)               JSON to our own server; its JSON, or an Error with a sentence for people
//   fragment(url)                         HTML of our own server, as a DocumentFragment
//   toast(text, {kind, action: {label, run}, seconds})     kind: "" or "bad"; action: undo and the like
//   undo()                                does what the newest message offers, as its button does
//   ask({title, text, points, label, danger})              a confirmation; resolves to true or false
//   dialog(title, ...nodes)               any other question; resolves by its own "close" event and returnValue
//   closeLikeMenus(details)               what opens over the page closes by Escape or a touch beside it
//   keys.add({key: what it does, ...}, {group, run})        one-key shortcuts; "?" lists them
//   reached(isReached)                    shows or hides the bar that says that the server does not answer

export function age(seconds) {
  if (seconds < 5) return "now";
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.max(1, Math.floor(seconds / 60))} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400).toLocaleString("en")} d`;
}

export function counted(number, thing) {
  return `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;
}

export function retell(root = document) {
  for (const time of root.querySelectorAll("time[data-relative], time[data-age]")) {
    const words = age((Date.now() - Date.parse(time.dateTime)) / 1000);
    const text = "age" in time.dataset ? words : words === "now" ? "just now" : `${words} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
const region = document.getElementById("toasts");

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${region.dataset.sprite}#${name}`);
  svg.append(use);
  return svg;
}

// --- the server -------------------------------------------------------------------------------------------------------

const bar = document.getElementById("offline");
const NO_ANSWER = "The server does not answer. Nothing was changed.";

export function reached(isReached) {
  bar.hidden = isReached;
}

async function fetched(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch {
    reached(false);
    throw new Error(NO_ANSWER);
  }
  // A part of the server that is away (503) is told as the whole would be: what is shown stays.
  reached(response.status < 500);
  if (response.ok) return response;
  let sentence = `The server answered ${response.status}.`;
  if (response.headers.get("Content-Type")?.includes("json")) {
    const { detail, title } = await response.json();
    sentence = typeof detail === "string" ? detail : detail?.[0]?.msg ?? title ?? sentence;
  }
  throw Object.assign(new Error(sentence), { status: response.status });
}

export async function send(method, url, body) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetched(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  return response.status === 204 ? null : response.json();
}

export async function fragment(url) {
  // What is fetched to be shown is no choice of the reader's, which the server would remember.
  const response = await fetched(url, { headers: { Accept: "text/html", "X-Part": "1" } });
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  return template.content;
}

// --- messages and questions -------------------------------------------------------------------------------------------

export function toast(text, { kind = "", action = null, seconds = action ? 10 : 5 } = {}) {
  const shown = element("div", { class: `toast ${kind}` }, element("span", {}, text));
  let timer;
  let from = null;
  const go = () => {
    const hadFocus = shown.contains(document.activeElement);
    shown.remove();
    if (hadFocus) from?.focus({ preventScroll: true });
  };
  const wait = () => (timer = setTimeout(go, seconds * 1000));
  if (action) {
    const button = element("button", { type: "button", "data-toast-act": true }, action.label);
    button.addEventListener("click", () => {
      go();
      action.run();
    });
    shown.append(button);
  }
  const close = element("button", { type: "button", class: "icon-button", "aria-label": "Close this message" }, icon("close"));
  close.addEventListener("click", go);
  shown.append(close);
  // Where the focus came from it goes again.
  shown.addEventListener("focusin", (event) => shown.contains(event.relatedTarget) || (from = event.relatedTarget));
  for (const kind of ["pointerenter", "focusin"]) shown.addEventListener(kind, () => clearTimeout(timer));
  for (const kind of ["pointerleave", "focusout"]) shown.addEventListener(kind, wait);
  while (region.children.length >= 3) region.firstChild.remove();
  region.append(shown);
  wait();
  return go;
}

// Does what the newest message offers; false when none offers anything.
export function undo() {
  const offered = region.querySelectorAll("[data-toast-act]");
  return offered.length ? void offered[offered.length - 1].click() : false;
}

export function dialog(title, ...children) {
  const close = element("button", { class: "icon-button", value: "no", "aria-label": "Close" }, icon("close"));
  const form = element("form", { method: "dialog" }, element("header", {}, element("h2", { id: "dialog-title" }, title), close));
  form.append(...children);
  const made = element("dialog", { class: "dialog", "aria-labelledby": "dialog-title" }, form);
  made.addEventListener("close", () => made.remove());
  made.addEventListener("click", (event) => event.target === made && made.close("no"));
  document.body.append(made);
  made.showModal();
  return made;
}

export function ask({ title, text = "", points = [], label = "Yes", danger = false }) {
  const cancel = element("button", { class: "button", value: "no" }, "Cancel");
  const go = element("button", { class: `button ${danger ? "danger" : "primary"}`, value: "yes" }, label);
  const list = points.length ? element("ul", {}, ...points.map((point) => element("li", {}, point))) : null;
  const shown = dialog(title, ...[text && element("p", {}, text), list].filter(Boolean), element("p", { class: "choices" }, cancel, go));
  // What cannot be taken back is not one stray Enter away.
  (danger ? cancel : go).focus();
  return new Promise((tell) => shown.addEventListener("close", () => tell(shown.returnValue === "yes"), { once: true }));
}

// What opens over the page closes again by Escape or a touch beside it.
export function closeLikeMenus(drops) {
  addEventListener("click", (event) => {
    for (const drop of drops) if (drop.open && !drop.contains(event.target)) drop.open = false;
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const drop of drops) {
      if (!drop.open) continue;
      drop.open = false;
      drop.querySelector("summary").focus();
    }
  });
}

// --- one-key shortcuts ------------------------------------------------------------------------------------------------

const OFF = "scd-keys-off";
const known = new Map();
const groups = new Map();
const stored = () => {
  try {
    return localStorage.getItem(OFF) === "1";
  } catch {
    return false; // storage is switched off
  }
};

export const keys = {
  add(entries, { group = "This page", run }) {
    const lines = groups.get(group) ?? groups.set(group, []).get(group);
    for (const [shown, label] of Object.entries(entries)) {
      lines.push([shown, label]);
      for (const key of shown.split(" ")) known.set(key, run);
    }
    for (const button of document.querySelectorAll("[data-keys]")) button.hidden = false;
  },
  show() {
    if (document.querySelector("dialog[open]")) return;
    const lists = [...groups].map(([group, lines]) =>
      element("section", {}, element("h3", {}, group), element("dl", {}, ...lines.map(([shown, label]) =>
        element("div", {}, element("dt", {}, label), element("dd", {}, ...shown.split(" ").map((key) => element("kbd", {}, key))))))),
    );
    const box = element("input", { type: "checkbox", checked: !stored() });
    box.addEventListener("change", () => {
      try {
        localStorage.setItem(OFF, box.checked ? "0" : "1");
      } catch {
        toast("This browser does not let us remember that.");
      }
    });
    dialog("Keyboard", element("div", { class: "keys" }, ...lists), element("label", { class: "check" }, box, "Use one-key shortcuts"));
  },
};

function isTyping(target) {
  return target instanceof Element && target.closest("input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]");
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  const run = event.key === "?" ? keys.show : stored() ? null : known.get(event.key);
  if (run && run(event.key, event) !== false) event.preventDefault();
});

for (const button of document.querySelectorAll("[data-keys]")) button.addEventListener("click", keys.show);
