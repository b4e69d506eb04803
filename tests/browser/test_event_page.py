"""The page of one event: clip, pictures, notes, states, and the ways on; by mouse, keys and fingers."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NARROW, PATIENCE_MS, WIDE, Complaints, OpenPage, axe_findings, overflows
from tests.browser.world import CAMERAS, World

expect.set_options(timeout=PATIENCE_MS)

VIDEO = "document.querySelector('video')"
FRAMES = f"{VIDEO}.getVideoPlaybackQuality().totalVideoFrames"


async def video(page: Page, expression: str) -> Any:
    """A property of the video."""
    return await page.evaluate(f"{VIDEO}.{expression}")


async def until(page: Page, condition: str, argument: Any = None) -> None:
    """Wait until a condition holds in the page. Not ``wait_for_function``: our pages let no text be run as a script."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while not await page.evaluate(condition, argument):
            await page.wait_for_timeout(50)


@pytest.fixture
def do(world: World) -> Callable[..., Awaitable[Any]]:
    """Call something of the world in a thread."""
    for camera_id, (name, location) in CAMERAS.items():
        world.register(camera_id, name, location)

    async def call(work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return await asyncio.to_thread(work, *arguments, **options)

    return call


@pytest.fixture
async def event(world: World, do: Callable[..., Awaitable[Any]]) -> dict[str, Any]:
    """An event that went all the way."""
    found: dict[str, Any] = await do(world.finished_event, "camera_1")
    return found


def address(world: World, event: dict[str, Any], query: str = "") -> str:
    return f"{world.url}/events/{event['id']}{query}"


# --- the clip ---------------------------------------------------------------------------------------------------------


async def test_a_clip_plays_by_itself_and_seeks(world: World, open_page: OpenPage, event: dict[str, Any]) -> None:
    page = await open_page(address(world, event))
    await until(page, f"{VIDEO}.currentTime > 0.2")
    assert await video(page, "muted")
    before = await page.evaluate(FRAMES)
    await until(page, f"before => {FRAMES} > before + 3", before)
    assert await video(page, "duration") == pytest.approx(3.0, abs=0.3)
    await video(page, "pause()")
    seek = page.get_by_role("slider", name="Position in the clip")
    await seek.fill("1.5")
    await until(page, f"!{VIDEO}.seeking && Math.abs({VIDEO}.currentTime - 1.5) < 0.05")
    assert await seek.get_attribute("aria-valuetext") == "0:01 of 0:03"
    await video(page, "play()")
    await until(page, f"{VIDEO}.currentTime > 2")


async def test_the_player_is_worked_by_keys(world: World, open_page: OpenPage, event: dict[str, Any]) -> None:
    page = await open_page(address(world, event))
    await until(page, f"{VIDEO}.currentTime > 0.3")
    await page.keyboard.press(" ")
    await until(page, f"{VIDEO}.paused")
    await expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    await page.get_by_role("slider", name="Position in the clip").fill("1")
    await page.locator("h1").click()
    await until(page, f"!{VIDEO}.seeking")
    # Each step shows the next frame of 15 a second, and back again.
    shown = [await video(page, "currentTime")]
    for key in (".", ".", ".", ",", ","):
        await page.keyboard.press(key)
        await until(page, f"before => !{VIDEO}.seeking && {VIDEO}.currentTime !== before", shown[-1])
        await page.wait_for_timeout(150)  # until the browser has told which frame it shows
        shown.append(await video(page, "currentTime"))
    steps = [round(15 * (after - before), 1) for before, after in pairwise(shown)]
    assert steps[1:3] == [pytest.approx(1, abs=0.3)] * 2
    assert steps[4] == pytest.approx(-1, abs=0.3)
    await page.keyboard.press(" ")
    await until(page, f"!{VIDEO}.paused || {VIDEO}.ended")


async def test_the_speed_is_remembered(world: World, open_page: OpenPage, event: dict[str, Any]) -> None:
    page = await open_page(address(world, event))
    await until(page, f"{VIDEO}.readyState > 1")
    await page.get_by_label("Speed").select_option("2")
    assert await video(page, "playbackRate") == 2
    await page.reload()
    await until(page, f"{VIDEO}.readyState > 1")
    assert await video(page, "playbackRate") == 2
    await expect(page.get_by_label("Speed")).to_have_value("2")
    await page.keyboard.press("<")
    assert await video(page, "playbackRate") == 1.5


async def test_a_download_says_camera_and_time(world: World, open_page: OpenPage, event: dict[str, Any]) -> None:
    page = await open_page(address(world, event))
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Download the clip").click()
    name = (await waiting.value).suggested_filename
    assert name.startswith("Front walk 20")
    assert name.endswith(".mp4")


async def test_a_clip_that_was_lost_says_so_in_its_place(
    world: World, open_page: OpenPage, complaints: Complaints, event: dict[str, Any]
) -> None:
    complaints.allowed = ("status of 404",)
    page = await open_page(address(world, event))
    await until(page, f"{VIDEO}.readyState > 1")
    path = world.daemon.storage_root / event["video_mp4_path"]
    away = path.with_suffix(".away")
    path.rename(away)
    await page.evaluate(f"{VIDEO}.src += '?again'; {VIDEO}.load()")
    lost = page.locator("[data-lost]")
    await expect(lost).to_contain_text("The clip cannot be shown")
    await expect(lost).to_contain_text("Its file is not in the footage storage.")
    away.rename(path)
    await lost.get_by_role("button", name="Try again").click()
    await until(page, f"{VIDEO}.readyState > 1")
    await expect(lost).to_be_hidden()


# --- the pictures -----------------------------------------------------------------------------------------------------


async def test_the_lightbox_turns_pages_and_zooms(world: World, open_page: OpenPage, event: dict[str, Any]) -> None:
    page = await open_page(address(world, event))
    await page.locator("[data-still=A]").click()
    box = page.get_by_role("dialog", name="Pictures of this event")
    await expect(box.locator(".pswp__caption")).to_have_text("Picture A · at the motion")
    await until(page, "document.querySelector('.pswp[data-open]') !== null")
    await page.keyboard.press("ArrowRight")
    await expect(box.locator(".pswp__caption")).to_have_text("Picture B · 4 s later")
    await page.keyboard.press("ArrowLeft")
    await expect(box.locator(".pswp__caption")).to_have_text("Picture A · at the motion")
    image = ".pswp__item[aria-hidden=false] .pswp__img:not(.pswp__img--placeholder)"
    width = f"document.querySelector('{image}').getBoundingClientRect().width"
    before = await page.evaluate(width)
    await page.keyboard.press("+")
    await until(page, f"before => {width} > before * 1.3", before)
    await page.keyboard.press("-")
    await until(page, f"before => Math.abs({width} - before) < 3", before)
    assert not await axe_findings(page)
    # The page's own shortcuts rest while it is open.
    await page.keyboard.press("r")
    await page.keyboard.press("Escape")
    await expect(box).to_have_count(0)
    await expect(page.locator("[data-still=A]")).to_be_focused()
    await expect(page.locator("#reviewed")).to_have_attribute("aria-pressed", "false")


async def test_pictures_are_compared_by_keyboard_and_pointer(
    world: World, open_page: OpenPage, event: dict[str, Any]
) -> None:
    page = await open_page(address(world, event))
    await page.keyboard.press("c")
    slider = page.get_by_role("slider", name="How much of picture A is shown")
    await expect(slider).to_be_focused()
    for picture in await page.locator("[data-stage] img").all():
        await expect(picture).to_be_visible()
    await page.keyboard.press("End")
    assert await slider.get_attribute("aria-valuetext") == "100 % picture A"
    for _ in range(3):
        await page.keyboard.press("ArrowLeft")
    assert await slider.get_attribute("aria-valuetext") == "97 % picture A"
    stage = page.locator("[data-stage]")
    cut = "getComputedStyle(document.querySelector('[data-of=B]')).clipPath"
    assert "97%" in await page.evaluate(cut)
    area = await stage.bounding_box()
    assert area
    await page.mouse.move(area["x"] + area["width"] / 2, area["y"] + 100)
    await page.mouse.down()
    await page.mouse.move(area["x"] + area["width"] / 4, area["y"] + 120)
    await page.mouse.up()
    assert await slider.input_value() in {"24", "25", "26"}
    await until(page, "[...document.querySelectorAll('[data-of]')].every(i => i.complete && i.naturalWidth > 0)")
    await page.get_by_role("button", name="What changed").click()
    mode = "getComputedStyle(document.querySelector('[data-of=B]')).mixBlendMode"
    assert await page.evaluate(mode) == "difference"
    assert not await axe_findings(page)
    await page.get_by_role("button", name="Side by side").click()
    await expect(stage).to_be_hidden()
    await expect(page.locator("[data-still=B]")).to_be_visible()


# --- what people do ---------------------------------------------------------------------------------------------------


async def test_reviewed_and_kept_by_keys_and_buttons(
    world: World, open_page: OpenPage, do: Callable[..., Awaitable[Any]], event: dict[str, Any]
) -> None:
    page = await open_page(address(world, event))
    reviewed, star = page.locator("#reviewed"), page.locator("#star")
    await page.keyboard.press("r")
    await expect(reviewed).to_have_attribute("aria-pressed", "true")
    await star.click()
    await expect(star).to_have_attribute("aria-pressed", "true")
    await expect(star).to_be_focused()
    await expect(page.locator(".history")).to_contain_text("starred")
    now = await do(world.event, event["id"])
    assert (now["reviewed"], now["protected"]) == (True, True)
    await page.keyboard.press("Delete")
    await expect(page.locator(".toast")).to_contain_text("Take the star away first")
    await page.keyboard.press("s")
    await expect(star).to_have_attribute("aria-pressed", "false")


async def test_a_note_is_written_and_not_lost_by_what_changes_meanwhile(
    world: World, open_page: OpenPage, do: Callable[..., Awaitable[Any]], event: dict[str, Any]
) -> None:
    page = await open_page(address(world, event))
    await page.keyboard.press("n")
    note = page.get_by_label("Note", exact=True)
    await expect(note).to_be_focused()
    await page.keyboard.type("The postman. r s j")
    # Somebody else stars the event: the page shows it, and leaves what is being written alone.
    await do(world.call, "PATCH", f"/api/v1/events/{event['id']}", {"starred": True})
    await expect(page.locator("#star")).to_have_attribute("aria-pressed", "true")
    await expect(note).to_have_value("The postman. r s j")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".toast")).to_contain_text("Note saved")
    assert (await do(world.event, event["id"]))["note"] == "The postman. r s j"
    await page.reload()
    await expect(note).to_have_value("The postman. r s j")


