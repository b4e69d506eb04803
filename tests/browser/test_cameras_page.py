"""The pages about cameras, as people use them."""

import asyncio
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, Response, expect

from securitycamd.simulator.control import AgentPorts, AgentServer
from tests.browser.camera_history import give_past, sql
from tests.browser.conftest import NARROW, WIDE, Complaints, OpenPage, axe_findings, overflows
from tests.browser.world import World, running_world

AGENT_HOST = "127.0.93.7"
PATIENCE_MS = 30_000
HEAVIEST_PAGE_BYTES = 150_000


@pytest.fixture(scope="module")
def site() -> Iterator[World]:
    """A site of its own, whose cameras these tests rename and remove."""
    folder = Path(tempfile.mkdtemp(prefix="scc-"))
    with running_world(folder) as world:
        yield world
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def past(site: World) -> World:
    """The same site with a camera that has a month behind it."""
    site.register("camera_1", "Front walk", "North side, above the lawn", AGENT_HOST)
    event = site.post_event("camera_1")
    site.deliver(event, ("thumbnail", "image_a"))
    give_past(site)
    return site


@contextmanager
def agent() -> Iterator[None]:
    """The control API of camera_1's agent, in a thread of its own."""

    async def picture() -> bytes:
        return b""

    made = AgentServer(
        camera_id="camera_1",
        name="Front walk",
        host=AGENT_HOST,
        ports=AgentPorts(control=5000, stream=8080),
        frames=picture,
        motion_state=lambda: "watching the lawn",
        on_streaming=lambda _: None,
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="agent", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(made.__aenter__(), loop).result(30)
    yield
    asyncio.run_coroutine_threadsafe(made.__aexit__(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def add_camera(world: World, camera_id: str, name: str, *, events: int = 0) -> list[Path]:
    """A camera that was last heard of an hour ago; its events' pictures."""
    world.register(camera_id, name, "Garden")
    made = [world.post_event(camera_id) for _ in range(events)]
    for event in made:
        world.deliver(event, ("image_a",))
    sql(world, f"UPDATE cameras SET last_seen = UTC_TIMESTAMP() - INTERVAL 1 HOUR WHERE camera_id = '{camera_id}'")
    return [world.daemon.storage_root / world.event(event["id"])["image_a_path"] for event in made]


async def open_removal(page: Page) -> None:
    await page.locator(".remove summary").click()
    await expect(page.locator(".remove form")).to_be_visible()


async def test_without_cameras_the_page_says_what_to_do(site: World, open_page: OpenPage) -> None:
    if await asyncio.to_thread(site.call, "GET", "/api/v1/cameras"):
        pytest.skip("another test of this worker came first")
    for size in (WIDE, NARROW):
        page = await open_page(f"{site.url}/cameras", size=size)
        await expect(page.get_by_role("heading", name="Add your first camera")).to_be_visible()
        await expect(page.locator("code").first).to_have_text(f"{site.url}/api/v1")
        assert not await axe_findings(page)
        assert not await overflows(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_the_pages_are_clean_with_everything_open(
    past: World, open_page: OpenPage, theme: str, size: tuple[int, int]
) -> None:
    page = await open_page(f"{past.url}/cameras", size=size, theme=theme)
    assert not await axe_findings(page)
    page = await open_page(f"{past.url}/cameras/camera_1", size=size, theme=theme)
    await expect(page.locator("[data-plot][data-drawn]")).to_have_count(2)
    for summary in await page.locator("main summary").all():
        await summary.click()
    assert not await axe_findings(page)
    assert not await overflows(page)


async def test_a_new_name_outlives_the_agents_next_start(past: World, open_page: OpenPage) -> None:
    await asyncio.to_thread(add_camera, past, "camera_2", "cam2")
    page = await open_page(f"{past.url}/cameras/camera_2")
    await page.get_by_label("Name").fill("Back patio")
    await page.get_by_label("Location").fill("Above the door")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Back patio")
    await expect(page.locator(".toast")).to_contain_text("Name and place are saved.")
    await asyncio.to_thread(past.register, "camera_2", "cam2", "somewhere")
    await page.goto(f"{past.url}/cameras")
    await expect(page.locator(".cameras .when", has_text="Back patio")).to_be_visible()
    await expect(page.locator(".cameras", has_text="Above the door")).to_be_visible()
    await expect(page.locator(".watch", has_text="Back patio")).to_be_visible()


async def test_a_hidden_camera_is_put_away_and_found_again(past: World, open_page: OpenPage) -> None:
    await asyncio.to_thread(add_camera, past, "camera_3", "Attic")
    page = await open_page(f"{past.url}/cameras/camera_3")
    await expect(page.locator(".watch [data-camera=camera_3]")).to_be_visible()
    await page.get_by_role("button", name="Hide it").click()
    await expect(page.get_by_text("This camera is hidden")).to_be_visible()
    await expect(page.locator(".watch [data-camera=camera_3]")).to_have_count(0)
    await page.goto(f"{past.url}/cameras")
    await expect(page.locator(".cameras", has_text="Attic")).to_have_count(0)
    await page.get_by_text("Hidden and removed cameras").click()
    await page.locator(".away a", has_text="Attic").click()
    await page.get_by_role("button", name="Show it in lists again").click()
    await expect(page.locator(".watch [data-camera=camera_3]")).to_be_visible()


async def test_refresh_asks_the_agent(past: World, open_page: OpenPage) -> None:
    page = await open_page(f"{past.url}/cameras/camera_1")
    with agent():
        await page.get_by_role("button", name="Refresh now").click()
        facts = page.locator("[data-part=facts]")
        await expect(facts).to_contain_text("1.4.0-simulated", timeout=PATIENCE_MS)
        await expect(facts).to_contain_text("watching the lawn")
        await expect(facts).to_contain_text("in step")
    await page.get_by_role("button", name="Refresh now").click()
    # What it said stays, with why there is nothing newer.
    await expect(facts).to_contain_text("asked", timeout=PATIENCE_MS)
    await expect(facts).to_contain_text("1.4.0-simulated")


async def test_plots_are_drawn_and_answer_to_the_pointer(past: World, open_page: OpenPage) -> None:
    page = await open_page(f"{past.url}/cameras/camera_1")
    await expect(page.locator("[data-plot][data-drawn] canvas")).to_have_count(2)
    inked = """canvas => { const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let found = 0; for (let at = 3; at < data.length; at += 4) found += data[at] > 0; return found; }"""
    before = [await canvas.evaluate(inked) for canvas in await page.locator("[data-plot] canvas").all()]
    assert min(before) > 2000
    over = page.locator("[data-plot='24h'] .u-over")
    await over.hover()
    await expect(page.locator("[data-plot='24h'] .told")).to_have_text(re.compile(r"^\d\d:00: \d+ events?$"))
    # The bars take the colours of a theme that is chosen now.
    colour = """canvas => { const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const seen = {}; for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255) {
        const key = [data[at], data[at + 1], data[at + 2]].join(); seen[key] = (seen[key] ?? 0) + 1; }
      return Object.entries(seen).sort((a, b) => b[1] - a[1])[0][0]; }"""
    light = await page.locator("[data-plot='24h'] canvas").evaluate(colour)
    await page.locator(".rail-foot").get_by_role("button", name="Dark theme").click()
    await expect(page.locator("[data-plot] canvas")).to_have_count(2)
    dark = await page.locator("[data-plot='24h'] canvas").evaluate(colour)
    assert light != dark


async def test_without_scripts_plots_forms_and_tables_are_there(past: World, open_page: OpenPage) -> None:
    page = await open_page(f"{past.url}/cameras/camera_1", java_script_enabled=False)
    for span in ("24h", "30d"):
        outline = await page.locator(f"[data-plot='{span}'] path").get_attribute("d")
        assert outline is not None
        assert outline.count("M") > 5
    await page.locator("[data-plot='30d'] summary").click()
    await expect(page.locator("[data-plot='30d'] tbody tr")).to_have_count(31)
    await page.get_by_label("Name").fill("Front gate")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Front gate")
    await page.get_by_label("Name").fill("")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Front walk")


async def test_coverage_shows_when_the_camera_was_away(past: World, open_page: OpenPage) -> None:
    page = await open_page(f"{past.url}/cameras/camera_1")
    day = page.locator(".covered").first
    kinds = await day.locator("rect").evaluate_all("all => all.map(part => part.dataset.cover)")
    assert {"watching", "offline", "unknown"} <= set(kinds)
    strip = day.get_by_role("img")
    assert re.match(
        r"Last 24 hours: watching 7\d %, offline [\d.]+ %, not known 1\d %",
        await strip.get_attribute("aria-label") or "",
    )
    widths = await day.locator("rect").evaluate_all("all => all.map(part => Number(part.getAttribute('width')))")
    assert sum(widths) == pytest.approx(1000, abs=10)
    await expect(page.locator(".outages li", has_text="2 h")).to_be_visible()
    await page.goto(f"{past.url}/cameras")
    await expect(page.locator(".cameras .strip").first).to_have_attribute("aria-label", re.compile("not known 1"))


async def test_a_camera_is_removed_with_its_footage(past: World, open_page: OpenPage) -> None:
    pictures = await asyncio.to_thread(add_camera, past, "camera_4", "Shed", events=30)
    assert all([await asyncio.to_thread(path.exists) for path in pictures])
    page = await open_page(f"{past.url}/cameras/camera_4")
    await open_removal(page)
    await page.get_by_label("Remove its footage too").check()
    await page.get_by_label("I am sure").check()
    await page.get_by_role("button", name="Remove the camera").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Remove Shed and its footage?")
    await expect(dialog).to_contain_text("30 events with all pictures and clips")
    assert not await axe_findings(page)
    # The way out is where the hands are.
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    assert len(await asyncio.to_thread(past.call, "GET", "/api/v1/cameras")) >= 2
    await page.get_by_role("button", name="Remove the camera").click()
    await dialog.get_by_role("button", name="Remove", exact=True).click()
    # The page follows until it is gone, and then shows those that are left.
    await page.wait_for_url(f"{past.url}/cameras", timeout=2 * PATIENCE_MS)
    await expect(page.locator(".cameras", has_text="Shed")).to_have_count(0)
    assert not any([await asyncio.to_thread(path.exists) for path in pictures])


async def test_a_camera_is_removed_and_its_footage_kept(past: World, open_page: OpenPage) -> None:
    [picture] = await asyncio.to_thread(add_camera, past, "camera_5", "Garage", events=1)
    page = await open_page(f"{past.url}/cameras/camera_5")
    await open_removal(page)
    await page.get_by_label("Keep its footage").check()
    await page.get_by_label("I am sure").check()
    await page.get_by_role("button", name="Remove the camera").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    await expect(page.get_by_text("its events are still here")).to_be_visible()
    assert await asyncio.to_thread(picture.exists)
    await page.get_by_role("button", name="Bring the camera back").click()
    await expect(page.locator(".watch [data-camera=camera_5]")).to_be_visible()


async def test_by_keyboard_a_form_tells_what_it_still_wants(past: World, open_page: OpenPage) -> None:
    page = await open_page(f"{past.url}/cameras/camera_1")
    await page.locator(".remove summary").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".against")).to_contain_text("It is online")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await expect(page.get_by_label("Keep its footage")).to_be_checked()
    await page.get_by_role("button", name="Remove the camera").focus()
    await page.keyboard.press("Enter")
    # Nothing is sent before it is known what is wanted.
    assert page.url.endswith("/cameras/camera_1")
    assert await page.locator("input[name=force]").evaluate("box => box.matches(':invalid')")


async def test_a_page_is_light(past: World, open_page: OpenPage, complaints: Complaints) -> None:
    complaints.allowed = ("favicon",)  # of the bare reply that the test begins with
    sizes: dict[str, int] = {}
    page = await open_page(f"{past.url}/api/v1/health")
    pending: list[asyncio.Task[None]] = []

    async def weigh(response: Response) -> None:
        sizes[response.url] = len(await response.body())

    page.on("response", lambda response: pending.append(asyncio.ensure_future(weigh(response))))
    await page.goto(f"{past.url}/cameras/camera_1", wait_until="networkidle")
    await asyncio.gather(*pending)
    weight = sum(size for url, size in sizes.items() if "/media/" not in url)
    assert 0 < weight < HEAVIEST_PAGE_BYTES, sizes
