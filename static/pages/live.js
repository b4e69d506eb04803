import { keys, reached } from "../ui.js";

// Live pictures. One WebSocket carries all of a page's cameras; each gets its newest picture and never an older one.

const HIDDEN_SECONDS = 30; // a page that nobody sees lets its cameras look for motion again
const RETRY_SECONDS = [1, 2, 4, 8, 15];
const limitMinutes = document.querySelector(".paused")?.dataset.limitMinutes ?? "30";

const plural = (number, one, many) => (number === 1 ? one : many.replace("#", number));
const clock = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds));
  const rest = `${String(Math.floor(whole / 60) % 60).padStart(whole < 3600 ? 1 : 2, "0")}:${String(whole % 60).padStart(2, "0")}`;
  return whole < 3600 ? rest : `${Math.floor(whole / 3600)}:${rest}`;
};
// What is said in a small picture has room for two lines.
const short = (name) => (name.length > 32 ? `${name.slice(0, 30).trimEnd()}…` : name);
const join = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`);

// The connection: what is wanted is asked for again whenever it comes back.
class Feed {
  constructor(onState, onPicture, onLink) {
    Object.assign(this, { onState, onPicture, onLink, wanted: new Set(), failures: 0, suspended: false });
  }

  want(camera) {
    this.wanted.add(camera);
    if (this.socket?.readyState === WebSocket.OPEN) this.say({ watch: [camera] });
    else this.connect();
  }

  drop(camera) {
    if (!this.wanted.delete(camera)) return;
    if (this.socket?.readyState === WebSocket.OPEN) this.say({ leave: [camera] });
    if (!this.wanted.size) this.disconnect();
  }

  suspend() {
    this.suspended = true;
    this.disconnect();
  }

  resume() {
    if (!this.suspended) return;
    this.suspended = false;
    if (this.wanted.size) this.connect();
  }

  say(message) {
    this.socket.send(JSON.stringify(message));
  }

  disconnect() {
    clearTimeout(this.timer);
    this.timer = undefined;
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
  }

  connect() {
    if (this.socket || this.suspended) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live/socket`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      this.failures = 0;
      this.onLink(true);
      this.say({ watch: [...this.wanted] });
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      if (typeof data === "string") {
        const state = JSON.parse(data);
        if (!this.wanted.has(state.camera)) return;
        // A server that stops comes back, and the connection with it; all other ends are for the reader to undo.
        if (state.state === "ended" && state.reason !== "server stops") this.drop(state.camera);
        this.onState(state);
      } else {
        const length = new Uint8Array(data, 0, 1)[0];
        const camera = new TextDecoder().decode(new Uint8Array(data, 1, length));
        if (this.wanted.has(camera)) this.onPicture(camera, new Blob([new Uint8Array(data, 1 + length)], { type: "image/jpeg" }));
      }
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.socket = undefined;
      const seconds = RETRY_SECONDS[Math.min(this.failures++, RETRY_SECONDS.length - 1)];
      this.onLink(false, seconds);
      this.timer = setTimeout(() => this.connect(), seconds * 1000);
    };
  }
}

// The place of one camera's picture, and what is said in it.
class Stage {
  constructor(element) {
    this.element = element;
    this.camera = element.dataset.camera;
    this.name = element.dataset.name;
    this.canvas = element.querySelector("canvas");
    this.painter = this.canvas.getContext("bitmaprenderer");
    this.mark = element.querySelector(".mark");
    this.elapsed = element.querySelector(".elapsed");
    this.instead = element.querySelector(".instead");
    this.again = element.querySelector(".again");
    this.status = { state: "idle" };
    this.told = performance.now();
    this.tell(this.status);
  }

  get isOn() {
    return !["idle", "ended"].includes(this.status.state);
  }

  // A status of the server, or one of the page's own: "lost" where the connection is.
  tell(status) {
    this.status = status;
    this.told = performance.now();
    this.element.dataset.state = status.state;
    if (status.state === "idle") {
      this.canvas.hidden = true;
      this.last = undefined;
    }
    const words = this.words();
    this.instead.hidden = !words;
    if (words) {
      const [what, why, again] = words;
      this.instead.querySelector(".what").textContent = what;
      this.why = why;
      this.again.hidden = !again;
      this.again.textContent = again ?? "";
    }
    this.tick();
  }

