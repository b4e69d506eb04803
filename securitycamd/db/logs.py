"""Rows of logs: added in batches, one partition a day, listed newest first."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from pydantic_core import to_json
from sqlalchemy import ColumnElement, bindparam, func, select, text, tuple_

from securitycamd.db import tallies
from securitycamd.db.engine import Database, Row, Transaction
from securitycamd.db.statements import Command, Query
from securitycamd.db.tables import logs
from securitycamd.db.tables import tallies as tally_table
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.models import LogFilter, LogLine, NewLogLine
from securitycamd.domain.names import LogLevel
from securitycamd.domain.times import EARLIEST, LATEST

_L = logs.c
_T = tally_table.c
# All lines as one JSON parameter, in hexadecimal: quoting four values of each of hundreds of lines, or the many quotes
# of the JSON, costs the event loop more than all the rest of an insert.
_INSERT: Final = Command(
    text(
        "INSERT INTO logs (source, timestamp, level, message)"
        " SELECT source, timestamp, level, message"
        " FROM JSON_TABLE(CONVERT(UNHEX(:lines) USING utf8mb4), '$[*]' COLUMNS ("
        "source VARCHAR(100) PATH '$[0]', timestamp DATETIME(6) PATH '$[1]',"
        " level VARCHAR(8) PATH '$[2]', message TEXT PATH '$[3]')) AS line"
    )
)
SEEK_FROM: Final = 500
DAYS_AHEAD: Final = 7
"""Partitions are made for so many days to come, so that a daemon that is down for a week finds its own."""


def series(source: str | None, level: LogLevel | None) -> str:
    """The name under which a source's lines of a level (``None``: all) are counted."""
    return f"logs|{source or ''}|{level or ''}"


def _line(row: Row) -> LogLine:
    return LogLine(row[0], row[1], time_in(row[2]), LogLevel(row[3]), row[4])


async def add(transaction: Transaction, lines: Sequence[NewLogLine]) -> None:
    """Insert lines, and count them."""
    rows = [(line.source, time_out(line.timestamp), line.level.value, line.message) for line in lines]
    await transaction.execute(_INSERT, lines=to_json(rows).hex())
    await _count(transaction, lines, 1)


async def _count(transaction: Transaction, lines: Sequence[NewLogLine], sign: int) -> None:
    await tallies.add(
        transaction,
        tallies.LOG_LADDER,
        [
            (name, minute, sign * lines_then)
            for (source, level, minute), lines_then in _by_minute(lines).items()
            for name in (series(None, None), series(source, None), series(None, level), series(source, level))
        ],
    )


def _by_minute(lines: Sequence[NewLogLine]) -> dict[tuple[str, LogLevel, datetime], int]:
    """Lines of a source and level within a minute. A batch is hundreds of lines of few sources within seconds."""
    counts: dict[tuple[str, LogLevel, datetime], int] = defaultdict(int)
    minute = end = EARLIEST
    for line in lines:
        if not minute <= line.timestamp < end:
            minute = tallies.floor(line.timestamp, "minute")
            end = tallies.after(minute, "minute")
        counts[line.source, line.level, minute] += 1
    return counts


def _where(*, by_source: bool, by_level: bool) -> list[ColumnElement[bool]]:
    clauses = [_L.timestamp >= bindparam("start"), _L.timestamp < bindparam("end")]
    if by_source:
        clauses.append(_L.source == bindparam("source"))
    if by_level:
        clauses.append(_L.level == bindparam("level"))
    return clauses


def _list(*, by_source: bool, by_level: bool) -> Query:
    keys = (
        select(_L.timestamp, _L.id)
        .where(*_where(by_source=by_source, by_level=by_level))
        .order_by(_L.timestamp.desc(), _L.id.desc())
        .limit(bindparam("limit"))
        .offset(bindparam("offset"))
        .subquery("page")
    )
    return Query(
        select(_L.id, _L.source, _L.timestamp, _L.level, _L.message)
        .join_from(keys, logs, tuple_(keys.c.timestamp, keys.c.id) == tuple_(_L.timestamp, _L.id))
        .order_by(_L.timestamp.desc(), _L.id.desc())
    )


