"""Live pictures in a browser: eight cameras at once, one connection each, and every state that people can meet."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NARROW, WIDE, Complaints, OpenPage, axe_findings, overflows
from tests.browser.world import World, running_world
from tests.cameras.conftest import until
from tests.streams import Streamer, every_scene, free_address, streaming_agent, streaming_agents

NAMES = (
    "Front walk",
    "Driveway",
    "Street",
    "Back patio",
    "Side gate",
    "Garage",
    "Garden, by the pond",
    "Cellar stairs",
)
PATIENCE_SECONDS = 60.0
THEMES = [("light", WIDE), ("light", NARROW), ("dark", WIDE), ("dark", NARROW)]

# What a canvas shows now, in few pixels: equal only when the picture is the same.
LOOK = """(element) => {
  const small = new OffscreenCanvas(32, 18);
  small.getContext("2d").drawImage(element, 0, 0, 32, 18);
  return small.getContext("2d").getImageData(0, 0, 32, 18).data.join();
}"""


@pytest.fixture(scope="module")
def pictures() -> list[list[bytes]]:
    return every_scene()


@pytest.fixture(scope="module")
def live_world() -> Iterator[World]:
    """A site whose streams end soon after the last viewer has gone."""
    folder = Path(tempfile.mkdtemp(prefix="scl-"))
    with running_world(folder, SECURITYCAMD_LIVE__GRACE_SECONDS="1.5", SECURITYCAMD_LIVE__STALL_SECONDS="5") as site:
        yield site
    shutil.rmtree(folder)


@pytest.fixture
async def agents(live_world: World, pictures: list[list[bytes]]) -> AsyncIterator[list[Streamer]]:
    """Eight cameras."""
    async with streaming_agents(NAMES, pictures) as running:
        for agent in running:
            await asyncio.to_thread(
                live_world.register, agent.camera_id, agent.name, "North side, above the lawn", agent.address
            )
        yield running


async def is_live(page: Page, cameras: int = 1) -> None:
    await expect(page.locator('.stage[data-state="live"]')).to_have_count(cameras, timeout=PATIENCE_SECONDS * 1000)


async def changes(page: Page, cameras: int) -> None:
    """Every canvas shows three pictures that are not the same."""
    canvases = page.locator(".stage canvas:visible")
    await expect(canvases).to_have_count(cameras, timeout=PATIENCE_SECONDS * 1000)
    seen: list[set[str]] = [set() for _ in range(cameras)]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not all(len(looks) >= 3 for looks in seen):
            for number, looks in enumerate(seen):
                looks.add(await canvases.nth(number).evaluate(LOOK))


async def test_a_wall_of_eight_cameras_moves_over_one_connection_each(
    live_world: World, agents: list[Streamer], open_page: OpenPage
) -> None:
    page = await open_page(live_world.url + "/live")
    await expect(page.locator(".stage")).to_have_count(len(NAMES))
    await page.wait_for_timeout(500)
    assert [agent.streaming for agent in agents] == [False] * len(NAMES)  # looking at the wall starts nothing
    sockets = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    await page.get_by_role("button", name="Watch all").click()
    await is_live(page, len(NAMES))
    await changes(page, len(NAMES))
    assert len(sockets) == 1
    assert page.url.endswith("/live?watch=all")
    await expect(page.locator(".paused")).to_have_text("Motion detection is paused on all cameras while you watch.")
    told = await asyncio.to_thread(live_world.call, "GET", "/api/v1/live")
    assert {(each["state"], each["viewers"]) for each in told} == {("live", 1)}

    # A second wall shares the connections: agents serve one client well.
    second = await open_page(live_world.url + "/live?watch=all")
    await is_live(second, len(NAMES))
    await changes(second, len(NAMES))
    await changes(page, len(NAMES))
    assert [agent.most_connections for agent in agents] == [1] * len(NAMES)
    await expect(page.locator(".tile .quiet").first).to_contain_text("2 watch")

    await second.close()
    await page.get_by_role("button", name="Stop all").click()
    await until(lambda: not any(agent.streaming for agent in agents), PATIENCE_SECONDS)
    await expect(page.locator('.stage[data-state="idle"]')).to_have_count(len(NAMES))
    assert page.url.endswith("/live")


async def test_one_camera_starts_at_once_and_stops_when_left(
    live_world: World, agents: list[Streamer], open_page: OpenPage
) -> None:
    page = await open_page(live_world.url + "/live/camera_1")
    await is_live(page)
    await changes(page, 1)
    await expect(page.locator(".paused")).to_have_text("Motion detection is paused while you watch.")
    await expect(page.locator(".elapsed")).to_have_text("0:03", timeout=PATIENCE_SECONDS * 1000)
    await expect(page.locator(".figures")).to_contain_text("1280 × 720")
    assert [agent.streaming for agent in agents] == [True] + [False] * (len(NAMES) - 1)

    async with page.expect_download() as download:
        await page.get_by_role("link", name="Still").click()
    saved = await download.value
    assert saved.suggested_filename.startswith("Front walk 20")
    assert (await saved.path()).read_bytes().startswith(b"\xff\xd8")

    await page.get_by_role("button", name="Stop").click()
    await expect(page.locator(".paused")).to_have_text("Not watching: the camera looks for motion.")
    await until(lambda: not agents[0].streaming, PATIENCE_SECONDS)
    await page.get_by_role("button", name="Watch").click()
    await is_live(page)
    await page.goto(live_world.url + "/docs")
    await until(lambda: not agents[0].streaming, PATIENCE_SECONDS)


async def test_the_keyboard_does_it_all(live_world: World, agents: list[Streamer], open_page: OpenPage) -> None:
    page = await open_page(live_world.url + "/live")
    await page.keyboard.press("3")
    await page.wait_for_url("**/live/camera_3")
    await is_live(page)
    await page.keyboard.press("f")
    await page.wait_for_function("document.fullscreenElement !== null")
    await changes(page, 1)
    await page.keyboard.press("f")
    await page.wait_for_function("document.fullscreenElement === null")
    await page.keyboard.press("w")
    await expect(page.locator('.stage[data-state="idle"]')).to_have_count(1)
    await page.keyboard.press("5")
    await page.wait_for_url("**/live/camera_5")
    await page.keyboard.press("Escape")
    await page.wait_for_url("**/live")
    await page.keyboard.press("w")
    await is_live(page, len(NAMES))
    await page.locator(".enlarge").nth(1).focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/live/camera_2")


async def test_a_camera_that_goes_away_is_said_to_and_comes_back(
    live_world: World, pictures: list[list[bytes]], open_page: OpenPage
) -> None:
    address = free_address()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(streaming_agent("camera_1", NAMES[0], pictures[0], address=address))
        await asyncio.to_thread(live_world.register, "camera_1", NAMES[0], "North side", address)
        page = await open_page(live_world.url + "/live/camera_1")
        await changes(page, 1)
    # The agent is gone with its process.
    stage = page.locator(".stage")
    await expect(stage).to_have_attribute("data-state", "offline", timeout=PATIENCE_SECONDS * 1000)
    await expect(page.locator(".what")).to_have_text("Front walk does not send pictures")
    await expect(page.locator(".why")).to_contain_text("Trying again")
    assert await axe_findings(page) == []
    async with streaming_agent("camera_1", NAMES[0], pictures[1], address=address) as agent:
        await asyncio.to_thread(live_world.register, "camera_1", NAMES[0], "North side", address)
        await is_live(page)
        await changes(page, 1)
        await page.close()
        await until(lambda: not agent.streaming, PATIENCE_SECONDS)


async def test_a_page_that_nobody_sees_stops_watching_and_goes_on_when_seen(
    live_world: World, agents: list[Streamer], open_page: OpenPage
) -> None:
    page = await open_page(live_world.url + "/live")
    await page.clock.install()
    await page.goto(live_world.url + "/live/camera_1")
    await is_live(page)
    # A headless browser has no tabs to switch: the page is told what it would be told then.
    tell = """(hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await page.evaluate(tell, True)
    await page.clock.run_for(20_000)
    assert agents[0].streaming
    await page.clock.run_for(15_000)
    await until(lambda: not agents[0].streaming, PATIENCE_SECONDS)
    await page.evaluate(tell, False)
    await until(lambda: agents[0].streaming, PATIENCE_SECONDS)
    await is_live(page)


async def test_a_server_that_restarts_is_waited_for(
    live_world: World, agents: list[Streamer], open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.allowed = ("WebSocket connection to", "ERR_CONNECTION_REFUSED")
    page = await open_page(live_world.url + "/live/camera_1")
    await is_live(page)
    await asyncio.to_thread(live_world.daemon.stop, seconds=60)
    assert not agents[0].streaming  # a server that stops leaves no camera blind
    await expect(page.locator(".stage")).to_have_attribute("data-state", "lost", timeout=PATIENCE_SECONDS * 1000)
    await expect(page.locator(".what")).to_have_text("The server cannot be reached")
    assert await axe_findings(page) == []
    await asyncio.to_thread(live_world.daemon.start)
    await is_live(page)
    await changes(page, 1)


async def test_a_server_that_is_killed_stops_at_its_next_start_what_it_left_on(
    live_world: World, agents: list[Streamer], open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.allowed = ("WebSocket connection to", "ERR_CONNECTION_REFUSED")
    page = await open_page(live_world.url + "/live/camera_2")
    await is_live(page)
    await asyncio.to_thread(live_world.daemon.kill)
    await page.close()
    assert agents[1].streaming
    await asyncio.to_thread(live_world.daemon.start)
    await until(lambda: not agents[1].streaming, PATIENCE_SECONDS)


@pytest.mark.parametrize(("theme", "size"), THEMES, ids=[f"{theme}-{size[0]}" for theme, size in THEMES])
async def test_it_is_accessible_and_fits(
    live_world: World, agents: list[Streamer], open_page: OpenPage, theme: str, size: tuple[int, int]
) -> None:
    await asyncio.to_thread(live_world.register, "camera_9", "Shed", "Behind the house", free_address())
    page = await open_page(live_world.url + "/live", size=size, theme=theme, touch=size == NARROW)
    assert await axe_findings(page) == []
    assert not await overflows(page)
    small = await page.evaluate(
        "[...document.querySelectorAll('main :is(a, button)')].filter((each) => each.offsetWidth"
        " && Math.min(each.offsetHeight, each.offsetWidth) < 36).map((each) => each.outerHTML)"
    )
    assert small == []
    await page.get_by_role("button", name="Watch all").click()
    await is_live(page, len(NAMES))
    await expect(page.locator('.stage[data-state="offline"]')).to_have_count(1, timeout=PATIENCE_SECONDS * 1000)
    assert await axe_findings(page) == []
    assert not await overflows(page)
    for path, state in (("/live/camera_1", "live"), ("/live/camera_9", "offline")):
        await page.goto(live_world.url + path)
        await expect(page.locator(".stage")).to_have_attribute("data-state", state, timeout=PATIENCE_SECONDS * 1000)
        assert await axe_findings(page) == []
        assert not await overflows(page)


async def test_without_scripts_one_camera_is_an_image_that_moves(
    live_world: World, agents: list[Streamer], open_page: OpenPage
) -> None:
    page = await open_page(live_world.url + "/live", java_script_enabled=False)
    await page.goto(live_world.url + "/live/camera_4", wait_until="commit")
    await until(lambda: agents[3].streaming, PATIENCE_SECONDS)
    image = page.locator("img.no-script")
    await expect(image).to_be_visible()
    looks: set[bytes] = set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(looks) < 3:
            looks.add(await image.screenshot())
    await expect(page.locator(".paused")).to_have_text("Motion detection is paused while you watch.")
    await page.close()
    await until(lambda: not agents[3].streaming, PATIENCE_SECONDS)


async def test_the_time_limit_says_so_and_can_be_undone(pictures: list[list[bytes]], open_page: OpenPage) -> None:
    folder = Path(tempfile.mkdtemp(prefix="scl-"))
    site = running_world(folder, SECURITYCAMD_LIVE__MAX_MINUTES="0.1")
    world = await asyncio.to_thread(site.__enter__)
    try:
        async with streaming_agent("camera_1", NAMES[0], pictures[0]) as agent:
            await asyncio.to_thread(world.register, "camera_1", NAMES[0], "North side", agent.address)
            page = await open_page(world.url + "/live/camera_1")
            await is_live(page)
            again = page.get_by_role("button", name="Watch again")
            await expect(again).to_be_visible(timeout=PATIENCE_SECONDS * 1000)
            assert await axe_findings(page) == []
            await until(lambda: not agent.streaming, PATIENCE_SECONDS)
            await page.wait_for_timeout(1500)
            assert not agent.streaming  # nothing starts it again by itself
            await again.click()
            await is_live(page)
            await changes(page, 1)
            await page.close()
    finally:
        await asyncio.to_thread(site.__exit__, None, None, None)
        shutil.rmtree(folder)