  words() {
    const { state, reason } = this.status;
    if (state === "starting") return ["Starting", "The camera takes a moment to switch to live pictures."];
    if (state === "offline") return [`${short(this.name)} does not send pictures`, reason];
    if (state === "lost") return ["The server cannot be reached", "What is shown is the last picture."];
    if (state !== "ended") return undefined;
    if (reason === "time limit") return [`Stopped after ${plural(limitMinutes, "1 minute", "# minutes")}`, "So the camera looks for motion again.", "Watch again"];
    if (reason === "server stops") return ["The server restarts", "The pictures come back by themselves."];
    if (reason === "camera gone") return ["This camera was removed", ""];
    if (reason === "fault") return ["The pictures stopped", "Something went wrong on the server; its log says what.", "Watch again"];
    return ["Cannot watch now", reason, "Try again"];
  }

  // What passes by itself: the time, the count-down.
  tick() {
    const passed = (performance.now() - this.told) / 1000;
    const { state, paused_seconds: paused = 0, retry_in_seconds: retry } = this.status;
    this.mark.hidden = state !== "live";
    this.elapsed.textContent = clock(paused + passed);
    if (!this.instead.hidden) {
      const left = retry == null ? null : Math.ceil(retry - passed);
      const next = left == null ? "" : left > 0 ? ` Trying again in ${left}\u00a0s.` : " Trying again.";
      this.instead.querySelector(".why").textContent = this.why + next;
    }
  }

  // The newest picture: those that come while one is decoded replace each other.
  async show(picture) {
    this.last = picture;
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      while (this.last && this.last !== this.shown) {
        this.shown = this.last;
        const bitmap = await createImageBitmap(this.shown);
        if (!this.last) return bitmap.close();
        if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
          this.canvas.width = bitmap.width;
          this.canvas.height = bitmap.height;
        }
        this.painter.transferFromImageBitmap(bitmap);
        this.canvas.hidden = false;
      }
    } catch {
      // A picture that cannot be decoded is passed over; the next one comes soon.
    } finally {
      this.isBusy = false;
    }
  }
}

const stages = new Map([...document.querySelectorAll(".stage")].map((element) => [element.dataset.camera, new Stage(element)]));
const page = document.querySelector(".one") ? onePage() : wallPage();

const feed = new Feed(
  (status) => {
    stages.get(status.camera)?.tell(status);
    page.render();
  },
  (camera, picture) => stages.get(camera)?.show(picture),
  (isUp, seconds) => {
    reached(isUp);
    for (const camera of feed.wanted) {
      const stage = stages.get(camera);
      if (!isUp) stage?.tell({ state: "lost", retry_in_seconds: seconds });
    }
    page.render();
  },
);

function watch(camera) {
  stages.get(camera).tell({ state: "starting" });
  feed.want(camera);
  page.render();
}

function leave(camera) {
  feed.drop(camera);
  stages.get(camera).tell({ state: "idle" });
  page.render();
}

// One camera: watched from the start, as whoever opens its page wants to see it.
function onePage() {
  const [stage] = stages.values();
  const paused = document.querySelector(".paused");
  const figures = document.querySelector(".figures");
  const toggle = document.querySelector(".toggle");
  const save = document.querySelector(".save");
  const full = document.querySelector(".full");
  full.hidden = !document.fullscreenEnabled;
  toggle.onclick = () => (feed.wanted.has(stage.camera) ? leave : watch)(stage.camera);
  full.onclick = () => (document.fullscreenElement ? document.exitFullscreen() : stage.element.requestFullscreen());
  return {
    start: () => watch(stage.camera),
    render() {
      const { state, viewers = 0, frames_per_second: rate = 0, ends_in_seconds: left } = stage.status;
      const isWatched = feed.wanted.has(stage.camera);
      const isPaused = isWatched && (state === "live" || state === "starting");
      say(paused, isPaused ? "Motion detection is paused while you watch." : isWatched ? "The pictures come back by themselves." : "Not watching: the camera looks for motion.");
      paused.classList.toggle("is-on", isPaused);
      toggle.textContent = isWatched ? "Stop" : "Watch";
      toggle.classList.toggle("primary", !isWatched);
      save.classList.toggle("is-off", state !== "live");
      save.toggleAttribute("aria-disabled", state !== "live");
      figures.hidden = state !== "live";
      const size = `${stage.canvas.width} × ${stage.canvas.height}`;
      const others = plural(viewers - 1, "1 other person watches", "# other people watch");
      figures.textContent = [size, rate >= 0.5 && `${rate.toFixed(0)} pictures/s`, viewers > 1 && others, left < 300 && `stops in ${clock(left)}`].filter(Boolean).join(" · ");
    },
    keys: { w: "Watch, or stop", f: "Full screen", Escape: "All cameras" },
    press(key) {
      if (key === "w") toggle.click();
      else if (key === "f") full.click();
      else if (document.fullscreenElement || document.querySelector("details[open]")) return false;
      else location.assign("/live");
    },
  };
}

