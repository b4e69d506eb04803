# ruff: noqa: DTZ001 - times as Hypothesis and statements take them
import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.db import events, logs, tallies
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.tallies import EVENT_LADDER, LOG_LADDER, Ladder, after, ceiling, floor
from securitycamd.domain.names import LogLevel
from securitycamd.domain.times import EARLIEST, LATEST
from tests.db.samples import EDGES, random_moments

_MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(8999, 12, 1), timezones=st.just(UTC))
_SPANS = st.sampled_from(["minute", "hour", "day", "month"])
LADDERS: Final = pytest.mark.parametrize(
    "ladder", [EVENT_LADDER, LOG_LADDER], ids=["month-day-hour", "day-hour-minute"]
)


# --- spans --------------------------------------------------------------------------------------------------


@given(_MOMENTS, _SPANS)
def test_a_moment_lies_in_its_span(moment: datetime, span: str) -> None:
    start = floor(moment, span)
    assert start <= moment < after(start, span)
    assert floor(start, span) == start
    assert floor(after(start, span), span) == after(start, span)


@given(_MOMENTS, _SPANS)
def test_the_ceiling_is_the_first_start_that_is_not_earlier(moment: datetime, span: str) -> None:
    top = ceiling(moment, span)
    assert moment <= top == floor(top, span)
    assert top == moment or floor(moment, span) < moment < top == after(floor(moment, span), span)


@pytest.mark.parametrize(
    ("start", "following"),
    [
        (datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
        (datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)),
        (datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)),
    ],
)
def test_months_have_their_lengths(start: datetime, following: datetime) -> None:
    assert after(start, "month") == following


def test_there_is_no_other_span() -> None:
    with pytest.raises(ValueError, match="week"):
        floor(datetime(2025, 1, 1, tzinfo=UTC), "week")


# --- counts -------------------------------------------------------------------------------------------------


class Model:
    """The rows that the counts are about, by series."""

    def __init__(self, series: list[str], chance: random.Random) -> None:
        self.series = series
        self.chance = chance
        self.rows: list[tuple[str, datetime]] = []

    def more(self, count: int) -> list[tuple[str, datetime, int]]:
        new = [(self.chance.choice(self.series), moment) for moment in random_moments(self.chance, count)]
        self.rows += new
        return [(name, moment, 1) for name, moment in new]

    def fewer(self, count: int) -> list[tuple[str, datetime, int]]:
        self.chance.shuffle(self.rows)
        gone, self.rows = self.rows[:count], self.rows[count:]
        return [(name, moment, -1) for name, moment in gone]

    def newest_first(self, series: list[str]) -> list[datetime]:
        return sorted((moment for name, moment in self.rows if name in series), reverse=True)


def choices(series: list[str]) -> Iterator[list[str]]:
    yield from ([name] for name in series)
    yield series


async def moved(database: Database, ladder: Ladder, seed: int) -> Model:
    """Counts after random additions and removals."""
    model = Model(["a", "b", "c"], random.Random(seed))
    for change in (model.more(120), model.fewer(50), model.more(40), model.fewer(10)):

        async def work(transaction: Transaction, change: list[tuple[str, datetime, int]] = change) -> None:
            await tallies.add(transaction, ladder, change)

        await database.transact(work)
    return model


@LADDERS
@pytest.mark.parametrize("seed", range(3))
async def test_sums_equal_counting(database: Database, ladder: Ladder, seed: int) -> None:
    model = await moved(database, ladder, seed)
    moments = [None, EARLIEST, LATEST, *EDGES, *(moment for _, moment in model.rows[:40])]
    for series in choices(model.series):
        everything = model.newest_first(series)
        for moment in moments:
            rows, edge = await tallies.since(database, ladder, series, moment)
            assert rows == sum(each >= edge for each in everything), (series, moment)
            if moment is None:
                assert rows == len(everything)
            else:
                assert moment <= edge < moment + (after(EARLIEST, ladder.spans[2]) - EARLIEST)


@LADDERS
@pytest.mark.parametrize("seed", range(3))
async def test_every_row_has_its_place(database: Database, ladder: Ladder, seed: int) -> None:
    model = await moved(database, ladder, seed)
    for series in choices(model.series):
        everything = model.newest_first(series)
        for rank, moment in enumerate(everything):
            found = await tallies.place(database, ladder, series, rank)
            assert found is not None
            before, skip = found
            older = [each for each in everything if each < before]
            assert older[skip] == moment, (series, rank)
            # Less than one finest span is left to skip.
            assert floor(older[0], ladder.spans[2]) == floor(moment, ladder.spans[2])


@LADDERS
async def test_beyond_the_last_row_there_is_no_place(database: Database, ladder: Ladder) -> None:
    assert await tallies.place(database, ladder, ["a"], 0) is None
    model = await moved(database, ladder, 1)
    for series in choices(model.series):
        rows = len(model.newest_first(series))
        for rank in (rows, rows + 1, rows + 1000, 2**31):
            assert await tallies.place(database, ladder, series, rank) is None, (series, rank)


async def test_a_series_without_rows_counts_nothing(database: Database) -> None:
    await moved(database, EVENT_LADDER, 0)
    assert (await tallies.since(database, EVENT_LADDER, ["nobody"], None))[0] == 0
    assert await tallies.place(database, EVENT_LADDER, ["nobody"], 0) is None


async def test_rows_that_are_taken_away_again_leave_nothing(database: Database) -> None:
    model = Model(["a", "b"], random.Random(5))

    async def work(transaction: Transaction) -> None:
        await tallies.add(transaction, EVENT_LADDER, model.more(30))
        await tallies.add(transaction, EVENT_LADDER, model.fewer(30))

    await database.transact(work)
    assert (await tallies.since(database, EVENT_LADDER, ["a", "b"], None))[0] == 0
    assert await tallies.place(database, EVENT_LADDER, ["a", "b"], 0) is None


async def test_a_transaction_that_fails_moves_no_count(database: Database) -> None:
    async def fail(transaction: Transaction) -> None:
        await tallies.add(transaction, EVENT_LADDER, [("a", datetime(2025, 1, 1, tzinfo=UTC), 1)])
        raise KeyError

    with pytest.raises(KeyError):
        await database.transact(fail)
    assert (await tallies.since(database, EVENT_LADDER, ["a"], None))[0] == 0


async def test_counts_of_many_transactions_at_once_add_up(database: Database) -> None:
    """In whatever order each transaction names its rows."""
    start = datetime(2025, 1, 31, 23, 30, tzinfo=UTC)
    chance = random.Random(3)

    async def add(turn: int) -> None:
        rows = [(name, start + timedelta(minutes=20 * (turn + step)), 1) for name in "abc" for step in range(5)]
        chance.shuffle(rows)

        async def work(transaction: Transaction) -> None:
            await tallies.add(transaction, EVENT_LADDER, rows)

        await database.transact(work)

    await asyncio.gather(*(add(turn) for turn in range(40)))
    for name in "abc":
        assert (await tallies.since(database, EVENT_LADDER, [name], None))[0] == 40 * 5


def test_no_two_things_that_are_counted_share_a_series() -> None:
    """A pipe sign in a source must not make it another's."""
    sources = [None, "central", "camera_1", "|", "a", "a|", "a|ERROR", "|ERROR", "ERROR", "a|b"]
    names = [logs.series(source, level) for source in sources for level in (None, *LogLevel)]
    names += [events.series(camera) for camera in (None, "camera_1", "a", "events")]
    assert len(names) == len(set(names))
