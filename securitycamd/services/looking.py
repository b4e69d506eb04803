"""Looks for the next events that match, over a bounded number of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from securitycamd.db import finding as rows
from securitycamd.db.engine import Database
from securitycamd.db.finding import Path, Window
from securitycamd.db.search import Month
from securitycamd.domain.models import EventFilter, Place
from securitycamd.domain.words import read_search

PATIENCE: Final = (1_000, 10_000)
"""Rows of an index that are passed over for a page: at first, and when that did not fill it."""
LOOKUPS: Final = (200, 1_000)
"""The same where events must be looked up one by one: at first, and when it is known that there are no more."""
HITS: Final = 600
"""So many hits of the full-text index are looked at one by one in one go; where there may be more, events are read in
the order of time instead."""
TEXT_PATIENCE: Final = 2_000
"""Events whose words are looked at in one request."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a filter is answered."""

    path: Path
    is_short: bool
    """Whether all its rows may be gone through in one request."""
    months: tuple[Month, ...] = ()
    """Where words are searched for: when they occur."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was found, and up to where was looked (``None``: to the end, or until enough was found)."""

    found: list[Place]
    reached: datetime | None = None


async def stretch_of(
    database: Database, way: Way, wanted: EventFilter, window: Window, limit: int, *, ascending: bool = False
) -> Stretch:
    """The next events that match in the window, at most ``limit``."""
    if way.is_short:
        return Stretch(await rows.places(database, way.path, wanted, window, limit=limit, ascending=ascending))
    flags = rows.flags(wanted)
    for flag in flags:
        # Where one of the things that are asked for has not occurred at all need not be looked.
        first = await rows.edge(database, flag, wanted, window, ascending=ascending)
        if first is None:
            return Stretch([])
        window = _from(window, first, ascending=ascending)
    if read_search(wanted.text).wanted:
        return await _search(database, way, wanted, window, limit, ascending=ascending)
    tries = [(flag, LOOKUPS[0]) for flag in flags] + [(way.path, patience) for patience in PATIENCE]
    if wanted.text:
        tries = [(way.path, TEXT_PATIENCE)]
    stretch = Stretch([])
    for path, patience in tries:
        stretch = await _look(database, path, wanted, window, limit, patience, ascending=ascending)
        if len(stretch.found) >= limit or stretch.reached is None:
            return Stretch(stretch.found)
    return stretch


async def _look(
    database: Database, path: Path, wanted: EventFilter, window: Window, limit: int, patience: int, *, ascending: bool
) -> Stretch:
    """What matches among the next ``patience`` rows of a driver."""
    reached = await rows.passed(database, path, wanted, window, rows=patience, ascending=ascending)
    part = window if reached is None else _up_to(window, reached, ascending=ascending)
    return Stretch(await rows.places(database, path, wanted, part, limit=limit, ascending=ascending), reached)


async def _search(
    database: Database, way: Way, wanted: EventFilter, window: Window, limit: int, *, ascending: bool
) -> Stretch:
    """The same where words are searched for: month by month, each by what is less work there."""
    found: list[Place] = []
    patience, hits = TEXT_PATIENCE, HITS * 2
    for months in _groups(way.months, ascending=ascending):
        part = _within(window, months[0].start, months[-1].end)
        if part is None:
            continue
        if patience <= 0 or hits <= 0:
            return Stretch(found, months[0].start if ascending else months[-1].end)
        at_most = sum(month.at_most for month in months)
        room = limit - len(found)
        if at_most <= HITS:
            path = text_path(months)
            found += await rows.places(database, path, wanted, part, limit=room, ascending=ascending)
            hits -= at_most
        else:
            stretch = await _look(database, way.path, wanted, part, room, patience, ascending=ascending)
            found += stretch.found
            patience -= TEXT_PATIENCE if stretch.reached is not None else patience // 2
            if stretch.reached is not None and len(found) < limit:
                return Stretch(found, stretch.reached)
        if len(found) >= limit:
            break
    return Stretch(found)


async def best_of(
    database: Database, way: Way, wanted: EventFilter, window: Window, limit: int
) -> tuple[list[Place], datetime | None]:
    """The events that say most often what is searched for, the best first; and how far back was looked."""
    if way.is_short:
        return await rows.best(database, way.path, wanted, window, limit=limit), None
    group = next(_groups(way.months, ascending=False), None)
    if group is None:
        return [], None
    if sum(month.at_most for month in group) > HITS:
        reached = await rows.passed(database, way.path, wanted, window, rows=TEXT_PATIENCE)
        part = window if reached is None else _up_to(window, reached, ascending=False)
        return await rows.best(database, way.path, wanted, part, limit=limit), reached
    part = replace(window, older=max(window.older, Place(group[0].start, 0), key=key_of))
    return await rows.best(database, text_path(group), wanted, part, limit=limit), group[0].start


def text_path(months: Sequence[Month]) -> Path:
    """The way through the full-text index to what is said in these months."""
    return Path(rows.TEXT, ((f"+({' '.join(dict.fromkeys(month.match for month in months))})",),))


def _groups(months: Sequence[Month], *, ascending: bool) -> Iterator[list[Month]]:
    """Months in the order of looking, those with few hits together; each group oldest first."""
    group: list[Month] = []
    for month in months if ascending else reversed(months):
        if group and sum(each.at_most for each in group) + month.at_most > HITS:
            yield sorted(group, key=lambda each: each.start)
            group = []
        group.append(month)
    if group:
        yield sorted(group, key=lambda each: each.start)


def _within(window: Window, start: datetime, end: datetime) -> Window | None:
    """The part of a window from ``start`` to before ``end``; ``None``: there is none."""
    newer = min(window.newer, Place(end, 0), key=key_of)
    older = max(window.older, Place(start, 0), key=key_of)
    return Window(newer, older) if key_of(older) < key_of(newer) else None


def _from(window: Window, first: datetime, *, ascending: bool) -> Window:
    if ascending:
        return replace(window, older=max(window.older, Place(first, 0), key=key_of))
    return replace(window, newer=min(window.newer, Place(first, rows.LAST_ID), key=key_of))


def _up_to(window: Window, reached: datetime, *, ascending: bool) -> Window:
    if ascending:
        return replace(window, newer=min(window.newer, Place(reached, rows.LAST_ID), key=key_of))
    return replace(window, older=max(window.older, Place(reached, 0), key=key_of))


def key_of(place: Place) -> tuple[datetime, int]:
    """The order of places in time."""
    return place.timestamp, place.event_id
