"""Pages in Debian's Chromium, driven by Playwright, against a real daemon.

Whatever a page's test is about: a console error, a failed script or a request to another host fails it.
"""

import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

from tests.browser.world import World, furnish, running_world

CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
WIDE: Final = (1400, 900)
NARROW: Final = (360, 780)
PATIENCE_MS: Final = 30_000
"""How long an expectation may take on a busy machine."""

OpenPage = Callable[..., Awaitable[Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """A site without cameras, for all tests of a worker: each makes the cameras and events it needs."""
    folder = Path(tempfile.mkdtemp(prefix="scb-"))  # a short path: sockets are in it
    with running_world(folder) as site:
        yield site
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def furnished(world: World) -> World:
    """The same site, with three cameras and some events of each that went all the way."""
    furnish(world, events=2)
    return world


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        await chromium.close()


@dataclass
class Complaints:
    """What must not happen on any page. A test may clear what it provoked."""

    said: list[str] = field(default_factory=list)
    allowed: tuple[str, ...] = ()
    """Parts of complaints that a test provokes on purpose."""

    def add(self, text: str) -> None:
        """Note one."""
        if not any(part in text for part in self.allowed):
            self.said.append(text)


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Console errors, script errors and foreign requests of all pages of the test; none may be left."""
    found = Complaints()
    yield found
    assert not found.said


@pytest.fixture
async def open_page(browser: Browser, complaints: Complaints) -> AsyncIterator[OpenPage]:
    """A function that opens pages by URL, each in a context of its own, of a size and in a theme."""
    contexts: list[BrowserContext] = []

    async def make(
        url: str, *, size: tuple[int, int] = WIDE, theme: str = "light", touch: bool = False, **options: Any
    ) -> Page:
        context = await browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if theme == "dark" else "light",
            has_touch=touch,
            locale="en-GB",
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        host = urlsplit(url).netloc

        def look(request: Request) -> None:
            if request.url.startswith(("http:", "https:", "ws:", "wss:")) and urlsplit(request.url).netloc != host:
                complaints.add(f"a request to another host: {request.url}")

        def listen(message: ConsoleMessage) -> None:
            if message.type == "error":
                complaints.add(f"{message.text} ({message.location.get('url')})")

        page.on("request", look)
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.add(str(error)))
        await page.goto(url)
        return page

    yield make
    for context in contexts:
        await context.close()


async def axe_findings(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is now, WCAG 2.2 AA and best practices; one line each."""
    results = await Axe().run(page)
    return [
        f"{finding['id']}: {finding['help']} at {json.dumps([node['target'] for node in finding['nodes']])[:400]}"
        for finding in results.response["violations"]
    ]


async def overflows(page: Page) -> bool:
    """Whether the page is wider than its window: nothing may be at 360 px."""
    return bool(await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))
