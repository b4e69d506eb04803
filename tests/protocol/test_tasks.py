"""``/api/v1/tasks``: background tasks seen and commanded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from securitycamd.supervision import TaskControl, TaskSpec
from tests.conftest import Site
from tests.protocol.wire import API, refused

TASKS = f"{API}/tasks"


async def _rest(control: TaskControl) -> None:
    await control.stopping.wait()


@asynccontextmanager
async def _running(site: Site) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for name, enabled in (("converter", True), ("analyser", False)):
            site.shared.supervisor.start(group, TaskSpec(name, f"The {name}.", _rest, enabled=enabled))
        await asyncio.sleep(0)  # lets the tasks begin
        yield
        site.shared.supervisor.ask_to_stop()


async def test_every_task_says_how_it_is(site: Site) -> None:
    assert await site.json("GET", TASKS) == []
    async with _running(site):
        first, second = await site.json("GET", TASKS)
    assert {"name": "converter", "purpose": "The converter.", "state": "running"}.items() <= first.items()
    assert (second["name"], second["state"]) == ("analyser", "disabled")


async def test_a_task_is_paused_and_resumed(site: Site) -> None:
    async with _running(site):
        for action, state in (("run-now", "running"), ("pause", "paused"), ("resume", "running")):
            reply = await site.json("POST", f"{TASKS}/converter/{action}", status=200)
            assert reply["state"] == state, action
            if state == "paused":
                refused = await site.json("POST", f"{TASKS}/converter/run-now", status=409)
                assert "resume it first" in refused["detail"]


@pytest.mark.parametrize(
    ("address", "status"),
    [("nothing/pause", 404), ("converter/stop", 422), ("analyser/resume", 409), ("%00/pause", 404)],
)
async def test_what_cannot_be_commanded_is_refused(site: Site, address: str, status: int) -> None:
    async with _running(site):
        await refused(site, status, "POST", f"{TASKS}/{address}")
