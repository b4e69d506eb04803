"""What re-runs, the pace of descriptions and the log page ask is answered from an index."""

from datetime import UTC, datetime
from typing import Any

import pytest

from securitycamd.db import analyses, log_search, reruns
from securitycamd.db.engine import Database
from securitycamd.db.values import time_out
from securitycamd.domain.log_search import LineQuery, Place
from securitycamd.domain.names import LogLevel
from securitycamd.domain.times import EARLIEST, LATEST
from tests.db.samples import CAMERAS
from tests.db.test_plans import full, handled, plan, seeded

__all__ = ["full", "seeded"]
FAILED_OF = 300
SPAN = {"start": time_out(EARLIEST), "end": time_out(LATEST), "last_time": time_out(LATEST), "last_id": 0, "limit": 50}
EDGES = {"older": (LATEST, EARLIEST), "newer": (EARLIEST, LATEST)}


@pytest.fixture
async def described(full: Database) -> Database:
    """All events with both stills, a few of which could not be described."""
    async with full.session() as session:
        await session.script("UPDATE events SET image_a_transferred = 1, image_b_transferred = 1")
        await session.script(f"UPDATE jobs SET state = 'failed' WHERE kind = 'analyse' AND event_id % {FAILED_OF} = 0")
        await session.script("DELETE FROM analyses")
        await session.script(
            "INSERT INTO analyses (event_id, state, vision_seconds, finished_at)"
            " SELECT id, 'done', 3, IF(id % 2, NULL, timestamp) FROM events"
        )
        await session.script("ANALYZE TABLE events, jobs, analyses")
    return full


@pytest.mark.parametrize(
    ("cameras", "only_failed", "key"),
    [
        (None, False, "ix_events_time"),
        (CAMERAS[:1], False, "ix_events_time"),
        (None, True, "ix_jobs_claim"),
        (CAMERAS[:1], True, "ix_jobs_claim"),
    ],
)
async def test_events_to_be_described_once_more(
    described: Database, cameras: tuple[str, ...] | None, *, only_failed: bool, key: str
) -> None:
    chosen: dict[str, Any] = {} if cameras is None else {"cameras": list(cameras)}
    query = reruns._LISTS["all" if cameras is None else "many", only_failed]
    steps = await plan(described, query, **chosen, **SPAN)
    assert steps[0].key in {key, "uq_events_camera_id_timestamp"}, steps
    assert steps[0].type in {"ref", "range"}
    # The few that failed are sorted; all that there are must not be.
    assert only_failed or "filesort" not in steps[0].extra
    async with described.transaction() as transaction:
        await transaction.script("FLUSH LOCAL STATUS")
        names = None if cameras is None else frozenset(cameras)
        found = await reruns.some(transaction, names, EARLIEST, LATEST, (LATEST, 0), only_failed=only_failed, limit=50)
        assert found
        assert await handled(transaction) < 400


async def test_the_pace_is_that_of_the_last_few(described: Database) -> None:
    async with described.session() as session:
        await session.script("FLUSH LOCAL STATUS")
        assert await analyses.seconds_each(session) == 3.0
        assert await handled(session) < 100


@pytest.mark.parametrize("direction", ["older", "newer"])
@pytest.mark.parametrize(
    ("walk", "branches", "key"),
    [
        ("time", 1, "PRIMARY"),
        ("source", 2, "ix_logs_source_timestamp"),
        ("level", 1, "ix_logs_level_timestamp"),
    ],
)
async def test_lines_from_a_place_onwards(
    full: Database, direction: log_search.Direction, walk: log_search.Walk, branches: int, key: str
) -> None:
    names = {} if walk == "time" else {f"branch_{number}": "camera_1" for number in range(branches)}
    at, edge = (time_out(moment) for moment in EDGES[direction])
    span = {"at": at, "key": 0, "edge": edge, "edge_key": 0}
    steps = await plan(full, log_search._merged(direction, walk, branches), **span, **names, limit=100)
    read = [step for step in steps if step.table == "logs" and step.type != "eq_ref"]
    assert [step.key for step in read] == [key] * branches, steps
    assert all(step.type in {"ref", "range"} for step in read)
    assert not any("filesort" in step.extra for step in read)


@pytest.mark.parametrize("wanted", [LineQuery(text="x"), LineQuery(frozenset({"camera_1"}), frozenset(LogLevel))])
async def test_a_search_looks_at_so_many_lines(full: Database, wanted: LineQuery) -> None:
    async with full.session() as session:
        before = Place(datetime(2026, 1, 1, tzinfo=UTC), 0)
        await session.script("FLUSH LOCAL STATUS")
        await log_search.stretch(session, wanted, before, "older", looks=100, limit=50)
        # Each day's partition is asked where its lines begin.
        assert await handled(session) < 1000


async def test_lines_as_they_come(full: Database) -> None:
    async with full.session() as session:
        await session.script("FLUSH LOCAL STATUS")
        newest = await log_search.newest_id(session)
        ids = await log_search.ids_since(session, newest - 10, limit=100)
        assert ids == list(range(newest - 9, newest + 1))
        assert len(await log_search.by_ids(session, ids)) == 10
        assert await handled(session) < 1000
