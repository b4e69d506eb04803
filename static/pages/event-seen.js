// Which event was looked at last in this tab, for the way back into the list.
const LAST = "scd-event-seen";

export function lookedAt(id) {
  try {
    sessionStorage.setItem(LAST, id);
  } catch {
    // Without storage the list begins at its top.
  }
}

export function lastLookedAt() {
  try {
    return sessionStorage.getItem(LAST);
  } catch {
    return null;
  }
}
