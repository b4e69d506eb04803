"""Log lines by several sources, levels and a text, from a place onwards: each statement looks at a bounded number.

A filter that an index answers is exact: the first lines of each of its sources (or levels) are merged. A text, or
sources and levels at once, is looked for in one bounded stretch after another (:func:`stretch`); stretches of which
the kept counts know that they hold nothing are jumped over (:func:`skip`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Select, bindparam, func, or_, select, tuple_, union_all

from securitycamd.db import tallies
from securitycamd.db.engine import Database, Row, Transaction
from securitycamd.db.logs import series
from securitycamd.db.statements import Query, one_of
from securitycamd.db.tables import logs
from securitycamd.db.tables import tallies as tally_table
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.log_search import LineQuery, Place
from securitycamd.domain.models import LogLine
from securitycamd.domain.names import LogLevel
from securitycamd.domain.times import EARLIEST, LATEST

_L = logs.c
_T = tally_table.c
STATEMENT_SECONDS: Final = 5
"""The server itself ends a search that takes longer: a disk that crawls must not hold a connection."""
LARGEST_ID: Final = 2**64 - 1
RARE: Final = 100
"""Of a filter that lets less than one in so many lines through, the minutes without any are jumped over."""
JUMP_SERIES_LIMIT: Final = 120
"""With more counts to ask, where the next line can be is not asked: lines are looked at instead."""

BRANCHES_LIMIT: Final = 4
"""So many sources are merged; each has to be found in every day's partition, and of more some come along anyway."""
FIRST: Final = Place(EARLIEST, -1)
"""Before every line."""

Direction = Literal["older", "newer"]
Walk = Literal["time", "source", "level"]
_KEYS: Final[dict[Walk, str]] = {
    "time": "PRIMARY",
    "source": "ix_logs_source_timestamp",
    "level": "ix_logs_level_timestamp",
}


def _bounded(query: Select[Any]) -> Query:
    made = Query(query)
    made.text = f"SET STATEMENT max_statement_time = {STATEMENT_SECONDS} FOR {made.text}"
    return made


def _between(direction: Direction) -> list[ColumnElement[bool]]:
    """From the place ``at, key`` (left out) to the place ``edge, edge_key`` (left out)."""
    at: Any = bindparam("at")
    key: Any = bindparam("key")
    edge: Any = bindparam("edge")
    edge_key: Any = bindparam("edge_key")
    if direction == "older":
        return [_L.timestamp <= at, _L.timestamp >= edge, _beyond(older=(at, key)), _beyond(newer=(edge, edge_key))]
    return [_L.timestamp >= at, _L.timestamp <= edge, _beyond(newer=(at, key)), _beyond(older=(edge, edge_key))]


def _beyond(**side: tuple[Any, Any]) -> ColumnElement[bool]:
    [(name, (at, key))] = side.items()
    if name == "older":
        return or_(_L.timestamp < at, _L.id < key)
    return or_(_L.timestamp > at, _L.id > key)


def _order(direction: Direction) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return (_L.timestamp.desc(), _L.id.desc()) if direction == "older" else (_L.timestamp.asc(), _L.id.asc())


# --- filters that an index answers -----------------------------------------------------------------------------------


@cache
def _merged(direction: Direction, walk: Walk, branches: int) -> Query:
    """The first lines of each branch (a source, or a level), merged."""
    parts = []
    for number in range(branches):
        own = [] if walk == "time" else [_L[walk] == bindparam(f"branch_{number}")]
        parts.append(
            select(_L.timestamp, _L.id)
            .with_hint(logs, f"FORCE INDEX ({_KEYS[walk]})")
            .where(*own, *_between(direction))
            .order_by(*_order(direction))
            .limit(bindparam("limit"))
        )
    keys = (parts[0] if branches == 1 else union_all(*parts)).subquery("line")
    by_time = (keys.c.timestamp, keys.c.id)
    ordered = [column.desc() if direction == "older" else column.asc() for column in by_time]
    first = select(*by_time).order_by(*ordered).limit(bindparam("limit")).subquery("page")
    return _bounded(
        select(_L.id, _L.source, _L.timestamp, _L.level, _L.message)
        .join_from(first, logs, tuple_(first.c.timestamp, first.c.id) == tuple_(_L.timestamp, _L.id))
        .order_by(*_order(direction))
    )


