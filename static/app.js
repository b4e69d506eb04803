// Small comforts on top of pages that work without any of this.
"use strict";

// The same words as words.age() on the server.
function age(seconds) {
  if (seconds < 5) return "now";
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.max(1, Math.floor(seconds / 60))} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400).toLocaleString("en")} d`;
}

const relative = document.querySelectorAll("time[data-relative]");

function retell() {
  for (const element of relative) {
    const words = age((Date.now() - Date.parse(element.dateTime)) / 1000);
    element.textContent = words === "now" ? "just now" : `${words} ago`;
  }
}

if (relative.length) {
  retell();
  setInterval(retell, 10_000);
}

// A picture that is gone from the storage leaves its designed place, not a broken image.
function leave(image) {
  image.closest(".picture")?.classList.add("is-gone");
}

addEventListener("error", (event) => event.target instanceof HTMLImageElement && leave(event.target), true);
for (const image of document.images) {
  if (image.complete && image.naturalWidth === 0 && image.loading !== "lazy") leave(image);
}

// Nothing starts to move by itself for who asked for that.
if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
  for (const video of document.querySelectorAll("video[autoplay]")) {
    video.autoplay = false;
    video.pause();
  }
}
