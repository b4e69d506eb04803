"""Who may watch, and that no camera stays blind: after the last viewer, a stop, a crash, or without the database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from securitycamd.config import SettingsHolder
from securitycamd.db import live_sessions as rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.errors import ConflictError, NotFoundError, TooManyViewersError
from securitycamd.domain.live import EndReason, StreamState
from securitycamd.domain.models import CameraRegistration
from securitycamd.domain.principal import DAEMON, Audience, Principal
from securitycamd.domain.times import EARLIEST
from securitycamd.services.cameras import CameraService
from securitycamd.services.live import LiveService
from tests.cameras.conftest import until
from tests.cameras.scripted import ScriptedAgent, running
from tests.conftest import INSTANCE

MakeLive = Callable[..., Any]


@pytest.fixture
async def agent() -> AsyncIterator[ScriptedAgent]:
    async with running(ScriptedAgent()) as one:
        yield one


@pytest.fixture
async def make_live(
    database: Database, make_settings: Callable[..., Any], agent: ScriptedAgent
) -> AsyncIterator[MakeLive]:
    """A function that makes the service, as each start of a daemon does; ``live`` are settings."""
    made: list[LiveService] = []

    async def make(instance: str = INSTANCE, **live: Any) -> LiveService:
        settings = await asyncio.to_thread(
            make_settings,
            agents={"ports": [agent.ports.model_dump()], "timeout_seconds": 1},
            live={"grace_seconds": 0.2, "stall_seconds": 1.0} | live,
        )
        holder = SettingsHolder(settings)
        cameras = CameraService(database, holder)
        await cameras.register(DAEMON, CameraRegistration("camera_1", "Front walk", "Gate", agent.address))
        service = LiveService(database, holder, cameras, instance)
        made.append(service)
        return service

    yield make
    for service in made:
        await service.stop(5)
        await service.close()


async def sessions(live: LiveService) -> list[tuple[bool, float]]:
    """Of each session whether it has ended, and how long it was."""
    found = await rows.since(live._database, ["camera_1"], EARLIEST, 100)
    return [
        (each.ended_at is not None, ((each.ended_at or each.seen_at) - each.started_at).total_seconds())
        for each in found
    ]


async def test_a_camera_that_is_removed_is_watched_no_longer(make_live: MakeLive, agent: ScriptedAgent) -> None:
    live = await make_live()
    async with live.viewer() as viewer:
        relay = await live.watch(DAEMON, viewer, "camera_1")
        await until(lambda: relay.frame)
        await live.look_after()
        assert not viewer.ended
        async with live._database.session() as session:
            await session.script("UPDATE cameras SET removal = 'retired'")
        await live.look_after()
        await until(lambda: viewer.ended)
        assert viewer.ended == {"camera_1": EndReason.CAMERA_GONE}
        await until(lambda: not relay.is_busy)
        assert not agent.streaming


async def test_watching_is_written_down_from_start_to_end(make_live: MakeLive, agent: ScriptedAgent) -> None:
    live = await make_live()
    async with live.viewer() as viewer:
        relay = await live.watch(DAEMON, viewer, "camera_1")
        await until(lambda: relay.frame)
        assert await sessions(live) == [(False, 0.0)]
        silent_since = (await live._cameras.get(DAEMON, "camera_1")).last_seen
        await live.look_after()
        # An agent that sends pictures is there, even if it says nothing else meanwhile.
        assert (await live._cameras.get(DAEMON, "camera_1")).last_seen > silent_since
        assert (await sessions(live))[0][1] > 0
        assert [each.state for each in await live.statuses(DAEMON)] == [StreamState.LIVE]
    await until(lambda: not relay.is_busy)
    assert not agent.streaming
    ((ended, seconds),) = await sessions(live)
    assert ended
    assert 0 < seconds < 60
    now = datetime.now(UTC)
    (stretch,) = (await live.viewed(["camera_1", "camera_2"], now - timedelta(hours=1)))["camera_1"]
    assert stretch.end > stretch.start > now - timedelta(minutes=2)
    assert await live.viewed(["camera_1"], now + timedelta(minutes=1)) == {"camera_1": []}
    assert await live.viewed([], now) == {}
    await live.look_after()
    assert live._relays == {}


async def test_others_cameras_are_not_there(make_live: MakeLive, agent: ScriptedAgent) -> None:
    live = await make_live()
    guest = Principal("guest", Audience.VIEWER, frozenset({"camera_2"}))
    async with live.viewer() as viewer, live.viewer() as other:
        with pytest.raises(NotFoundError):
            await live.watch(guest, viewer, "camera_1")
        assert agent.starts == 0
        relay = await live.watch(DAEMON, other, "camera_1")
        await until(lambda: relay.frame)
        assert live.status(guest, "camera_1").state is StreamState.IDLE
        assert await live.statuses(guest) == []
        with pytest.raises(NotFoundError):
            await live.newest(guest, "camera_1")
        assert (await live.newest(DAEMON, "camera_1")).jpeg


async def test_a_still_starts_nothing(make_live: MakeLive, agent: ScriptedAgent) -> None:
    live = await make_live()
    with pytest.raises(ConflictError):
        await live.newest(DAEMON, "camera_1")
    with pytest.raises(NotFoundError):
        await live.newest(DAEMON, "camera_404")
    assert agent.starts == 0


async def test_places_are_limited_and_given_back(make_live: MakeLive) -> None:
    live = await make_live(max_viewers=2)
    async with live.viewer():
        async with live.viewer():
            with pytest.raises(TooManyViewersError):
                async with live.viewer():
                    pass
        async with live.viewer():
            pass


async def test_a_stop_ends_all_streams(make_live: MakeLive, agent: ScriptedAgent) -> None:
    live = await make_live()
    async with live.viewer() as viewer:
        relay = await live.watch(DAEMON, viewer, "camera_1")
        await until(lambda: relay.frame)
        await live.stop(5)
        assert not agent.streaming
        assert viewer.ended == {"camera_1": EndReason.SERVER_STOPS}
        with pytest.raises(ConflictError):
            await live.watch(DAEMON, viewer, "camera_1")
    assert [ended for ended, _ in await sessions(live)] == [True]


async def test_a_stop_waits_for_no_camera_that_does_not_answer(make_live: MakeLive, agent: ScriptedAgent) -> None:
    live = await make_live()
    async with live.viewer() as viewer:
        relay = await live.watch(DAEMON, viewer, "camera_1")
        await until(lambda: relay.frame)
        agent.answers = False
        async with asyncio.timeout(5):
            await live.stop(0.3)
    assert [ended for ended, _ in await sessions(live)] == [False]
    agent.answers = True


async def test_the_next_start_stops_what_a_crash_left_on(
    make_live: MakeLive, agent: ScriptedAgent, database: Database
) -> None:
    await make_live()

    async def crash(transaction: Transaction) -> None:
        await rows.begin(transaction, "camera_1", INSTANCE, datetime.now(UTC) - timedelta(minutes=5))

    await database.transact(crash)
    agent.streaming = True
    # Another daemon on the same database has nothing to do with it.
    other = await make_live("00000000000000bb")
    await other.look_after()
    assert agent.is_on
    live = await make_live()
    await live.look_after()
    assert not agent.streaming
    ((ended, seconds),) = await sessions(live)
    assert ended
    assert 299 < seconds < 400  # it streamed until now
    stops = agent.stops
    await live.look_after()
    assert agent.stops == stops


async def test_a_crashed_session_of_an_agent_that_restarted_ends_where_it_was_last_seen(
    make_live: MakeLive, agent: ScriptedAgent, database: Database
) -> None:
    live = await make_live()
    began = datetime.now(UTC) - timedelta(minutes=5)

    async def crash(transaction: Transaction) -> None:
        await rows.begin(transaction, "camera_1", INSTANCE, began)
        await transaction.script("UPDATE live_sessions SET seen_at = started_at + INTERVAL 60 SECOND")

    await database.transact(crash)
    await live.look_after()
    assert await sessions(live) == [(True, 60.0)]


async def test_a_camera_that_was_left_on_and_is_away_is_named(
    make_live: MakeLive, agent: ScriptedAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await make_live()
    async with live.viewer() as viewer:
        relay = await live.watch(DAEMON, viewer, "camera_1")
        await until(lambda: relay.frame)
        agent.answers = False
    await until(lambda: relay.left_on and not relay.is_busy)
    await live.look_after()
    assert live.blind_cameras == []
    monkeypatch.setattr("securitycamd.services.live.PATIENCE_SECONDS", -1.0)
    assert live.blind_cameras == ["camera_1"]
    agent.answers = True
    await live.look_after()
    assert live.blind_cameras == []
    assert not agent.streaming


async def test_watching_goes_on_without_the_database(
    make_live: MakeLive, agent: ScriptedAgent, database: Database
) -> None:
    live = await make_live()
    async with live.viewer() as viewer:
        relay = await live.watch(DAEMON, viewer, "camera_1")
        await until(lambda: relay.frame)
        await database.close()
        agent.streaming = False
        agent.cut()  # it has to be found again without its record
        await until(lambda: relay.status().state is StreamState.OFFLINE)
        await until(lambda: relay.status().state is StreamState.LIVE)
    await until(lambda: not relay.is_busy)
    assert not agent.streaming
    await database.open()
    await live.look_after()
    assert all(ended for ended, _ in await sessions(live))


async def test_old_sessions_go(make_live: MakeLive, database: Database) -> None:
    live = await make_live()

    async def old(transaction: Transaction) -> None:
        for days in (500, 10):
            await rows.begin(transaction, "camera_1", INSTANCE, datetime.now(UTC) - timedelta(days=days))
            await rows.end(transaction, "camera_1", INSTANCE, was_on=True)
        await transaction.script("UPDATE live_sessions SET ended_at = started_at + INTERVAL 60 SECOND")

    await database.transact(old)
    await live.forget_old()
    assert await sessions(live) == [(True, 60.0)]


async def test_a_camera_that_registers_is_tried_at_once(make_live: MakeLive, agent: ScriptedAgent) -> None:
    live = await make_live()
    agent.answers = False
    async with live.viewer() as viewer:
        relay = await live.watch(DAEMON, viewer, "camera_1")
        await until(lambda: relay.status().state is StreamState.OFFLINE)
        agent.answers = True
        live.camera_registered("camera_1")
        live.camera_registered("camera_2")
        await until(lambda: relay.frame)
