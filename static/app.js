// Small comforts on top of pages that work without any of this.
import { sayKept } from "./said.js";
import { closeLikeMenus, fragment, keys, retell } from "./ui.js";

retell();
sayKept();
setInterval(retell, 10_000);

// A picture that is gone from the storage leaves its designed place, not a broken image.
function leave(image) {
  image.closest(".picture")?.classList.add("is-gone");
}

addEventListener("error", (event) => event.target instanceof HTMLImageElement && leave(event.target), true);
// One without an address is not gone: it is asked for when it is wanted.
for (const image of document.images) {
  if (image.hasAttribute("src") && image.complete && image.naturalWidth === 0) leave(image);
}

// A page that could not be made for a moment comes by itself once it can.
if (document.querySelector("[data-comes-back]")) {
  setInterval(async () => {
    if (document.hidden) return;
    const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" }).catch(() => null);
    if (answer?.ok) location.reload();
  }, 5000);
}

// Nothing starts to move by itself for who asked for that.
if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
  for (const video of document.querySelectorAll("video[autoplay]")) {
    video.autoplay = false;
    video.pause();
  }
}

// The theme at once; the server remembers it, so that the next page starts in it.
const root = document.documentElement;
addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form.theme") || !event.submitter) return;
  event.preventDefault();
  const theme = event.submitter.value;
  root.dataset.theme = theme;
  for (const button of document.querySelectorAll("form.theme button")) {
    button.setAttribute("aria-pressed", button.value === theme);
  }
  document.querySelector("meta[name=color-scheme]").content = theme === "system" ? "light dark" : theme;
  for (const meta of document.querySelectorAll("meta[name=theme-color]")) {
    const scheme = theme === "system" ? (meta.media.includes("dark") ? "dark" : "light") : theme;
    meta.content = meta.dataset[scheme];
  }
  fetch("/theme", { method: "POST", body: new URLSearchParams({ theme }), redirect: "manual" }).catch(() => {});
});

closeLikeMenus(document.querySelectorAll("details.more, details.watch-small, details.further-filters"));

keys.add({ "?": "This list" }, { group: "Everywhere", run: keys.show });
const places = { E: "/", L: "/live", C: "/cameras" };
keys.add({ E: "Events", L: "Live", C: "Cameras" }, { group: "Everywhere", run: (key) => (location.href = places[key]) });

// The cameras' state in the rail, while somebody looks.
async function lookAtCameras() {
  if (document.hidden || !document.querySelector("[data-camera]")) return;
  try {
    const page = await fragment("/fragments/cameras");
    const [list, summary] = ["rail-cameras", "rail-summary"].map((id) => page.getElementById(id)?.innerHTML);
    if (!list) return;
    for (const place of document.querySelectorAll(".watch, .drop")) {
      if (!place.contains(document.activeElement)) place.innerHTML = list;
    }
    document.querySelector(".watch-small summary").innerHTML = summary;
  } catch {
    // The bar says that the server does not answer.
  }
}
setInterval(lookAtCameras, 30_000);
document.addEventListener("visibilitychange", lookAtCameras);