_SHAPES: Final = [(by_source, by_level) for by_source in (False, True) for by_level in (False, True)]
_LISTS: Final = {(s, v): _list(by_source=s, by_level=v) for s, v in _SHAPES}
_COUNTS: Final = {
    (s, v): Query(select(func.count()).select_from(logs).where(*_where(by_source=s, by_level=v))) for s, v in _SHAPES
}


def _shape(wanted: LogFilter) -> tuple[tuple[bool, bool], dict[str, Any]]:
    values: dict[str, Any] = {}
    if wanted.source is not None:
        values["source"] = wanted.source
    if wanted.level is not None:
        values["level"] = wanted.level
    return ("source" in values, "level" in values), values


async def count(session: Database | Transaction, wanted: LogFilter) -> int:
    """How many lines match, exactly."""
    if wanted.span.is_empty:
        return 0
    total = await _count_since(session, wanted, wanted.span.start)
    if wanted.span.end is not None:
        total -= await _count_since(session, wanted, wanted.span.end)
    return total


async def _count_since(session: Database | Transaction, wanted: LogFilter, moment: datetime | None) -> int:
    names = [series(wanted.source, wanted.level)]
    rows, edge = await tallies.since(session, tallies.LOG_LADDER, names, moment)
    if moment is not None and edge > moment:
        shape, values = _shape(wanted)
        row = await session.row(_COUNTS[shape], **values, start=time_out(moment), end=time_out(edge))
        rows += int(row[0]) if row else 0
    return rows


async def newest(session: Database | Transaction, wanted: LogFilter, *, limit: int, offset: int) -> list[LogLine]:
    """A page of the lines that match, newest first."""
    if wanted.span.is_empty:
        return []
    end = wanted.span.end or LATEST
    if offset >= SEEK_FROM:
        newer = 0 if wanted.span.end is None else await _count_since(session, wanted, wanted.span.end)
        names = [series(wanted.source, wanted.level)]
        found = await tallies.place(session, tallies.LOG_LADDER, names, newer + offset)
        if found is None:
            return []
        end, offset = found
    shape, values = _shape(wanted)
    rows = await session.rows(
        _LISTS[shape],
        **values,
        start=time_out(wanted.span.start or EARLIEST),
        end=time_out(end),
        limit=limit,
        offset=offset,
    )
    return [_line(row) for row in rows]


# --- partitions ------------------------------------------------------------------------------------------------------

_PARTITIONS: Final = (
    "SELECT partition_name FROM information_schema.partitions"
    " WHERE table_schema = DATABASE() AND table_name = 'logs' ORDER BY partition_ordinal_position"
)


_LOCK: Final = "securitycamd.partitions"
FIRST_DAY: Final = date(2025, 12, 31)
"""The last day that p_past holds, as sql/0001 makes it."""


def partition_name(day: date) -> str:
    """The partition that holds a UTC day's lines."""
    return f"p_{day:%Y%m%d}"


async def make_partitions(session: Transaction, today: date, *, since: date | None = None) -> int:
    """Have a partition for today (or ``since``, where no later one is there yet) and each of the coming days; how many.

    Days far in the past share ``p_past``, days far ahead ``p_future``; neither ever stops a line from being kept.
    """
    [(held,)] = await session.script(f"SELECT GET_LOCK('{_LOCK}', 0)")
    if held != 1:
        return 0  # another daemon is making them
    try:
        return await _make_missing(session, today, since)
    finally:
        await session.script(f"DO RELEASE_LOCK('{_LOCK}')")


