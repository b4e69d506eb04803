"""Finds events: every combination of filters, paged to both sides at any depth, within a bounded piece of work.

How a filter is answered is chosen by what is rare in it. When kept counts or a look at an index tell that few events
can match, all of them are gone through, and everything said of them is exact. Otherwise events are read in the order
of time until a page is full, over a bounded number of rows a request; what was not found by then is looked for
further on with the next request, and the page says how far it looked. Words are looked for in the full-text index where
they are rare, month by month, and among the events in the order of time where they are not.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from securitycamd.db import event_index, kinds
from securitycamd.db import event_totals as totals
from securitycamd.db import events as event_rows
from securitycamd.db import finding as rows
from securitycamd.db import search as words
from securitycamd.db.engine import Database
from securitycamd.db.finding import Path, Window
from securitycamd.db.search import Month
from securitycamd.db.tidying import tidy_words
from securitycamd.domain.models import Event, EventFilter, FoundPage, Neighbours, Place, Total
from securitycamd.domain.names import is_camera_id
from securitycamd.domain.principal import Principal
from securitycamd.domain.times import Span
from securitycamd.domain.words import read_search
from securitycamd.services import looking
from securitycamd.services.looking import Way, key_of, stretch_of

log = structlog.get_logger(__name__)

STREAMS_LIMIT: Final = 40
"""More kinds (a camera and a category) than these are not merged, but read all together."""
RARE_STREAMS_LIMIT: Final = 120
FEW_STREAMS: Final = 10
COMMON_SHARE: Final = 0.1
TEXTS_A_TURN: Final = 200
GONE_LIMIT: Final = 2_000
"""So many events that are gone may stay in the search's index."""
TIDY_STEPS: Final = 20
COUNT_LIMIT: Final = 1_000
"""What is not counted anyway is counted so far."""


