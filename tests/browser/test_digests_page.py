"""The pages of the days' reports in Chromium: none, waiting, written, failed; they come without a reload by hand."""

import asyncio
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from securitycamd.domain.digests import TRIES_LIMIT
from tests.browser.conftest import NARROW, PATIENCE_MS, WIDE, OpenPage, axe_findings, overflows
from tests.browser.world import World, running_world
from tests.harness import wait_until
from tests.ollama_server import OllamaServer, Reply

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = datetime.now(BERLIN).date()
YESTERDAY = TODAY - timedelta(days=1)
SAID = "At noon a courier left a parcel on the front walk.\n\nThe rest of the day was calm."
SAID_ANEW = "A courier came at noon; a cat crossed the lawn in the evening."
REASON = "The AI server at 127.0.0.1:9 cannot be reached; is Ollama running there?"
LOOKS = [pytest.param(size, theme, id=f"{theme}-{size[0]}") for theme in ("light", "dark") for size in (WIDE, NARROW)]


@dataclass
class Reporter:
    """A site whose text model says what a test wants, when it wants."""

    world: World
    server: OllamaServer

    @property
    def url(self) -> str:
        return f"{self.world.url}/digests"

    def sql(self, statement: str) -> None:
        """What no request can do: days that went wrong for hours."""
        [socket] = self.world.daemon.folder.rglob("mariadbd.sock")
        command = ["mariadb", f"--socket={socket}", "-uroot", "securitycam"]
        subprocess.run(command, input=statement, text=True, check=True)

    def report(self, day: date) -> Any:
        return self.world.call("GET", f"/api/v1/digests/{day}")

    def write(self, day: date, text: str) -> None:
        """A report, by the daemon itself."""
        self.server.enqueue(Reply(text=text))
        self.world.call("POST", f"/api/v1/digests/{day}")
        wait_until(lambda: self.report(day)["text"] == text, seconds=60, what="the report is written")

    def fail(self, day: date) -> None:
        """A report that was tried too often."""
        facts = json.dumps({"events": 3, "by_category": {"pending": 3}, "by_camera": {"Front walk": 3}})
        self.sql(
            "REPLACE INTO digests (day, state, events, facts, text, error, attempts, updated_at)"
            f" VALUES ('{day}', 'failed', 3, '{facts}', '', '{REASON}', {TRIES_LIMIT}, UTC_TIMESTAMP(6));"
        )


@pytest.fixture(scope="module")
def site() -> Iterator[Reporter]:
    """A daemon of its own: no other test's events are described by this AI server."""
    folder = Path(tempfile.mkdtemp(prefix="scd-"))  # a short path: sockets are in it
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="ollama", daemon=True)
    thread.start()
    server = OllamaServer()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
    try:
        # Only when they are asked for: the tests shall not depend on the hour.
        quiet = {"SECURITYCAMD_ANALYSER__URL": server.url, "SECURITYCAMD_DIGEST__ENABLED": "false"}
        with running_world(folder, **quiet) as world:
            world.register("camera_1", "Front walk", "North side")
            world.register("camera_2", "Driveway", "Gate")
            for hour in range(9, 14):
                for camera_id in ("camera_1", "camera_2")[: 1 + hour % 2]:
                    world.post_event(camera_id, moment=datetime(*YESTERDAY.timetuple()[:3], hour, tzinfo=BERLIN))
            yield Reporter(world, server)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        shutil.rmtree(folder)


@pytest.fixture
async def reporter(site: Reporter) -> AsyncIterator[Reporter]:
    """The same, without reports and without anything left to say."""
    await asyncio.to_thread(site.sql, "DELETE FROM digests;")
    # A page looks every five seconds.
    expect.set_options(timeout=PATIENCE_MS)
    yield site
    expect.set_options(timeout=None)
    site.server.always = None
    site.server.forget()


async def looks_right(page: Page) -> None:
    assert not await overflows(page)
    assert not await axe_findings(page)


@pytest.mark.parametrize(("size", "theme"), LOOKS)
async def test_without_reports_the_page_says_how_to_get_one(
    reporter: Reporter, open_page: OpenPage, size: tuple[int, int], theme: str
) -> None:
    page = await open_page(reporter.url, size=size, theme=theme)
    await expect(page.locator(".empty")).to_contain_text("No reports yet")
    await expect(page.get_by_role("button", name="Write yesterday's report now")).to_be_visible()
    await expect(page.get_by_role("button", name="Write today's so far")).to_be_visible()
    await looks_right(page)


