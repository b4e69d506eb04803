# ruff: noqa: DTZ001 - times as Hypothesis and statements take them
import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securitycamd.db import logs, migrate
from securitycamd.db.engine import Database, DatabaseAddress, Transaction
from securitycamd.domain.models import LogFilter, LogLine, NewLogLine
from securitycamd.domain.names import LogLevel
from securitycamd.domain.times import EARLIEST, LATEST, Span
from tests.db.conftest import MakeDatabase
from tests.db.samples import EDGES, SOURCES, add_lines, random_moments

STEPS: Final = migrate.read_migrations()
WHEN: Final = datetime(2025, 10, 28, 14, 30, 22, 186476, tzinfo=UTC)


async def all_lines(database: Database) -> list[LogLine]:
    """Newest first, without any help of the code under test."""
    async with database.session() as session:
        rows = await session.script("SELECT id, source, timestamp, level, message FROM logs")
    found = [LogLine(row[0], row[1], row[2].replace(tzinfo=UTC), LogLevel(row[3]), row[4]) for row in rows]
    return sorted(found, key=lambda line: (line.timestamp, line.id), reverse=True)


# --- rows ---------------------------------------------------------------------------------------------------


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.builds(
            NewLogLine,
            source=st.text(st.characters(exclude_categories=["Cs", "Z"]), min_size=1, max_size=100),
            timestamp=st.datetimes(datetime(1900, 1, 1), datetime(8999, 12, 30), timezones=st.just(UTC)),
            level=st.sampled_from(LogLevel),
            message=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300),
        ),
        min_size=1,
        max_size=20,
    )
)
async def test_what_is_written_is_what_is_read(database: Database, lines: list[NewLogLine]) -> None:
    async with database.session() as session:
        await session.script("DELETE FROM logs")
        await session.script("DELETE FROM tallies")
    await add_lines(database, lines)
    found = await logs.newest(database, LogFilter(), limit=50, offset=0)
    by_id = sorted(found, key=lambda line: line.id)
    assert [NewLogLine(each.source, each.timestamp, each.level, each.message) for each in by_id] == lines
    assert await logs.count(database, LogFilter()) == len(lines)


async def test_the_longest_message_is_kept_whole(database: Database) -> None:
    await add_lines(database, [NewLogLine("central", WHEN, LogLevel.INFO, "😀" * 16_000)])
    [line] = await logs.newest(database, LogFilter(), limit=1, offset=0)
    assert line.message == "😀" * 16_000


async def test_sources_are_told_apart_byte_by_byte(database: Database) -> None:
    names = ["central", "Central", "céntral", "cèntral", "100%", "c_ntral"]
    await add_lines(database, [NewLogLine(name, WHEN, LogLevel.INFO, name) for name in names])
    for name in names:
        [line] = await logs.newest(database, LogFilter(name), limit=5, offset=0)
        assert line.message == name
        assert await logs.count(database, LogFilter(name)) == 1


async def test_no_lines_are_no_statement(database: Database) -> None:
    await add_lines(database, [])
    assert await logs.count(database, LogFilter()) == 0


# --- lists --------------------------------------------------------------------------------------------------


def filters(chance: random.Random) -> Iterator[LogFilter]:
    for source, level in product((None, "central", "nobody"), (None, LogLevel.ERROR)):
        yield LogFilter(source, level)
        start, end = sorted(chance.sample(EDGES + random_moments(chance, 20), 2))
        yield LogFilter(source, level, Span(start, end))
        yield LogFilter(source, level, chance.choice((Span(start, None), Span(None, end))))


def matching(rows: list[LogLine], wanted: LogFilter) -> list[LogLine]:
    start, end = wanted.span.start or EARLIEST, wanted.span.end or LATEST
    return [
        line
        for line in rows
        if wanted.source in {None, line.source} and wanted.level in {None, line.level} and start <= line.timestamp < end
    ]


async def fill(database: Database, seed: int, count: int) -> tuple[random.Random, list[LogLine]]:
    """Random lines, many at the same moment; all of them, newest first."""
    chance = random.Random(seed)
    new = [
        NewLogLine(chance.choice(SOURCES), moment, chance.choice(list(LogLevel)), f"line {number}")
        for number, moment in enumerate(random_moments(chance, count))
    ]
    while new:
        size = chance.choice((1, 5, 60))
        await add_lines(database, new[:size])
        del new[:size]
    return chance, await all_lines(database)


@pytest.mark.parametrize("seed", range(3))
async def test_counts_equal_counting(database: Database, seed: int) -> None:
    chance, rows = await fill(database, seed, 150)
    for _ in range(5):
        for wanted in filters(chance):
            assert await logs.count(database, wanted) == len(matching(rows, wanted)), wanted


@pytest.mark.parametrize("seek_from", [0, 30, logs.SEEK_FROM])
async def test_every_page_at_every_offset_equals_sorting_everything(
    database: Database, monkeypatch: pytest.MonkeyPatch, seek_from: int
) -> None:
    monkeypatch.setattr(logs, "SEEK_FROM", seek_from)
    chance, rows = await fill(database, seek_from, 90)
    for wanted in filters(chance):
        expected = matching(rows, wanted)
        for offset in range(len(expected) + 2):
            page = await logs.newest(database, wanted, limit=7, offset=offset)
            assert page == expected[offset : offset + 7], (wanted, offset)


