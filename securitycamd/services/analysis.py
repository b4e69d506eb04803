"""Has an event's stills described, and keeps what was said."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from pydantic_core import to_json

from securitycamd.ai.client import Analyst, Seen, Structured
from securitycamd.ai.parsing import combine
from securitycamd.config import SettingsHolder
from securitycamd.db import analyses as rows
from securitycamd.db import events as event_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.errors import (
    AiFaultError,
    AiUnavailableError,
    AnalysisError,
    InvalidError,
    StorageUnavailableError,
)
from securitycamd.domain.jobs import Job, JobOutcome
from securitycamd.domain.models import Analysis, AnalysisRecord, Event
from securitycamd.domain.names import AnalysisState
from securitycamd.services.ai_gate import AiGate
from securitycamd.services.jobs import JobQueue
from securitycamd.storage.files import Files

log = structlog.get_logger(__name__)

STILL_LIMIT_BYTES: Final = 32 * 1024 * 1024
MISSING_RETRY_SECONDS: Final = 5.0
STORAGE_RETRY_SECONDS: Final = 10.0
FAULT_LIMIT: Final = 5
"""So often may the server fail at one event while it works for others; then the event is given up."""
FAULT_FIRST_SECONDS: Final = 5.0
FAULT_GROWTH: Final = 3.0
"""How long such an event stands back, and how much longer each time: 5 s, 15 s, 45 s, 135 s."""


class AnalysisService:
    """The analyser's use case: one claimed job, from two stills to a description."""

    def __init__(
        self, database: Database, settings: SettingsHolder, jobs: JobQueue, files: Files, gate: AiGate
    ) -> None:
        self._database = database
        self._settings = settings
        self._jobs = jobs
        self._files = files
        self._gate = gate
        self._others_done_at: datetime | None = None
        """When the server last did what it was asked."""

    def analyst(self) -> Analyst | None:
        """The analyst of the settings in force; ``None`` when analysis is switched off."""
        return self._gate.analyst()

    async def analyse(self, job: Job) -> None:
        """Do the job and end its claim.

        What the vision model said is kept as soon as it has: should the second stage fail, only that is done again.

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
            record = await rows.of_event(self._database, job.event_id) or AnalysisRecord()
            if event is None or (event.ai_processed and record.state in _SETTLED):
                await self._jobs.done(job)
                return
            try:
                await self._describe(analyst, job, event, record)
            except AiFaultError as error:
                await self._at_fault(analyst, job, record, error)
                raise
            except AiUnavailableError as error:
                self._gate.failed(str(error))
                # At once the next in line: nothing is claimed until the server is back.
                await self._jobs.release(job, delay_seconds=0, reason=str(error))
                raise
            except AnalysisError as error:
                await self._give_up(job, str(error))
            except (StorageUnavailableError, OSError) as error:
                log.warning("analysis waits for the storage", event_id=event.id, error=type(error).__name__)
                await self._jobs.release(job, delay_seconds=STORAGE_RETRY_SECONDS, reason="The storage did not answer.")

    async def _describe(self, analyst: Analyst, job: Job, event: Event, record: AnalysisRecord) -> None:
        if record.state is AnalysisState.DESCRIBED and record.description:
            seen = Seen(record.description, record.still_notes, record.vision_model, record.vision_seconds or 0.0)
        else:
            stills = await self._read_stills(job, event)
            if stills is None:
                await self._jobs.release(
                    job, delay_seconds=MISSING_RETRY_SECONDS, reason="A still is not on the share yet."
                )
                return
            seen = await analyst.describe(stills)
            record = replace(
                record,
                state=AnalysisState.DESCRIBED,
                vision_model=seen.model,
                vision_seconds=seen.seconds,
                text_model=None,
                text_seconds=None,
                prompt_version=analyst.prompt_version,
                read_by=None,
                still_notes=seen.stills,
                description=seen.description,
                finished_at=None,
            )
            if seen.reading is None:
                await self._keep_description(job, event, record)
        structured = await analyst.structured(seen)
        if seen.model is not None:
            self._others_done_at = datetime.now(UTC)
            self._gate.succeeded()
        await self._keep(job, event, record, structured, combine(seen.description, structured.reading))

    async def _read_stills(self, job: Job, event: Event) -> list[bytes] | None:
        """The stills that are there; ``None`` while one may yet arrive."""
        stills = []
        for path in (event.image_a_path, event.image_b_path):
            try:
                data = None if path is None else await self._files.read(path, limit_bytes=STILL_LIMIT_BYTES)
            except InvalidError as error:
                raise AnalysisError("A still's path leads out of the footage storage.") from error
            if data is not None:
                stills.append(data)
                continue
            # Without the root nobody can tell which stills never arrived.
            await self._files.disk()
            waited = (datetime.now(UTC) - job.first_due).total_seconds()
            if waited < self._settings.current.converter.missing_after_seconds:
                return None
        if not stills:
            raise AnalysisError("The stills never arrived on the share.")
        return stills

    async def _keep_description(self, job: Job, event: Event, record: AnalysisRecord) -> None:
        lease_seconds = self._settings.current.analyser.lease_seconds

        async def work(transaction: Transaction) -> None:
            await self._jobs.check_held(transaction, job, lease_seconds=lease_seconds)
            # While an event is done once more, what is known of it stays together until all of it is new.
            columns = {} if event.ai_processed else {"ai_description": record.description}
            if await rows.write(transaction, event.id, columns) is not None:
                await rows.put(transaction, event.id, record)

        await self._database.transact(work)

    async def _keep(
        self, job: Job, event: Event, record: AnalysisRecord, structured: Structured, analysis: Analysis
    ) -> None:
        objects = [{"label": found.label, "count": found.count} for found in analysis.objects]
        now = datetime.now(UTC)
        columns: dict[str, Any] = {
            "ai_processed": True,
            "ai_processed_at": now,
            "ai_person_detected": analysis.person_detected,
            "ai_confidence": analysis.confidence,
            "ai_objects": to_json(objects).decode(),
            "ai_description": analysis.description,
            "ai_phrase": analysis.phrase,
            "ai_category": analysis.category,
            "ai_error": None,
        }
        done = replace(
            record,
            state=AnalysisState.DONE,
            text_model=structured.model,
            text_seconds=None if structured.model is None else structured.seconds,
            read_by=structured.reading.read_by,
            description=None,
            runs=record.runs + 1,
            faults=0,
            faulted_at=None,
            finished_at=now,
        )

        seconds = (done.vision_seconds or 0.0) + (done.text_seconds or 0.0)

        async def work(transaction: Transaction) -> None:
            await self._jobs.finish(transaction, job, JobOutcome.DONE, done=f"in {seconds:.1f} s")
            if await rows.write(transaction, event.id, columns) is not None:
                await rows.put(transaction, event.id, done)

        await self._database.transact(work)
        log.info(
            "event described",
            event_id=event.id,
            camera_id=event.camera_id,
            category=analysis.category,
            vision_model=done.vision_model,
            vision_seconds=round(done.vision_seconds or 0.0, 3),
            text_model=done.text_model,
            text_seconds=round(done.text_seconds or 0.0, 3),
            read_by=done.read_by,
        )

    async def _at_fault(self, analyst: Analyst, job: Job, record: AnalysisRecord, error: AiFaultError) -> None:
        """The server failed in the middle of this: whose fault is it?

        One that is gone now is at fault itself. One that still answers may have failed at this event only: the event
        stands back for a while, and when the server has failed at it again and again, with others done in between, it
        is given up.
        """
        state = await analyst.check()
        self._gate.failed(str(error) if state.ready else state.message)
        if not state.ready:
            await self._jobs.release(job, delay_seconds=0, reason=str(error))
            return
        # What was kept of the first stage meanwhile stays.
        record = await rows.of_event(self._database, job.event_id) or record
        last, others = record.faulted_at, self._others_done_at
        faults, faulted_at = record.faults, last
        if last is None or (others is not None and others > last):
            faults, faulted_at = faults + 1, datetime.now(UTC)
        if faults >= FAULT_LIMIT:
            await self._give_up(
                job, f"The AI server failed at this event {faults} times, while it described others: {error}"
            )
            return
        delay_seconds = FAULT_FIRST_SECONDS * FAULT_GROWTH ** max(0, faults - 1)

        async def work(transaction: Transaction) -> None:
            await self._jobs.finish(transaction, job, JobOutcome.RELEASE, error=str(error), delay_seconds=delay_seconds)
            if await event_rows.lock(transaction, [job.event_id]):
                await rows.put(transaction, job.event_id, replace(record, faults=faults, faulted_at=faulted_at))

        await self._database.transact(work)

    async def _give_up(self, job: Job, error: str) -> None:
        async def work(transaction: Transaction) -> None:
            await self._jobs.finish(transaction, job, JobOutcome.FAIL, error=error)
            await rows.write(transaction, job.event_id, {"ai_error": error[:_ERROR_LIMIT]})

        await self._database.transact(work)
        log.warning("event could not be described", event_id=job.event_id, reason=error)


_SETTLED: Final = frozenset({AnalysisState.WAITING, AnalysisState.DONE})
_ERROR_LIMIT: Final = 500
