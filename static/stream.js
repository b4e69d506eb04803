// What changes on the server, as it changes: docs/stream.md.
//
//   watch({ changes(list), reload() })   changes: what was told; reload: look at everything anew
//
// A browser has six connections to a server over HTTP/1.1: pages that nobody sees give theirs back.
import { reached } from "./ui.js";

const URL = "/api/v1/stream";
const HIDDEN_MS = 10_000;
const LOOK_MS = 60_000;
const FAILED_MS = 3_000;

const watchers = new Set();
let source = null;
// From before the page was read on: what came while it was made and loaded is told first.
let mark = document.documentElement.dataset.mark ?? "";
let closing = 0;
let failing = 0;
let begun = false;

const all = (name, ...values) => watchers.forEach((watcher) => watcher[name]?.(...values));

function open() {
  if (source || document.hidden || !watchers.size) return;
  source = new EventSource(mark ? `${URL}?since=${encodeURIComponent(mark)}` : URL);
  const heard = (event) => {
    if (event.lastEventId) mark = event.lastEventId;
    clearTimeout(failing);
    failing = 0;
    reached(true);
  };
  source.addEventListener("hello", heard);
  source.addEventListener("changes", (event) => {
    heard(event);
    all("changes", JSON.parse(event.data));
  });
  source.addEventListener("reload", (event) => {
    heard(event);
    all("reload");
  });
  source.addEventListener("error", () => {
    // It tries again by itself, unless it was refused: then we look now and then.
    if (source?.readyState === EventSource.CLOSED) close();
    failing ||= setTimeout(() => reached(false), FAILED_MS);
  });
}

function close() {
  source?.close();
  source = null;
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(closing);
  if (document.hidden) closing = setTimeout(close, HIDDEN_MS);
  else open();
});

// Other daemons on the same database tell their own pages only; and a refused stream is asked for again.
setInterval(() => {
  if (document.hidden) return;
  open();
  all("reload");
}, LOOK_MS);

// A page that is left must not keep its connection in the browser's memory of pages; one that comes back looks anew.
addEventListener("pagehide", close);
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  open();
  all("reload");
});

export function watch(watcher) {
  watchers.add(watcher);
  if (!begun) {
    begun = true;
    // After the page itself: its pictures come first.
    if (document.readyState === "complete") open();
    else addEventListener("load", open);
  }
  return () => watchers.delete(watcher);
}
