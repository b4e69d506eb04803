// One camera: plots that answer to the pointer, facts that stay as they are now, a removal that is seen to go on.
/* global uPlot */
import { ask, counted, fragment, send } from "../ui.js";
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
// Times are the site's, wherever the reader is.
const told = (seconds, zone, options) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options }).format(seconds * 1000);
const hourOf = (seconds, zone) => told(seconds, zone, { hour: "2-digit", minute: "2-digit" });
const dayOf = (seconds, zone) => told(seconds, zone, { day: "numeric", month: "short" });

function draw(place, { span, zone, xs, counts }) {
  const words = document.createElement("span");
  words.className = "told number";
  words.hidden = true;
  const isDay = span === "24h";
  const axis = { stroke: colour("--muted"), font: "12px system-ui, sans-serif", ticks: { show: false } };
  const made = new uPlot(
    {
      width: place.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      cursor: { y: false, points: { show: false }, drag: { x: !isDay, y: false } },
      scales: { x: { time: true, range: (_, low, high) => [low - 1800, high + 1800] }, y: { range: (_, __, high) => [0, Math.max(1, high)] } },
      axes: [
        { ...axis, grid: { show: false }, space: 56, size: 26, values: (_, at) => at.map((seconds) => (isDay || hourOf(seconds, zone) !== "00:00" ? hourOf(seconds, zone) : dayOf(seconds, zone))) },
        { ...axis, size: 34, space: 36, grid: { stroke: colour("--line"), width: 1 }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] },
      ],
      series: [{}, { fill: colour("--accent"), stroke: colour("--accent"), width: 0, paths: uPlot.paths.bars({ size: [isDay ? 0.72 : 1, 64], align: 0 }), points: { show: false } }],
      hooks: {
        setCursor: [
          (self) => {
            const at = self.cursor.idx;
            words.hidden = at == null || self.cursor.left < 0;
            if (words.hidden) return;
            words.textContent = `${isDay ? "" : `${dayOf(xs[at], zone)}, `}${hourOf(xs[at], zone)}: ${counted(counts[at], "event")}`;
            const left = self.over.offsetLeft + self.cursor.left - words.offsetWidth / 2;
            words.style.left = `${Math.max(0, Math.min(left, place.clientWidth - words.offsetWidth))}px`;
          },
        ],
      },
    },
    [xs, counts],
  );
  place.replaceChildren(made.root, words);
  return made;
}

function plot(figure) {
  const { plot: span, first, zone } = figure.dataset;
  const counts = figure.dataset.counts.split(",").map(Number);
  if (!counts.some(Boolean)) return; // the words say so
  const place = figure.querySelector(".drawing");
  const data = { span, zone, counts, xs: counts.map((_, number) => Number(first) + 3600 * number) };
  plots.push({ place, data, made: draw(place, data) });
  figure.dataset.drawn = "";
}

function redraw() {
  for (const one of plots) {
    one.made.destroy();
    one.made = draw(one.place, one.data);
  }
}

for (const figure of document.querySelectorAll("[data-plot]")) plot(figure);
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
      // The list still has it as long as there is something to see here.
      const list = await fragment("/cameras");
      if (!list.querySelector(`.away a[href="/cameras/${cameraId}"]`)) return location.assign("/cameras");
      await exchange(["notices", "footage"]);
    } catch {
      // The server is away for a moment; the bar says so.
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
    const points = goes
      ? [`${counted(plan.events, "event")} with all pictures and clips, ${size(plan.size_bytes)}`, plan.events_starred ? `${plan.events_starred.toLocaleString("en")} of them are starred` : "", "It cannot come back"]
      : [plan.events ? `Its ${counted(plan.events, "event")} ${plan.events === 1 ? "is" : "are"} kept` : "It has no events", "Its agent brings it back when it registers again"];
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
