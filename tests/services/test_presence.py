"""When cameras were heard of and what their agents say, as services tell it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from securitycamd.db import presence
from securitycamd.domain.coverage import Cover
from securitycamd.domain.errors import DatabaseUnavailableError, NotFoundError
from securitycamd.domain.principal import DAEMON, Audience, Principal
from securitycamd.services.agent_status import AT_ONCE
from securitycamd.services.camera_details import ActivitySpan
from tests.conftest import Site
from tests.protocol.wire import API


async def test_a_daemon_notes_that_it_runs_and_whom_it_hears(site: Site) -> None:
    await site.register()
    cameras = site.shared.cameras
    await cameras.write_heard()
    await site.json("GET", f"{API}/health", headers={"User-Agent": "SecurityCamera/camera_1"})
    await site.json("GET", f"{API}/health", headers={"User-Agent": "SecurityCamera/stranger"})
    await cameras.write_heard()
    since = datetime.now(UTC) - timedelta(hours=1)
    [run] = await presence.of_daemons(site.shared.database, since)
    found = await presence.of_cameras(site.shared.database, ["camera_1", "stranger"], since)
    assert found["stranger"] == []
    [stretch] = found["camera_1"]
    assert stretch.start < stretch.end <= run.end
    [part] = (await site.shared.camera_details.coverage(DAEMON, "camera_1", ActivitySpan.DAY))[-1:]
    assert part.cover is Cover.WATCHING


async def test_whom_it_heard_while_the_database_was_away_is_written_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.register()
    cameras = site.shared.cameras
    async with site.shared.database.session() as session:
        await session.script("UPDATE cameras SET last_seen = UTC_TIMESTAMP() - INTERVAL 1 HOUR")
    cameras.note_heard("camera_1")

    async def away(_work: object) -> None:
        raise DatabaseUnavailableError

    with monkeypatch.context() as patched:
        patched.setattr(site.shared.database, "transact", away)
        with pytest.raises(DatabaseUnavailableError):
            await cameras.write_heard()
    await cameras.write_heard()
    [camera] = await cameras.everything(DAEMON)
    assert datetime.now(UTC) - camera.last_seen < timedelta(minutes=5)


async def test_a_daemon_that_could_not_write_for_long_begins_anew(site: Site) -> None:
    cameras = site.shared.cameras
    await cameras.write_heard()
    cameras._run_noted -= timedelta(minutes=5)  # as if the database had been away
    await cameras.write_heard()
    assert len(await presence.of_daemons(site.shared.database, datetime.now(UTC) - timedelta(hours=1))) == 2


async def test_who_may_not_see_a_camera_learns_nothing_of_it(site: Site) -> None:
    await site.register()
    guest = Principal("guest", Audience.VIEWER, frozenset({"camera_2"}))
    details, agents, removal = site.shared.camera_details, site.shared.agents, site.shared.camera_removal
    asked: list[Callable[[], Any]] = [
        lambda: details.details(guest, "camera_1"),
        lambda: details.picture(guest, "camera_1"),
        lambda: details.activity(guest, "camera_1", ActivitySpan.DAY),
        lambda: details.coverage(guest, "camera_1", ActivitySpan.DAY),
        lambda: agents.refresh(guest, "camera_1"),
        lambda: removal.plan(guest, "camera_1"),
        lambda: removal.remove(guest, "camera_1", with_footage=True, force=True),
        lambda: removal.undo(guest, "camera_1"),
        lambda: site.shared.cameras.describe(guest, "camera_1", name="Mine"),
    ]
    for ask in asked:
        with pytest.raises(NotFoundError):
            await ask()
    assert await details.overview(guest) == []


class Agent:
    """What answers at a camera's address."""

    def __init__(self) -> None:
        self.health: Any = {"camera_id": "camera_1", "streaming": False, "uptime_seconds": 3600, "motion_state": "idle"}
        self.status = 200
        self.ahead = timedelta()
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        headers = {"Date": f"{datetime.now(UTC) + self.ahead:%a, %d %b %Y %H:%M:%S GMT}"}
        if request.path == "/api/version":
            return web.json_response({"success": True, "version": "2.0 \x1b[31m"}, headers=headers)
        return web.json_response(self.health, status=self.status, headers=headers)


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) != 0


