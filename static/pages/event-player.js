// The player of an event's clip: our controls in place of the browser's, for frame steps and a speed that is kept.
import { toast } from "../ui.js";

const SPEED = "scd-speed";
const SMALLEST_FRAME = 1 / 240;

function kept() {
  try {
    return localStorage.getItem(SPEED) ?? "1";
  } catch {
    return "1"; // storage is switched off
  }
}

function keep(speed) {
  try {
    localStorage.setItem(SPEED, speed);
  } catch {
    // The choice holds for this page.
  }
}

// The same as words.duration() on the server, with tenths where a frame counts.
export function clock(seconds, tenths = false) {
  const whole = Math.floor(seconds + 1e-6);
  const text = `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  return tenths ? `${text}.${Math.floor((seconds - whole + 1e-6) * 10)}` : text;
}

export class Player {
  constructor(root) {
    this.root = root;
    this.video = root.querySelector("video");
    this.deck = root.querySelector(".deck");
    this.seekBar = root.querySelector(".seek");
    this.speed = root.querySelector("[data-speed]");
    this.frame = 1 / (Number(root.dataset.frameRate) || 15);
    this.shownAt = null; // the media time of the frame that is shown, where the browser tells
    this.begin();
  }

  begin() {
    const { video, root } = this;
    video.controls = false;
    const wanted = kept();
    this.speed.value = [...this.speed.options].some((option) => option.value === wanted) ? wanted : "1";
    video.defaultPlaybackRate = video.playbackRate = Number(this.speed.value);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) video.pause();

    for (const kind of ["loadedmetadata", "durationchange"]) video.addEventListener(kind, () => this.measure());
    for (const kind of ["timeupdate", "seeking", "seeked"]) video.addEventListener(kind, () => this.show());
    for (const kind of ["play", "pause", "ended"]) video.addEventListener(kind, () => this.state());
    video.addEventListener("error", () => this.lost());
    video.addEventListener("click", () => this.toggle());
    video.addEventListener("dblclick", () => this.full());
    this.seekBar.addEventListener("input", () => this.to(Number(this.seekBar.value)));
    this.speed.addEventListener("change", () => this.setSpeed(this.speed.value));
    root.addEventListener("click", (event) => {
      const name = event.target.closest("[data-do]")?.dataset.do;
      const acts = { play: () => this.toggle(), back: () => this.step(-1), on: () => this.step(1), full: () => this.full(), load: () => this.load(), sound: () => this.sound() };
      if (name) acts[name]();
    });
    this.watchFrames();
    this.measure();
    this.state();
    if (video.error) this.lost();
  }

  // What is shown, and how long a frame lasts: the shortest distance of two frames that followed each other.
  watchFrames() {
    if (!this.video.requestVideoFrameCallback) return;
    let before = null;
    const look = (_, { mediaTime, presentedFrames }) => {
      const passed = before && presentedFrames === before.presentedFrames + 1 ? mediaTime - before.mediaTime : 0;
      if (passed > SMALLEST_FRAME && passed < this.frame) this.frame = passed;
      before = { mediaTime, presentedFrames };
      this.shownAt = mediaTime;
      this.video.requestVideoFrameCallback(look);
    };
    this.video.requestVideoFrameCallback(look);
  }

  get length() {
    return Number.isFinite(this.video.duration) ? this.video.duration : 0;
  }

  measure() {
    this.seekBar.max = this.length || 1;
    this.root.querySelector("[data-length]").textContent = clock(this.length);
    this.video.playbackRate = Number(this.speed.value);
    this.show();
  }

  show() {
    const at = this.video.currentTime;
    if (document.activeElement !== this.seekBar || this.video.paused === false) this.seekBar.value = at;
    this.seekBar.setAttribute("aria-valuetext", `${clock(at)} of ${clock(this.length)}`);
    this.root.querySelector("[data-now]").textContent = clock(at, this.video.paused && at > 0 && at < this.length);
    const heard = this.video.mozHasAudio || this.video.webkitAudioDecodedByteCount > 0;
    if (heard) this.root.querySelector("[data-do=sound]").hidden = false;
  }

  state() {
    const plays = !this.video.paused && !this.video.ended;
    this.root.classList.toggle("is-playing", plays);
    this.root.querySelector("[data-do=play]").setAttribute("aria-label", plays ? "Pause" : "Play");
    this.show();
  }

  toggle() {
    if (this.video.error) return;
    if (this.video.paused || this.video.ended) this.video.play().catch(() => {});
    else this.video.pause();
  }

  to(seconds) {
    this.video.currentTime = Math.min(Math.max(0, seconds), this.length);
  }

  // Into the middle of the frame before or behind: at its very edge browsers disagree on which one is shown.
  step(frames) {
    this.video.pause();
    const settled = !this.video.seeking && this.shownAt !== null;
    const middle = settled ? this.shownAt + this.frame / 2 : this.video.currentTime;
    this.to(Math.min(middle + frames * this.frame, this.length - this.frame / 4));
  }

  setSpeed(value) {
    this.speed.value = value;
    this.video.defaultPlaybackRate = this.video.playbackRate = Number(value);
    keep(value);
  }

  faster(steps) {
    const at = this.speed.selectedIndex + steps;
    if (at >= 0 && at < this.speed.options.length) this.setSpeed(this.speed.options[at].value);
  }

  sound() {
    this.video.muted = !this.video.muted;
    this.root.querySelector("[data-do=sound]").setAttribute("aria-pressed", String(!this.video.muted));
  }

  full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.root.requestFullscreen) this.root.requestFullscreen().catch(() => toast("This browser shows no full screen here.", { kind: "bad" }));
    else this.video.webkitEnterFullscreen?.();
  }

  load() {
    this.root.querySelector("[data-lost]").hidden = true;
    this.deck.hidden = false;
    this.video.load();
  }

  async lost() {
    const reasons = {
      404: "Its file is not in the footage storage.",
      503: "The footage storage does not answer. It shows again once that is back.",
    };
    let reason = "This browser cannot play it. Download it, and play it with another program.";
    try {
      const { status } = await fetch(this.video.currentSrc || this.video.src, { method: "HEAD" });
      reason = reasons[status] ?? reason;
    } catch {
      reason = "The server does not answer.";
    }
    this.root.querySelector("[data-reason]").textContent = reason;
    this.root.querySelector("[data-lost]").hidden = false;
    this.deck.hidden = true;
  }
}
