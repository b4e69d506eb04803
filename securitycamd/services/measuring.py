"""How many bytes events take: their files measured, the sums kept, in bounded steps: the disk is the cameras'."""

from collections.abc import Sequence
from typing import Final

from securitycamd.db import events as event_rows
from securitycamd.db import footage
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.models import Event
from securitycamd.storage.errors import StorageLostError
from securitycamd.storage.files import Files

NEWEST: Final = 100
"""Events whose files still come: looked at in every step."""
OLDER: Final = 100
"""Older ones that a step looks at, on its way down from the newest to the oldest and round again."""


class MeasuringService:
    """Measures what conversion does not: events without a clip, and those whose files were changed behind our back.

    Most events are measured when their clip is recorded. Each step here looks at the newest events and at as many
    older ones, further down with every step, so that all footage is measured again in the course of time: a million
    events take 10,000 steps.
    """

    def __init__(self, database: Database, files: Files) -> None:
        self._database = database
        self._files = files
        self._down_to = footage.LAST_ID

    async def measure_some(self) -> int:
        """One step; how many events turned out to measure something else than was known.

        Raises:
            StorageUnavailableError: nothing can be said of files now; nothing was changed.
        """
        newest = await footage.ids_before(self._database, footage.LAST_ID, limit=NEWEST)
        if not newest:
            return 0
        start = min(self._down_to, newest[-1])
        older = await footage.ids_before(self._database, start, limit=OLDER)
        changed = await self.measure(newest + older)
        self._down_to = older[-1] if older else footage.LAST_ID
        return changed

    async def measure(self, event_ids: Sequence[int]) -> int:
        """Measure these events; how many turned out to measure something else than was known."""
        # Of a folder that is not the right one nothing is known, and it must not keep the others from being measured.
        odd = self._files.guard.camera_states if self._files.guard is not None else {}
        found_rows = (await event_rows.by_ids(self._database, event_ids)).values()
        events = [event for event in found_rows if event.camera_id not in odd]
        try:
            sizes = await self._files.each_size([path for event in events for path in event.paths])
        except (PermissionError, StorageLostError) as error:
            if isinstance(error, StorageLostError) and error.camera_id is None:
                raise
            # Nor of what may not be looked at, nor of a folder that went just now.
            return sum([await self.measure([event.id]) for event in events]) if len(events) > 1 else 0
        found = {event.id: (event.paths, size_of(event, sizes)) for event in events}
        different = [event.id for event in events if found[event.id][1] != event.size_bytes]
        if not different:
            return 0

        async def work(transaction: Transaction) -> int:
            locked = await event_rows.lock(transaction, different)
            # What changed its files since it was measured waits for the next look.
            measured = [(event, found[event.id][1]) for event in locked.values() if event.paths == found[event.id][0]]
            return await footage.set_sizes(transaction, measured)

        return await self._database.transact(work)


def size_of(event: Event, sizes: dict[str, int]) -> int:
    """Bytes of an event's files; one that is named twice counts once."""
    return sum(sizes.get(path, 0) for path in set(event.paths))
