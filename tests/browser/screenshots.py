"""Pictures of pages and their states in both themes and two widths: ``python -m tests.browser.screenshots --help``."""

import argparse
import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
from playwright.async_api import Browser, Page, async_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, NARROW, WIDE
from tests.browser.pages import PAGES
from tests.browser.showcase import Showcase, showcase
from tests.browser.world import World, running_world

SETTLE_MS: Final = 1500
Act = Callable[[Page], Awaitable[None]]


async def _select(page: Page) -> None:
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await page.keyboard.press("j")
    await page.keyboard.press("x")


async def _ask_for_removal(page: Page) -> None:
    await page.locator("#remove").click()


async def _show_keys(page: Page) -> None:
    await page.keyboard.press("?")


async def _enlarge(page: Page) -> None:
    await page.locator("#stills a").first.click()


async def _compare(page: Page) -> None:
    await page.locator("#show-swipe").click()


async def _try_out(page: Page) -> None:
    await page.locator("#health [data-try]").click()
    await page.locator(".trial .execute").click()


STATES: Final[dict[str, tuple[str, Act | None]]] = {name: (path, None) for name, path in PAGES.items()} | {
    "events list": ("/?view=list", None),
    "events found": ("/?q=people", None),
    "events day": ("/?date=yesterday&camera_id=camera_1", None),
    "events none": ("/?camera_id=camera_1&category=animal", None),
    "events selected": ("/", _select),
    "events keys": ("/", _show_keys),
    "event arriving": ("/events/{arriving}", None),
    "event failed": ("/events/{failed}", None),
    "event remove": ("/events/{failed}", _ask_for_removal),
    "event picture": ("/events/{event}", _enlarge),
    "event compare": ("/events/{event}", _compare),
    "camera absent": ("/cameras/{absent}", None),
    "live wall": ("/live?watch=all", None),
    "live absent": ("/live/{absent}", None),
    "logs found": ("/logs?q=share", None),
    "docs call": ("/docs#create", None),
    "docs trial": ("/docs#health", _try_out),
    "report": ("/digests/{yesterday}", None),
}
NEW_SITE: Final = ("events", "cameras", "live", "logs", "digests", "storage", "system")
"""Pages of a site without cameras."""
WITHOUT_STORAGE: Final = ("events", "event", "storage", "system")
WITHOUT_DATABASE: Final = ("events", "system", "docs")
README_IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
README: Final[dict[str, tuple[str, str, tuple[int, int]]]] = {
    "events": ("events", "light", WIDE),
    "event": ("event", "dark", WIDE),
    "live": ("live wall", "dark", WIDE),
    "phone-events": ("events", "dark", NARROW),
    "phone-event": ("event", "light", NARROW),
    "phone-camera": ("camera", "dark", NARROW),
}
"""Pictures of the README: a state, a theme, a window."""
README_QUALITY: Final = 82


async def _page(chromium: Browser, size: tuple[int, int], theme: str, *, scale: int = 1) -> Page:
    """A page in a context of its own, which closes with it: it remembers nothing of what was chosen on another."""
    return await chromium.new_page(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        has_touch=size == NARROW,
        is_mobile=size == NARROW,
        device_scale_factor=scale,
    )


async def picture_readme(url: str, places: dict[str, str], folder: Path) -> None:
    """The pictures of the README: what a window shows, as JPEG."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, (state, theme, size) in README.items():
            page = await _page(chromium, size, theme, scale=2 if size == NARROW else 1)
            await page.goto(url + STATES[state][0].format(**places))
            await page.wait_for_timeout(2 * SETTLE_MS)
            await page.screenshot(path=str(folder / f"{name}.jpg"), type="jpeg", quality=README_QUALITY)
            print(folder / f"{name}.jpg", flush=True)
        await chromium.close()


async def shoot(url: str, states: dict[str, tuple[str, Act | None]], folder: Path) -> None:
    """One PNG a state, theme and width."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for theme in ("light", "dark"):
            for size in (WIDE, NARROW):
                for name, (path, act) in states.items():
                    page = await _page(chromium, size, theme)
                    await page.goto(url + path)
                    await page.wait_for_timeout(SETTLE_MS)
                    if act is not None:
                        await act(page)
                        await page.wait_for_timeout(SETTLE_MS)
                    target = folder / f"{name}-{theme}-{size[0]}.png"
                    await page.screenshot(path=str(target), full_page=act is None and not name.startswith("docs"))
                    print(target, flush=True)
                    await page.close()
        await chromium.close()


@contextmanager
def _without_storage(world: World) -> Iterator[None]:
    root = world.daemon.storage_root
    away = root.with_name("away")
    root.rename(away)
    try:
        yield
    finally:
        away.rename(root)


@contextmanager
def _without_database(world: World) -> Iterator[None]:
    assert world.daemon.process is not None
    [server] = [each for each in psutil.Process(world.daemon.process.pid).children() if "mariadbd" in each.name()]
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def _chosen(names: tuple[str, ...], prefix: str, site: Showcase | None) -> dict[str, tuple[str, Act | None]]:
    places = site.places if site else {}
    return {f"{prefix} {name}": (STATES[name][0].format(**places), None) for name in names}


def _take_for_readme(state: Path) -> None:
    with showcase(state / "a") as site:
        asyncio.run(picture_readme(site.world.url, site.places, README_IMAGES))


def _take(folder: Path, state: Path, only: list[str] | None) -> None:
    with showcase(state / "a") as site:
        wanted = {name: (path.format(**site.places), act) for name, (path, act) in STATES.items()}
        asyncio.run(shoot(site.world.url, {n: w for n, w in wanted.items() if not only or n in only}, folder))
        if only:
            return
        with _without_storage(site.world):
            asyncio.run(shoot(site.world.url, _chosen(WITHOUT_STORAGE, "no storage", site), folder))
        with _without_database(site.world):
            asyncio.run(shoot(site.world.url, _chosen(WITHOUT_DATABASE, "no database", site), folder))
    with running_world(state / "b", SECURITYCAMD_ANALYSER__URL="http://127.0.0.1:9") as world:
        asyncio.run(shoot(world.url, _chosen(NEW_SITE, "new", None), folder))


def main() -> None:
    """Make a site that was lived in, take the pictures; then take its storage and its database away, and a new site."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("var/screenshots"))
    parser.add_argument("--only", action="append", choices=sorted(STATES), help="pages to take; all when left out")
    parser.add_argument("--readme", action="store_true", help="take the pictures of the README, and no others")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    state = Path(tempfile.mkdtemp(prefix="scs-"))
    try:
        if arguments.readme:
            _take_for_readme(state)
        else:
            _take(arguments.folder, state, arguments.only)
    finally:
        shutil.rmtree(state)


if __name__ == "__main__":
    main()
