// The API reference is read as it comes. Here: links that open what they lead to, a filter, copies, and the vendored
// Swagger UI, which is fetched when somebody wants to try a call.
import { element, icon, keys, toast } from "../ui.js";

const reference = document.getElementById("reference");
const calls = [...reference.querySelectorAll("details.call")];

// --- links ------------------------------------------------------------------------------------------------------------

function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!named?.matches("details.call")) return;
  if (named.hidden || named.closest("[hidden]")) show("");
  named.open = true;
  named.scrollIntoView();
}
addEventListener("hashchange", openNamed);
openNamed();

// What was opened last is what the address says.
for (const call of calls) {
  call.querySelector("summary").addEventListener("click", () => {
    if (!call.open) history.replaceState(history.state, "", `#${call.id}`);
  });
}

// --- the filter -------------------------------------------------------------------------------------------------------

const find = document.getElementById("find");
const found = document.getElementById("found");
const texts = new Map(); // filled when somebody first looks for something: it takes a phone a moment

function textOf(call) {
  const parts = [call.querySelector("summary"), call.querySelector(".says"), ...call.querySelectorAll(".fields li > code")];
  return [call.id, ...parts.map((part) => part?.textContent)].join(" ").toLowerCase();
}

function show(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const call of calls) {
    const told = texts.get(call) ?? texts.set(call, textOf(call)).get(call);
    call.hidden = !words.every((word) => told.includes(word));
    count += !call.hidden;
  }
  for (const chapter of reference.querySelectorAll(".chapter")) chapter.hidden = !chapter.querySelector("details.call:not([hidden])");
  find.value = text;
  found.hidden = count > 0;
  found.textContent = count ? "" : `Nothing here speaks of “${text.trim()}”.`;
}
find.addEventListener("input", () => show(find.value));
find.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !find.value) return;
  event.preventDefault();
  show("");
});
if (find.value) show(find.value); // a browser that came back fills it in

keys.add({ "/": "Filter the calls" }, { run: () => find.focus() });

// --- copies -----------------------------------------------------------------------------------------------------------

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("This browser does not let us copy; the text is selected instead.");
    return false;
  }
  return true;
}

reference.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (button?.matches("[data-copy]")) {
    const code = button.closest(".example").querySelector("code");
    if (!(await copy(code.textContent))) getSelection().selectAllChildren(code);
  } else if (button?.matches("[data-try]")) {
    tryOut(button, button.closest("details.call").id);
  }
});

// --- Swagger UI -------------------------------------------------------------------------------------------------------

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => {
  const theme = root.dataset.theme;
  root.classList.toggle("dark-mode", theme === "dark" || (theme !== "light" && dark.matches));
};

function loaded(node) {
  return new Promise((resolve, reject) => {
    node.addEventListener("load", resolve);
    node.addEventListener("error", () => {
      node.remove();
      reject(new Error("The server does not answer; the interactive reference could not be fetched."));
    });
    document.head.append(node);
  });
}

async function fetchAll() {
  const [response] = await Promise.all([
    fetch(reference.dataset.document),
    loaded(element("link", { rel: "stylesheet", href: reference.dataset.style })),
    loaded(element("script", { src: reference.dataset.script })),
  ]);
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  const told = await response.json();
  dark.addEventListener("change", follow);
  new MutationObserver(follow).observe(root, { attributeFilter: ["data-theme"] });
  follow();
  return told;
}

let fetching;
function fetched() {
  fetching ??= fetchAll().catch((error) => {
    fetching = undefined; // to be tried again
    throw error;
  });
  return fetching;
}

// Of the document the one call, or all of it.
function partOf(told, id) {
  const paths = {};
  for (const [path, methods] of Object.entries(told.paths)) {
    const wanted = Object.entries(methods).filter(([, operation]) => !id || operation.operationId === id);
    if (wanted.length) paths[path] = Object.fromEntries(wanted);
  }
  return { ...told, paths, servers: [{ url: location.origin }] };
}

// Its own layout has a <main> and a head of its own; inside ours the parts stand by themselves.
const parts = ({ React }) => ({
  components: {
    ReferenceLayout: ({ getComponent }) => {
      const draw = (name) => React.createElement(getComponent(name, name !== "SvgAssets"), { key: name });
      return React.createElement("div", { className: "swagger-ui" }, ["SvgAssets", "operations"].map(draw));
    },
  },
});

// Its headings stand below ours; what it lets move sideways is reached by keyboard, and its fields have names.
function fit(domNode) {
  const levels = { H3: 3, H4: 3, H5: 4 };
  for (const heading of domNode.querySelectorAll(":is(h3, h4, h5):not([aria-level])")) {
    heading.setAttribute("aria-level", levels[heading.tagName]);
  }
  for (const text of domNode.querySelectorAll("pre:not([tabindex])")) text.tabIndex = 0;
  for (const field of domNode.querySelectorAll(":is(textarea, select, input):not([aria-label], [id])")) {
    field.setAttribute("aria-label", field.closest("tr[data-param-name]")?.dataset.paramName ?? "Body");
  }
}

async function tryOut(button, id) {
  const place = element("div", { class: "tool" }, element("p", { class: "wait" }, "The interactive reference is being fetched ..."));
  const close = element("button", { class: "icon-button", type: "button", "aria-label": "Close" }, icon("close"));
  const head = element("header", {}, element("h2", { id: "trial-title" }, id ? "Try it" : "Interactive reference"), close);
  const dialog = element("dialog", { class: "dialog trial", "aria-labelledby": "trial-title" }, head, place);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  try {
    const spec = partOf(await fetched(), id);
    const domNode = element("div", { class: id ? "one" : "all" });
    place.replaceChildren(domNode);
    new MutationObserver(() => fit(domNode)).observe(domNode, { childList: true, subtree: true });
    SwaggerUIBundle({
      spec,
      domNode,
      docExpansion: id ? "full" : "list",
      tryItOutEnabled: true,
      plugins: [parts],
      layout: "ReferenceLayout",
      // The default asks a server on the internet.
      validatorUrl: null,
    });
  } catch (error) {
    dialog.close();
    toast(error.message, { kind: "bad" });
    button.focus();
  }
}

const all = document.getElementById("try-all");
all.addEventListener("click", () => tryOut(all));
