"""The job queue as its users see it: claim, hold the lease while working, finish."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from securitycamd.db import events as event_rows
from securitycamd.db import history as history_rows
from securitycamd.db import jobs as rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.values import time_in
from securitycamd.domain.errors import DatabaseUnavailableError
from securitycamd.domain.history import JOB_WORDS, Entry
from securitycamd.domain.jobs import MAX_CRASHES, Job, JobKind, JobOutcome, JobState, backoff_seconds, next_state
from securitycamd.domain.names import ConversionStatus

log = structlog.get_logger(__name__)

RENEWALS_A_LEASE: Final = 3
OLDEST_EVERY: Final = 4
"""Every so-many-th claim of a kind takes the oldest job, so that a backlog moves however many new ones arrive."""
CRASHED: Final = (
    f"The server ended {MAX_CRASHES} times in a row while it worked on this, so it is not begun again by itself."
    " Look at the log of those times, then have it tried again."
)


class LeaseLostError(Exception):
    """Another claimer has taken the job over; what was being done is void."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many jobs of a kind are in a state, and since when the oldest waits."""

    kind: JobKind
    state: JobState
    jobs: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class JobReport:
    """One job of an event, for people."""

    kind: JobKind
    state: JobState
    attempts: int
    last_error: str | None
    changed_at: datetime
    progress: float | None = None
    """0 to 1 of a job that this daemon works on, where the work tells."""
    first_due: datetime | None = None
    """When it was first made, or queued anew after it had failed."""


