"""A semaphore whose size can change while it is in use."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """``size`` places, given out in the order of asking.

    Shrinking takes no place from anybody: the places over the new size vanish as they are given back.
    """

    def __init__(self, size: int) -> None:
        self.size = _checked(size)
        self.taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    def resize(self, size: int) -> None:
        """Change the number of places, at once."""
        self.size = _checked(size)
        self._hand_out()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Have a place for the time of the block."""
        await self._take()
        try:
            yield
        finally:
            self._give_back()

    def fail_waiting(self, error: Exception) -> None:
        """Raise ``error`` in everybody who waits."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(error)

    async def _take(self) -> None:
        if self.taken < self.size and not self._waiting:
            self.taken += 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            # The place may have been given in the same turn of the loop as the cancellation.
            if place.done() and not place.cancelled() and place.exception() is None:
                self._give_back()
            elif place in self._waiting:
                self._waiting.remove(place)
            raise

    def _give_back(self) -> None:
        self.taken -= 1
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and self.taken < self.size:
            place = self._waiting.popleft()
            if not place.done():
                self.taken += 1
                place.set_result(None)


def _checked(size: int) -> int:
    if size < 1:
        raise ValueError("there must be at least one slot")
    return size
