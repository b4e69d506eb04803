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

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, literal, or_, select, true, union_all

from securitycamd.db.engine import Database, Transaction
from securitycamd.db.statements import Query, one_of
from securitycamd.db.tables import event_texts, events
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.models import EventFilter, Place
from securitycamd.domain.times import EARLIEST, LATEST
from securitycamd.domain.words import Term, read_search

_E = events.c
_IS_ITS: Final = event_texts.c.event_id == _E.id
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
TEXT: Final = Driver("ft_event_texts_words", ("match",))
"""The full-text index: in no order, and only for what is known to be little."""


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
    excluded: tuple[bool, ...] = ()
    """Of each term of a search whether it must not be there."""
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
    TEXT: frozenset[str](),
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
    terms = read_search(wanted.text).terms
    values |= {f"term{place}": _needle(term) for place, term in enumerate(terms)}
    return _Shape(path.driver, nulls, frozenset(rest), _exclusions(terms), ascending), values | rest


def _exclusions(terms: Sequence[Term]) -> tuple[bool, ...]:
    return tuple(term.is_excluded for term in terms)


_AMONG: Final = 10_000
_MONTH_MARK: Final = "~"


def _needle(term: Term) -> str:
    """A term as it stands among an event's words, with a mark where those have their month."""
    if term.is_prefix:
        *whole, last = term.spellings
        return " " + "".join(f"{word}_{_MONTH_MARK} " for word in whole) + last
    return " " + "".join(f"{word}_{_MONTH_MARK} " for word in term.spellings)


def _with_month(place: int) -> Any:
    """The needle of a term, with the month of the event that is looked at."""
    return func.replace(bindparam(f"term{place}"), _MONTH_MARK, func.date_format(_E.timestamp, "%y%m"))


def _said(excluded: Sequence[bool]) -> list[ColumnElement[bool]]:
    """What a search asks of an event's words."""
    asked = []
    for place, is_excluded in enumerate(excluded):
        found = func.locate(_with_month(place), event_texts.c.words)
        asked.append(found == 0 if is_excluded else found > 0)
    return asked


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
    with_words = bool(shape.excluded) and filtered
    if with_words:
        rest += _said(shape.excluded)
    order = [_E.timestamp.asc(), _E.id.asc()] if shape.ascending else [_E.timestamp.desc(), _E.id.desc()]
    if shape.driver is TEXT:
        hits = event_texts.c.words.match(bindparam("s0_match"))
        statement = select(_E.timestamp, _E.id).prefix_with("STRAIGHT_JOIN").where(hits, *inside, *rest)
        return [statement.select_from(event_texts.join(events, _IS_ITS)).order_by(*order)]
    found = []
    for place, nulls in enumerate(shape.nulls):
        fixed = [
            _E[column].is_(None) if is_null else _E[column] == bindparam(f"s{place}_{column}")
            for column, is_null in zip(shape.driver.columns, nulls, strict=True)
        ]
        statement = select(_E.timestamp, _E.id).where(*fixed, *inside, *rest).order_by(*order)
        if with_words:
            statement = statement.prefix_with("STRAIGHT_JOIN").select_from(events.join(event_texts, _IS_ITS))
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
def _best_query(shape: _Shape) -> Query:
    score: Any = literal(0)
    for place, is_excluded in enumerate(shape.excluded):
        if not is_excluded:
            needle = _with_month(place)
            left = func.char_length(func.replace(event_texts.c.words, needle, ""))
            score += (func.char_length(event_texts.c.words) - left) / func.char_length(needle)
    parts = [part.add_columns(score.label("score")) for part in _streams(shape, filtered=True)]
    merged = _merged([part.limit(bindparam("among")) for part in parts])
    best_first = (merged.c.score.desc(), merged.c.timestamp.desc(), merged.c.id.desc())
    return Query(select(merged.c.timestamp, merged.c.id).order_by(*best_first).limit(bindparam("limit")))


@lru_cache(maxsize=256)
def _skip_query(shape: _Shape) -> Query:
    merged = _merged([part.limit(1).offset(bindparam("skip")) for part in _streams(shape, filtered=False)])
    return Query(select(merged.c.timestamp))


@lru_cache(maxsize=256)
def _count_query(shape: _Shape) -> Query:
    merged = _merged([part.limit(bindparam("limit")) for part in _streams(shape, filtered=True)])
    return Query(select(func.count()).select_from(merged))


@lru_cache(maxsize=256)
def _matches_query(shape: _Shape) -> Query:
    is_match = and_(true(), *(_ASKS[name] for name in sorted(shape.asks))).label("is_match")
    parts = [part.add_columns(is_match).limit(bindparam("limit")) for part in _streams(shape, filtered=False)]
    merged = _merged(parts)
    counted: Any = select(func.count(), func.coalesce(func.sum(merged.c.is_match), 0))
    return Query(counted.select_from(merged))


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


async def best(session: Session, path: Path, wanted: EventFilter, window: Window, *, limit: int) -> list[Place]:
    """The events in the window that say most often what is searched for, the best and newest first."""
    shape, values = _prepare(path, wanted)
    query = _best_query(shape)
    rows = await session.rows(query, **values, **_between(window), limit=limit, among=_AMONG)
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


async def matches_among(
    session: Session, path: Path, wanted: EventFilter, window: Window, *, rows: int
) -> tuple[int, bool]:
    """How many events match, in all but their words, among about ``rows`` rows of the driver in the window, the newest;
    and whether it is known to have no more.
    """
    shape, values = _prepare(path, wanted)
    share = max(rows // len(path.streams), 1)
    row = await session.row(_matches_query(shape), **values, **_between(window), limit=share)
    seen, matches = (int(row[0]), int(row[1])) if row else (0, 0)
    return matches, seen < share


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
    return asked(wanted).keys() <= _ANSWERED[path.driver] and not read_search(wanted.text).asks