async def _make_missing(session: Transaction, today: date, first: date | None = None) -> int:
    there = {name for (name,) in await session.script(_PARTITIONS)}
    first = first or today
    days = [first + timedelta(days=ahead) for ahead in range((today - first).days + DAYS_AHEAD + 1)]
    # A machine without a clock of its own may wake up long before the first partition; its lines share p_past.
    newest_there = max((name for name in there if name[2:].isdigit()), default=partition_name(FIRST_DAY))
    missing = [day for day in days if partition_name(day) > newest_there]
    if not missing:
        return 0
    parts = [
        f"PARTITION {partition_name(day)} VALUES LESS THAN"
        f" ('{datetime.combine(day, time.min, UTC) + timedelta(days=1):%Y-%m-%d}')"
        for day in missing
    ]
    parts.append("PARTITION p_future VALUES LESS THAN (MAXVALUE)")
    await session.script(f"ALTER TABLE logs REORGANIZE PARTITION p_future INTO ({', '.join(parts)})")
    return len(missing)


# --- expiry ----------------------------------------------------------------------------------------------------------

_BOUNDS: Final = (
    "SELECT partition_name, partition_description FROM information_schema.partitions"
    " WHERE table_schema = DATABASE() AND table_name = 'logs' ORDER BY partition_ordinal_position"
)
_WAIT_SECONDS: Final = 2
"""Dropping a partition waits so long for those who use the table: behind it, they would all wait."""
_OLD: Final = Query(
    select(_L.timestamp, _L.id, _L.source, _L.level)
    .where(_L.timestamp < bindparam("before"))
    .order_by(_L.timestamp)
    .limit(bindparam("limit"))
)
_DELETE: Final = Command(logs.delete().where(_L.timestamp == bindparam("at"), _L.id == bindparam("key")))
# From one series to the next by the key: there are few, each with a count for every minute.
_NEXT_SERIES: Final = Query(
    select(_T.series).where(_T.series > bindparam("after"), _T.series < bindparam("end")).order_by(_T.series).limit(1)
)
_FORGET: Final = Command(
    text("DELETE FROM tallies WHERE series = :series AND span = :span AND start < :before ORDER BY start LIMIT :limit")
)


async def drop_old_partition(session: Transaction, before: datetime) -> str | None:
    """Drop one partition whose lines are all older than ``before``; its name, ``None`` when there is none.

    Its lines are counted until :func:`forget_old` ran. A table that is busy is left for the next time.
    """
    [(held,)] = await session.script(f"SELECT GET_LOCK('{_LOCK}', 0)")
    if held != 1:
        return None  # another daemon makes or drops some
    try:
        return await _drop_oldest(session, before)
    finally:
        await session.script(f"DO RELEASE_LOCK('{_LOCK}')")


async def _drop_oldest(session: Transaction, before: datetime) -> str | None:
    for name, bound in await session.script(_BOUNDS):
        # The first one stays for lines of any age: partitions begin where it ends.
        if name in {"p_past", "p_future"} or bound.strip("'")[:10] > f"{before:%Y-%m-%d}":
            continue
        if not await session.try_script(f"ALTER TABLE logs WAIT {_WAIT_SECONDS} DROP PARTITION {name}"):
            return None
        return str(name)
    return None


async def remove_old(transaction: Transaction, before: datetime, *, limit: int) -> int:
    """Delete at most ``limit`` lines older than ``before``, and take them out of the counts; how many."""
    rows = await transaction.rows(_OLD, before=time_out(before), limit=limit)
    for timestamp, line_id, _, _ in rows:
        await transaction.execute(_DELETE, at=timestamp, key=line_id)
    lines = [NewLogLine(source, time_in(at), LogLevel(level), "") for at, _, source, level in rows]
    await _count(transaction, lines, -1)
    return len(rows)


async def forget_old(database: Database, before: datetime, *, limit: int) -> int:
    """Take what was before ``before`` (a midnight) out of the counts, when no line of then is left; how many counts."""
    if await database.rows(_OLD, before=time_out(before), limit=1):
        return 0
    forgotten = 0
    name = "logs|"
    while found := await database.row(_NEXT_SERIES, after=name, end="logs}"):
        name = found[0]
        for span in tallies.LOG_LADDER.spans:
            while gone := await database.execute(_FORGET, series=name, span=span, before=time_out(before), limit=limit):
                forgotten += gone
    return forgotten
