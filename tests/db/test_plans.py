# ruff: noqa: DTZ001 - times as Hypothesis and statements take them
"""Every list, count and claim is answered from an index: no scan of a table, no sort of its rows."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import product
from typing import Any

import pytest

from securitycamd.db import (
    cameras,
    events,
    footage,
    jobs,
    linking,
    logs,
    migrate,
    optimisation,
    removals,
    retries,
    tallies,
)
from securitycamd.db.engine import Database, DatabaseAddress, Transaction
from securitycamd.db.statements import Command, Query, expanded
from securitycamd.domain.jobs import JobKind
from tests.conftest import PrivateServer
from tests.db.conftest import MakeDatabase
from tests.db.samples import CAMERAS, register_all, seed_events

START, END = datetime(2025, 1, 1), datetime(2025, 6, 1)
STEPS = migrate.read_migrations()
EVENTS = 6000
LINES = 6000


@dataclass(frozen=True)
class Step:
    """A line of EXPLAIN."""

    table: str
    type: str
    key: str | None
    rows: int
    extra: str


async def plan(database: Database, statement: Query | Command, **values: Any) -> list[Step]:
    text, bound = expanded(statement.text, statement.fixed | values)
    if text.startswith("SET STATEMENT"):  # its limits of time; they cannot be explained
        text = text.partition(" FOR ")[2]
    async with database.session() as session:
        cursor = await session._connection.cursor()
        await cursor.execute(f"EXPLAIN {text}", bound)
        names = [each[0] for each in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]
    return [Step(row["table"], row["type"], row["key"], int(row["rows"] or 0), row["Extra"] or "") for row in found]


def only(steps: list[Step], table: str) -> Step:
    """The one step on a table; fails on a scan or a sort anywhere but of the rows of one page."""
    for step in steps:
        if step.table and not step.table.startswith("<"):
            assert step.type not in {"ALL", "index"} or "Using index" in step.extra, steps
    [found] = [step for step in steps if step.table == table]
    return found


@pytest.fixture(scope="module")
def seeded(private_server: PrivateServer, worker_id: str) -> Iterator[DatabaseAddress]:
    """A database with some thousand rows in each table, of which most are not asked for."""
    address = private_server.address(f"plans_{worker_id}")

    async def make() -> None:
        await migrate.create_database(address)
        await migrate.migrate(address, STEPS)
        database = Database(address, pool_size=1, wait_seconds=5, statement_seconds=60)
        await database.open()
        await seed(database)
        await database.close()

    async def drop() -> None:
        database = Database(address, pool_size=1, wait_seconds=5, statement_seconds=60)
        await database.open()
        async with database.session() as session:
            await session.script(f"DROP DATABASE {address.name}")
        await database.close()

    asyncio.run(make())
    yield address
    asyncio.run(drop())


async def seed(database: Database) -> None:
    await register_all(database)
    await seed_events(database, EVENTS)
    async with database.session() as session:
        await session.script(
            "INSERT INTO jobs (event_id, kind, state, run_after, created_at, updated_at)"
            " SELECT id, 'remux', IF(id % 50 = 0, 'queued', 'done'), '2025-01-01', '2025-01-01', '2025-01-01'"
            " FROM events"
        )
        await session.script(
            "INSERT INTO jobs (event_id, kind, state, run_after, created_at, updated_at)"
            " SELECT id, 'analyse', 'queued', '2025-01-01', '2025-01-01', '2025-01-01' FROM events"
        )
        await session.script(
            "UPDATE jobs SET state = 'running', lease_owner = 'a:1', lease_until = '2025-01-01' WHERE id % 997 = 0"
        )
        await logs.make_partitions(session, date(2026, 11, 24))
        await session.script(
            "INSERT INTO logs (source, timestamp, level, message)"
            " SELECT ELT(1 + seq % 20, 'camera_1', 'camera_2'), '2025-01-01' + INTERVAL seq MINUTE,"
            " IF(seq % 19 = 0, 'ERROR', 'INFO'), 'x'"
            f" FROM (SELECT IF(seq % 20 < 2, seq, 0) seq FROM seq_1_to_{LINES}) few WHERE seq > 0"
        )
        await session.script(
            "INSERT INTO logs (source, timestamp, level, message)"
            " SELECT 'central', '2025-01-01' + INTERVAL seq MINUTE, IF(seq % 19 = 0, 'ERROR', 'INFO'), 'x'"
            f" FROM seq_1_to_{LINES}"
        )
        await session.script(
            "INSERT INTO tallies (series, span, start, n)"
            " SELECT series, 'hour', '2025-01-01' + INTERVAL seq HOUR, 1 FROM seq_1_to_2000,"
            " (SELECT 'events' series UNION SELECT 'events|camera_1' UNION SELECT 'events|camera_2') named"
        )
        for table in ("jobs", "logs", "tallies", "cameras"):
            await session.script(f"ANALYZE TABLE {table}")


@pytest.fixture
async def full(seeded: DatabaseAddress, make_database: MakeDatabase) -> Database:
    return await make_database(seeded)


async def test_the_seeded_rows_are_there(full: Database) -> None:
    """Else every plan would be good."""
    async with full.session() as session:
        for table, least in (("events", EVENTS), ("jobs", EVENTS), ("logs", LINES), ("tallies", 6000)):
            [(rows,)] = await session.script(f"SELECT COUNT(*) FROM {table}")
            assert rows >= least


SHAPES = {
    "all": ({}, "ix_events_time"),
    "one": ({"camera": "camera_1"}, "uq_events_camera_id_timestamp"),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_page_of_events(full: Database, shape: str) -> None:
    chosen, key = SHAPES[shape]
    steps = await plan(full, events._LISTS[shape], **chosen, start=START, end=END, limit=50, offset=100)
    page = [step for step in steps if step.table == "events" and step.key == key]
    assert len(page) == 1, steps
    assert page[0].type in {"range", "ref"}
    assert "Using index" in page[0].extra
    assert "filesort" not in page[0].extra
    [whole] = [step for step in steps if step.table == "events" and step.key == "PRIMARY"]
    assert (whole.type, whole.rows) == ("eq_ref", 1)


async def test_a_page_of_some_cameras_reads_an_index_only(full: Database) -> None:
    steps = await plan(full, events._LISTS["many"], cameras=list(CAMERAS[:2]), start=START, end=END, limit=50, offset=0)
    [page] = [step for step in steps if step.table == "events" and step.key != "PRIMARY"]
    assert page.type == "range"
    assert "Using index" in page.extra or page.key == "ix_events_time"


@pytest.mark.parametrize("shape", SHAPES)
async def test_counting_what_is_left_at_an_edge(full: Database, shape: str) -> None:
    chosen, key = SHAPES[shape]
    step = only(await plan(full, events._COUNTS[shape], **chosen, start=START, end=datetime(2025, 1, 1, 1)), "events")
    assert (step.type, step.key) == ("range", key)
    assert step.rows < 200
    assert "Using index" in step.extra


async def test_events_by_id_by_key_and_under_lock(full: Database) -> None:
    for query in (events._BY_IDS, events._LOCK_IDS):
        step = only(await plan(full, query, ids=[1, 2, 3]), "events")
        assert (step.type, step.key) == ("range", "PRIMARY")
        assert "filesort" not in step.extra
    keys = [("camera_1", START), ("camera_2", START)]
    steps = await plan(full, events._BY_KEYS, keys=keys, camera_ids=["camera_1", "camera_2"])
    step = only(steps, "events")
    assert (step.type, step.key) in {
        ("range", "uq_events_camera_id_timestamp"),
        ("range", "ix_events_time"),  # as good for few keys
    }
    assert step.rows < 20


async def test_a_cameras_latest_event_and_its_paths(full: Database) -> None:
    step = only(await plan(full, events._LATEST_OF, camera="camera_1"), "events")
    assert step.key == "uq_events_camera_id_timestamp"
    assert "Using index" in step.extra
    assert "filesort" not in step.extra
    step = only(await plan(full, events._PATHS, camera="camera_1", start=START, end=END, limit=100), "events")
    assert step.key == "uq_events_camera_id_timestamp"
    assert "filesort" not in step.extra


@pytest.mark.parametrize("kind", JobKind)
async def test_the_claim_reads_its_index_backwards_and_stops_at_the_first_row(full: Database, kind: JobKind) -> None:
    step = only(await plan(full, jobs._NEXT, kind=kind), "jobs")
    assert step.key == "ix_jobs_claim"
    assert step.type in {"ref", "range"}
    assert "filesort" not in step.extra
    assert "temporary" not in step.extra


async def test_the_claim_touches_few_rows(full: Database) -> None:
    """However many wait: the plan alone would not show a claim that reads them all."""
    async with full.transaction() as transaction:
        await transaction.script("FLUSH LOCAL STATUS")
        assert await jobs.claim(transaction, JobKind.ANALYSE, owner="a:1", lease_seconds=5)
        assert await handled(transaction) < 30


@pytest.mark.parametrize("kind", [JobKind.REMUX, JobKind.ANALYSE])
async def test_the_claim_of_the_oldest_reads_its_index_forwards(full: Database, kind: JobKind) -> None:
    for query, values in ((jobs._DUE_PRIORITY, {}), (jobs._OLDEST, {"priority": 0})):
        step = only(await plan(full, query, kind=kind, **values), "jobs")
        assert step.key == "ix_jobs_claim"
        assert step.type in {"ref", "range"}
        assert "filesort" not in step.extra
        assert "temporary" not in step.extra


async def test_the_claim_of_the_oldest_touches_few_rows(full: Database) -> None:
    async with full.transaction() as transaction:
        await transaction.script("FLUSH LOCAL STATUS")
        assert await jobs.claim(transaction, JobKind.ANALYSE, owner="a:2", lease_seconds=5, oldest=True)
        assert await handled(transaction) < 30


async def test_what_failed_is_found_in_an_index(full: Database) -> None:
    for shape, values in (("all", {}), ("many", {"cameras": list(CAMERAS[:2])})):
        asked = {"kind": "remux", "limit": 200}
        # As good while little failed: the few are sorted.
        good = {"ix_jobs_claim", "ix_jobs_lease"}
        step = only(await plan(full, retries._FAILED[shape], before=END, **asked, **values), "jobs")
        assert step.key in good
        steps = await plan(full, retries._LISTS[shape], state="failed", **asked, **values)
        assert {step.key for step in steps if step.table == "jobs"} <= good, steps


async def test_playable_clips_are_found_in_an_index(full: Database) -> None:
    step = only(await plan(full, optimisation._PLAYABLE, below=2**32, limit=200), "events")
    assert step.key == "ix_events_conversion"
    assert step.type in {"ref", "range"}
    assert "filesort" not in step.extra
    for query, values in ((optimisation._WAITING, {}), (optimisation._DUE, {"newest": 100})):
        step = only(await plan(full, query, limit=8, **values), "jobs")
        assert step.key == "ix_jobs_claim"


async def handled(session: Transaction) -> int:
    """Rows that the connection's statements read since the last FLUSH STATUS."""
    rows = await session.script("SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(value) for _, value in rows)


async def test_leases_that_ran_out(full: Database) -> None:
    step = only(await plan(full, jobs._RECOVER), "jobs")
    assert step.key in {"ix_jobs_lease", "ix_jobs_claim"}
    assert step.rows < 100
    step = only(await plan(full, jobs._GIVE_BACK, owners="a:%", more_crashes=1), "jobs")
    assert step.key == "ix_jobs_lease"


async def test_how_much_waits_is_counted_in_the_index(full: Database) -> None:
    step = only(await plan(full, jobs._DEPTHS, kinds=list(JobKind), states=["queued", "running", "failed"]), "jobs")
    assert (step.type, step.key) == ("range", "ix_jobs_claim")


async def test_an_events_jobs(full: Database) -> None:
    step = only(await plan(full, jobs._OF_EVENT, event_id=1), "jobs")
    assert (step.type, step.key) == ("ref", "uq_jobs_event_id_kind")
    step = only(await plan(full, jobs._ERRORS, event_ids=[1, 2, 3], kind="remux"), "jobs")
    assert (step.type, step.key) == ("range", "uq_jobs_event_id_kind")


LINES_BY = {
    (False, False): "PRIMARY",
    (True, False): "ix_logs_source_timestamp",
    (False, True): "ix_logs_level_timestamp",
}


@pytest.mark.parametrize(("by_source", "by_level"), LINES_BY)
async def test_a_page_of_lines(full: Database, *, by_source: bool, by_level: bool) -> None:
    values: dict[str, Any] = {"source": "camera_1"} if by_source else {}
    values |= {"level": "ERROR"} if by_level else {}
    steps = await plan(full, logs._LISTS[by_source, by_level], **values, start=START, end=END, limit=100, offset=100)
    [page] = [step for step in steps if step.table == "logs" and step.type != "eq_ref"]
    assert page.key == LINES_BY[by_source, by_level]
    assert page.type in {"ref", "range"}
    assert "Using index" in page.extra or page.key == "PRIMARY"
    assert "filesort" not in page.extra
    [whole] = [step for step in steps if step.table == "logs" and step.type == "eq_ref"]
    assert (whole.key, whole.rows) == ("PRIMARY", 1)


async def test_a_page_of_lines_of_a_source_and_a_level_is_not_sorted(full: Database) -> None:
    steps = await plan(
        full,
        logs._LISTS[True, True],
        source="camera_1",
        level="ERROR",
        start=START,
        end=END,
        limit=100,
        offset=0,
    )
    [page] = [step for step in steps if step.table == "logs" and step.type != "eq_ref"]
    assert page.key in {"ix_logs_source_timestamp", "ix_logs_level_timestamp"}
    assert page.type in {"ref", "range"}
    assert "filesort" not in page.extra


@pytest.mark.parametrize(("by_source", "by_level"), list(product((False, True), repeat=2)))
async def test_counting_lines_at_an_edge(full: Database, *, by_source: bool, by_level: bool) -> None:
    values: dict[str, Any] = {"source": "camera_1"} if by_source else {}
    values |= {"level": "ERROR"} if by_level else {}
    step = only(
        await plan(full, logs._COUNTS[by_source, by_level], **values, start=START, end=datetime(2025, 1, 1, 0, 1)),
        "logs",
    )
    assert step.type == "range"
    assert step.rows < 100


@pytest.mark.parametrize("series", [["events"], ["events|camera_1", "events|camera_2"]])
async def test_sums_and_places(full: Database, series: list[str]) -> None:
    step = only(
        await plan(
            full,
            tallies._SINCE[tallies.EVENT_LADDER],
            series=series,
            coarse=datetime(2025, 4, 1),
            middle=datetime(2025, 3, 2),
            fine=datetime(2025, 3, 1, 1),
        ),
        "tallies",
    )
    assert (step.type, step.key) == ("range", "PRIMARY")
    assert step.rows < 200
    steps = await plan(
        full,
        tallies._PLACE,
        series=series,
        start=START,
        end=datetime(2025, 1, 2),
        span="hour",
        rank=5,
    )
    step = only(steps, "tallies")
    assert (step.type, step.key) == ("range", "PRIMARY")
    assert step.rows < 200


async def test_one_camera(full: Database) -> None:
    step = only(await plan(full, cameras._SELECT_ONE, camera_id="camera_1"), "cameras")
    assert (step.type, step.key) == ("const", "uq_cameras_camera_id")


async def test_what_linking_and_the_storage_check_ask_of_events(full: Database) -> None:
    step = only(await plan(full, linking._SETTLED, ids=[1, 2, 3]), "events")
    assert (step.type, step.key) == ("range", "PRIMARY")
    step = only(await plan(full, linking._CONVERSIONS, ids=[1, 2, 3]), "jobs")
    assert (step.type, step.key) == ("range", "uq_jobs_event_id_kind")
    step = only(await plan(full, linking._OVERDUE, after=EVENTS - 100, since=START, before=END), "events")
    assert (step.type, step.key) == ("range", "PRIMARY")
    assert step.rows < 400
    assert "filesort" not in step.extra
    step = only(await plan(full, linking._NEXT_IDS, after=3000, limit=50), "events")
    assert (step.type, step.key) == ("range", "PRIMARY")
    assert "filesort" not in step.extra
    near = {"camera": "camera_1", "start": START, "end": datetime(2025, 1, 1, 2), "limit": 100}
    step = only(await plan(full, linking._NEAR, **near), "events")
    assert (step.type, step.key) == ("range", "uq_events_camera_id_timestamp")
    assert "filesort" not in step.extra


async def test_the_newest_id_touches_few_rows(full: Database) -> None:
    async with full.transaction() as transaction:
        await transaction.script("FLUSH LOCAL STATUS")
        assert await linking.newest_id(transaction) >= EVENTS
        assert await handled(transaction) < 5


async def test_what_goes_next_is_found_in_an_index(full: Database) -> None:
    steps = await plan(full, removals._OLDEST, camera="camera_1", before=END, limit=25)
    step = only(steps, "events")
    assert step.type in {"range", "ref"}
    assert step.key == "uq_events_camera_id_timestamp"
    assert "filesort" not in step.extra
    async with full.session() as session:
        await session.script("FLUSH LOCAL STATUS")
        assert len(await removals.oldest(session, ["camera_1"], before=None, limit=25)) == 25
        # An event, its jobs and its mark each.
        assert await handled(session) < 200


async def test_what_is_measured_next_is_found_in_an_index(full: Database) -> None:
    step = only(await plan(full, footage._BEFORE, before=2**32, limit=100), "events")
    assert (step.type, step.key) == ("range", "PRIMARY")
    assert "filesort" not in step.extra


async def test_the_next_counted_source_of_lines_is_found_by_the_key(full: Database) -> None:
    step = only(await plan(full, logs._NEXT_SERIES, after="logs|", end="logs}"), "tallies")
    assert (step.type, step.key) == ("range", "PRIMARY")
    assert "filesort" not in step.extra
    step = only(await plan(full, logs._FORGET, series="events", span="hour", before=END, limit=5), "tallies")
    assert (step.type, step.key) == ("range", "PRIMARY")
