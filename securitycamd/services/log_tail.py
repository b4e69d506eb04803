"""Log lines as they come, for those who watch: read once for all of them, after their commit, by the order of ids.

Nothing is read while nobody watches. Lines of other daemons on the same database are seen, too, a moment later.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from securitycamd.db import log_search as rows
from securitycamd.db.engine import Database
from securitycamd.domain.errors import UnavailableError
from securitycamd.domain.log_search import LineQuery
from securitycamd.domain.models import LogLine
from securitycamd.domain.principal import Principal
from securitycamd.services.log_search import allowed

WATCHERS_LIMIT: Final = 40
LINES_A_WATCHER: Final = 2000
LINES_A_READ: Final = 2000
PAUSE_SECONDS: Final = 0.25
"""Between two reads: lines that come together are read together."""
ASK_SECONDS: Final = 2.0
"""Without word of a commit here: another daemon may have written some."""
BACK: Final = 1000
"""Ids are given when a line is written and seen when it is committed: so far below the largest, some may still come."""


class TooManyWatchersError(UnavailableError):
    """More would take what the cameras need."""

    def __init__(self) -> None:
        super().__init__("Too many pages follow the log at once; close some of them.")


@dataclass(frozen=True, slots=True)
class News:
    """What came since the last time, in the order it came."""

    lines: tuple[LogLine, ...]
    skipped: int
    """Matching lines that are left out, because they came faster than they were taken."""
    newest_id: int
    """To begin from when the connection is lost."""


@dataclass(eq=False)
class _Watcher:
    wanted: LineQuery
    lines: deque[LogLine] = field(default_factory=lambda: deque(maxlen=LINES_A_WATCHER))
    skipped: int = 0
    newest_id: int = 0

    def offer(self, line: LogLine) -> None:
        if self.wanted.matches(line):
            self.skipped += len(self.lines) == LINES_A_WATCHER
            self.lines.append(line)

    def take(self) -> News:
        news = News(tuple(self.lines), self.skipped, self.newest_id)
        self.lines.clear()
        self.skipped = 0
        return news


class LogTail:
    """Where watchers get the lines that come."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watchers: set[_Watcher] = set()
        self._reading = asyncio.Lock()
        self._read_at = 0.0
        self._committed = asyncio.Event()
        self._closed = False
        self._newest = 0
        self._seen: set[int] = set()
        """Ids above ``_newest - BACK`` that watchers were told of, or that were there before them."""

    def note_commit(self) -> None:
        """Lines were committed here."""
        if self._watchers:
            self._committed.set()

    def close(self) -> None:
        """End every :meth:`follow`, now and later; the server is stopping."""
        self._closed = True
        self._committed.set()

    @property
    def watchers(self) -> int:
        """How many follow."""
        return len(self._watchers)

    async def follow(
        self, principal: Principal, wanted: LineQuery, after_id: int | None = None
    ) -> AsyncGenerator[News, None]:
        """What comes from now on (or came after ``after_id``), whenever there is some; empty news now and then.

        Raises:
            TooManyWatchersError: there are enough already.
            DatabaseUnavailableError: it is away; begin again after the last ``newest_id``.
        """
        async with self._watching(allowed(principal, wanted)) as watcher:
            if after_id is not None:
                await self._catch_up(watcher, after_id)
            yield watcher.take()
            while not self._closed:
                with suppress(TimeoutError):
                    async with asyncio.timeout(ASK_SECONDS):
                        await self._committed.wait()
                if not self._closed:
                    await self._read()
                    yield watcher.take()

    @asynccontextmanager
    async def _watching(self, wanted: LineQuery) -> AsyncIterator[_Watcher]:
        if len(self._watchers) >= WATCHERS_LIMIT:
            raise TooManyWatchersError
        watcher = _Watcher(wanted)
        if not self._watchers:
            async with self._reading:
                self._newest = await rows.newest_id(self._database)
                self._seen = set(await rows.ids_since(self._database, self._newest - BACK, limit=BACK))
        watcher.newest_id = self._newest
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def _catch_up(self, watcher: _Watcher, after_id: int) -> None:
        """Offer what came before the watcher did."""
        ids = await rows.ids_since(self._database, after_id, limit=LINES_A_READ + 1)
        if len(ids) > LINES_A_READ:
            watcher.skipped += 1
        known = [line_id for line_id in ids[-LINES_A_READ:] if line_id <= watcher.newest_id]
        early = list(watcher.lines)
        watcher.lines.clear()
        for line in [*await rows.by_ids(self._database, known), *early]:
            watcher.offer(line)

    async def _read(self) -> None:
        """Read what is new for all watchers, unless another of them just did."""
        asked = time.monotonic()
        async with self._reading:
            if self._read_at > asked:
                return
            wait = self._read_at + PAUSE_SECONDS - asked
            if wait > 0:
                await asyncio.sleep(wait)
            self._committed.clear()
            ids = await rows.ids_since(self._database, max(0, self._newest - BACK), limit=LINES_A_READ + BACK)
            new = [line_id for line_id in ids if line_id not in self._seen]
            lines = await rows.by_ids(self._database, new)
            self._read_at = time.monotonic()
            overflow = len(ids) == LINES_A_READ + BACK
            self._newest = max([self._newest, *ids])
            self._seen = {line_id for line_id in (*self._seen, *new) if line_id > self._newest - BACK}
            for watcher in self._watchers:
                watcher.skipped += overflow
                watcher.newest_id = self._newest
                for line in lines:
                    watcher.offer(line)