async def test_removing_asks_says_what_goes_and_goes_on(
    world: World, open_page: OpenPage, do: Callable[..., Awaitable[Any]]
) -> None:
    older = await do(world.post_event, "camera_3", ago=timedelta(hours=2))
    event = await do(world.post_event, "camera_3", ago=timedelta(hours=1))
    await do(world.deliver, event, ("thumbnail", "image_a"))
    page = await open_page(address(world, event, "?camera_id=camera_3"))
    await page.get_by_text("Remove…").click()
    question = page.get_by_role("dialog", name="Remove this event?")
    await expect(question).to_contain_text("cannot be undone")
    await expect(question).to_contain_text("2 pictures")
    await expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    assert not await axe_findings(page)
    await page.keyboard.press("Escape")
    assert (await do(world.event, event["id"]))["id"] == event["id"]
    await page.keyboard.press("Delete")
    await question.get_by_role("button", name="Remove for good").click()
    await page.wait_for_url(f"**/events/{older['id']}?camera_id=camera_3")
    await expect(page.locator(".toast")).to_contain_text("was removed")
    status, _ = await do(world.daemon.call, "GET", f"/api/v1/events/{event['id']}")
    assert status == 404


async def test_an_event_that_others_remove_says_so(
    world: World, open_page: OpenPage, complaints: Complaints, do: Callable[..., Awaitable[Any]]
) -> None:
    complaints.allowed = ("status of 404",)
    event = await do(world.post_event, "camera_2", ago=timedelta(minutes=30))
    page = await open_page(address(world, event))
    await do(world.daemon.call, "DELETE", f"/api/v1/events/{event['id']}")
    await expect(page.locator("#gone")).to_contain_text("This event was removed.")
    await expect(page.locator("#reviewed")).to_be_disabled()


