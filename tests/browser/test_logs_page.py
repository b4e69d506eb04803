"""The page of log lines in Chromium: it follows, pauses, searches, holds thousands of lines, copies and hands out."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import NARROW, WIDE, Complaints, OpenPage, axe_findings, overflows
from tests.browser.world import World

ROWS = "#table tbody tr[id]"


def post(world: World, *messages: str, source: str = "tester", level: str = "INFO", ago_seconds: float = 0) -> None:
    """Lines a millisecond apart, the last of them so long ago."""
    last = datetime.now(UTC) - timedelta(seconds=ago_seconds)
    for start in range(0, len(messages), 2000):
        some = messages[start : start + 2000]
        body = [
            {
                "source": source,
                "timestamp": (last - timedelta(milliseconds=len(messages) - start - number)).isoformat(),
                "level": level,
                "message": message,
            }
            for number, message in enumerate(some)
        ]
        world.call("POST", "/api/v1/logs", body)


async def say(world: World, *messages: str, **facts: Any) -> None:
    await asyncio.to_thread(post, world, *messages, **facts)


async def height_of(row: Locator) -> float:
    return float(await row.evaluate("row => row.offsetHeight"))


async def is_live(page: Page) -> None:
    await expect(page.locator("#logs")).to_have_attribute("data-live", "")


async def test_a_new_line_appears_without_a_reload_and_waits_while_paused(world: World, open_page: OpenPage) -> None:
    await say(world, "the first line", source="follow")
    page = await open_page(f"{world.url}/logs?source=follow")
    await expect(page.locator(ROWS).last).to_contain_text("the first line")
    await is_live(page)
    await say(world, "the second line", source="follow")
    await expect(page.locator(ROWS).last).to_contain_text("the second line")
    await page.keyboard.press("f")
    await expect(page.locator("#follow")).to_have_attribute("aria-pressed", "false")
    await say(world, "the third line", source="follow")
    await expect(page.locator("#held")).to_have_text("1 new line")
    assert await page.locator(ROWS, has_text="the third line").count() == 0
    await page.locator("#held").click()
    await expect(page.locator(ROWS).last).to_contain_text("the third line")
    await expect(page.locator("#follow")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("#held")).to_be_hidden()


async def test_what_was_said_while_the_page_was_hidden_is_caught_up(world: World, open_page: OpenPage) -> None:
    await say(world, "before", source="hidden")
    page = await open_page(f"{world.url}/logs?source=hidden")
    await is_live(page)
    hide = """hidden => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await page.evaluate(hide, True)
    await say(world, "meanwhile", source="hidden")
    await page.evaluate(hide, False)
    await expect(page.locator(ROWS).last).to_contain_text("meanwhile")


async def test_a_search_marks_its_hits_and_is_the_address(world: World, open_page: OpenPage) -> None:
    await say(world, "Disk is nearly full", "all is well", "no DISK at all", source="search")
    page = await open_page(f"{world.url}/logs?source=search")
    await expect(page.locator(ROWS)).to_have_count(3)
    await page.keyboard.press("/")
    await page.keyboard.type("disk")
    await expect(page.locator(ROWS)).to_have_count(2)
    assert await page.locator("#table mark").all_text_contents() == ["Disk", "DISK"]
    assert page.url.endswith("/logs?q=disk&source=search")
    await page.reload()
    await expect(page.locator("#table mark")).to_have_count(2)
    assert await page.locator("[name=q]").input_value() == "disk"
    await page.go_back()
    await expect(page.locator(ROWS)).to_have_count(3)
    await expect(page.locator("#table mark")).to_have_count(0)
    await page.locator("label.box", has_text="Error").click()
    await expect(page.locator("#nothing")).to_be_visible()
    assert "level=ERROR" in page.url


async def test_twenty_five_thousand_lines_are_few_rows(world: World, open_page: OpenPage) -> None:
    await say(world, *(f"line {number:05}" for number in range(25_000)), source="many")
    page = await open_page(f"{world.url}/logs?source=many&rows=25000")
    await expect(page.locator("#at-hand")).to_contain_text("25,000 lines", timeout=90_000)
    await expect(page.locator(ROWS).last).to_contain_text("line 24999")
    assert await page.locator(ROWS).count() < 120
    await page.locator("#table").focus()
    await page.keyboard.press("Home")
    first = page.locator(ROWS).first
    await expect(first).to_contain_text("line 00000")
    await expect(first).to_have_attribute("aria-rowindex", "2")
    assert await page.locator("#table").get_attribute("aria-activedescendant") == await first.get_attribute("id")
    assert await page.locator("#table").get_attribute("aria-rowcount") == "25001"
    # In the middle: the row that the keyboard is on stays in the document.
    await page.evaluate("box = document.getElementById('lines'); box.scrollTop = box.scrollHeight / 2")
    await expect(page.locator(ROWS, has_text="line 12500")).to_be_visible()
    await expect(page.locator(ROWS, has_text="line 00000")).to_have_count(1)
    assert await page.locator(ROWS).count() < 120
    assert not await axe_findings(page)


