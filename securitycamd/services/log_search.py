"""Looking for log lines: a page from a place onwards, within a time that is kept whatever the table holds."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from securitycamd.db import log_search as rows
from securitycamd.db.engine import Database
from securitycamd.domain.log_search import FoundLines, LineQuery, Place
from securitycamd.domain.models import LogLine
from securitycamd.domain.principal import Principal
from securitycamd.domain.times import LATEST

LOOKS_FIRST: Final = 1000
LOOKS_MOST: Final = 16_000
"""Lines that one statement looks at: few at first, more while that is quick."""
QUICK_SECONDS: Final = 0.05
DOWNLOAD_LIMIT: Final = 100_000
DOWNLOAD_PIECE: Final = 1000


@dataclass(frozen=True, slots=True)
class Download:
    """Lines to be written to a file, the oldest first, in pieces."""

    pieces: AsyncIterator[Sequence[LogLine]]
    is_cut: bool
    """Whether there are more than :data:`DOWNLOAD_LIMIT`, of which these are the newest."""


class LogSearchService:
    """Finds lines for those who may see their sources."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sources: list[str] | None = None

    async def sources(self, principal: Principal) -> list[str]:
        """Every source that the principal may see."""
        if self._sources is None:
            await self.look_for_sources()
        return [source for source in self._sources or [] if principal.may_see(source)]

    async def look_for_sources(self) -> None:
        """Find the sources anew; a regular duty, as it takes a question for each of their counts."""
        self._sources = await rows.sources(self._database)

    async def count(self, principal: Principal, wanted: LineQuery) -> int:
        """How many lines sources, levels and days let through; whole minutes, and without regard to the text."""
        return await rows.count(self._database, allowed(principal, wanted))

    async def older(
        self, principal: Principal, wanted: LineQuery, before: Place | None, *, limit: int, seconds: float
    ) -> FoundLines:
        """The newest matching lines before a place (``None``: of all), looked for during about ``seconds``."""
        place = before or Place(wanted.span.end or LATEST, 0)
        return await self._find(allowed(principal, wanted), place, "older", limit=limit, seconds=seconds)

    async def newer(
        self, principal: Principal, wanted: LineQuery, after: Place, *, limit: int, seconds: float
    ) -> FoundLines:
        """The oldest matching lines after a place."""
        return await self._find(allowed(principal, wanted), after, "newer", limit=limit, seconds=seconds)

    async def download(self, principal: Principal, wanted: LineQuery) -> Download:
        """The matching lines among the newest that sources, levels and days let through."""
        wanted = allowed(principal, wanted)
        if wanted.is_impossible:
            return Download(self._pieces(wanted), is_cut=False)
        start = await rows.start_of_newest(self._database, wanted, DOWNLOAD_LIMIT)
        is_cut = start is not None and (wanted.span.start is None or start > wanted.span.start)
        if is_cut:
            wanted = replace(wanted, span=replace(wanted.span, start=start))
        return Download(self._pieces(wanted), is_cut)

    async def _pieces(self, wanted: LineQuery) -> AsyncIterator[Sequence[LogLine]]:
        place: Place | None = Place(wanted.span.start, -1) if wanted.span.start else rows.FIRST
        while place is not None:
            found = await self._find(wanted, place, "newer", limit=DOWNLOAD_PIECE, seconds=1.0)
            if found.lines:
                yield found.lines
            place = found.further

    async def _find(
        self, wanted: LineQuery, place: Place, direction: rows.Direction, *, limit: int, seconds: float
    ) -> FoundLines:
        if wanted.is_impossible:
            return FoundLines((), None)
        if rows.is_exact(wanted):
            lines = await rows.first(self._database, wanted, place, direction, limit=limit)
            further = Place.of(lines[-1]) if len(lines) == limit else None
            return FoundLines(_oldest_first(lines, direction), further)
        return await self._look(wanted, place, direction, limit=limit, seconds=seconds)

    async def _look(
        self, wanted: LineQuery, place: Place, direction: rows.Direction, *, limit: int, seconds: float
    ) -> FoundLines:
        ends_at = time.monotonic() + seconds
        lines: list[LogLine] = []
        looks = LOOKS_FIRST
        is_rare = await rows.is_rare(self._database, wanted)
        further: Place | None = place
        while further is not None and len(lines) < limit:
            started = time.monotonic()
            if started > ends_at and further != place:  # every answer gets on, however little time it has
                return FoundLines(_oldest_first(lines, direction), further, is_cut_short=True)
            until = None
            if is_rare:
                # From minute to minute that has some, past all that lies between.
                minute = await rows.skip(self._database, wanted, further, direction)
                if minute is None:
                    further = None
                    break
                further, until = minute
            found, further = await rows.stretch(
                self._database, wanted, further, direction, looks=looks, limit=limit - len(lines), until=until
            )
            lines += found
            if until is None and time.monotonic() - started < QUICK_SECONDS:
                looks = min(LOOKS_MOST, looks * 2)
        return FoundLines(_oldest_first(lines, direction), further)


def allowed(principal: Principal, wanted: LineQuery) -> LineQuery:
    """The query without what the principal may not see: with cameras of their own, other cameras and the server."""
    if principal.cameras is None:
        return wanted
    return replace(wanted, sources=principal.cameras & (wanted.sources or principal.cameras))


def _oldest_first(lines: Sequence[LogLine], direction: rows.Direction) -> Sequence[LogLine]:
    return lines[::-1] if direction == "older" else lines
