"""How soon each page is painted on a slow device: ``python -m tests.benchmarks.paint``.

Chromium with its processor slowed down four times opens every page afresh, with nothing cached, from a site with real
pictures and clips. Told are the largest paint, what moved, and what was loaded besides pictures and clips.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, async_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, NARROW, WIDE
from tests.browser.pages import PAGES
from tests.browser.world import furnish, running_world

SLOWED: Final = 4
LIMIT_MS: Final = 1000.0
LIMIT_SHIFT: Final = 0.001
LIMIT_BYTES: Final = 150_000
SETTLE_MS: Final = 2500

_WATCH: Final = """
window.seen = {paint: 0, what: "", shift: 0, moved: []};
const nameOf = (node) =>
  node?.tagName ? `${node.tagName.toLowerCase()}${node.id ? "#" + node.id : ""}.${node.className}` : "?";
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    window.seen.paint = entry.startTime;
    window.seen.what = nameOf(entry.element);
  }
}).observe({type: "largest-contentful-paint", buffered: true});
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    window.seen.shift += entry.value;
    window.seen.moved.push(...entry.sources.map((source) => nameOf(source.node)));
  }
}).observe({type: "layout-shift", buffered: true});
"""
_TELL: Final = """() => {
  const isMedia = (url) => /\\/media\\/|\\.(jpe?g|png|mp4)(\\?|$)/.test(url);
  const loaded = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  const bytes = loaded.filter((entry) => !isMedia(entry.name)).reduce((sum, entry) => sum + entry.transferSize, 0);
  return {...window.seen, bytes};
}"""


@dataclass(frozen=True)
class Painted:
    """One opening of a page."""

    paint_ms: float
    what: str
    shift: float
    moved: tuple[str, ...]
    size_bytes: int


async def _open(browser: Browser, url: str, size: tuple[int, int]) -> Painted:
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]}, has_touch=size == NARROW, locale="en-GB"
    )
    try:
        page = await context.new_page()
        session = await context.new_cdp_session(page)
        await session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
        await page.add_init_script(_WATCH)
        await page.goto(url)
        await page.wait_for_timeout(SETTLE_MS)
        seen = await page.evaluate(_TELL)
        return Painted(seen["paint"], seen["what"], seen["shift"], tuple(seen["moved"]), seen["bytes"])
    finally:
        await context.close()


async def _measure(url: str, paths: dict[str, str], turns: int) -> int:
    missed = 0
    print(f"{'page':16}{'width':>6}{'largest paint ms':>18}{'worst':>8}{'shift':>8}{'kB':>8}  painted last")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        await _open(browser, url + "/", WIDE)  # the first page of a browser waits for the browser itself
        for name, path in paths.items():
            for size in (WIDE, NARROW):
                seen = [await _open(browser, url + path, size) for _ in range(turns)]
                middle = statistics.median(each.paint_ms for each in seen)
                worst, shift = max(each.paint_ms for each in seen), max(each.shift for each in seen)
                weight = max(each.size_bytes for each in seen)
                is_missed = middle > LIMIT_MS or shift > LIMIT_SHIFT
                is_missed |= weight > LIMIT_BYTES
                missed += is_missed
                moved = sorted({name for each in seen for name in each.moved})
                mark = f"  <- missed{', moved: ' + ', '.join(moved) if moved else ''}" if is_missed else ""
                print(
                    f"{name:16}{size[0]:6}{middle:18.0f}{worst:8.0f}{shift:8.4f}{weight / 1000:8.1f}"
                    f"  {seen[-1].what}{mark}",
                    flush=True,
                )
        await browser.close()
    return missed


def main() -> int:
    """Measure and tell; 1 when a page is painted late, moves or weighs too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="how often each page is opened")
    parser.add_argument("--only", action="append", choices=sorted(PAGES), help="pages to open; all when left out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scp-") as folder, running_world(Path(folder)) as world:
        event = furnish(world, events=8)[0]
        paths = {
            name: path.format(event=event["id"], camera=event["camera_id"])
            for name, path in PAGES.items()
            if not arguments.only or name in arguments.only
        }
        return 1 if asyncio.run(_measure(world.url, paths, arguments.turns)) else 0


if __name__ == "__main__":
    sys.exit(main())
