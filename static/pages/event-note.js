// A note asked for in the gallery: what was typed, or null when it is to stay as it was.
import { dialog, element } from "../ui.js";

export function askNote(name, before) {
  const area = element("textarea", { rows: 5, maxlength: 2000, "aria-label": "Note" });
  area.value = before;
  const choices = [element("button", { class: "button", value: "no" }, "Cancel"), element("button", { class: "button primary", value: "yes" }, "Keep the note")];
  const asked = dialog(`Note: ${name}`, area, element("p", { class: "choices" }, ...choices));
  area.focus();
  // As on the event's own page.
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    asked.close("yes");
  });
  return new Promise((tell) => asked.addEventListener("close", () => tell(asked.returnValue === "yes" ? area.value : null), { once: true }));
}