def is_exact(wanted: LineQuery) -> bool:
    """Whether an index answers it quickly, so that :func:`first` may be asked."""
    chosen = [len(names) for names in (wanted.sources, wanted.levels) if names is not None]
    return not wanted.text and len(chosen) < 2 and max(chosen, default=0) <= BRANCHES_LIMIT


async def first(
    session: Database | Transaction, wanted: LineQuery, place: Place, direction: Direction, *, limit: int
) -> list[LogLine]:
    """The first ``limit`` matching lines beyond ``place``, the nearest first; of a filter that :func:`is_exact`."""
    walk: Walk = "source" if wanted.sources is not None else "level" if wanted.levels is not None else "time"
    names = [""] if walk == "time" else sorted(wanted.sources or {str(level) for level in wanted.levels or ()})
    rows = await session.rows(
        _merged(direction, walk, len(names)),
        **_stretch(wanted, place, None, direction),
        **({} if walk == "time" else {f"branch_{number}": name for number, name in enumerate(names)}),
        limit=limit,
    )
    return [_line(row) for row in rows]


# --- filters for which lines must be looked at -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shape:
    walk: Walk
    by_sources: bool
    by_levels: bool
    by_text: bool


def _shape(wanted: LineQuery) -> tuple[_Shape, dict[str, Any]]:
    """How to walk, what else to ask of each line, and the values for both."""
    values: dict[str, Any] = {}
    walk: Walk = "time"
    if wanted.sources is not None:
        if len(wanted.sources) == 1:
            walk, values["walked"] = "source", next(iter(wanted.sources))
        else:
            values["sources"] = sorted(wanted.sources)
    if wanted.levels is not None:
        if walk == "time" and wanted.sources is None and len(wanted.levels) == 1:
            walk, values["walked"] = "level", str(next(iter(wanted.levels)))
        else:
            values["levels"] = sorted(str(level) for level in wanted.levels)
    if wanted.text:
        values["pattern"] = f"%{_escaped(wanted.text)}%"
    return _Shape(walk, "sources" in values, "levels" in values, "pattern" in values), values


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _walked(shape: _Shape) -> list[ColumnElement[bool]]:
    return [] if shape.walk == "time" else [_L[shape.walk] == bindparam("walked")]


@cache
def _edge(direction: Direction, walk: Walk) -> Query:
    """The place of the last line that one stretch looks at."""
    own = [] if walk == "time" else [_L[walk] == bindparam("walked")]
    return _bounded(
        select(_L.timestamp, _L.id)
        .with_hint(logs, f"FORCE INDEX ({_KEYS[walk]})")
        .where(*own, *_between(direction))
        .order_by(*_order(direction))
        .limit(1)
        .offset(bindparam("looks"))
    )


@cache
def _looked(direction: Direction, shape: _Shape) -> Query:
    clauses = [*_walked(shape), *_between(direction)]
    if shape.by_sources:
        clauses.append(one_of(_L.source, "sources"))
    if shape.by_levels:
        clauses.append(one_of(_L.level, "levels"))
    if shape.by_text:
        clauses.append(_L.message.like(bindparam("pattern")))
    return _bounded(
        select(_L.id, _L.source, _L.timestamp, _L.level, _L.message)
        .with_hint(logs, f"FORCE INDEX ({_KEYS[shape.walk]})")
        .where(*clauses)
        .order_by(*_order(direction))
        .limit(bindparam("limit"))
    )


