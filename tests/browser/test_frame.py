"""What holds for every page, by its address."""

import asyncio

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import NARROW, PATIENCE_MS, WIDE, Complaints, OpenPage, axe_findings, overflows
from tests.browser.pages import PAGES
from tests.browser.world import World


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
async def test_every_page_is_clean_in_both_themes_and_widths(
    furnished: World, open_page: OpenPage, complaints: Complaints, path: str, theme: str
) -> None:
    complaints.allowed = ("status of 404",)  # the error page's own
    event = (await asyncio.to_thread(furnished.call, "GET", "/api/v1/events?limit=1"))["events"][0]
    address = furnished.url + path.format(event=event["id"], camera=event["camera_id"])
    for size in (WIDE, NARROW):
        page = await open_page(address, size=size, theme=theme)
        assert not await axe_findings(page)
        assert not await overflows(page)


async def test_a_page_that_was_away_for_a_moment_comes_by_itself(
    furnished: World, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.allowed = ("status of 404", "status of 503")
    page = await open_page(furnished.url + "/nothing")
    away = (await page.content()).replace('class="empty"', 'class="empty" data-comes-back')
    answers = 0

    async def answer(route: Route) -> None:
        nonlocal answers
        answers += 1
        if answers <= 2:
            await route.fulfill(status=503, content_type="text/html", body=away)
        else:
            await route.continue_()

    await page.route("**/cameras", answer)
    await page.goto(furnished.url + "/cameras")
    await expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    await expect(page.get_by_role("heading", name="Cameras", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    assert answers == 4  # the page that failed, a look that failed, one that did not, the page
