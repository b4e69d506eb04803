// A report that is being written: looks now and then, and shows it once it is there.
const LOOK_MS = 5000;
const place = document.querySelector("[data-waiting]");
const address = `/api/v1${location.pathname}`;

const look = async () => {
  try {
    const response = await fetch(address, { headers: { Accept: "application/json" } });
    if (response.ok && (await response.json()).state !== "waiting") {
      location.reload();
      return;
    }
  } catch {
    // The server is away for a moment: the next look may find it.
  }
  setTimeout(look, LOOK_MS);
};

if (place) setTimeout(look, LOOK_MS);