# --- states -----------------------------------------------------------------------------------------------------------


async def test_an_event_arrives_before_ones_eyes(
    world: World, open_page: OpenPage, do: Callable[..., Awaitable[Any]]
) -> None:
    event = await do(world.post_event, "camera_2")
    page = await open_page(address(world, event))
    await page.evaluate("window.stays = true")
    await expect(page.locator(".player")).to_contain_text("Clip arrives in a moment")
    await expect(page.locator(".stills")).to_contain_text("Arrives in a moment")
    await do(world.deliver, event, ("thumbnail", "image_a", "image_b"))
    await expect(page.locator("[data-still]")).to_have_count(2)
    await do(world.deliver, event, ("video",))
    await until(page, f"{VIDEO} && {VIDEO}.currentTime > 0.2")
    await expect(page.locator(".prose").first).to_contain_text("Picture A")
    await expect(page.locator(".history")).to_contain_text("clip playable")
    assert await page.evaluate("window.stays")  # nothing was loaded anew


async def test_a_failed_clip_is_tried_again_from_the_page(
    world: World, open_page: OpenPage, do: Callable[..., Awaitable[Any]]
) -> None:
    event = await do(world.post_event, "camera_2", ago=timedelta(minutes=5))
    await do(world.deliver, event, ("video",), whole=False)
    page = await open_page(address(world, event))
    player = page.locator(".player")
    await expect(player).to_contain_text("Clip could not be converted")
    await expect(player).to_contain_text("The file is not H.264 video.")
    # The camera brings it once more, whole, and a person asks.
    source = world.daemon.storage_root / (await do(world.event, event["id"]))["video_h264_path"]
    await do(source.write_bytes, await do(world.scenes[2].clip, 5, 3.0))
    await player.get_by_role("button", name="Try again").click()
    await expect(page.locator(".toast")).to_contain_text("tried again")
    await until(page, f"{VIDEO} && {VIDEO}.readyState > 1")
    await expect(page.locator(".history")).to_contain_text("asked to convert the clip again")


