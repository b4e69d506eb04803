// One camera: plots that answer to the pointer, facts that stay as they are now, a removal that is seen to go on.
/* global uPlot */
import { ask, send } from "../ui.js";
import { exchange, refreshParts } from "./parts.js";

const cameraId = document.querySelector("[data-camera-page]").dataset.cameraPage;
const api = `/api/v1/cameras/${cameraId}`;

// --- plots ------------------------------------------------------------------------------------------------------------

const HEIGHT = 190;
const plots = [];
const colour = (name) => {
  // A token may be light-dark(): the browser resolves it on an element.
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
};
// Hours of the site, wherever the reader is: the server's times carry the site's offset.
const local = (text) => Date.parse(`${text.slice(0, 19)}Z`) / 1000;
const two = (number) => String(number).padStart(2, "0");
const hourOf = (seconds) => `${two(new Date(seconds * 1000).getUTCHours())}:00`;
const dayOf = (seconds) => new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

function draw(place, span, hours) {
  const xs = hours.map((hour) => local(hour.start));
  const told = document.createElement("span");
  told.className = "told number";
  told.hidden = true;
  const isDay = span === "24h";
  const axis = { stroke: colour("--muted"), font: "12px system-ui, sans-serif", ticks: { show: false } };
  const made = new uPlot(
    {
      width: place.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      cursor: { y: false, points: { show: false }, drag: { x: !isDay, y: false } },
      scales: { x: { time: true, range: (_, low, high) => [low - 1800, high + 1800] }, y: { range: (_, __, high) => [0, Math.max(1, high)] } },
      axes: [
        { ...axis, grid: { show: false }, space: 56, size: 26, values: (_, at) => at.map((seconds) => (isDay || seconds % 86400 ? hourOf(seconds) : dayOf(seconds))) },
        { ...axis, size: 34, space: 36, grid: { stroke: colour("--line"), width: 1 }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] },
      ],
      series: [{}, { fill: colour("--accent"), stroke: colour("--accent"), width: 0, paths: uPlot.paths.bars({ size: [isDay ? 0.72 : 1, 64], align: 0 }), points: { show: false } }],
      hooks: {
        setCursor: [
          (self) => {
            const at = self.cursor.idx;
            told.hidden = at == null || self.cursor.left < 0;
            if (told.hidden) return;
            const { events } = hours[at];
            told.textContent = `${isDay ? "" : `${dayOf(xs[at])}, `}${hourOf(xs[at])}: ${events === 1 ? "1 event" : `${events.toLocaleString("en")} events`}`;
            const left = self.over.offsetLeft + self.cursor.left;
            told.style.left = `${Math.max(0, Math.min(left - told.offsetWidth / 2, place.clientWidth - told.offsetWidth))}px`;
          },
        ],
      },
    },
    [xs, hours.map((hour) => hour.events)],
  );
  place.replaceChildren(made.root, told);
  return made;
}

async function plot(figure) {
  const place = figure.querySelector(".drawing");
  const { hours } = await send("GET", `${api}/activity?span=${figure.dataset.plot}`);
  if (!hours.some((hour) => hour.events)) return;
  plots.push({ place, span: figure.dataset.plot, hours, made: draw(place, figure.dataset.plot, hours) });
  figure.dataset.drawn = "";
}

function redraw() {
  for (const one of plots) {
    one.made.destroy();
    one.made = draw(one.place, one.span, one.hours);
  }
}

// What the server drew stays where a plot cannot be made.
for (const figure of document.querySelectorAll("[data-plot]")) plot(figure).catch(() => {});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
const wide = new ResizeObserver(() => {
  for (const { place, made } of plots) if (made.width !== place.clientWidth) made.setSize({ width: place.clientWidth, height: HEIGHT });
});
for (const place of document.querySelectorAll(".drawing")) wide.observe(place);

// --- what changes by itself --------------------------------------------------------------------------------------------

const parts = ["standing", "notices", "coverage", "facts", "footage"];
refreshParts(parts);

async function follow() {
  while (document.querySelector("[data-removing]")) {
    await new Promise((go) => setTimeout(go, 1000));
    try {
      await exchange(["notices", "footage"]);
    } catch (error) {
      if (error.status === 404) return location.assign("/cameras");
    }
  }
}
follow();

// --- what is asked for -------------------------------------------------------------------------------------------------

document.querySelector("[data-refresh]").addEventListener("submit", (event) => {
  const button = event.target.querySelector("button");
  button.setAttribute("aria-busy", "true");
  button.querySelector("span").textContent = "Asking the camera…";
});

const removal = document.querySelector(".remove form");
removal?.addEventListener("submit", async (event) => {
  if (removal.dataset.asked) return;
  event.preventDefault();
  const button = event.submitter;
  button.disabled = true;
  try {
    const plan = await send("GET", `${api}/removal`);
    const goes = new FormData(removal).get("footage") === "remove";
    const events = plan.events === 1 ? "1 event" : `${plan.events.toLocaleString("en")} events`;
    const points = goes
      ? [`${events} with all pictures and clips, ${size(plan.size_bytes)}`, plan.events_starred ? `${plan.events_starred.toLocaleString("en")} of them are starred` : "", "It cannot come back"]
      : ["Its events stay", "Its agent brings it back when it registers again"];
    const name = document.querySelector("h1").textContent;
    const title = goes ? `Remove ${name} and its footage?` : `Remove ${name}?`;
    if (!(await ask({ title, points: points.filter(Boolean), label: "Remove", danger: true }))) return;
  } catch {
    // The form itself told what goes; the server decides.
  } finally {
    button.disabled = false;
  }
  removal.dataset.asked = "yes";
  removal.requestSubmit(button);
});

function size(bytes) {
  let value = bytes;
  for (const unit of ["bytes", "kB", "MB", "GB"]) {
    if (value < (unit === "bytes" ? 1000 : 999.95)) return `${value.toFixed(unit === "bytes" ? 0 : 1)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} TB`;
}
