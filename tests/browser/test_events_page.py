"""The gallery in a browser: what comes appears by itself, and everything can be done by pointer and by key."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NARROW, WIDE, Complaints, OpenPage, axe_findings, overflows
from tests.browser.world import ALL_FILES, World, furnish

SLOW_MS = 60_000
"""How long something on the page may take that the daemon does meanwhile."""
LOOK_MS = 60_000
"""How often a page looks at everything anew."""
LIGHT_BYTES = 150_000


@pytest.fixture(scope="session")
def filled(world: World) -> World:
    """Three cameras with something seen by each, and a history of events without files on a day of their own."""
    furnish(world, events=1)
    world.register("camera_9", "Cellar", "Below")
    for number in range(30):
        world.post_event("camera_9", ago=timedelta(days=40, minutes=number))
    return world


def item(page: Page, event: dict[str, Any]) -> Any:
    return page.locator(f'.item[data-event="{event["id"]}"]')


async def told(world: World, event: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    """The event, once the server says what is wanted of it."""
    for _ in range(300):
        found = await asyncio.to_thread(world.event, event["id"])
        if all(found[name] == value for name, value in wanted.items()):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"event {event['id']} never became {wanted}")


class TestLive:
    async def test_a_new_event_appears_and_goes_through_its_states_without_a_reload(
        self, filled: World, open_page: OpenPage
    ) -> None:
        page = await open_page(f"{filled.url}/?camera_id=camera_1&date=today&limit=100")
        await page.evaluate("window.stays = true")
        before = await page.locator(".item").count()
        event = await asyncio.to_thread(filled.post_event, "camera_1")
        card = item(page, event)
        found = await open_page(f"{filled.url}/?camera_id=camera_1&date=today&q=in+view&limit=100")
        await expect(card.locator("strong")).to_have_text("Pictures arrive in a moment", timeout=SLOW_MS)
        await expect(page.locator(".item")).to_have_count(before + 1)
        await expect(page.locator(".item").first).to_have_attribute("data-event", str(event["id"]))
        await asyncio.to_thread(filled.deliver, event, ("thumbnail",))
        await expect(card.locator("img")).to_be_visible(timeout=SLOW_MS)
        assert await card.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
        await asyncio.to_thread(filled.deliver, event, ALL_FILES[1:])
        await asyncio.to_thread(filled.complete, event)
        await expect(card.locator(".length")).to_be_visible(timeout=SLOW_MS)
        await expect(card.locator("strong")).to_have_class("said", timeout=SLOW_MS)
        await expect(card.locator(".steps")).to_have_count(0, timeout=SLOW_MS)
        assert await page.evaluate("window.stays")
        # Where only what was found in it brings it in, it comes with that: long before the page looks by itself.
        await expect(item(found, event)).to_be_visible(timeout=LOOK_MS / 3)
        await asyncio.to_thread(filled.call, "DELETE", f"/api/v1/events/{event['id']}")
        await expect(card).to_have_count(0, timeout=SLOW_MS)

    async def test_the_bar_of_this_hour_grows(self, filled: World, open_page: OpenPage) -> None:
        page = await open_page(f"{filled.url}/?date=today&camera_id=camera_2")
        total = page.locator("#strip header p")
        before = await total.text_content()
        await asyncio.to_thread(filled.post_event, "camera_2")
        await expect(total).not_to_have_text(before or "", timeout=SLOW_MS)

    async def test_how_far_a_conversion_is(self, filled: World, open_page: OpenPage) -> None:
        event = await asyncio.to_thread(filled.post_event, "camera_3")
        await asyncio.to_thread(filled.call, "POST", "/api/v1/tasks/converter/pause")
        try:
            await asyncio.to_thread(filled.deliver, event)
            page = await open_page(f"{filled.url}/retention")
            told = f'event: changes\ndata: [{{"what": "changed", "id": {event["id"]}, "progress": 0.617}}]\n\n'
            headers = {"Content-Type": "text/event-stream"}
            await page.route(
                "**/api/v1/stream*", lambda route: route.fulfill(body=f"retry: 60000\n{told}", headers=headers)
            )
            await page.goto(f"{filled.url}/?camera_id=camera_3")
            words = item(page, event).locator(".words")
            await expect(words).to_contain_text("Converting the clip, 62 %", timeout=SLOW_MS)
            await page.unroute("**/api/v1/stream*")
        finally:
            await asyncio.to_thread(filled.call, "POST", "/api/v1/tasks/converter/resume")
        await page.goto(f"{filled.url}/?camera_id=camera_3")
        await expect(item(page, event).locator(".length")).to_be_visible(timeout=SLOW_MS)

    async def test_further_down_the_list_new_ones_are_only_announced(self, filled: World, open_page: OpenPage) -> None:
        page = await open_page(f"{filled.url}/?camera_id=camera_9&limit=12")
        await page.locator("#pager [rel=next]").click()
        await expect(page.locator("#summary")).to_have_text(re.compile("^13–24 of"))
        first = await page.locator(".item").first.get_attribute("data-event")
        await asyncio.to_thread(filled.post_event, "camera_9")
        await expect(page.locator("#fresh")).to_have_text("1 new event", timeout=SLOW_MS)
        assert await page.locator(".item").first.get_attribute("data-event") == first
        await page.locator("#fresh").click()
        await expect(page.locator("#summary")).to_have_text(re.compile("^1–12 of"))

    async def test_when_the_server_is_away_what_is_shown_stays(
        self, filled: World, open_page: OpenPage, complaints: Complaints
    ) -> None:
        complaints.allowed = ("ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION", "ERR_NETWORK", "ERR_FAILED")
        page = await open_page(filled.url)
        count = await page.locator(".item").count()
        await page.context.set_offline(True)
        await page.locator(".item").first.hover()
        await page.locator('.item [data-do="star"]').first.click()
        await expect(page.locator("#offline")).to_be_visible()
        await expect(page.locator(".toast.bad")).to_contain_text("does not answer")
        assert await page.locator(".item").count() == count
        assert not await axe_findings(page)
        await page.context.set_offline(False)
        await expect(page.locator("#offline")).to_be_hidden(timeout=SLOW_MS)


class TestFilters:
    async def test_pages_are_exact_to_both_sides(self, filled: World, open_page: OpenPage) -> None:
        page = await open_page(f"{filled.url}/?camera_id=camera_9&limit=12&reviewed=no")
        pages = [await page.locator(".item").evaluate_all("all => all.map(each => each.dataset.event)")]
        while await page.locator("#pager [rel=next]").count():
            await page.locator("#pager [rel=next]").click()
            await page.wait_for_load_state()
            pages.append(await page.locator(".item").evaluate_all("all => all.map(each => each.dataset.event)"))
        shown = [event_id for each in pages for event_id in each]
        assert len(shown) == len(set(shown)) >= 30
        for wanted in reversed(pages[:-1]):
            await page.keyboard.press("]")
            await expect(page.locator(".item").first).to_have_attribute("data-event", wanted[0])
            assert await page.locator(".item").evaluate_all("all => all.map(each => each.dataset.event)") == wanted

    async def test_chips_the_strip_and_the_form_make_the_address(self, filled: World, open_page: OpenPage) -> None:
        page = await open_page(f"{filled.url}/?camera_id=camera_9&date=30days")
        await page.get_by_role("link", name="Earlier").click()
        await page.locator("#strip .bars a[href]").first.focus()
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile(r"camera_id=camera_9&date=\d{4}-\d\d-\d\d$"))
        day = page.url
        bars = page.locator("#strip .bars a[href]")
        await bars.last.focus()
        await page.keyboard.press("Home")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile("hour=\\d+"))
        assert await page.locator("#strip .bars a.on").count() == 1
        await page.go_back()
        await expect(page).to_have_url(day)
        await page.get_by_role("link", name="Not reviewed", exact=True).click()
        await page.locator(".further-filters summary").click()
        await page.get_by_label("How sure").select_option("0.7")
        await page.get_by_role("button", name="Show").click()
        await expect(page).to_have_url(re.compile("min_confidence=0.7"))
        await expect(page.locator(".empty")).to_be_visible()
        await page.get_by_role("link", name="Drop the filter At least 70% sure").click()
        await expect(page).not_to_have_url(re.compile("min_confidence"))

    async def test_search_finds_what_was_noted(self, filled: World, open_page: OpenPage) -> None:
        page = await open_page(f"{filled.url}/?camera_id=camera_2")
        await page.locator(".item .card").first.focus()
        event_id = await page.locator(".item").first.get_attribute("data-event")
        await page.keyboard.press("n")
        await page.get_by_label("Note", exact=True).fill("the zebra <b>escaped</b>")
        await page.get_by_role("button", name="Keep the note").click()
        own = page.locator(f'.item[data-event="{event_id}"] .note.own')
        await expect(own).to_contain_text("the zebra <b>escaped</b>", timeout=SLOW_MS)
        await page.keyboard.press("/")
        await expect(page.locator("#search")).to_be_focused()
        await page.keyboard.type("zebra")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile("q=zebra"))
        await expect(page.locator(".item")).to_have_count(1)
        await expect(page.locator(f'.item[data-event="{event_id}"] mark')).to_have_text("zebra")
        await page.get_by_role("link", name="List", exact=True).click()
        await expect(page.locator("#list.list mark")).to_have_text("zebra")

    async def test_the_view_and_the_page_size_come_back(self, filled: World, open_page: OpenPage) -> None:
        page = await open_page(f"{filled.url}/?camera_id=camera_9")
        await page.get_by_role("link", name="List", exact=True).click()
        await page.locator("#pager").get_by_role("link", name="12", exact=True).click()
        await expect(page.locator("#list.list .item")).to_have_count(12)
        await page.goto(f"{filled.url}/retention")
        await page.goto(f"{filled.url}/?camera_id=camera_9")
        await expect(page.locator("#list.list .item")).to_have_count(12)
        await page.get_by_role("link", name="Grid", exact=True).click()
        await page.goto(f"{filled.url}/?camera_id=camera_9")
        await expect(page.locator("#list.grid .item")).to_have_count(12)

    async def test_the_choice_of_cameras_comes_back(self, filled: World, open_page: OpenPage) -> None:
        page = await open_page(filled.url)
        await page.locator("#cameras .chip", has_text="Cellar").click()
        await expect(page).to_have_url(re.compile("camera_id=camera_9"))
        await page.goto(f"{filled.url}/retention")
        await page.goto(filled.url)
        await expect(page).to_have_url(re.compile("camera_id=camera_9"))
        await page.keyboard.press("0")
        await expect(page.locator("#cameras .chip").first).to_have_attribute("aria-current", "true")
        await page.goto(filled.url)
        await expect(page).not_to_have_url(re.compile("camera_id"))

    async def test_it_can_be_read_and_filtered_without_scripts(self, filled: World, open_page: OpenPage) -> None:
        page = await open_page(filled.url, java_script_enabled=False)
        await page.get_by_label("Search what happened").fill("nothing of the kind")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile("q=nothing"))
        await page.goto(filled.url)
        await page.locator("#cameras .chip", has_text="Cellar").click()
        await expect(page.locator("#summary")).to_have_text(re.compile("^1–24 of"))
        await expect(page.get_by_role("button", name="All reviewed")).to_be_hidden()
        await page.locator("#pager [rel=next]").click()
        await page.locator(".item .card").first.click()
        await expect(page).to_have_url(re.compile(r"/events/\d+\?"))
        await page.get_by_role("button", name="Dark theme").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


class TestReview:
    async def test_by_key_alone(self, filled: World, open_page: OpenPage) -> None:
        first, second = [await asyncio.to_thread(filled.post_event, "camera_9") for _ in range(2)]
        page = await open_page(f"{filled.url}/?camera_id=camera_9")
        await page.keyboard.press("j")
        await expect(item(page, second).locator(".card")).to_be_focused()
        await page.keyboard.press("r")
        await expect(item(page, second)).to_have_class(re.compile("is-reviewed"))
        await told(filled, second, reviewed=True)
        await expect(page.get_by_role("button", name="Undo")).to_be_visible()
        await page.keyboard.press("u")
        await told(filled, second, reviewed=False)
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        await page.keyboard.press("k")
        await page.keyboard.press("k")
        await expect(item(page, second).locator(".card")).to_be_focused()
        await page.keyboard.press("j")
        await expect(item(page, first).locator(".card")).to_be_focused()
        await page.keyboard.press("s")
        await told(filled, first, protected=True)
        await page.keyboard.press("x")
        await page.keyboard.press("k")
        await page.keyboard.press("x")
        await expect(page.locator(".bulk")).to_contain_text("2 selected")
        await page.keyboard.press("Delete")
        asked = page.get_by_role("dialog")
        await expect(asked).to_contain_text("1 event starred: kept")
        await expect(asked.get_by_role("button", name="Cancel")).to_be_focused()
        assert not await axe_findings(page)
        await asked.get_by_role("button", name="Remove for good").click()
        await expect(item(page, second)).to_have_count(0, timeout=SLOW_MS)
        await expect(page.locator(".toast")).to_contain_text(["1 starred and so kept"], timeout=SLOW_MS)
        await expect(item(page, first)).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(item(page, first).locator(".card")).to_be_focused()
        await page.keyboard.press("?")
        keys = page.get_by_role("dialog")
        await expect(keys).to_contain_text("Next, previous event")
        assert not await axe_findings(page)
        await page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        assert await keys.evaluate("(dialog) => dialog.scrollWidth <= dialog.clientWidth")
        await page.get_by_label("Use one-key shortcuts").uncheck()
        await page.keyboard.press("Escape")
        await page.keyboard.press("x")
        await expect(page.locator(".bulk")).to_be_hidden()

    async def test_back_from_an_event_one_is_at_its_card(self, filled: World, open_page: OpenPage) -> None:
        page = await open_page(f"{filled.url}/?camera_id=camera_9&limit=12")
        card = page.locator(".item .card").nth(9)
        at = f"#{await card.get_attribute('id')}"
        for way in ("the page's own", "the browser's"):
            await page.locator(at).focus()
            await page.keyboard.press("Enter")
            await expect(page).to_have_url(re.compile(r"/events/\d+"))
            await page.wait_for_load_state()
            if way == "the browser's":
                await page.go_back()
            else:
                await page.keyboard.press("b")
            await expect(page.locator(at)).to_be_focused()
            await expect(page.locator(at)).to_be_in_viewport()

    async def test_by_pointer_many_at_once(self, filled: World, open_page: OpenPage) -> None:
        made = [await asyncio.to_thread(filled.post_event, "camera_9") for _ in range(4)]
        page = await open_page(f"{filled.url}/?camera_id=camera_9&limit=12")
        await page.get_by_role("button", name="Select", exact=True).click()
        await page.locator(".item .pick").first.click()
        await page.locator(".item .pick").nth(3).click(modifiers=["Shift"])
        await expect(page.locator(".bulk")).to_contain_text("4 selected")
        await page.locator(".bulk").get_by_role("button", name="Reviewed").click()
        for event in made:
            await told(filled, event, reviewed=True)
        await page.get_by_title("Select all shown").click()
        await expect(page.locator(".bulk")).to_contain_text("12 selected")
        await page.get_by_role("button", name="End the selection").click()
        await expect(page.locator(".bulk")).to_be_hidden()
        # The page shows it at once; the server is asked meanwhile.
        async with page.expect_response("**/api/v1/events/bulk", timeout=SLOW_MS):
            await page.get_by_role("button", name="All reviewed").click()
            await expect(page.locator(".item:not(.is-reviewed)")).to_have_count(0)
        await page.reload()
        await expect(page.locator(".item:not(.is-reviewed)")).to_have_count(0)


class TestFrame:
    @pytest.mark.parametrize("path", ["/", "/?view=list", "/?camera_id=camera_9&date=today&q=nothing"])
    @pytest.mark.parametrize("theme", ["light", "dark"])
    async def test_it_is_accessible_and_fits(self, filled: World, open_page: OpenPage, path: str, theme: str) -> None:
        for size in (WIDE, NARROW):
            page = await open_page(filled.url + path, size=size, theme=theme, touch=size == NARROW)
            assert not await axe_findings(page)
            assert not await overflows(page)
            await page.locator(".further-filters summary").click()
            assert not await axe_findings(page)
            assert not await overflows(page)

    async def test_a_touch_selects_on_a_phone_and_targets_are_large(self, filled: World, open_page: OpenPage) -> None:
        page = await open_page(filled.url, size=NARROW, touch=True)
        await page.get_by_role("button", name="Select", exact=True).tap()
        await page.locator(".item .card").first.tap()
        await expect(page.locator(".bulk b")).to_contain_text("1")
        assert not await overflows(page)
        assert not await axe_findings(page)
        small = await page.evaluate(
            """() => [...document.querySelectorAll("a[href], button, summary, input:not([type=hidden]), select")]
              .filter(each => each.checkVisibility({opacityProperty: true, visibilityProperty: true}))
              .filter(each => !each.closest(".bars, .hidden, .skip, label"))
              .map(each => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
              .filter(([, box]) => box.width && box.height < 43.5)
              .map(([name, box]) => `${name}: ${box.width} x ${box.height}`)"""
        )
        assert small == []
        await page.locator("details.more summary").tap()
        await expect(page.get_by_role("link", name="Storage")).to_be_visible()
        assert not await axe_findings(page)

    async def test_the_theme_is_there_at_once_and_stays(self, filled: World, open_page: OpenPage) -> None:
        page = await open_page(filled.url)
        ground = "getComputedStyle(document.body).backgroundColor"
        light = await page.evaluate(ground)
        await page.locator(".rail-foot").get_by_role("button", name="Dark theme").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        dark = await page.evaluate(ground)
        assert dark != light
        await page.wait_for_load_state("networkidle")
        await page.reload()
        assert await page.evaluate(ground) == dark

    async def test_it_is_light_and_nothing_jumps(self, filled: World, open_page: OpenPage) -> None:
        page = await open_page(f"{filled.url}/docs")
        network = await page.context.new_cdp_session(page)
        await network.send("Network.setCacheDisabled", {"cacheDisabled": True})
        received: list[int] = []

        async def note(response: Any) -> None:
            if "/media/" not in response.url and "/stream" not in response.url:
                sizes = await response.request.sizes()
                received.append(sizes["responseBodySize"] + sizes["responseHeadersSize"])

        page.on("requestfinished", lambda request: asyncio.ensure_future(_with_response(request, note)))
        await page.add_init_script(
            "window.shift = 0;"
            "new PerformanceObserver(list => list.getEntries().forEach(entry => shift += entry.value))"
            ".observe({type: 'layout-shift', buffered: true})"
        )
        await page.goto(f"{filled.url}/?limit=48")
        await page.wait_for_load_state("load")
        await page.wait_for_timeout(1000)
        assert 10_000 < sum(received) < LIGHT_BYTES
        assert await page.evaluate("window.shift") < 0.01


async def _with_response(request: Any, note: Any) -> None:
    response = await request.response()
    if response is not None:
        await note(response)
