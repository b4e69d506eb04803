"""Events that match a filter, newest first, at a cost that does not grow with the table.

A filter is answered from one index, its *driver*, whose rows are read in the order of time until the page is full; what
else the filter asks is looked up in the same index where it is there. Events of several cameras or categories are
several *streams* of that index, which are merged. How many rows a request may pass over is bounded by a *window*: the
place so many rows further on, found by skipping in the index alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, func, or_, select, union_all

from securitycamd.db.engine import Database, Transaction
from securitycamd.db.statements import Query, one_of
from securitycamd.db.tables import events
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.models import EventFilter, Place
from securitycamd.domain.times import EARLIEST, LATEST

_E = events.c
Session = Database | Transaction
LAST_ID: Final = 2**32


@dataclass(frozen=True, slots=True)
class Driver:
    """An index that yields events in the order of time for fixed values of its first columns."""

    index: str
    columns: tuple[str, ...] = ()
    covers: bool = False
    """Whether it holds everything that a filter may ask."""


TIME: Final = Driver("ix_events_time", covers=True)
KIND: Final = Driver("ix_events_kind", ("camera_id", "ai_category"), covers=True)
PROTECTED: Final = Driver("ix_events_protected", ("protected",))
REVIEWED: Final = Driver("ix_events_reviewed", ("reviewed",))
STATUS: Final = Driver("ix_events_status", ("status",))
PERSON: Final = Driver("ix_events_person", ("ai_person_detected",))


@dataclass(frozen=True, slots=True)
class Path:
    """A driver, and the values of its columns: one tuple a stream."""

    driver: Driver
    streams: tuple[tuple[Any, ...], ...] = ((),)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the list: what lies strictly between two places."""

    newer: Place
    older: Place


def whole(wanted: EventFilter) -> Window:
    """The window of all events in the filter's span."""
    # A span starts inclusive and ends exclusive; no event has the id 0.
    return Window(Place(wanted.span.end or LATEST, 0), Place(wanted.span.start or EARLIEST, 0))


@dataclass(frozen=True)
class _Shape:
    """What the text of a statement depends on."""

    driver: Driver
    # Of each stream which of its values are NULL.
    nulls: tuple[tuple[bool, ...], ...]
    asks: frozenset[str]
    ascending: bool = False


_ASKS: Final[Mapping[str, ColumnElement[bool]]] = {
    "cameras": one_of(_E.camera_id, "cameras"),
    "categories": one_of(_E.ai_category, "categories"),
    "person": _E.ai_person_detected == bindparam("person"),
    "statuses": one_of(_E.status, "statuses"),
    "reviewed": _E.reviewed == bindparam("reviewed"),
    "protected": _E.protected == bindparam("protected"),
    "min_confidence": _E.ai_confidence >= bindparam("min_confidence"),
}
_ANSWERED: Final = {
    TIME: frozenset[str](),
    KIND: frozenset({"cameras", "categories"}),
    PROTECTED: frozenset({"protected"}),
    REVIEWED: frozenset({"reviewed"}),
    STATUS: frozenset({"statuses"}),
    PERSON: frozenset({"person"}),
}


def asked(wanted: EventFilter) -> dict[str, Any]:
    """What the filter asks of an event besides its time, as values of statements."""
    values: dict[str, Any] = {}
    if wanted.cameras is not None:
        values["cameras"] = sorted(wanted.cameras)
    if wanted.categories is not None:
        values["categories"] = sorted(wanted.categories)
    if wanted.statuses is not None:
        values["statuses"] = sorted(wanted.statuses)
    for name in ("person", "reviewed", "protected", "min_confidence"):
        if (value := getattr(wanted, name)) is not None:
            values[name] = value
    return values


def _prepare(path: Path, wanted: EventFilter, *, ascending: bool = False) -> tuple[_Shape, dict[str, Any]]:
    rest = {name: value for name, value in asked(wanted).items() if name not in _ANSWERED[path.driver]}
    nulls = tuple(tuple(value is None for value in stream) for stream in path.streams)
    values = {
        f"s{place}_{column}": value
        for place, stream in enumerate(path.streams)
        for column, value in zip(path.driver.columns, stream, strict=True)
        if value is not None
    }
    return _Shape(path.driver, nulls, frozenset(rest), ascending), values | rest


def _between(window: Window) -> dict[str, Any]:
    return {
        "newer_at": time_out(window.newer.timestamp),
        "newer_id": window.newer.event_id,
        "older_at": time_out(window.older.timestamp),
        "older_id": window.older.event_id,
    }