// The wall: nothing is started before somebody says so. What is watched stands in the address.
function wallPage() {
  const all = document.querySelector(".watch-all");
  const paused = document.querySelector(".paused");
  const rows = [...document.querySelectorAll(".tile")].map((tile) => ({
    stage: stages.get(tile.querySelector(".stage").dataset.camera),
    button: tile.querySelector(".watch-one"),
    note: tile.querySelector(".who .quiet"),
  }));
  const cameras = [...stages.keys()];
  const idle = paused?.textContent;
  for (const { stage, button, note } of rows) {
    button.role = "button";
    button.onclick = (event) => {
      event.preventDefault();
      (feed.wanted.has(stage.camera) ? leave : watch)(stage.camera);
    };
    button.onkeydown = (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      button.click();
    };
    note.dataset.idle = note.textContent;
  }
  if (all) {
    all.onclick = () => {
      const isOn = feed.wanted.size === cameras.length;
      for (const camera of cameras) if (feed.wanted.has(camera) === isOn) (isOn ? leave : watch)(camera);
    };
  }
  return {
    start() {
      const asked = new URLSearchParams(location.search).get("watch");
      for (const camera of asked === "all" ? cameras : (asked ?? "").split(",")) if (stages.has(camera)) watch(camera);
    },
    render() {
      const on = rows.filter(({ stage }) => feed.wanted.has(stage.camera));
      for (const { stage, button, note } of rows) {
        const isWatched = feed.wanted.has(stage.camera);
        button.firstChild.textContent = isWatched ? "Stop" : "Watch";
        const { state, viewers = 0, frames_per_second: rate = 0 } = stage.status;
        const figures = [rate >= 0.5 && `${rate.toFixed(0)} pictures/s`, viewers > 1 && `${viewers} watch`].filter(Boolean).join(", ");
        note.textContent = (isWatched && state === "live" && figures) || note.dataset.idle;
      }
      if (!all) return;
      const names = on.map(({ stage }) => stage.name);
      const whom = names.length === cameras.length && names.length > 2 ? "all cameras" : names.length > 3 ? `${names.length} cameras` : join(names);
      say(paused, names.length ? `Motion detection is paused on ${whom} while you watch.` : idle);
      paused.classList.toggle("is-on", names.length > 0);
      all.textContent = names.length === cameras.length ? "Stop all" : "Watch all";
      all.classList.toggle("primary", names.length !== cameras.length);
      const address = new URL(location.href);
      if (!names.length) address.searchParams.delete("watch");
      else address.searchParams.set("watch", names.length === cameras.length ? "all" : on.map(({ stage }) => stage.camera).join(","));
      const shown = address.href.replaceAll("%2C", ",");
      if (shown !== location.href) history.replaceState(null, "", shown);
    },
    keys: { w: "Watch all, or stop" },
    press: () => all?.click(),
  };
}

// A status region speaks when its text changes, and only then.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

for (const stage of stages.values()) {
  stage.again.onclick = (event) => {
    event.preventDefault();
    watch(stage.camera);
  };
}

let hiding;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(() => feed.suspend(), HIDDEN_SECONDS * 1000);
  else feed.resume();
});
addEventListener("pagehide", () => feed.suspend());
addEventListener("pageshow", (event) => event.persisted && feed.resume());
addEventListener("online", () => feed.connect());

const numbered = new Map([...document.querySelectorAll("[data-key]")].map((link) => [link.dataset.key, link]));
if (numbered.size) keys.add({ [[...numbered.keys()].join(" ")]: "That camera, large" }, { run: (key) => numbered.get(key).click() });
if (stages.size) keys.add(page.keys, { run: (key) => page.press(key) });
document.querySelector(".chip[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
setInterval(() => stages.forEach((stage) => stage.tick()), 1000);
page.start();
page.render();
