"""Has an event's stills described, and keeps what was said."""

import time
from datetime import UTC, datetime
from typing import Final

import structlog
from pydantic_core import to_json

from securitycamd.ai.client import Analyst
from securitycamd.config import SettingsHolder
from securitycamd.db import analyses as rows
from securitycamd.db import events as event_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.errors import (
    AiUnavailableError,
    AnalysisError,
    InvalidError,
    StorageUnavailableError,
)
from securitycamd.domain.jobs import Job, JobOutcome
from securitycamd.domain.models import Analysis, Event
from securitycamd.services.jobs import JobQueue
from securitycamd.settings import AnalyserSettings
from securitycamd.storage.files import Files

log = structlog.get_logger(__name__)

STILL_LIMIT_BYTES: Final = 32 * 1024 * 1024
MISSING_RETRY_SECONDS: Final = 5.0
STORAGE_RETRY_SECONDS: Final = 10.0


class AnalysisService:
    """The analyser's use case: one claimed job, from two stills to a description."""

    def __init__(self, database: Database, settings: SettingsHolder, jobs: JobQueue, files: Files) -> None:
        self._database = database
        self._settings = settings
        self._jobs = jobs
        self._files = files
        self._analyst: Analyst | None = None
        self._retired: list[Analyst] = []
        """Of earlier settings; one for each reload that changed them."""
        self._analyst_settings: AnalyserSettings | None = None

    def analyst(self) -> Analyst | None:
        """The analyst of the settings in force; ``None`` when analysis is switched off."""
        wanted = self._settings.current.analyser
        if not wanted.enabled:
            return None
        if self._analyst is None or wanted != self._analyst_settings:
            # The former one may still be used by analyses under way.
            if self._analyst is not None:
                self._retired.append(self._analyst)
            self._analyst, self._analyst_settings = Analyst(wanted), wanted
        return self._analyst

    async def close(self) -> None:
        """Close the connections to the AI server."""
        for analyst in (*self._retired, *([self._analyst] if self._analyst else [])):
            await analyst.close()

    async def analyse(self, job: Job) -> None:
        """Do the job and end its claim.

        Raises:
            AiUnavailableError: the AI server is away; the job was given back, and others will fare no better now.
            LeaseLostError: another claimer took the job over; nothing was recorded here.
            DatabaseUnavailableError: the outcome could not be recorded; the job comes back when its lease ends.
        """
        analyst = self.analyst()
        if analyst is None:
            await self._jobs.release(job, delay_seconds=60)
            return
        async with self._jobs.holding(job, lease_seconds=self._settings.current.analyser.lease_seconds):
            event = (await event_rows.by_ids(self._database, [job.event_id])).get(job.event_id)
            if event is None or event.ai_processed:
                await self._finish(job, JobOutcome.DONE, None)
                return
            try:
                stills = await self._read_stills(job, event)
                if stills is None:
                    await self._jobs.release(
                        job, delay_seconds=MISSING_RETRY_SECONDS, reason="A still is not on the share yet."
                    )
                    return
                started = time.monotonic()
                analysis = await analyst.analyse(stills)
                await self._keep(job, event, analysis, seconds=time.monotonic() - started)
            except AiUnavailableError as error:
                # At once the next in line: the task itself waits until the server is back.
                await self._jobs.release(job, delay_seconds=0, reason=str(error))
                raise
            except AnalysisError as error:
                await self._finish(job, JobOutcome.FAIL, str(error))
                log.warning("event could not be described", event_id=event.id, reason=str(error))
            except (StorageUnavailableError, OSError) as error:
                log.warning("analysis waits for the storage", event_id=event.id, error=type(error).__name__)
                await self._jobs.release(job, delay_seconds=STORAGE_RETRY_SECONDS, reason="The storage did not answer.")

    async def _read_stills(self, job: Job, event: Event) -> list[bytes] | None:
        stills = []
        for path in (event.image_a_path, event.image_b_path):
            try:
                data = None if path is None else await self._files.read(path, limit_bytes=STILL_LIMIT_BYTES)
            except InvalidError as error:
                raise AnalysisError("A still's path leads out of the footage storage.") from error
            if data is None:
                # Without the root nobody can tell which stills never arrived.
                await self._files.disk()
                waited = (datetime.now(UTC) - job.first_due).total_seconds()
                if waited >= self._settings.current.converter.missing_after_seconds:
                    raise AnalysisError("A still never arrived on the share.")
                return None
            stills.append(data)
        return stills

    async def _keep(self, job: Job, event: Event, analysis: Analysis, *, seconds: float) -> None:
        objects = [{"label": found.label, "count": found.count} for found in analysis.objects]

        async def work(transaction: Transaction) -> None:
            await self._jobs.finish(transaction, job, JobOutcome.DONE, done=f"in {seconds:.1f} s")
            await rows.write(
                transaction,
                event.id,
                {
                    "ai_processed": True,
                    "ai_processed_at": datetime.now(UTC),
                    "ai_person_detected": analysis.person_detected,
                    "ai_confidence": analysis.confidence,
                    "ai_objects": to_json(objects).decode(),
                    "ai_description": analysis.description,
                    "ai_phrase": analysis.phrase,
                    "ai_category": analysis.category,
                    "ai_error": None,
                },
            )

        await self._database.transact(work)
        log.info("event described", event_id=event.id, camera_id=event.camera_id, person=analysis.person_detected)

    async def _finish(self, job: Job, outcome: JobOutcome, error: str | None) -> None:
        async def work(transaction: Transaction) -> None:
            await self._jobs.finish(transaction, job, outcome, error=error)
            if error is not None:
                await rows.write(transaction, job.event_id, {"ai_error": error})

        await self._database.transact(work)