class FindingService:
    """Events by what they show and what was done with them, for the cameras a principal may see."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._told = False

    async def find(
        self,
        principal: Principal,
        wanted: EventFilter,
        *,
        limit: int,
        before: Place | None = None,
        after: Place | None = None,
    ) -> FoundPage:
        """A page of the events that match, newest first.

        Args:
            principal: who asks; of other cameras than theirs nothing is found.
            wanted: which events.
            limit: how many at most.
            before: only what comes before this place in time, the nearest to it; :attr:`FoundPage.older`.
            after: only what comes after it, the nearest to it; :attr:`FoundPage.newer`. Not together with ``before``.
        """
        wanted = _visible(principal, wanted)
        way = await self._way(wanted)
        if way is None:
            return FoundPage([], Total(0, is_exact=True), 0, None, None)
        if after is not None:
            page = await self._rising(wanted, way, limit, after)
            if page is not None:
                return page
            before = None  # less than a page is left: the first one
        stretch = await stretch_of(self._database, way, wanted, _below(wanted, before), limit + 1)
        found = stretch.found[:limit]
        older = found[-1] if len(stretch.found) > limit else None
        if older is None and stretch.reached is not None:
            older = Place(stretch.reached, 0)
        newer = None
        if before is not None:
            newer = await self._way_up(wanted, way, found[0] if found else Place(before.timestamp, before.event_id - 1))
        searched_to = None if len(found) == limit else stretch.reached
        known = None
        if before is None and len(stretch.found) <= limit:
            known = Total(len(found), is_exact=stretch.reached is None)
        return await self._page(wanted, way, found, newer, older, searched_to, known)

    async def neighbours(self, principal: Principal, wanted: EventFilter, event: Event) -> Neighbours:
        """The events that come just after and just before ``event`` in time among those that match."""
        wanted = _visible(principal, wanted)
        way = await self._way(wanted)
        if way is None:
            return Neighbours(None, None)
        here = Place(event.timestamp, event.id)
        newer = await stretch_of(self._database, way, wanted, _above(wanted, here), 1, ascending=True)
        older = await stretch_of(self._database, way, wanted, _below(wanted, here), 1)
        return Neighbours(
            newer.found[0].event_id if newer.found else None, older.found[0].event_id if older.found else None
        )

    async def _rising(self, wanted: EventFilter, way: Way, limit: int, after: Place) -> FoundPage | None:
        stretch = await stretch_of(self._database, way, wanted, _above(wanted, after), limit + 1, ascending=True)
        found = stretch.found[:limit][::-1]
        if len(found) < limit and stretch.reached is None:
            return None
        newer = found[0] if len(stretch.found) > limit else None
        if newer is None and stretch.reached is not None:
            newer = Place(stretch.reached, rows.LAST_ID)
        down = found[-1] if found else Place(after.timestamp, after.event_id + 1)
        rest = await stretch_of(self._database, way, wanted, _below(wanted, down), 1)
        older = down if rest.found or rest.reached is not None else None
        return await self._page(wanted, way, found, newer, older, None if len(found) == limit else stretch.reached)

    async def _way_up(self, wanted: EventFilter, way: Way, here: Place) -> Place | None:
        """``here``, when something newer matches, or may."""
        rest = await stretch_of(self._database, way, wanted, _above(wanted, here), 1, ascending=True)
        return here if rest.found or rest.reached is not None else None

    async def _page(
        self,
        wanted: EventFilter,
        way: Way,
        found: list[Place],
        newer: Place | None,
        older: Place | None,
        searched_to: datetime | None,
        known: Total | None = None,
    ) -> FoundPage:
        reading = event_rows.by_ids(self._database, [place.event_id for place in found])
        counting = self._total(wanted, way, found, is_first=newer is None, known=known)
        events, (total, position) = await asyncio.gather(reading, counting)
        items = [events[place.event_id] for place in found if place.event_id in events]
        return FoundPage(items, total, position, newer, older, searched_to)

    async def _total(
        self, wanted: EventFilter, way: Way, found: Sequence[Place], *, is_first: bool, known: Total | None
    ) -> tuple[Total, int | None]:
        """How many match, and how many of them are newer than those ``found``; ``known``: this is all of them."""
        if known is not None:
            return known, 0
        first = found[0] if found else None
        series = await totals.kept_series(self._database, wanted)
        position = 0 if is_first else None
        if series is not None:
            value = await totals.kept_count(self._database, series, wanted)
            if first is not None and position is None:
                position = await totals.kept_newer(self._database, series, wanted, first)
            return Total(value, is_exact=True), position
        window = rows.whole(wanted)
        if not way.is_short and wanted.text:
            return _said_total(wanted, way, len(found)), position
        if way.is_short:
            value, is_all = await rows.count(self._database, way.path, wanted, window, limit=COUNT_LIMIT + 1), True
        else:
            value, is_all = await rows.matches_among(
                self._database, way.path, wanted, window, rows=looking.PATIENCE[-1]
            )
        is_exact = is_all and value <= COUNT_LIMIT
        if first is not None and position is None and is_exact:
            newer = replace(window, older=first)
            position = await rows.count(self._database, way.path, wanted, newer, limit=COUNT_LIMIT)
        return Total(min(value, COUNT_LIMIT), is_exact), position

    async def _way(self, wanted: EventFilter) -> Way | None:
        """How to answer; ``None``: nothing can match."""
        if wanted.span.is_empty or any(asked == frozenset() for asked in (wanted.cameras, wanted.categories)):
            return None
        if wanted.statuses == frozenset():
            return None
        options: list[tuple[int, int, Path]] = []
        search = read_search(wanted.text)
        months: Sequence[Month] = ()
        bound = looking.LOOKUPS[-1] if search.asks else looking.PATIENCE[-1]
        if search.wanted:
            months = await words.months(self._database, search, wanted.span)
            if not months:
                return None
            options.append((sum(month.at_most for month in months), looking.HITS, looking.text_path(months)))
        flags = rows.flags(wanted)
        looking_at = [
            rows.driver_rows(self._database, path, wanted, rows.whole(wanted), limit=looking.LOOKUPS[-1] + 1)
            for path in flags
        ]
        kind, few = await asyncio.gather(self._kind_path(wanted), asyncio.gather(*looking_at))
        if kind is not None and kind[1] is not None:
            options.append((kind[0], bound, kind[1]))
        if not all(few) or (kind is not None and not kind[0]):
            return None
        options += [(count, looking.LOOKUPS[-1], path) for count, path in zip(few, flags, strict=True)]
        return replace(_best(options, wanted), months=tuple(months))

    async def _kind_path(self, wanted: EventFilter) -> tuple[int, Path | None] | None:
        """Where cameras or categories are asked for: how many events are of these, and the way to them if it is short.

        ``None``: neither is asked for.
        """
        if wanted.cameras is None and wanted.categories is None:
            return None
        categories = kinds.EVERY_CATEGORY if wanted.categories is None else sorted(wanted.categories)
        cameras = await totals.cameras_of(self._database, wanted)
        known, everything = await kinds.at_most(self._database, cameras, categories, wanted.span)
        count = sum(known.values())
        # Where every tenth event is of these kinds, all of them in one go are read faster than many streams.
        if count < everything * COMMON_SHARE or len(known) <= FEW_STREAMS:
            return count, Path(rows.KIND, tuple(sorted(known, key=str)))
        return count, None

    async def take_in_texts(self) -> None:
        """Make some of the texts that are older than the search findable."""
        await event_index.read_some(self._database, limit=TEXTS_A_TURN)

    async def tidy_up(self) -> None:
        """Take some of the events that are gone out of the search's index."""
        for _ in range(TIDY_STEPS):
            more = await tidy_words(self._database, at_least=GONE_LIMIT)
            if more is None and not self._told:
                self._told = True
                log.warning("the search's index cannot be kept small: the database's user may not set its variables")
            if not more:
                return

    async def ranked(self, principal: Principal, wanted: EventFilter, *, limit: int, offset: int = 0) -> FoundPage:
        """The events that say most often what is searched for, the best first; of many the best of the newest.

        Args:
            principal: who asks.
            wanted: which events; its text holds at least one word.
            limit: how many at most.
            offset: how many of the best are left out; at most :data:`COUNT_LIMIT`.
        """
        wanted = _visible(principal, wanted)
        way = await self._way(wanted)
        if way is None:
            return FoundPage([], Total(0, is_exact=True), 0, None, None)
        best, reached = await looking.best_of(self._database, way, wanted, rows.whole(wanted), COUNT_LIMIT)
        events = await event_rows.by_ids(self._database, [place.event_id for place in best[offset : offset + limit]])
        items = [events[place.event_id] for place in best[offset : offset + limit] if place.event_id in events]
        total = Total(len(best), is_exact=reached is None and len(best) < COUNT_LIMIT)
        return FoundPage(items, total, offset, None, None, reached)


