"""Has events described once more: with another model, with other prompts, or because the first went wrong."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import structlog

from securitycamd.db import analyses as analysis_rows
from securitycamd.db import cameras as camera_rows
from securitycamd.db import events as event_rows
from securitycamd.db import history, retries
from securitycamd.db import reruns as rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.errors import ConflictError, InvalidError, NotFoundError
from securitycamd.domain.history import JOB_WORDS, Entry
from securitycamd.domain.jobs import JobKind
from securitycamd.domain.principal import Principal
from securitycamd.domain.times import EARLIEST, LATEST, Span
from securitycamd.services.retries import RETRY_PRIORITY

log = structlog.get_logger(__name__)

BATCH: Final = 200
"""So many events are queued in a transaction."""
CALL_LIMIT: Final = 5000
"""So many events are queued in a call; who wants more calls again with the place that was returned."""
_PLACE_END: Final = "_"
_Place = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Rerun:
    """Which events are to be described once more: those with both stills that are not being described just now."""

    camera_id: str | None = None
    span: Span = field(default_factory=Span)
    only_failed: bool = False


@dataclass(frozen=True, slots=True)
class Requeued:
    """How many were queued, and where to go on; ``None``: that was all."""

    queued: int
    next: str | None = None


class RerunService:
    """Re-runs of the events that a principal may see."""

    def __init__(self, database: Database, *, on_work: Callable[[JobKind], None]) -> None:
        self._database = database
        self._on_work = on_work

    async def one(self, principal: Principal, event_id: int) -> None:
        """Have one event described once more, before all others.

        Raises:
            NotFoundError: no such event, or not for this principal.
            ConflictError: it is being described now, or has no stills.
        """

        async def work(transaction: Transaction) -> None:
            event = (await event_rows.lock(transaction, [event_id])).get(event_id)
            if event is None or not principal.may_see(event.camera_id):
                raise NotFoundError(f"There is no event {event_id}.")
            if not (event.image_a_transferred and event.image_b_transferred):
                raise ConflictError(f"Event {event_id} has no pictures yet.")
            if await rows.running(transaction, [event_id]):
                raise ConflictError(f"Event {event_id} is being described now.")
            now = await retries.clock(transaction)
            await rows.queue(transaction, [event_id], priority=RETRY_PRIORITY, now=now)
            await _tell(transaction, [event_id], principal)
            if event.ai_error:
                await analysis_rows.write(transaction, event_id, {"ai_error": None})

        await self._database.transact(work)
        log.info("event is described once more for an operator", event_id=event_id, who=principal.name)
        self._on_work(JobKind.ANALYSE)

    async def some(self, principal: Principal, wanted: Rerun, place: str | None = None) -> Requeued:
        """Have many events described once more, newest first, in line with all others; at most 5,000 a call.

        Args:
            principal: who asks.
            wanted: which events.
            place: where an earlier call ended.

        Raises:
            NotFoundError: no such camera, or not for this principal.
            InvalidError: a place that none was.
        """
        camera_id = wanted.camera_id
        # "0 events" of a name that was mistyped would pass for "all is well".
        if camera_id is not None and not (
            principal.may_see(camera_id) and await camera_rows.by_id(self._database, camera_id)
        ):
            raise NotFoundError(f"There is no camera {camera_id!r}.")
        cameras = principal.visible(wanted.camera_id)
        if cameras == frozenset() or wanted.span.is_empty:
            return Requeued(0)
        last: _Place | None = (LATEST, 0) if place is None else _read_place(place)
        queued = 0
        while last is not None and queued < CALL_LIMIT:
            more, last = await self._batch(principal, cameras, wanted, last)
            queued += more
        if queued:
            log.info("events are described once more for an operator", events=queued, who=principal.name)
            self._on_work(JobKind.ANALYSE)
        return Requeued(queued, None if last is None else f"{last[0].isoformat()}{_PLACE_END}{last[1]}")

    async def _batch(
        self, principal: Principal, cameras: frozenset[str] | None, wanted: Rerun, last: _Place
    ) -> tuple[int, _Place | None]:
        """How many were queued, and up to where; ``None``: that was all."""

        async def work(transaction: Transaction) -> tuple[int, _Place | None]:
            found = await rows.some(
                transaction,
                cameras,
                wanted.span.start or EARLIEST,
                wanted.span.end or LATEST,
                last,
                only_failed=wanted.only_failed,
                limit=BATCH,
            )
            # One that was removed since it was read has no jobs any more.
            events = await event_rows.lock(transaction, [event_id for event_id, _ in found])
            running = await rows.running(transaction, list(events))
            again = [event for event in events.values() if event.id not in running]
            if again:
                ids = [event.id for event in again]
                now = await retries.clock(transaction)
                await rows.queue(transaction, ids, priority=0, now=now)
                await _tell(transaction, ids, principal)
            for event in again:
                if event.ai_error:
                    await analysis_rows.write(transaction, event.id, {"ai_error": None})
            if len(found) < BATCH:
                return len(again), None
            event_id, timestamp = found[-1]
            return len(again), (timestamp, event_id)

        return await self._database.transact(work)


async def _tell(transaction: Transaction, event_ids: list[int], principal: Principal) -> None:
    now, what = datetime.now(UTC), JOB_WORDS[JobKind.ANALYSE].retried
    await history.add(transaction, [Entry(event_id, now, what, principal.name) for event_id in event_ids])


def _read_place(place: str) -> _Place:
    moment, _, number = place.rpartition(_PLACE_END)
    try:
        at, event_id = datetime.fromisoformat(moment), int(number)
    except ValueError:
        at, event_id = EARLIEST, 0
    if at.tzinfo is None or not event_rows.is_storable(event_id):
        raise InvalidError("next", "must be what an earlier reply said")
    return min(max(at, EARLIEST), LATEST), event_id
