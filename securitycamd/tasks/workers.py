"""The loop that job workers share: claim while there is room, work side by side, rest while there is nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from securitycamd.domain.errors import AiUnavailableError, DatabaseUnavailableError
from securitycamd.domain.jobs import Job, JobKind
from securitycamd.services.jobs import JobQueue, LeaseLostError
from securitycamd.supervision import TaskControl

log = structlog.get_logger(__name__)

IDLE_SECONDS: Final = 2.0
"""How often the queue is asked without a call: another daemon may have queued something."""


@dataclass
class JobWorkers:
    """Runs ``work`` for claimed jobs of one kind, at most ``slots()`` at a time."""

    kind: JobKind
    jobs: JobQueue
    work: Callable[[Job], Awaitable[None]]
    slots: Callable[[], int]
    lease_seconds: Callable[[], float]
    ready: Callable[[], bool] = lambda: True
    """Whether what every job needs is there; without it nothing is claimed."""
    admit: Callable[[], Awaitable[bool]] | None = None
    """The same, of what is somewhere else and has to be asked: asked whenever there is room."""

    async def run(self, control: TaskControl) -> None:
        """The body of the supervised task."""
        active: set[asyncio.Task[None]] = set()
        try:
            while not control.stopping.is_set():
                await control.until_resumed()
                if not await self._fill(active, control):
                    await control.rest(IDLE_SECONDS)
                _raise_unexpected(active)
        finally:
            # What they hold is given back by the staged stop; a worker that died is reported by the supervisor.
            for task in active:
                task.cancel()
            await asyncio.gather(*active, return_exceptions=True)

    async def _fill(self, active: set[asyncio.Task[None]], control: TaskControl) -> bool:
        """Claim one job if there is room; whether to look again at once."""
        if self.slots() <= len(active) or control.stopping.is_set() or not self.ready():
            return False
        if self.admit is not None and not await self.admit():
            return False
        # Looking may take seconds, in which an operator can have paused it.
        if control.paused or control.stopping.is_set():
            return False
        try:
            job = await self.jobs.claim(self.kind, lease_seconds=self.lease_seconds())
        except DatabaseUnavailableError:
            return False
        if job is None:
            return False

        def ended(_task: asyncio.Task[None]) -> None:
            self.jobs.let_go(job)
            control.wake()

        task = asyncio.create_task(self._one(job), name=f"{self.kind} of event {job.event_id}")
        active.add(task)
        task.add_done_callback(ended)
        return True

    async def _one(self, job: Job) -> None:
        structlog.contextvars.bind_contextvars(event_id=job.event_id, job_id=job.id)
        try:
            await self.work(job)
        except AiUnavailableError as error:
            log.debug("work waits", kind=self.kind, reason=str(error))
        except LeaseLostError:
            log.warning("another daemon took the job over", kind=self.kind)
        except DatabaseUnavailableError:
            log.warning("the job's outcome could not be recorded; it is done again", kind=self.kind)
        except Exception as error:
            # This loop is the supervisor of its jobs: one that trips over a fault of ours must neither take the
            # others down with it nor come back for ever.
            log.exception("job failed in an unforeseen way", kind=self.kind)
            with suppress(LeaseLostError, DatabaseUnavailableError):
                await self.jobs.fail_attempt(job, error=f"Something went wrong on our side: {type(error).__name__}.")


def _raise_unexpected(active: set[asyncio.Task[None]]) -> None:
    for task in [task for task in active if task.done()]:
        active.discard(task)
        if not task.cancelled():
            task.result()
