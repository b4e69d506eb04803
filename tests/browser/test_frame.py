"""What holds for every page, by its address."""

import asyncio

import pytest

from tests.browser.conftest import NARROW, WIDE, Complaints, OpenPage, axe_findings, overflows
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