class JobQueue:
    """Claims under ``instance``, a name that only one running daemon has at a time."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance
        self._held: set[str] = set()
        """The owners of claims that are being made or worked on here."""
        self._claims: Counter[JobKind] = Counter()
        self.ended: Counter[JobKind] = Counter()
        """Jobs that were done or failed for good here, in this life of the process."""
        self._progress: dict[str, tuple[Job, float]] = {}
        """The job and the share of it that is done, by the owner of the claim."""
        self.on_progress: Callable[[Job, float], None] = lambda _, __: None
        self._ending: dict[str, JobState] = {}
        """Those of them whose end is being recorded, and what they become: that they run no more is no loss then."""

    async def claim(self, kind: JobKind, *, lease_seconds: float) -> Job | None:
        """Take the next job that is due; the event's outward status moves in the same transaction.

        Whoever takes it says :meth:`let_go` when its work has ended, however that came.
        """
        while True:
            job = await self._claim_next(kind, lease_seconds)
            if job is None or job.crashes < MAX_CRASHES:
                return job
            # Ended in the transaction that claimed it, and not begun.
            self.let_go(job)
            log.error("a job is given up: the daemon ended during it again and again", kind=kind, event_id=job.event_id)

    async def _claim_next(self, kind: JobKind, lease_seconds: float) -> Job | None:
        owner = f"{self._instance}:{secrets.token_hex(6)}"
        oldest = self._claims[kind] % OLDEST_EVERY == OLDEST_EVERY - 1

        async def work(transaction: Transaction) -> Job | None:
            job = await rows.claim(transaction, kind, owner=owner, lease_seconds=lease_seconds, oldest=oldest)
            if job is None:
                return None
            if job.crashes >= MAX_CRASHES:
                await self.finish(transaction, job, JobOutcome.FAIL, error=CRASHED)
                await self._show_failed(transaction, job, CRASHED)
            elif kind is JobKind.REMUX:
                event = (await event_rows.by_ids(transaction, [job.event_id])).get(job.event_id)
                if event is not None and event.mp4_conversion_status is ConversionStatus.PENDING:
                    await event_rows.update(
                        transaction, job.event_id, {"mp4_conversion_status": ConversionStatus.PROCESSING}
                    )
            return job

        # Before the claim: a commit whose reply is lost leaves a job that nobody here knows of.
        self._held.add(owner)
        job = None
        try:
            job = await self._database.transact(work)
        finally:
            if job is None:
                self._held.discard(owner)
            else:
                self._claims[kind] += 1
        return job

    def let_go(self, job: Job) -> None:
        """The work on a job has ended here, whether or not its outcome could be recorded."""
        self._held.discard(job.owner)
        # Here and not where it is recorded: a transaction may have to be run more than once.
        self.ended[job.kind] += self._ending.pop(job.owner, JobState.QUEUED) is not JobState.QUEUED
        self._progress.pop(job.owner, None)

    def progress_of(self, job: Job) -> Callable[[float], None]:
        """What to tell how much of the job is done, 0 to 1."""

        def note(share: float) -> None:
            self._progress[job.owner] = job, share
            self.on_progress(job, share)

        return note

    def progress(self, owner: str | None) -> float | None:
        """How much is done of the job that is claimed so, if it is worked on here and tells."""
        _, share = self._progress.get(owner or "", (None, None))
        return share

    @asynccontextmanager
    async def holding(self, job: Job, *, lease_seconds: float) -> AsyncIterator[None]:
        """Renew the lease while the body works.

        Raises:
            LeaseLostError: in place of the body's own end, when another took the job over; the body is cancelled.
        """
        worker = asyncio.current_task()
        assert worker is not None  # noqa: S101 - a coroutine runs in a task
        lost = False

        async def renew() -> None:
            nonlocal lost
            while True:
                await asyncio.sleep(lease_seconds / RENEWALS_A_LEASE)
                try:
                    held = await self._database.transact(
                        lambda transaction: rows.renew(transaction, job, lease_seconds=lease_seconds)
                    )
                except DatabaseUnavailableError:
                    continue  # it may be back before the lease ends; if not, finishing will tell
                if not held:
                    if job.owner not in self._ending:
                        lost = True
                        worker.cancel()
                    return

        renewing = asyncio.create_task(renew(), name=f"lease of job {job.id}")
        try:
            try:
                yield
            finally:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)
        except asyncio.CancelledError:
            if lost and worker.uncancel() == 0:
                raise LeaseLostError from None
            raise

    async def finish(
        self,
        transaction: Transaction,
        job: Job,
        outcome: JobOutcome,
        *,
        error: str | None = None,
        delay_seconds: float | None = None,
        done: str | None = None,
    ) -> JobState:
        """End the claim inside the caller's transaction; the state it led to. A failure becomes part of the event's
        history, and so does what was ``done``: a few words on it, or none; ``None``: there was nothing to do.

        Raises:
            LeaseLostError: the job is not ours any more; nothing of the transaction may stay.
        """
        self._ending[job.owner] = state = next_state(outcome, job.attempt)
        if delay_seconds is None:
            delay_seconds = backoff_seconds(job.attempt) if state is JobState.QUEUED else 0.0
        ours = await rows.finish(
            transaction,
            job,
            state,
            delay_seconds=delay_seconds,
            error=error,
            costs_attempt=outcome is not JobOutcome.RELEASE,
        )
        if not ours:
            self._ending[job.owner] = JobState.QUEUED  # it goes on elsewhere
            raise LeaseLostError
        await self._tell(transaction, job, outcome, state, error if done is None else done)
        return state

    async def _tell(
        self, transaction: Transaction, job: Job, outcome: JobOutcome, state: JobState, detail: str | None
    ) -> None:
        if outcome is JobOutcome.RELEASE or (outcome is JobOutcome.DONE and detail is None):
            return
        words = JOB_WORDS[job.kind]
        what = {JobState.DONE: words.done, JobState.FAILED: words.failed}.get(state, words.delayed)
        entry = Entry(job.event_id, datetime.now(UTC), what, self._instance, detail or "")
        await history_rows.add(transaction, [entry])

    async def release(self, job: Job, *, delay_seconds: float, reason: str | None = None) -> None:
        """Give an untried job back."""

        async def work(transaction: Transaction) -> None:
            await self.finish(transaction, job, JobOutcome.RELEASE, error=reason, delay_seconds=delay_seconds)

        await self._database.transact(work)

    async def done(self, job: Job, *, done: str | None = None) -> None:
        """End a claim under which nothing is left to do; ``done`` says what was, see :meth:`finish`."""

        async def work(transaction: Transaction) -> None:
            await self.finish(transaction, job, JobOutcome.DONE, done=done)

        await self._database.transact(work)

    async def fail_attempt(self, job: Job, *, error: str) -> None:
        """Note an attempt that ended in a way nobody thought of; it is tried again, but not for ever."""

        async def work(transaction: Transaction) -> None:
            state = await self.finish(transaction, job, JobOutcome.RETRY, error=error)
            if state is JobState.FAILED:
                await self._show_failed(transaction, job, error)

        await self._database.transact(work)

    async def _show_failed(self, transaction: Transaction, job: Job, error: str) -> None:
        """What the event looks like after a failure that its work could not tell of."""
        if job.kind is JobKind.REMUX:
            failed = {"mp4_conversion_status": ConversionStatus.FAILED}
            await event_rows.update(transaction, job.event_id, failed)
        elif job.kind is JobKind.ANALYSE:
            await event_rows.update(transaction, job.event_id, {"ai_error": error})

    async def check_held(self, transaction: Transaction, job: Job, *, lease_seconds: float) -> None:
        """Make sure inside a transaction that the job is still ours, and keep it so.

        Raises:
            LeaseLostError: it is not.
        """
        if not await rows.renew(transaction, job, lease_seconds=lease_seconds):
            raise LeaseLostError

    async def leave_word(self, transaction: Transaction, job: Job, text: str, *, lease_seconds: float) -> None:
        """Make sure as :meth:`check_held` does, and leave word in the job of what is about to be done.

        Raises:
            LeaseLostError: it is not ours any more.
        """
        if not await rows.note(transaction, job, text, lease_seconds=lease_seconds):
            raise LeaseLostError

    async def word_in(self, job: Job) -> str | None:
        """What the last attempt left in the job: what it was about to do, or why it ended."""
        return await rows.note_of(self._database, job)

    async def give_back_own(self, *, crashed: bool = False) -> int:
        """Queue again what this instance holds: at the start what an earlier life held that ended without giving it
        back (``crashed``), at the stop what is left.
        """
        given = await self._database.transact(
            lambda transaction: rows.give_back(transaction, self._instance, crashed=crashed)
        )
        if given:
            log.info("jobs given back to the queue", jobs=given)
        return given

    async def give_back_lost(self) -> int:
        """Queue again what runs in this instance's name and is not worked on here: an outcome that could not be
        recorded, a claim whose reply was lost, a worker that died. Without it they would wait for their lease's end.
        """
        given = await self._database.transact(
            lambda transaction: rows.give_back_lost(transaction, self._instance, self._held)
        )
        if given:
            log.warning("jobs whose outcome was not recorded are queued again", jobs=given)
        return given

    async def recover_stale(self) -> int:
        """Queue again what is held under leases that ran out."""
        recovered = await self._database.transact(rows.recover)
        if recovered:
            log.warning("jobs of a daemon that went silent are queued again", jobs=recovered)
        return recovered

    async def depths(self) -> list[QueueDepth]:
        """How much waits, runs and failed."""
        found = await rows.depths(self._database, list(JobKind))
        return [
            QueueDepth(JobKind(kind), JobState(state), int(count), time_in(oldest))
            for kind, state, count, oldest in found
        ]

    async def errors(self, event_ids: Sequence[int], kind: JobKind) -> dict[int, str]:
        """Why jobs of these events failed, by event id."""
        if not event_ids:
            return {}
        return {int(event_id): str(error) for event_id, error in await rows.errors(self._database, event_ids, kind)}

    def progress_by_event(self, kind: JobKind) -> dict[int, float]:
        """How much is done of the jobs of a kind that this daemon works on, by event id, where the work tells."""
        return {job.event_id: share for job, share in self._progress.values() if job.kind is kind}

    async def of_event(self, event_id: int) -> list[JobReport]:
        """The jobs of an event."""
        found: list[list[Any]] = await rows.of_event(self._database, event_id)
        return [
            JobReport(
                JobKind(kind),
                JobState(state),
                attempts,
                error,
                time_in(changed),
                self.progress(owner),
                time_in(created),
            )
            for kind, state, attempts, error, changed, owner, created in found
        ]
