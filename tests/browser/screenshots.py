"""Pictures of every page in both themes and two widths: ``python -m tests.browser.screenshots --help``."""

import argparse
import asyncio
import shutil
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, NARROW, WIDE
from tests.browser.pages import PAGES
from tests.browser.world import furnish, running_world

SETTLE_MS = 1500


async def shoot(url: str, paths: dict[str, str], folder: Path) -> None:
    """One PNG a page, theme and width."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for theme in ("light", "dark"):
            for size in (WIDE, NARROW):
                context = await chromium.new_context(
                    viewport={"width": size[0], "height": size[1]}, color_scheme=theme, has_touch=size == NARROW
                )
                page = await context.new_page()
                for name, path in paths.items():
                    await page.goto(url + path)
                    await page.wait_for_timeout(SETTLE_MS)
                    target = folder / f"{name}-{theme}-{size[0]}.png"
                    await page.screenshot(path=str(target), full_page=name != "docs")
                    print(target)
                await context.close()
        await chromium.close()


def main() -> None:
    """Make a site, furnish it, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("var/screenshots"))
    parser.add_argument("--only", action="append", choices=sorted(PAGES), help="pages to take; all when left out")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    state = Path(tempfile.mkdtemp(prefix="scs-"))
    try:
        with running_world(state) as world:
            event = furnish(world)[0]
            paths = {
                name: path.format(event=event["id"], camera=event["camera_id"])
                for name, path in PAGES.items()
                if not arguments.only or name in arguments.only
            }
            asyncio.run(shoot(world.url, paths, arguments.folder))
    finally:
        shutil.rmtree(state)


if __name__ == "__main__":
    main()
