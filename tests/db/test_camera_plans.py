"""What pages about cameras ask costs what they show, however much there is."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from securitycamd.db import agent_status, camera_overview, camera_removals, cameras, presence
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.times import EARLIEST
from tests.db.samples import CAMERAS, register_all, seed_events
from tests.db.test_plans import handled, only, plan

EVENTS = 6000
NOW = datetime(2026, 3, 1, tzinfo=UTC)
Ask = Callable[[Transaction], Awaitable[Any]]


@pytest.fixture
async def full(database: Database) -> Database:
    """Thousands of events, hours and stretches; most of them not asked for."""
    await register_all(database)
    await seed_events(database, EVENTS)
    async with database.session() as session:
        await session.script(
            "INSERT INTO presence SELECT camera_id, '2026-03-01' - INTERVAL seq HOUR,"
            " '2026-03-01' - INTERVAL seq HOUR + INTERVAL 30 MINUTE FROM cameras, seq_1_to_2000"
        )
        await session.script(
            "INSERT INTO daemon_runs SELECT 'one', '2026-03-01' - INTERVAL seq HOUR,"
            " '2026-03-01' - INTERVAL seq HOUR + INTERVAL 30 MINUTE FROM seq_1_to_2000"
        )
        await session.script(
            "INSERT INTO tallies SELECT CONCAT('events|', camera_id), 'hour', '2026-03-01' - INTERVAL seq HOUR, 1"
            " FROM cameras, seq_1_to_2000"
        )
        for table in ("presence", "daemon_runs", "tallies", "cameras"):
            await session.script(f"ANALYZE TABLE {table}")
    return database


ASKED: dict[str, tuple[Ask, int]] = {
    "newest events": (lambda session: camera_overview.newest(session, list(CAMERAS)), 100),
    "hours of a day": (lambda session: camera_overview.by_hour(session, list(CAMERAS), NOW - timedelta(hours=24)), 100),
    "presence of a day": (
        lambda session: presence.of_cameras(session, list(CAMERAS), NOW - timedelta(hours=24)),
        7000,  # the start of a stretch says nothing of its end: all that is kept is looked at, in one index
    ),
    "runs of a day": (lambda session: presence.of_daemons(session, NOW - timedelta(hours=24)), 100),
    "all agents": (agent_status.everything, 10),
    "events of a camera that goes": (
        lambda session: camera_removals.next_events(session, "camera_1", after=EARLIEST, limit=10),
        100,
    ),
    "whether there are events": (lambda session: camera_removals.has_events(session, "camera_1"), 5),
    "cameras that go": (cameras.going, 10),
    "a sign of life": (
        lambda session: presence.note(session, dict.fromkeys(CAMERAS, NOW), silence_seconds=180),
        60,
    ),
}


@pytest.mark.parametrize("what", ASKED)
async def test_it_touches_few_rows(full: Database, what: str) -> None:
    ask, most = ASKED[what]
    async with full.transaction() as transaction:
        await transaction.script("FLUSH LOCAL STATUS")
        await ask(transaction)
        assert await handled(transaction) <= most


async def test_what_is_old_is_found_in_an_index(full: Database) -> None:
    for query, table in ((presence._OLD_PRESENCE, "presence"), (presence._OLD_RUNS, "daemon_runs")):
        step = only(await plan(full, query, before=datetime(2025, 12, 10)), table)  # noqa: DTZ001 - as statements take it
        assert (step.type, step.key) == ("range", f"ix_{table}_last_at")
