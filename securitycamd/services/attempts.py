"""What attempts at work on footage have in common: the lease while they last, and the ends that cost nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.domain.jobs import Job
from securitycamd.media.pool import MediaClosedError
from securitycamd.services.jobs import JobQueue

log = structlog.get_logger(__name__)

STORAGE_RETRY_SECONDS: Final = 10.0


@asynccontextmanager
async def attempt(jobs: JobQueue, job: Job, *, lease_seconds: float) -> AsyncIterator[None]:
    """Hold the lease while the body works; give the job back when the storage is away or the server stops.

    Raises:
        LeaseLostError: another claimer took the job over.
    """
    async with jobs.holding(job, lease_seconds=lease_seconds):
        try:
            yield
        except (StorageUnavailableError, OSError) as error:
            log.warning("work waits for the storage", kind=job.kind, event_id=job.event_id, error=type(error).__name__)
            await jobs.release(job, delay_seconds=STORAGE_RETRY_SECONDS, reason="The storage did not answer.")
        except MediaClosedError:
            await jobs.release(job, delay_seconds=0)