@pytest.fixture
async def agent() -> AsyncIterator[tuple[Agent, str]]:
    """An agent on the port of older ones, at an address of its own; and that address."""
    made = Agent()
    app = web.Application()
    app.router.add_get("/{path:.*}", made.answer)
    host = next(host for number in range(2, 250) if _is_free(host := f"127.0.91.{number}", 5000))
    server = TestServer(app, host=host, port=5000)
    await server.start_server()
    yield made, host
    await server.close()


async def test_an_agent_is_asked_how_it_is(site: Site, agent: tuple[Agent, str]) -> None:
    made, host = agent
    made.ahead = timedelta(seconds=30)
    await site.register(ip_address=host)
    told = await site.json("POST", f"{API}/cameras/camera_1/refresh")
    assert told["error"] is None
    assert (told["version"], told["motion_state"], told["streaming"]) == ("2.0 [31m", "idle", False)
    assert told["clock_offset_seconds"] == pytest.approx(30, abs=2)
    up = datetime.now(UTC) - datetime.fromisoformat(told["running_since"])
    assert up == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=30))
    # One that has fallen silent: what it said stays, and why there is nothing newer.
    made.status = 500
    again = await site.json("POST", f"{API}/cameras/camera_1/refresh")
    assert again["error"] is not None
    assert (again["version"], again["answered_at"]) == (told["version"], told["answered_at"])


@pytest.mark.parametrize(
    ("health", "words"),
    [
        ({"camera_id": "camera_9"}, "Another camera answers at th"),
        (["no", "object"], "agent"),
        ({"camera_id": "camera_1", "pad": "x" * 100_000}, "more than it should|too much"),
    ],
)
async def test_what_is_no_agent_of_this_camera_is_told(
    site: Site, agent: tuple[Agent, str], health: Any, words: str
) -> None:
    made, host = agent
    made.health = health
    await site.register(ip_address=host)
    told = await site.json("POST", f"{API}/cameras/camera_1/refresh")
    assert any(word in told["error"] for word in words.split("|"))
    assert told["answered_at"] is None


@pytest.mark.parametrize("address", ["example.org", "", "0.0.0.0", "8.8.8.8", "169.254.169.254", "224.0.0.1"])
async def test_only_trusted_addresses_are_called(site: Site, address: str) -> None:
    await site.register(ip_address=address)
    told = await site.json("POST", f"{API}/cameras/camera_1/refresh")
    assert "trusted network" in told["error"] or "usable IP address" in told["error"]


async def test_nonsense_from_an_agent_is_left_out(site: Site, agent: tuple[Agent, str]) -> None:
    made, host = agent
    made.health = {"camera_id": "camera_1", "streaming": "perhaps", "uptime_seconds": -5, "motion_state": ["x"]}
    await site.register(ip_address=host)
    told = await site.json("POST", f"{API}/cameras/camera_1/refresh")
    assert (told["streaming"], told["running_since"], told["motion_state"]) == (None, None, None)


async def test_all_agents_are_asked_but_those_of_removed_cameras(site: Site, agent: tuple[Agent, str]) -> None:
    made, host = agent
    await site.register(ip_address=host)
    await site.register("camera_2", ip_address="127.0.91.1")
    assert await site.shared.agents.ask_expected() == 1
    assert await site.shared.agents.ask_expected() == 0
    beats: list[int] = []
    assert await site.shared.agents.refresh_all(lambda: beats.append(1)) == 1
    assert len(beats) == 2
    async with site.shared.database.session() as session:
        await session.script("UPDATE cameras SET removal = 'retired' WHERE camera_id = 'camera_1'")
    asked = made.asked
    assert await site.shared.agents.refresh_all() == 0
    assert made.asked == asked


async def test_who_asks_does_not_wait_behind_a_round(site: Site, agent: tuple[Agent, str]) -> None:
    _, host = agent
    await site.register(ip_address=host)
    for _ in range(AT_ONCE):
        await site.shared.agents._rounds.acquire()  # as if so many agents were away, each for seconds
    async with asyncio.timeout(20):
        assert (await site.json("POST", f"{API}/cameras/camera_1/refresh"))["error"] is None


async def test_the_clock_is_in_step_where_it_is(site: Site, agent: tuple[Agent, str]) -> None:
    _, host = agent
    await site.register(ip_address=host)
    for _ in range(3):
        told = await site.json("POST", f"{API}/cameras/camera_1/refresh")
        assert abs(told["clock_offset_seconds"]) < 2
        await asyncio.sleep(0)
    async with site.client.get("/cameras/camera_1", headers={"Accept": "text/html"}) as response:
        assert "in step" in await response.text()