def _streams(shape: _Shape, *, filtered: bool) -> list[Select[Any]]:
    """One select of times and ids a stream, in the order of the index."""
    inside = [
        _E.timestamp <= bindparam("newer_at"),
        _E.timestamp >= bindparam("older_at"),
        or_(_E.timestamp < bindparam("newer_at"), _E.id < bindparam("newer_id")),
        or_(_E.timestamp > bindparam("older_at"), _E.id > bindparam("older_id")),
    ]
    rest = [_ASKS[name] for name in sorted(shape.asks)] if filtered else []
    order = [_E.timestamp.asc(), _E.id.asc()] if shape.ascending else [_E.timestamp.desc(), _E.id.desc()]
    found = []
    for place, nulls in enumerate(shape.nulls):
        fixed = [
            _E[column].is_(None) if is_null else _E[column] == bindparam(f"s{place}_{column}")
            for column, is_null in zip(shape.driver.columns, nulls, strict=True)
        ]
        statement = select(_E.timestamp, _E.id).where(*fixed, *inside, *rest).order_by(*order)
        found.append(statement.with_hint(events, f"FORCE INDEX ({shape.driver.index})"))
    return found


def _merged(parts: Sequence[Select[Any]]) -> Any:
    return (parts[0] if len(parts) == 1 else union_all(*parts)).subquery("found")


@lru_cache(maxsize=256)
def _page_query(shape: _Shape) -> Query:
    merged = _merged([part.limit(bindparam("limit")) for part in _streams(shape, filtered=True)])
    at, event_id = merged.c.timestamp, merged.c.id
    order = (at.asc(), event_id.asc()) if shape.ascending else (at.desc(), event_id.desc())
    return Query(select(at, event_id).order_by(*order).limit(bindparam("limit")))


@lru_cache(maxsize=256)
def _skip_query(shape: _Shape) -> Query:
    merged = _merged([part.limit(1).offset(bindparam("skip")) for part in _streams(shape, filtered=False)])
    return Query(select(merged.c.timestamp))


@lru_cache(maxsize=256)
def _count_query(shape: _Shape) -> Query:
    merged = _merged([part.limit(bindparam("limit")) for part in _streams(shape, filtered=True)])
    return Query(select(func.count()).select_from(merged))


@lru_cache(maxsize=256)
def _rows_query(shape: _Shape) -> Query:
    merged = _merged([part.limit(bindparam("limit")) for part in _streams(shape, filtered=False)])
    return Query(select(func.count()).select_from(merged))


async def places(
    session: Session, path: Path, wanted: EventFilter, window: Window, *, limit: int, ascending: bool = False
) -> list[Place]:
    """The first events that match in the window, from its newer end (``ascending``: from its older end)."""
    shape, values = _prepare(path, wanted, ascending=ascending)
    rows = await session.rows(_page_query(shape), **values, **_between(window), limit=limit)
    return [Place(time_in(at), int(event_id)) for at, event_id in rows]


async def passed(
    session: Session, path: Path, wanted: EventFilter, window: Window, *, rows: int, ascending: bool = False
) -> datetime | None:
    """The time up to which about ``rows`` rows of the driver lie in the window; ``None``: it has no more than that."""
    shape, values = _prepare(path, wanted, ascending=ascending)
    skip = max(rows // len(path.streams), 1)
    found = [time_in(at) for (at,) in await session.rows(_skip_query(shape), **values, **_between(window), skip=skip)]
    if not found:
        return None
    # Each stream passed over at most its share up to the nearest of these.
    return min(found) if ascending else max(found)


async def count(session: Session, path: Path, wanted: EventFilter, window: Window, *, limit: int) -> int:
    """How many events match in the window, counted no further than about ``limit``."""
    shape, values = _prepare(path, wanted)
    row = await session.row(_count_query(shape), **values, **_between(window), limit=limit)
    return min(int(row[0]), limit) if row else 0


async def driver_rows(session: Session, path: Path, wanted: EventFilter, window: Window, *, limit: int) -> int:
    """How many rows the driver has in the window, counted no further than about ``limit``."""
    shape, values = _prepare(path, wanted)
    row = await session.row(_rows_query(shape), **values, **_between(window), limit=limit)
    return min(int(row[0]), limit) if row else 0


async def edge(
    session: Session, path: Path, wanted: EventFilter, window: Window, *, ascending: bool = False
) -> datetime | None:
    """When the first event of the driver in the window was, from its newer end (``ascending``: its older end)."""
    shape, values = _prepare(path, wanted, ascending=ascending)
    found = [time_in(at) for (at,) in await session.rows(_skip_query(shape), **values, **_between(window), skip=0)]
    if not found:
        return None
    return min(found) if ascending else max(found)


def flags(wanted: EventFilter) -> list[Path]:
    """The narrow drivers that fit what the filter asks."""
    found = []
    for driver, value in ((PROTECTED, wanted.protected), (REVIEWED, wanted.reviewed), (PERSON, wanted.person)):
        if value is not None:
            found.append(Path(driver, ((value,),)))
    if wanted.statuses is not None:
        found.append(Path(STATUS, tuple((status,) for status in sorted(wanted.statuses))))
    return found


def asks_only(path: Path, wanted: EventFilter) -> bool:
    """Whether the driver's own columns answer everything that the filter asks."""
    return asked(wanted).keys() <= _ANSWERED[path.driver]
