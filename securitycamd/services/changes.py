"""The hub of changes: what was committed is told to all who watch, each at their own pace, none holding up another.

A watcher is given ids, gathered and without repeats; one who falls too far behind, or comes back after too long, is
told to look at everything anew. Nothing here waits, and nothing grows: the latest changes are kept in a ring for those
whose connection broke, and a watcher's own are a bounded set.

Only this daemon's changes are told. Where several share a database, pages also look by themselves now and then.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from securitycamd.domain.changes import Change, What
from securitycamd.domain.errors import UnavailableError

KEPT: Final = 2000
"""Changes kept for those who come back; at ten events a second still half a minute."""
PENDING_LIMIT: Final = 500
"""More than these at once are not worth telling one by one."""
WATCHERS_LIMIT: Final = 100
LONGEST_NUMBER: Final = 18


class TooManyWatchersError(UnavailableError):
    """Too many pages watch for changes already; this one looks by itself now and then."""


@dataclass(frozen=True, slots=True)
class News:
    """What a watcher is told at once."""

    changes: tuple[Change, ...]
    mark: str
    """Where to go on, should the connection break."""
    is_everything: bool = False
    """Whether more changed than could be told: look at everything anew."""


class Watcher:
    """One who watches."""

    def __init__(self, number: int) -> None:
        self.first: Final = number
        """Up to here they were told everything before they came."""
        self._number = number
        self._pending: dict[tuple[bool, int | str | None], Change] = {}
        self._overflowed = False
        self._ready = asyncio.Event()
        self.is_closed = False

    def add(self, number: int, change: Change) -> None:
        """Note a change for later; never waits."""
        self._number = number
        self._ready.set()
        if self._overflowed:
            return
        is_camera = change.what is What.CAMERA
        key = (is_camera, change.camera_id if is_camera else change.event_id)
        before = self._pending.pop(key, None)
        # One that is new stays so until it is told, whatever came of it since; gone is gone.
        if before is not None and before.what is What.NEW and change.what is What.CHANGED:
            change = Change(What.NEW, change.event_id, before.camera_id, change.progress)
        self._pending[key] = change
        if len(self._pending) > PENDING_LIMIT:
            self.overflow()

    def overflow(self) -> None:
        """Tell them to look at everything."""
        self._overflowed = True
        self._pending.clear()
        self._ready.set()

    def close(self) -> None:
        """Let them go: the server stops."""
        self.is_closed = True
        self._ready.set()

    async def wait(self, seconds: float) -> bool:
        """Wait until there is something to tell, or until it is closed; at most so long. Whether there is."""
        try:
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        except TimeoutError:
            return False
        return True

    def take(self, start: str) -> News:
        """What happened since the last time."""
        news = News(tuple(self._pending.values()), f"{start}-{self._number}", self._overflowed)
        self._pending.clear()
        self._overflowed = False
        if not self.is_closed:
            self._ready.clear()
        return news


class ChangeHub:
    """Where changes are told, and where they are watched."""

    def __init__(self) -> None:
        # A mark of an earlier life of the daemon must not be taken for one of this.
        self.start: Final = secrets.token_hex(4)
        self._number = 0
        self._kept: deque[Change] = deque(maxlen=KEPT)
        self._watchers: set[Watcher] = set()
        self._is_closed = False

    @property
    def mark(self) -> str:
        """The place in the stream that is reached: what is told from now on comes behind it."""
        return f"{self.start}-{self._number}"

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def publish(self, changes: Iterable[Change]) -> None:
        """Tell what was committed."""
        for change in changes:
            self._number += 1
            self._kept.append(change)
            for watcher in self._watchers:
                watcher.add(self._number, change)

    def progress(self, event_id: int, share: float) -> None:
        """Tell how much of an event's clip is converted. Not kept: it is not true for long."""
        for watcher in self._watchers:
            watcher.add(self._number, Change(What.CHANGED, event_id, progress=share))

    @contextmanager
    def watch(self, since: str | None = None) -> Iterator[Watcher]:
        """Watch from now on, or from a mark on that was told before.

        Raises:
            TooManyWatchersError: there is no room for another.
        """
        if len(self._watchers) >= WATCHERS_LIMIT or self._is_closed:
            raise TooManyWatchersError
        missed = self._missed(since)
        watcher = Watcher(self._number - len(missed or ()))
        if missed is None:
            watcher.overflow()
        for change in missed or ():
            watcher.add(self._number, change)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def close(self) -> None:
        """End all watching: the server stops."""
        self._is_closed = True
        for watcher in self._watchers:
            watcher.close()

    def _missed(self, since: str | None) -> list[Change] | None:
        """What was told since a mark; ``None``: that is not known any more."""
        if since is None:
            return []
        start, _, text = since.partition("-")
        is_number = text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER
        missed = self._number - int(text) if is_number else -1
        if start != self.start or not 0 <= missed <= len(self._kept):
            return None
        return list(self._kept)[len(self._kept) - missed :]