async def test_a_report_asked_for_by_keyboard_appears_by_itself_and_so_does_another(
    reporter: Reporter, open_page: OpenPage
) -> None:
    reporter.server.enqueue(Reply(text=SAID, delay_seconds=3), Reply(text=SAID_ANEW, delay_seconds=3))
    page = await open_page(reporter.url)
    await page.get_by_role("button", name="Write yesterday's report now").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{reporter.url}/{YESTERDAY}")
    state = page.get_by_role("status").filter(has_text="The report is being written.")
    await expect(state).to_be_visible()
    await expect(page.locator(".report-text")).to_contain_text("At noon a courier left a parcel on the front walk.")
    await expect(page.locator(".report-text p").nth(1)).to_have_text("The rest of the day was calm.")
    await expect(page.locator(".report-text")).to_contain_text("Written by deepseek-r1")
    await expect(page.locator("[data-waiting]")).to_have_count(0)
    await expect(page.locator(".camera-parts li")).to_have_count(2)
    await page.get_by_role("button", name="Write it anew").focus()
    await page.keyboard.press("Enter")
    # What was written before stays until then.
    await expect(page.locator(".report-state")).to_contain_text("being written anew")
    await expect(page.locator(".report-text")).to_contain_text("At noon a courier")
    await expect(page.get_by_role("button", name="Write it anew")).to_have_count(0)
    await expect(page.locator(".report-text")).to_contain_text(SAID_ANEW)
    await expect(page.get_by_role("button", name="Write it anew")).to_be_visible()
    await page.get_by_role("link", name="All reports").focus()
    await page.keyboard.press("Enter")
    card = page.locator("a.report")
    await expect(card).to_contain_text(SAID_ANEW)
    await expect(card).to_contain_text("8 events")
    await expect(page.get_by_role("button", name="Write yesterday's report now")).to_have_count(0)
    await card.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Yesterday")
    await expect(page.locator(".page-head .sub")).to_contain_text(f"{YESTERDAY:%A} {YESTERDAY.day} {YESTERDAY:%B}")


async def test_the_list_shows_a_report_once_it_is_there(reporter: Reporter, open_page: OpenPage) -> None:
    reporter.server.enqueue(Reply(text=SAID, delay_seconds=3))
    await asyncio.to_thread(reporter.world.call, "POST", f"/api/v1/digests/{YESTERDAY}")
    page = await open_page(reporter.url)
    await expect(page.locator("a.report")).to_contain_text("The report is being written.")
    await expect(page.locator("a.report")).to_contain_text("At noon a courier")
    await expect(page.locator("[data-waiting]")).to_have_count(0)


async def test_why_a_report_is_not_there_yet_appears_by_itself(reporter: Reporter, open_page: OpenPage) -> None:
    reporter.server.always = Reply.failing()
    page = await open_page(reporter.url)
    await page.get_by_role("button", name="Write yesterday's report now").click()
    await expect(page.locator(".report-state")).to_contain_text("The report is being written")
    await expect(page.locator(".warning")).to_contain_text("The report waits, and is tried again by itself:")
    # Numbers need no model.
    await expect(page.locator(".share-list")).to_contain_text("8 not looked at yet")
    await looks_right(page)


async def test_a_report_that_could_not_be_written_says_why_and_is_written_when_asked_for(
    reporter: Reporter, open_page: OpenPage
) -> None:
    await asyncio.to_thread(reporter.fail, YESTERDAY)
    page = await open_page(reporter.url)
    await expect(page.locator("a.report")).to_contain_text(REASON)
    await page.locator("a.report").click()
    await expect(page.locator(".warning")).to_contain_text(REASON)
    await expect(page.locator(".warning")).to_contain_text("Once that is mended, have it written anew.")
    await expect(page.locator(".report-side")).to_contain_text("3 not looked at yet")
    reporter.server.enqueue(Reply(text=SAID))
    await page.get_by_role("button", name="Write it anew").click()
    await expect(page.locator(".report-text")).to_contain_text("At noon a courier")
    await expect(page.locator(".warning")).to_have_count(0)


@pytest.mark.parametrize(("size", "theme"), LOOKS)
async def test_list_and_reports_fit_every_window_in_both_themes(
    reporter: Reporter, open_page: OpenPage, size: tuple[int, int], theme: str
) -> None:
    await asyncio.to_thread(reporter.write, YESTERDAY, SAID)
    await asyncio.to_thread(reporter.fail, YESTERDAY - timedelta(days=1))
    page = await open_page(reporter.url, size=size, theme=theme)
    await expect(page.locator("a.report")).to_have_count(2)
    await looks_right(page)
    await page.goto(f"{reporter.url}/{YESTERDAY}")
    await expect(page.locator(".camera-parts li")).to_have_count(2)
    await looks_right(page)
    await page.get_by_role("link", name=f"{YESTERDAY - timedelta(days=1):%A}").click()
    await expect(page.locator(".warning")).to_be_visible()
    await looks_right(page)
    button = page.get_by_role("button", name="Write it anew")
    box = await button.bounding_box()
    assert box is not None
    assert box["height"] >= 44 or size == WIDE


@pytest.mark.parametrize(("size", "theme"), LOOKS)
async def test_a_report_that_is_being_written_fits_every_window_in_both_themes(
    reporter: Reporter, open_page: OpenPage, size: tuple[int, int], theme: str
) -> None:
    # An attempt under way, which ends after the test.
    reporter.sql(
        "INSERT INTO digests (day, state, events, facts, text, attempts, updated_at)"
        f" VALUES ('{YESTERDAY}', 'waiting', 0, '{{\"events\": 0}}', '', 1, '{datetime.now(UTC):%Y-%m-%d %H:%M:%S}');"
    )
    for path in ("", f"/{YESTERDAY}"):
        page = await open_page(f"{reporter.url}{path}", size=size, theme=theme)
        await expect(page.locator("[data-waiting]")).to_contain_text("The report is being written")
        await looks_right(page)