async def test_a_filter_that_nothing_matches(database: Database) -> None:
    await fill(database, 0, 20)
    for wanted in (LogFilter("nobody"), LogFilter(span=Span(WHEN, WHEN)), LogFilter(span=Span(LATEST, None))):
        assert await logs.count(database, wanted) == 0
        for offset in (0, logs.SEEK_FROM):
            assert await logs.newest(database, wanted, limit=5, offset=offset) == []


# --- partitions ---------------------------------------------------------------------------------------------


@pytest.fixture
async def fresh(fresh_database: DatabaseAddress, make_database: MakeDatabase) -> Database:
    """A database whose log partitions nobody has made."""
    await migrate.migrate(fresh_database, STEPS)
    return await make_database(fresh_database, pool_size=4)


async def make(database: Database, today: date) -> int:
    async with database.session() as session:
        return await logs.make_partitions(session, today)


async def bounds(database: Database) -> list[tuple[str, str]]:
    async with database.session() as session:
        return [
            (row[0], row[1].strip("'"))
            for row in await session.script(
                "SELECT partition_name, partition_description FROM information_schema.partitions"
                " WHERE table_schema = DATABASE() AND table_name = 'logs' ORDER BY partition_ordinal_position"
            )
        ]


async def partition_of(database: Database, message: str) -> str:
    for name, _ in await bounds(database):
        async with database.session() as session:
            if await session.script(f"SELECT 1 FROM logs PARTITION ({name}) WHERE message = '{message}'"):
                return name
    raise AssertionError(message)


async def test_today_and_the_coming_days_have_partitions_once(fresh: Database) -> None:
    today = date(2026, 3, 1)
    assert await make(fresh, today) == logs.DAYS_AHEAD + 1
    made = await bounds(fresh)
    assert await make(fresh, today) == 0
    assert await bounds(fresh) == made
    days = [today + timedelta(days=ahead) for ahead in range(logs.DAYS_AHEAD + 1)]
    assert made[1:-1] == [(logs.partition_name(day), (day + timedelta(days=1)).isoformat()) for day in days]
    assert [made[0][0], made[-1]] == ["p_past", ("p_future", "MAXVALUE")]
    assert await make(fresh, today + timedelta(days=1)) == 1
    assert await make(fresh, today + timedelta(days=40)) == logs.DAYS_AHEAD + 1  # after a month of silence
    assert await make(fresh, today) == 0  # a clock that was set back


async def test_a_line_lies_in_the_partition_of_its_day(fresh: Database) -> None:
    today = date(2026, 3, 1)
    await make(fresh, today)
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    moments = {
        "long ago": EARLIEST,
        "before midnight": midnight - timedelta(microseconds=1),
        "midnight": midnight,
        "far ahead": LATEST - timedelta(days=1),
    }
    await add_lines(fresh, [NewLogLine("a", moment, LogLevel.INFO, text) for text, moment in moments.items()])
    assert {text: await partition_of(fresh, text) for text in moments} == {
        "long ago": "p_past",
        "before midnight": "p_20260302",
        "midnight": "p_20260303",
        "far ahead": "p_future",
    }


async def test_lines_from_the_future_move_into_their_days_partition_when_it_is_made(fresh: Database) -> None:
    await make(fresh, date(2026, 3, 1))
    await add_lines(fresh, [NewLogLine("a", datetime(2026, 3, 12, tzinfo=UTC), LogLevel.INFO, "early")])
    assert await partition_of(fresh, "early") == "p_future"
    await make(fresh, date(2026, 3, 10))
    assert await partition_of(fresh, "early") == "p_20260312"
    assert await logs.count(fresh, LogFilter()) == 1


async def test_lines_go_on_coming_in_while_partitions_are_made(fresh: Database) -> None:
    async def write(batch: int) -> None:
        await add_lines(fresh, [NewLogLine("a", WHEN + timedelta(days=batch), LogLevel.INFO, "x")] * 20)

    async def partition() -> None:
        for day in range(5):
            await make(fresh, date(2026, 3, 1 + day))

    await asyncio.gather(partition(), *(write(batch) for batch in range(20)))
    assert len(await all_lines(fresh)) == await logs.count(fresh, LogFilter()) == 400


@pytest.mark.parametrize("today", [date(1970, 1, 2), date(2025, 12, 31)])
async def test_a_clock_that_is_behind_stops_nothing(fresh: Database, today: date) -> None:
    """A Raspberry Pi has no clock of its own."""
    await make(fresh, today)
    assert await make(fresh, date(2026, 3, 1)) > 0


async def test_two_daemons_make_partitions_at_once(fresh: Database) -> None:
    results = await asyncio.gather(*(make(fresh, date(2026, 3, 1)) for _ in range(4)), return_exceptions=True)
    assert sorted(results, key=str) == [0, 0, 0, logs.DAYS_AHEAD + 1]


async def test_counts_move_with_the_lines(database: Database) -> None:
    """A transaction that fails keeps neither."""

    async def fail(transaction: Transaction) -> None:
        await logs.add(transaction, [NewLogLine("a", WHEN, LogLevel.INFO, "x")])
        raise KeyError

    with pytest.raises(KeyError):
        await database.transact(fail)
    assert await logs.count(database, LogFilter()) == len(await all_lines(database)) == 0