async def test_a_long_line_is_shown_whole_on_demand(world: World, open_page: OpenPage) -> None:
    await say(world, "short", "long " * 200 + "end", "another", source="long")
    page = await open_page(f"{world.url}/logs?source=long")
    row = page.locator(ROWS).nth(1)
    height = await height_of(row)
    await page.keyboard.press("k")
    await page.keyboard.press("k")
    await expect(row).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("o")
    await expect(row).to_have_class("INFO on open")
    assert await height_of(row) > 2 * height
    await page.keyboard.press("o")
    assert await height_of(row) == height


async def test_lines_are_copied_as_text(world: World, open_page: OpenPage) -> None:
    await say(world, "one", "two", "three", source="copied")
    page = await open_page(f"{world.url}/logs?source=copied", permissions=["clipboard-read", "clipboard-write"])
    await page.keyboard.press("k")
    await page.locator("#table").press("Shift+ArrowUp")
    await page.locator("#copy").click()
    await expect(page.locator("#toasts")).to_contain_text("2 lines are copied")
    lines = (await page.evaluate("navigator.clipboard.readText()")).splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["two", "three"]
    assert " INFO    copied: " in lines[0]


@pytest.mark.parametrize(("link", "suffix"), [("#as-text", ".txt"), ("#as-json", ".jsonl")])
async def test_what_the_filter_shows_is_downloaded(world: World, open_page: OpenPage, link: str, suffix: str) -> None:
    source = f"given{suffix}"
    await say(world, "wanted one", "something else", "wanted two", source=source)
    page = await open_page(f"{world.url}/logs?source={source}&q=wanted")
    await page.locator(".log-tools summary").click()
    async with page.expect_download() as found:
        await page.locator(link).click()
    download = await found.value
    assert download.suggested_filename.startswith("logs-home-")
    assert download.suggested_filename.endswith(suffix)
    text = await asyncio.to_thread((await download.path()).read_text)
    messages = [
        json.loads(line)["message"] if suffix == ".jsonl" else line.rpartition(": ")[2] for line in text.splitlines()
    ]
    assert messages == ["wanted one", "wanted two"]


async def test_without_scripts_lines_are_read_page_by_page(world: World, open_page: OpenPage) -> None:
    await say(world, *(f"line {number:03}" for number in range(450)), source="plain")
    page = await open_page(f"{world.url}/logs?source=plain", java_script_enabled=False)
    assert await page.locator(ROWS).count() == 200
    await expect(page.locator(ROWS).last).to_contain_text("line 449")
    await page.locator("#older a").click()
    await expect(page.locator(ROWS).last).to_contain_text("line 249")
    await page.locator("#newer a").click()
    await expect(page.locator(ROWS).first).to_contain_text("line 250")
    await page.locator("[name=q]").fill("LINE 00")
    await page.locator("#apply").click()
    await expect(page.locator(ROWS)).to_have_count(10)
    await expect(page.locator("#table mark").first).to_have_text("line 00")


async def test_a_server_that_is_away_is_told_and_lines_stay(
    world: World, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.allowed = ("net::ERR",)
    await say(world, "still there", source="away")
    page = await open_page(f"{world.url}/logs?source=away")
    await is_live(page)
    await page.context.set_offline(True)
    await page.locator("[name=q]").fill("x")
    await expect(page.locator("#notice")).to_contain_text("The server does not answer")
    await expect(page.locator("#offline")).to_be_visible()
    await page.context.set_offline(False)
    await page.locator("[name=q]").fill("still")
    await expect(page.locator(ROWS)).to_have_count(1)
    await expect(page.locator("#offline")).to_be_hidden()


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_it_is_usable_at_any_width(world: World, open_page: OpenPage, size: tuple[int, int]) -> None:
    source = f"width{size[0]}"
    await say(world, "Something went wrong " * 10, level="ERROR", source=source)
    page = await open_page(f"{world.url}/logs?source={source}&q=wrong", size=size, theme="dark")
    await expect(page.locator(ROWS)).to_have_count(1)
    await page.locator(ROWS).click()
    await expect(page.locator(ROWS)).to_have_class("ERROR on open")
    assert not await axe_findings(page)
    assert not await overflows(page)