# --- ways -------------------------------------------------------------------------------------------------------------


async def test_one_goes_through_the_filter_by_keys_and_fingers(
    world: World, open_page: OpenPage, do: Callable[..., Awaitable[Any]]
) -> None:
    made = [await do(world.post_event, "camera_1", ago=timedelta(days=3, minutes=at)) for at in range(3)]
    await do(world.post_event, "camera_2", ago=timedelta(days=3, seconds=30))
    query = "?camera_id=camera_1"
    newest, middle, oldest = (address(world, event, query) for event in made)
    page = await open_page(middle, size=NARROW, touch=True)
    for key, there in (("[", oldest), ("]", middle), ("k", newest), ("j", middle)):
        await page.keyboard.press(key)
        await page.wait_for_url(there)
    swipe = """([from, to]) => {
      const at = (x) => [new Touch({identifier: 1, target: document.querySelector('h1'), clientX: x, clientY: 200})];
      const tell = (kind, x, touches) => document.querySelector('h1').dispatchEvent(
        new TouchEvent(kind, {bubbles: true, touches, changedTouches: at(x)}));
      tell('touchstart', from, at(from));
      tell('touchend', to, []);
    }"""
    await page.evaluate(swipe, [60, 260])
    await page.wait_for_url(oldest)
    await page.evaluate(swipe, [260, 60])
    await page.wait_for_url(middle)
    await page.evaluate(swipe, [200, 160])  # too short to mean anything
    await page.keyboard.press("b")
    await page.wait_for_url(f"{world.url}/{query}#event-{made[1]['id']}")


