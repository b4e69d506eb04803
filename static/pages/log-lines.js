// What the page of log lines knows of one line: its order, its words, and the way to the clipboard.
import { element } from "../ui.js";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// Times come with up to six digits of a second, which may be left out; all are brought to one form.
export function whole(line) {
  const [, moment, fraction = "", zone] = /^(.{19})(?:\.(\d+))?(.*)$/.exec(line.timestamp);
  line.timestamp = `${moment}.${fraction.padEnd(6, "0")}${zone === "Z" ? "+00:00" : zone}`;
  line.at = Date.parse(line.timestamp.slice(0, 23) + line.timestamp.slice(26));
  return line;
}

const micro = (line) => Number(line.timestamp.slice(23, 26));
export const inOrder = (a, b) => a.at - b.at || micro(a) - micro(b) || a.id - b.id;
export const placeOf = (line) => `${BigInt(line.at) * 1000n + BigInt(micro(line))}.${line.id}`;
export const shown = (iso) => `${Number(iso.slice(8, 10))} ${MONTHS[Number(iso.slice(5, 7)) - 1]} ${iso.slice(11, 23)}`;
export const asText = (line) =>
  `${line.timestamp.slice(0, 10)} ${line.timestamp.slice(11, 23)}${line.timestamp.slice(26)} ${line.level.padEnd(7)} ${line.source}: ${line.message.replace(/[\x00-\x1f\x7f\u2028\u2029]+/g, " ")}`;

const small = (value) => Array.from(value, (letter) => (letter.toLowerCase().length === letter.length ? letter.toLowerCase() : letter)).join("");

export function marked(message, text) {
  if (!text) return [message];
  const [plain, wanted] = [small(message), small(text)];
  const parts = [];
  let at = 0;
  for (let hit = plain.indexOf(wanted); hit >= 0; hit = plain.indexOf(wanted, at)) {
    if (hit > at) parts.push(message.slice(at, hit));
    at = hit + wanted.length;
    parts.push(element("mark", {}, message.slice(hit, at)));
  }
  parts.push(message.slice(at));
  return parts;
}

// Puts text on the clipboard; whether that worked.
export async function write(value) {
  try {
    await navigator.clipboard.writeText(value);
    return true;
  } catch {
    // Over plain HTTP browsers keep the clipboard from scripts, but for this older way.
  }
  const area = element("textarea", { class: "hidden", readonly: true, "aria-label": "Lines to copy" });
  area.value = value;
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return done;
}
