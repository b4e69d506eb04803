"""The page of the server's state in Chromium: it stays up to date, and its buttons do what they say."""

import asyncio
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Complaints, OpenPage, axe_findings
from tests.browser.world import World
from tests.harness import wait_until


@pytest.fixture
def calm(world: World) -> Iterator[World]:
    """Leaves no task paused, whatever happens."""
    yield world
    world.call("POST", "/api/v1/tasks/linker/resume")


async def test_a_task_is_paused_and_resumed_from_the_page(calm: World, open_page: OpenPage) -> None:
    page = await open_page(f"{calm.url}/system")
    row = page.locator(".tasks tr", has=page.locator("#linker-pause, #linker-resume"))
    await expect(row.locator(".mood")).to_have_text("running")
    await page.locator("#linker-pause").click()
    await expect(row.locator(".mood")).to_have_text("paused")
    await expect(page.locator("#linker-resume")).to_be_focused()
    await expect(page.locator("#linker-run-now")).to_have_count(0)
    tasks = await asyncio.to_thread(calm.call, "GET", "/api/v1/tasks")
    assert {task["name"]: task["state"] for task in tasks}["linker"] == "paused"
    await page.keyboard.press("Enter")
    await expect(row.locator(".mood")).to_have_text("running")
    await page.locator("#linker-run-now").click()
    await expect(page.locator("#toasts")).to_contain_text("looks for work now")


async def test_the_page_tells_by_itself_what_changes(calm: World, open_page: OpenPage) -> None:
    page = await open_page(f"{calm.url}/system")
    await expect(page.locator("#linker-pause")).to_be_visible()
    await asyncio.to_thread(calm.call, "POST", "/api/v1/tasks/linker/pause")
    await expect(page.locator("#linker-resume")).to_be_visible(timeout=20_000)


def test_task_buttons_are_forms(calm: World) -> None:
    """What the page of a reader without scripts sends."""
    request = urllib.request.Request(f"{calm.url}/system/tasks/linker/pause", method="POST", data=b"")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.url == f"{calm.url}/system#tasks"
        page = answer.read().decode()
    assert 'id="linker-resume"' in page


async def test_a_failed_job_is_retried(world: World, open_page: OpenPage) -> None:
    def fail() -> int:
        world.register("camera_8", "Shed", "Behind the house")
        event = world.post_event("camera_8")
        world.deliver(event, ("video",), whole=False)
        event_id = int(event["id"])
        wait_until(
            lambda: world.event(event_id)["mp4_conversion_status"] == "failed", seconds=60, what="the clip failed"
        )
        return event_id

    event_id = await asyncio.to_thread(fail)
    page = await open_page(f"{world.url}/system")
    failed = page.locator("#failed li", has_text=f"event {event_id}")
    await expect(failed.locator(".reason")).not_to_be_empty()
    assert not await axe_findings(page)
    async with page.expect_response(lambda answer: f"/events/{event_id}/jobs/remux/retry" in answer.url) as answered:
        await failed.locator("button").click()
    assert (await answered.value).status == 200
    await expect(page.locator("#toasts")).to_contain_text("1 job is tried again")
    # It fails again, as nothing was mended; the page shows that, too.
    await expect(page.locator("#failed li", has_text=f"event {event_id}")).to_be_visible(timeout=30_000)
    async with page.expect_response(lambda answer: "/jobs/remux/retry-failed" in answer.url):
        await page.locator("#retry-remux").click()
    await expect(page.locator("#toasts")).to_contain_text("tried again")


async def test_a_server_that_is_away_is_told_and_the_state_stays(
    world: World, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.allowed = ("net::ERR",)
    page = await open_page(f"{world.url}/system")
    await page.context.set_offline(True)
    await expect(page.locator("#offline")).to_be_visible(timeout=20_000)
    await expect(page.locator("#tasks")).to_be_visible()
    await page.context.set_offline(False)
    await expect(page.locator("#offline")).to_be_hidden(timeout=20_000)