async def test_old_addresses_lead_here(world: World, open_page: OpenPage, event: dict[str, Any]) -> None:
    page = await open_page(f"{world.url}/event.php?id={event['id']}&camera=camera_1")
    assert page.url == address(world, event, "?camera_id=camera_1")
    await expect(page.locator("video")).to_be_visible()


async def test_an_old_address_of_nothing_gets_a_page(world: World, open_page: OpenPage, complaints: Complaints) -> None:
    complaints.allowed = ("status of 404",)
    page = await open_page(f"{world.url}/event.php?id=nothing")
    await expect(page.locator("h1")).to_be_visible()
    await expect(page.locator("main")).to_contain_text("There is no such event")


# --- for everyone -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_every_state_is_clean(
    world: World,
    open_page: OpenPage,
    do: Callable[..., Awaitable[Any]],
    event: dict[str, Any],
    theme: str,
    size: tuple[int, int],
) -> None:
    line = {"source": "camera_1", "timestamp": event["timestamp"], "level": "WARNING", "message": "x" * 300}
    await do(world.call, "POST", "/api/v1/logs", [line])
    await do(world.call, "PATCH", f"/api/v1/events/{event['id']}", {"note": "y" * 200, "reviewed": True})
    failed = await do(world.post_event, "camera_1", ago=timedelta(minutes=5))
    await do(world.deliver, failed, ("video",), whole=False)
    for shown in (event, await do(world.post_event, "camera_1"), failed):
        page = await open_page(address(world, shown), size=size, theme=theme, touch=size == NARROW)
        if await page.locator(".lines details").count():
            await page.locator(".lines summary").click()
        assert not await axe_findings(page)
        assert not await overflows(page)
        await page.context.close()


async def test_everything_is_reached_by_tab(world: World, open_page: OpenPage, event: dict[str, Any]) -> None:
    page = await open_page(address(world, event))
    await until(page, f"{VIDEO}.readyState > 1")
    await page.locator("#back").focus()
    names: list[str] = []
    for _ in range(60):
        name = await page.evaluate(
            "(document.activeElement.getAttribute('aria-label') || document.activeElement.id"
            " || document.activeElement.textContent).trim()"
        )
        names.append(str(name))
        if name == "remove":
            break
        await page.keyboard.press("Tab")
    for wanted in (
        "star",
        "reviewed",
        "Play",
        "One frame on",
        "Full screen",
        "show-swipe",
        "note",
        "save-note",
        "remove",
    ):
        assert any(name == wanted or (wanted == "Play" and name in {"play", "Pause"}) for name in names), names


async def test_without_scripts_everything_can_be_read_and_done(
    world: World, open_page: OpenPage, event: dict[str, Any]
) -> None:
    page = await open_page(address(world, event), java_script_enabled=False)
    assert await page.locator("video").get_attribute("controls") is not None
    await expect(page.locator(".deck")).to_be_hidden()
    await page.get_by_role("button", name="Mark reviewed").click()
    await expect(page.get_by_role("button", name="Reviewed", exact=True)).to_be_visible()
    await page.get_by_label("Note", exact=True).fill("By hand.")
    await page.get_by_role("button", name="Save the note").click()
    await expect(page.get_by_label("Note", exact=True)).to_have_value("By hand.")
    await page.get_by_text("Remove…").click()
    await expect(page.locator("[data-remove]")).to_contain_text("cannot be undone")


async def test_the_page_is_light(world: World, open_page: OpenPage, event: dict[str, Any]) -> None:
    page = await open_page(address(world, event))
    await page.wait_for_load_state("load")
    received = await page.evaluate(
        "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        ".filter(e => !e.name.includes('/media/')).reduce((sum, e) => sum + e.decodedBodySize, 0)"
    )
    assert 10_000 < received < 150_000
