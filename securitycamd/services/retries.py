"""What operators do about background work: look at it, and have it tried again before all else."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from securitycamd.db import analyses as analysis_rows
from securitycamd.db import events as event_rows
from securitycamd.db import history as history_rows
from securitycamd.db import retries as rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.values import time_in
from securitycamd.domain.errors import ConflictError, NotFoundError
from securitycamd.domain.history import JOB_WORDS, Entry
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.models import Event
from securitycamd.domain.names import ConversionStatus
from securitycamd.domain.principal import Principal
from securitycamd.services.jobs import JobQueue

log = structlog.get_logger(__name__)

RETRY_PRIORITY: Final = 10
"""Above all that comes by itself, which has 0."""
BATCH: Final = 200
"""So many jobs are queued again in a transaction."""


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job among others."""

    event_id: int
    camera_id: str
    kind: JobKind
    state: JobState
    attempts: int
    last_error: str | None
    changed_at: datetime
    progress: float | None


class RetryService:
    """Jobs of the events that a principal may see."""

    def __init__(self, database: Database, jobs: JobQueue, *, on_work: Callable[[JobKind], None]) -> None:
        self._database = database
        self._jobs = jobs
        self._on_work = on_work

    async def newest(
        self, principal: Principal, kinds: list[JobKind], state: JobState, *, limit: int
    ) -> list[ListedJob]:
        """Jobs in a state, of each kind the newest events first, at most ``limit`` in all."""
        if principal.cameras == frozenset():
            return []
        found: list[ListedJob] = []
        for kind in kinds:
            jobs = await rows.newest(self._database, kind, state, principal.cameras, limit=limit - len(found))
            found += [
                ListedJob(
                    event_id, camera_id, kind, state, attempts, error, time_in(changed), self._jobs.progress(owner)
                )
                for event_id, camera_id, attempts, error, changed, owner in jobs
            ]
            if len(found) >= limit:
                break
        return found

    async def retry(self, principal: Principal, event_id: int, kind: JobKind) -> None:
        """Have a job of an event that failed, or ended with a complaint, or waits for its turn, tried next.

        Raises:
            NotFoundError: no such event or job, or not for this principal.
            ConflictError: it is running, or was done.
        """

        async def work(transaction: Transaction) -> None:
            event = (await event_rows.by_ids(transaction, [event_id])).get(event_id)
            if event is None or not principal.may_see(event.camera_id):
                raise NotFoundError(f"There is no event {event_id}.")
            found = await rows.lock(transaction, event_id, kind)
            if found is None:
                raise NotFoundError(f"Event {event_id} has no {kind} job.")
            job_id, state, error = found
            if state is JobState.RUNNING:
                raise ConflictError(f"The {kind} job of event {event_id} is running.")
            if state is JobState.DONE and not error:
                raise ConflictError(f"The {kind} job of event {event_id} was done; there is nothing to retry.")
            await rows.queue_again(transaction, [job_id], priority=RETRY_PRIORITY)
            await _show_as_waiting(transaction, [event_id], kind, principal)

        await self._database.transact(work)
        log.info("job queued again by an operator", event_id=event_id, kind=kind, who=principal.name)
        self._on_work(kind)

    async def retry_failed(self, principal: Principal, kind: JobKind) -> int:
        """Have every failed job of a kind tried again; how many. Those that fail meanwhile are left."""
        if principal.cameras == frozenset():
            return 0
        before = await rows.clock(self._database)
        queued, batch = 0, BATCH
        while batch == BATCH:
            batch = await self._database.transact(lambda transaction: self._some(transaction, principal, kind, before))
            queued += batch
        if queued:
            log.info("failed jobs queued again by an operator", kind=kind, jobs=queued, who=principal.name)
            self._on_work(kind)
        return queued

    async def _some(self, transaction: Transaction, principal: Principal, kind: JobKind, before: datetime) -> int:
        failed = await rows.lock_failed(transaction, kind, principal.cameras, before=before, limit=BATCH)
        event_ids = [event_id for _, event_id in failed]
        if failed:
            await rows.queue_again(transaction, [job_id for job_id, _ in failed], priority=RETRY_PRIORITY)
            await _show_as_waiting(transaction, event_ids, kind, principal)
        return len(failed)


async def _show_as_waiting(transaction: Transaction, event_ids: list[int], kind: JobKind, principal: Principal) -> None:
    """Take back what the failure made the events look like, and write down who asked for it."""
    for event in (await event_rows.lock(transaction, event_ids)).values():
        columns = _as_waiting(event, kind)
        if kind is JobKind.ANALYSE:
            await analysis_rows.write(transaction, event.id, columns)
        else:
            await event_rows.update(transaction, event.id, columns)
    now, what = datetime.now(UTC), JOB_WORDS[kind].retried
    await history_rows.add(transaction, [Entry(event_id, now, what, principal.name) for event_id in event_ids])


def _as_waiting(event: Event, kind: JobKind) -> dict[str, Any]:
    match kind:
        case JobKind.REMUX:
            failed = event.mp4_conversion_status is ConversionStatus.FAILED
            return {"mp4_conversion_status": ConversionStatus.PENDING} if failed else {}
        case JobKind.ANALYSE:
            return {"ai_error": None} if event.ai_error else {}
        case JobKind.OPTIMISE | JobKind.STILLS:
            return {}
