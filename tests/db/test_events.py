# ruff: noqa: DTZ001 - times as Hypothesis and statements take them
import asyncio
import random
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymysql.err import DataError, IntegrityError
from sqlalchemy import String
from sqlalchemy.types import Boolean

from securitycamd.db import events
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.tables import events as events_table
from securitycamd.domain.models import Event, EventFilter, NewEvent
from securitycamd.domain.names import Category, ConversionStatus, EventStatus
from securitycamd.domain.times import EARLIEST, LATEST, Span
from tests.db.samples import CAMERAS, EDGES, add_events, random_moments, register_all

WHEN: Final = datetime(2025, 10, 28, 14, 30, 22, 186476, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.datetimes(datetime(1900, 1, 1), datetime(8999, 12, 30), timezones=st.just(UTC))
FLAGS = [column.name for column in events_table.c if isinstance(column.type, Boolean) and not column.nullable]
WORDS = [
    column.name
    for column in events_table.c
    if isinstance(column.type, String) and column.nullable and column.name != "ai_category"
]
# What one test changes stays for the next example; each makes its own rows.
db_examples = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(autouse=True)
async def registered(database: Database) -> None:
    await register_all(database)


async def add_one(
    database: Database,
    camera_id: str = "camera_1",
    timestamp: datetime = WHEN,
    motion_score: float = 1.0,
    confidence_score: float | None = None,
) -> Event:
    new = NewEvent(camera_id, timestamp, motion_score, confidence_score)
    await add_events(database, [new])
    async with database.session() as session:
        found, _ = await events.by_keys(session, {(new.camera_id, new.timestamp)})
    [event] = found.values()
    return event


async def all_events(database: Database) -> list[Event]:
    """Newest first, without any help of the code under test."""
    async with database.session() as session:
        ids = [number for (number,) in await session.script("SELECT id FROM events")]
    found = (await events.by_ids(database, ids)).values()
    return sorted(found, key=lambda event: (event.timestamp, event.id), reverse=True)


# --- rows ---------------------------------------------------------------------------------------------------


def test_an_event_has_a_field_for_each_column_in_their_order() -> None:
    assert [field.name for field in fields(Event)] == [column.name for column in events_table.c]


async def test_a_new_event(database: Database) -> None:
    before = datetime.now(UTC)
    event = await add_one(database, motion_score=1250.5, confidence_score=62.0)
    assert before <= event.created_at <= datetime.now(UTC)
    assert event == Event(
        id=event.id,
        camera_id="camera_1",
        timestamp=WHEN,
        motion_score=1250.5,
        confidence_score=62.0,
        status=EventStatus.PROCESSING,
        image_a_path=None,
        image_b_path=None,
        thumbnail_path=None,
        video_h264_path=None,
        video_mp4_path=None,
        video_duration=None,
        image_a_transferred=False,
        image_b_transferred=False,
        thumbnail_transferred=False,
        video_transferred=False,
        mp4_conversion_status=ConversionStatus.PENDING,
        mp4_converted_at=None,
        ai_processed=False,
        ai_processed_at=None,
        ai_person_detected=None,
        ai_confidence=None,
        ai_objects=None,
        ai_description=None,
        ai_phrase=None,
        ai_error=None,
        created_at=event.created_at,
    )


@db_examples
@given(
    text=st.fixed_dictionaries({name: st.none() | TEXT for name in WORDS}),
    flags=st.fixed_dictionaries({name: st.booleans() for name in FLAGS}),
    person=st.none() | st.booleans(),
    category=st.none() | st.sampled_from(Category),
    note=TEXT,
    numbers=st.tuples(FINITE, st.none() | FINITE, st.none() | FINITE, st.none() | FINITE),
    times=st.tuples(TIMES, TIMES),
)
async def test_what_is_written_is_what_is_read(
    database: Database,
    text: dict[str, str | None],
    flags: dict[str, bool],
    person: bool | None,
    category: Category | None,
    note: str,
    numbers: tuple[float, float | None, float | None, float | None],
    times: tuple[datetime, datetime],
) -> None:
    """Text of any language, numbers to the last bit, times to the microsecond."""
    async with database.session() as session:
        await session.script("DELETE FROM events")
    event = await add_one(database)
    values: dict[str, Any] = (
        text
        | flags
        | {
            "ai_person_detected": person,
            "ai_category": category,
            "note": note,
            "motion_score": numbers[0],
            "confidence_score": numbers[1],
            "video_duration": numbers[2],
            "ai_confidence": numbers[3],
            "mp4_converted_at": times[0],
            "ai_processed_at": times[1],
            "mp4_conversion_status": ConversionStatus.OPTIMIZED,
            "status": EventStatus.INTERRUPTED,
        }
    )
    assert await events.update(database, event.id, values) == 1
    read = (await events.by_ids(database, [event.id]))[event.id]
    assert read == replace(event, **values)


@pytest.mark.parametrize("number", [0.0, 0.1 + 0.2, 1 / 3, 5e-324, sys.float_info.max, 2**53 + 2.0, 1e22, -1.5])
async def test_numbers_to_the_last_bit(database: Database, number: float) -> None:
    assert (await add_one(database, motion_score=number)).motion_score == number


@pytest.mark.parametrize("microsecond", [0, 1, 10, 100_000, 999_999])
async def test_times_to_the_microsecond(database: Database, microsecond: int) -> None:
    moment = WHEN.replace(microsecond=microsecond)
    assert (await add_one(database, timestamp=moment)).timestamp == moment


@pytest.mark.parametrize("moment", [EARLIEST, LATEST - timedelta(microseconds=1)])
async def test_the_first_and_the_last_moment_there_is(database: Database, moment: datetime) -> None:
    event = await add_one(database, timestamp=moment)
    assert event.timestamp == moment
    assert await events.newest(database, EventFilter(), limit=5, offset=0) == [event]
    assert await events.count(database, EventFilter()) == 1
    assert await events.count(database, EventFilter(span=Span(EARLIEST, LATEST))) == 1


async def test_changing_nothing_and_changing_no_one(database: Database) -> None:
    event = await add_one(database)
    assert await events.update(database, event.id, {}) == 1
    assert await events.update(database, event.id, {"ai_phrase": "x"}) == 1
    assert await events.update(database, event.id + 1, {"ai_phrase": "x"}) == 0


async def test_a_row_that_matches_counts_though_nothing_changes(database: Database) -> None:
    event = await add_one(database)
    assert await events.update(database, event.id, {"ai_phrase": None}) == 1


async def test_a_value_that_does_not_fit_is_refused(database: Database) -> None:
    event = await add_one(database)
    with pytest.raises(DataError, match="ai_phrase"):
        await events.update(database, event.id, {"ai_phrase": "x" * 201})
    with pytest.raises(ValueError, match="without a zone"):
        await events.update(database, event.id, {"ai_processed_at": datetime(2025, 1, 1)})


async def test_events_by_ids_and_by_keys(database: Database) -> None:
    one, other = await add_one(database), await add_one(database, camera_id="camera_2")
    assert await events.by_ids(database, [one.id, other.id, 10**6]) == {one.id: one, other.id: other}
    assert await events.by_ids(database, []) == {}
    async with database.session() as session:
        keys = {("camera_1", WHEN), ("camera_1", WHEN + timedelta(microseconds=1)), ("camera_9", WHEN)}
        assert await events.by_keys(session, keys) == ({("camera_1", WHEN): one}, {"camera_1"})
        assert await events.by_keys(session, set()) == ({}, set())
        assert await events.lock(session, []) == {}


async def test_locked_events_wait_for_the_transaction(database: Database) -> None:
    event = await add_one(database)
    async with database.transaction() as transaction:
        assert await events.lock(transaction, [event.id]) == {event.id: event}
        late = asyncio.create_task(events.update(database, event.id, {"ai_phrase": "late"}))
        await events.update(transaction, event.id, {"ai_phrase": "early"})
        assert not late.done()
    await late
    assert (await events.by_ids(database, [event.id]))[event.id].ai_phrase == "late"


async def test_the_same_camera_and_time_is_the_same_event(database: Database) -> None:
    await add_one(database)
    with pytest.raises(IntegrityError, match="uq_events_camera_id_timestamp"):
        await add_one(database)
    assert await events.count(database, EventFilter()) == 1  # the failed transaction counted nothing
    await add_one(database, camera_id="camera_2")
    await add_one(database, timestamp=WHEN + timedelta(microseconds=1))
    assert await events.count(database, EventFilter()) == 3


async def test_no_event_without_its_camera(database: Database) -> None:
    with pytest.raises(IntegrityError, match="fk_events_camera_id"):
        await add_one(database, camera_id="camera_9")


async def test_ids_of_a_batch_are_consecutive(database: Database) -> None:
    for batch in range(3):
        await add_events(
            database,
            [NewEvent("camera_1", WHEN + timedelta(hours=batch, seconds=n), 1.0) for n in range(20)],
        )
    ids = [event.id for event in reversed(await all_events(database))]
    assert ids == list(range(ids[0], ids[0] + 60))


# --- lists --------------------------------------------------------------------------------------------------


def filters(chance: random.Random) -> Iterator[EventFilter]:
    choices: list[frozenset[str] | None] = [
        None,
        frozenset({"camera_1"}),
        frozenset({"camera_1", "camera_3"}),
    ]
    for cameras in choices:
        yield EventFilter(cameras)
        for _ in range(3):
            start, end = sorted(chance.sample(EDGES + random_moments(chance, 20), 2))
            yield EventFilter(cameras, Span(start, end))
            yield EventFilter(cameras, chance.choice((Span(start, None), Span(None, end))))


def matching(rows: list[Event], wanted: EventFilter) -> list[Event]:
    start, end = wanted.span.start or EARLIEST, wanted.span.end or LATEST
    return [
        event
        for event in rows
        if (wanted.cameras is None or event.camera_id in wanted.cameras) and start <= event.timestamp < end
    ]


async def fill(database: Database, seed: int, count: int) -> tuple[random.Random, list[Event]]:
    """Random events, some at the same moment on several cameras; all of them, newest first."""
    chance = random.Random(seed)
    moments = random_moments(chance, count)
    keys = {(chance.choice(CAMERAS), moment) for moment in moments}
    keys |= {(camera_id, moment) for moment in moments[:15] for camera_id in CAMERAS}
    new = [NewEvent(camera_id, moment, 1.0) for camera_id, moment in keys]
    chance.shuffle(new)
    while new:
        size = chance.choice((1, 3, 40))
        await add_events(database, new[:size])
        del new[:size]
    return chance, await all_events(database)


@pytest.mark.parametrize("seed", range(3))
async def test_counts_equal_counting(database: Database, seed: int) -> None:
    chance, rows = await fill(database, seed, 150)
    for _ in range(6):
        for wanted in filters(chance):
            assert await events.count(database, wanted) == len(matching(rows, wanted)), wanted


@pytest.mark.parametrize("seek_from", [0, 40, events.SEEK_FROM])
@pytest.mark.parametrize("seed", range(2))
async def test_every_page_at_every_offset_equals_sorting_everything(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int, seek_from: int
) -> None:
    monkeypatch.setattr(events, "SEEK_FROM", seek_from)
    chance, rows = await fill(database, seed, 60)
    for wanted in filters(chance):
        expected = matching(rows, wanted)
        for offset in range(len(expected) + 2):
            page = await events.newest(database, wanted, limit=7, offset=offset)
            assert page == expected[offset : offset + 7], (wanted, offset)


async def test_far_beyond_the_last_event_there_is_nothing(database: Database) -> None:
    await fill(database, 0, 20)
    for offset in (events.SEEK_FROM, 10**6, 2**31 - 1):
        assert await events.newest(database, EventFilter(), limit=50, offset=offset) == []


@pytest.mark.parametrize(
    "wanted",
    [
        EventFilter(frozenset()),
        EventFilter(frozenset({"camera_9"})),
        EventFilter(span=Span(WHEN, WHEN)),
        EventFilter(span=Span(WHEN + timedelta(1), WHEN)),
    ],
)
async def test_a_filter_that_nothing_matches(database: Database, wanted: EventFilter) -> None:
    await add_one(database)
    assert await events.count(database, wanted) == 0
    for offset in (0, events.SEEK_FROM):
        assert await events.newest(database, wanted, limit=5, offset=offset) == []


# --- what statistics ask ------------------------------------------------------------------------------------


async def test_the_latest_time_and_the_paths_of_a_camera(database: Database) -> None:
    assert await events.latest_time(database, "camera_1") is None
    for minute in range(5):
        event = await add_one(database, timestamp=WHEN + timedelta(minutes=minute))
        await events.update(database, event.id, {"image_a_path": f"a{minute}.jpg", "video_mp4_path": f"v{minute}.mp4"})
    await add_one(database, camera_id="camera_2", timestamp=WHEN + timedelta(days=1))
    assert await events.latest_time(database, "camera_1") == WHEN + timedelta(minutes=4)

    files: list[str] = []
    end: datetime | None = LATEST
    while end is not None:
        page, end = await events.paths(database, "camera_1", EARLIEST, end, limit=2)
        assert len(page) <= 4
        files += page
    assert files == [name for minute in (4, 3, 2, 1, 0) for name in (f"a{minute}.jpg", f"v{minute}.mp4")]
    page, _ = await events.paths(database, "camera_1", WHEN, WHEN + timedelta(minutes=1), limit=9)
    assert page == ["a0.jpg", "v0.mp4"]


async def test_counts_while_events_come_in_never_disagree_with_the_rows(database: Database) -> None:
    """A transaction adds both or none, so a reader that sees a consistent state sees them equal."""
    done = asyncio.Event()

    async def add_all() -> None:
        for batch in range(30):
            await add_events(
                database,
                [NewEvent("camera_1", WHEN + timedelta(minutes=batch, seconds=n), 1.0) for n in range(5)],
            )
        done.set()

    async def compare() -> int:
        compared = 0
        async with database.session() as session:
            while not done.is_set() or not compared:
                await session.script("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                await session.script("START TRANSACTION WITH CONSISTENT SNAPSHOT")
                counted = await events.count(Transaction(session._connection), EventFilter())
                [(rows,)] = await session.script("SELECT COUNT(*) FROM events")
                await session.script("COMMIT")
                assert counted == rows
                compared += 1
        return compared

    _, compared = await asyncio.gather(add_all(), compare())
    assert compared > 1