async def stretch(
    session: Database | Transaction,
    wanted: LineQuery,
    place: Place,
    direction: Direction,
    *,
    looks: int,
    limit: int,
    until: Place | None = None,
) -> tuple[list[LogLine], Place | None]:
    """Look at the next ``looks`` lines beyond ``place``: those that match, the nearest first, and where to go on.

    At most ``limit`` are found, and none beyond ``until``; with ``None`` there is nothing left to look at.
    """
    shape, values = _shape(wanted)
    bounds = _stretch(wanted, place, until, direction)
    walked = {name: value for name, value in values.items() if name == "walked"}
    row = await session.row(_edge(direction, shape.walk), **bounds, **walked, looks=looks - 1)
    edge = None if row is None else Place(time_in(row[0]), int(row[1]))
    # The line at the edge belongs to the stretch: it ends just beyond it.
    last = until if edge is None else Place(edge.at, edge.id + (-1 if direction == "older" else 1))
    rows = await session.rows(
        _looked(direction, shape), **_stretch(wanted, place, last, direction), **values, limit=limit
    )
    lines = [_line(found) for found in rows]
    return lines, Place.of(lines[-1]) if len(lines) == limit else edge or until


def _stretch(wanted: LineQuery, place: Place, last: Place | None, direction: Direction) -> dict[str, Any]:
    """The values of :func:`_between`: from ``place``, inside the span, to ``last`` or the span's end."""
    start = Place(wanted.span.start or EARLIEST, -1)
    end = Place(wanted.span.end or LATEST, 0)  # exclusive: at that moment no id is below 0
    if direction == "older":
        begin, edge = min(place, end), max(last or start, start)
    else:
        begin, edge = max(place, start), min(last or end, end)
    return {"at": time_out(begin.at), "key": begin.id, "edge": time_out(edge.at), "edge_key": edge.id}


def _line(row: Row) -> LogLine:
    return LogLine(row[0], row[1], time_in(row[2]), LogLevel(row[3]), row[4])


# --- what the kept counts know ---------------------------------------------------------------------------------------


def names_of(wanted: LineQuery) -> list[str]:
    """The counts that together count what the sources and levels of a query let through."""
    return [
        series(source, level)
        for source in ([None] if wanted.sources is None else sorted(wanted.sources))
        for level in ([None] if wanted.levels is None else sorted(wanted.levels))
    ]


async def is_rare(session: Database | Transaction, wanted: LineQuery) -> bool:
    """Whether so few of the lines that a search looks at match, by the counts, that :func:`skip` saves work."""
    shape, _ = _shape(wanted)
    if not (shape.by_sources or shape.by_levels) or len(names_of(wanted)) > JUMP_SERIES_LIMIT:
        return False
    looked_at = replace(
        wanted,
        sources=wanted.sources if shape.walk == "source" else None,
        levels=wanted.levels if shape.walk == "level" else None,
    )
    return RARE * await count(session, wanted) < await count(session, looked_at)


@cache
def _next_minute(direction: Direction, names: int) -> Query:
    order = _T.start.desc() if direction == "older" else _T.start.asc()
    parts = [
        select(_T.start)
        .where(
            _T.series == bindparam(f"series_{number}"),
            _T.span == "minute",
            _T.start <= bindparam("at") if direction == "older" else _T.start >= bindparam("at"),
            _T.n > 0,
        )
        .order_by(order)
        .limit(1)
        for number in range(names)
    ]
    found = (parts[0] if names == 1 else union_all(*parts)).subquery("minute")
    return _bounded(select(func.max(found.c.start) if direction == "older" else func.min(found.c.start)))


