// The two pictures of an event: large in a lightbox, one over the other, or what differs alone.

// --- large ------------------------------------------------------------------------------------------------------------

export async function enlarge(links, at) {
  const { default: PhotoSwipe } = await import("../vendor/photoswipe/photoswipe.esm.min.js");
  const slides = links.map((link) => {
    const image = link.querySelector("img");
    const caption = link.closest("figure").querySelector("figcaption").textContent.trim();
    return { src: link.href, msrc: image.currentSrc, width: image.naturalWidth || 1920, height: image.naturalHeight || 1080, alt: image.alt, element: link, caption };
  });
  const shown = new PhotoSwipe({ dataSource: slides, index: at, loop: false, bgOpacity: 0.94, wheelToZoom: true, maxZoomLevel: 6, padding: { top: 52, bottom: 52, left: 0, right: 0 } });
  shown.addFilter("thumbEl", (found, data) => data.element?.querySelector("img") ?? found);
  shown.on("uiRegister", () => {
    shown.ui.registerElement({
      name: "caption",
      appendTo: "root",
      onInit: (made) => {
        made.setAttribute("role", "status");
        shown.on("change", () => (made.textContent = shown.currSlide.data.caption));
      },
    });
  });
  shown.on("keydown", ({ originalEvent: event }) => {
    // The page's own one-key shortcuts rest meanwhile.
    event.stopPropagation();
    const factor = { "+": 1.5, "=": 1.5, "-": 1 / 1.5 }[event.key];
    const slide = shown.currSlide;
    if (factor && slide) slide.zoomTo(Math.min(Math.max(slide.currZoomLevel * factor, slide.zoomLevels.fit), slide.zoomLevels.max), undefined, 150);
  });
  shown.on("afterInit", () => {
    shown.element.setAttribute("aria-label", "Pictures of this event");
    shown.element.setAttribute("aria-modal", "true");
  });
  shown.on("openingAnimationEnd", () => (shown.element.dataset.open = ""));
  shown.init();
  return shown;
}

// --- compared ---------------------------------------------------------------------------------------------------------

export function compare(part, links) {
  const box = part.querySelector("[data-compare]");
  if (!box) return;
  const stage = part.querySelector("[data-stage]");
  const range = stage.querySelector("input");
  const both = part.querySelector(".stills");

  function at(percent) {
    range.value = percent;
    stage.style.setProperty("--at", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} % picture A`);
  }

  function show(way) {
    for (const button of box.querySelectorAll("[data-show]")) button.setAttribute("aria-pressed", String(button.dataset.show === way));
    for (const image of stage.querySelectorAll("img")) image.src ||= links.find((link) => link.dataset.still === image.dataset.of).href;
    both.hidden = way !== "both";
    stage.hidden = way === "both";
    stage.classList.toggle("swipe", way === "swipe");
    stage.classList.toggle("change", way === "change");
    range.disabled = way !== "swipe";
    if (way !== "both") stage.scrollIntoView({ block: "nearest" });
  }

  function follow(event) {
    const { left, width } = stage.getBoundingClientRect();
    at(Math.round((100 * (event.clientX - left)) / width));
  }

  stage.addEventListener("pointerdown", (event) => {
    if (range.disabled || event.button) return;
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    range.focus({ preventScroll: true });
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => stage.hasPointerCapture(event.pointerId) && follow(event));
  range.addEventListener("input", () => at(range.value));
  box.addEventListener("click", (event) => {
    const way = event.target.closest("[data-show]")?.dataset.show;
    if (way) show(way);
  });
  at(range.value);
}
