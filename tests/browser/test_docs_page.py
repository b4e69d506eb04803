"""The API reference in Chromium: read, searched, and calls really made from it."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import NARROW, WIDE, OpenPage, axe_findings, overflows
from tests.browser.world import World


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_a_call_is_read_and_made(world: World, open_page: OpenPage, size: tuple[int, int], theme: str) -> None:
    page = await open_page(f"{world.url}/docs#create", size=size, theme=theme)
    await expect(page.locator("#create pre")).to_contain_text(f"curl -X POST '{world.url}/api/v1/events'")
    await page.locator("#health > summary").click()
    await page.locator("#health .replies summary").click()
    await expect(page.locator("#health .fields")).to_contain_text("database_connected")
    assert page.url.endswith("#health")
    assert not await axe_findings(page)
    assert not await overflows(page)
    fetched = "performance.getEntriesByType('resource').filter(each => each.name.includes('swagger')).length"
    assert await page.evaluate(fetched) == 0

    await page.locator("#health").get_by_role("button", name="Try it").focus()
    await page.keyboard.press("Enter")
    trial = page.get_by_role("dialog", name="Try it")
    await expect(trial.locator(".opblock")).to_have_count(1)
    await trial.get_by_role("button", name="Execute").click()
    answer = trial.locator(".live-responses-table .response")
    await expect(answer.locator(".response-col_status")).to_contain_text("200")
    await expect(answer).to_contain_text('"database": "connected"')
    assert not await axe_findings(page)
    assert not await overflows(page)
    is_dark = await page.evaluate("document.documentElement.classList.contains('dark-mode')")
    assert is_dark == (theme == "dark")
    await page.keyboard.press("Escape")
    await expect(trial).to_have_count(0)
    await expect(page.locator("#health").get_by_role("button", name="Try it")).to_be_focused()


async def test_calls_are_found_by_keyboard_and_links_open_them(world: World, open_page: OpenPage) -> None:
    page = await open_page(f"{world.url}/docs")
    calls = page.locator("details.call:visible")
    count = await calls.count()
    await page.keyboard.press("/")
    await page.keyboard.type("motion_score report")
    await expect(calls).to_have_count(1)
    await expect(page.get_by_role("heading", level=2)).to_have_text(["Events"])
    await page.keyboard.type(" nothing")
    await expect(page.locator("#found")).to_have_text("Nothing here speaks of “motion_score report nothing”.")
    # A link leads there whatever was filtered.
    await page.evaluate("location.hash = '#model-EventReply'")
    await expect(page.locator("#model-EventReply .fields")).to_be_visible()
    await expect(calls).to_have_count(count)
    await page.get_by_role("button", name="Interactive reference").click()
    trial = page.get_by_role("dialog", name="Interactive reference")
    await expect(trial.locator(".opblock")).to_have_count(await page.locator("details.call:not(.model)").count())
    await trial.get_by_role("button", name="Close").click()
    await expect(trial).to_have_count(0)


async def test_without_scripts_all_of_it_can_be_read(world: World, open_page: OpenPage) -> None:
    page = await open_page(f"{world.url}/docs", size=NARROW, java_script_enabled=False)
    await page.locator("#list_events > summary").click()
    await expect(page.locator("#list_events")).to_contain_text("how far the agent is")
    await expect(page.locator("#list_events pre")).to_contain_text(f"curl '{world.url}/api/v1/events'")
    await expect(page.get_by_role("button", name="Try it")).to_have_count(0)