def _visible(principal: Principal, wanted: EventFilter) -> EventFilter:
    cameras = wanted.cameras
    if cameras is not None:
        cameras = frozenset(filter(is_camera_id, cameras))
    if principal.cameras is not None:
        cameras = principal.cameras if cameras is None else cameras & principal.cameras
    return replace(wanted, cameras=cameras)


def _said_total(wanted: EventFilter, way: Way, at_least: int) -> Total:
    """How many events have the words, where that many have them that they are not gone through."""
    if not rows.asked(wanted) and read_search(wanted.text).is_one_word and wanted.span == Span():
        return Total(sum(month.at_most for month in way.months), is_exact=True)
    return Total(at_least, is_exact=False)


def _best(options: list[tuple[int, int, Path]], wanted: EventFilter) -> Way:
    """Of ``(rows, rows that may be gone through, path)`` the best; else all events in the order of time."""
    short = [
        (count, path) for count, bound, path in options if count <= bound and len(path.streams) <= RARE_STREAMS_LIMIT
    ]
    if short:
        return Way(min(short, key=lambda option: option[0])[1], is_short=True)
    merged = [path for _, _, path in options if len(path.streams) <= STREAMS_LIMIT and path.driver is not rows.TEXT]
    for path in merged:
        if rows.asks_only(path, wanted):
            return Way(path, is_short=True)  # every row of it matches
    for path in merged:
        if path.driver is rows.KIND:
            return Way(path, is_short=False)
    path = Path(rows.TIME)
    return Way(path, is_short=rows.asks_only(path, wanted))


def _below(wanted: EventFilter, place: Place | None) -> Window:
    window = rows.whole(wanted)
    if place is None or key_of(place) >= key_of(window.newer):
        return window
    return replace(window, newer=place)


def _above(wanted: EventFilter, place: Place) -> Window:
    window = rows.whole(wanted)
    return replace(window, older=place) if key_of(place) > key_of(window.older) else window