async def skip(
    session: Database | Transaction, wanted: LineQuery, place: Place, direction: Direction
) -> tuple[Place, Place] | None:
    """The part beyond ``place`` of the next minute in which the query's sources and levels have lines.

    From where to where; ``None``: there is no such minute.
    """
    names = names_of(wanted)
    if direction == "older":
        begin = min(place, Place(wanted.span.end or LATEST, 0))
        at = tallies.floor(begin.at, "minute")
        if begin.at == at and begin.id <= 0:  # at the very start of a minute: nothing of it is left
            at -= timedelta(minutes=1)
    else:
        at = tallies.floor(max(place.at, wanted.span.start or EARLIEST), "minute")
    row = await session.row(
        _next_minute(direction, len(names)),
        **{f"series_{number}": name for number, name in enumerate(names)},
        at=time_out(at),
    )
    if row is None or row[0] is None:
        return None
    minute = time_in(row[0])
    after = tallies.after(minute, "minute")
    if direction == "older":
        if minute < tallies.floor(wanted.span.start or EARLIEST, "minute"):
            return None
        return min(place, Place(after, 0)), Place(minute, -1)
    if wanted.span.end is not None and minute >= wanted.span.end:
        return None
    return max(place, Place(minute, -1)), Place(after, 0)


async def count(session: Database | Transaction, wanted: LineQuery) -> int:
    """How many lines the sources, levels and span let through, but for the minutes that the span cuts."""
    if wanted.is_impossible:
        return 0
    total = await _since(session, wanted, wanted.span.start)
    return total - (0 if wanted.span.end is None else await _since(session, wanted, wanted.span.end))


async def _since(session: Database | Transaction, wanted: LineQuery, moment: datetime | None) -> int:
    rows, _ = await tallies.since(session, tallies.LOG_LADDER, names_of(wanted), moment)
    return rows


async def start_of_newest(session: Database | Transaction, wanted: LineQuery, rows: int) -> datetime | None:
    """When the ``rows`` newest lines that sources, levels and span let through begin; ``None``: there are fewer."""
    newer = 0 if wanted.span.end is None else await _since(session, wanted, wanted.span.end)
    found = await tallies.place(session, tallies.LOG_LADDER, names_of(wanted), newer + rows)
    # The row lies in the minute before that moment; what is older in that minute is left out with it.
    return None if found is None else found[0]


# From one series to the next by the key: there are few, each with a count for every minute.
_NEXT_SERIES: Final = Query(
    select(_T.series).where(_T.series > bindparam("after"), _T.series < "logs}").order_by(_T.series).limit(1)
)


async def sources(session: Database | Transaction) -> list[str]:
    """Every source that has, or lately had, lines."""
    found = set()
    name = "logs|"
    while row := await session.row(_NEXT_SERIES, after=name):
        name = row[0]
        found.add(name.removeprefix("logs|").rpartition("|")[0])
    return sorted(found - {""})


# --- lines as they come ----------------------------------------------------------------------------------------------

_NEWEST_ID: Final = Query(select(_L.id).order_by(_L.id.desc()).limit(1))
_IDS_SINCE: Final = _bounded(
    select(_L.id).where(_L.id > bindparam("key")).order_by(_L.id.desc()).limit(bindparam("limit"))
)
_BY_IDS: Final = _bounded(
    select(_L.id, _L.source, _L.timestamp, _L.level, _L.message).where(one_of(_L.id, "ids")).order_by(_L.id)
)


async def newest_id(session: Database | Transaction) -> int:
    """The largest id; ids grow in the order in which lines come, whatever their times."""
    row = await session.row(_NEWEST_ID)
    return 0 if row is None else int(row[0])


async def ids_since(session: Database | Transaction, after: int, *, limit: int) -> list[int]:
    """The newest ``limit`` ids above ``after``, ascending."""
    return [int(row[0]) for row in await session.rows(_IDS_SINCE, key=after, limit=limit)][::-1]


async def by_ids(session: Database | Transaction, ids: Iterable[int]) -> list[LogLine]:
    """These lines, by id."""
    wanted = list(ids)
    return [_line(row) for row in await session.rows(_BY_IDS, ids=wanted)] if wanted else []
