"""Makes clips playable: remux beside the source, look at the result, make it durable, write the row, remove the source.

Whatever instant a crash picks, the next life finds either the source with the job queued, or a whole MP4: the source
goes only after the row says that the MP4 is there, and the job ends only after the source is gone.
"""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final

import structlog

from securitycamd.config import SettingsHolder
from securitycamd.db import events as event_rows
from securitycamd.db import footage
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.clips import FAULT_SENTENCES, ClipError, ClipFault
from securitycamd.domain.errors import InvalidError, StorageUnavailableError
from securitycamd.domain.jobs import Job, JobOutcome, JobState
from securitycamd.domain.models import Event
from securitycamd.domain.names import ConversionStatus
from securitycamd.media.pool import Media, MediaClosedError
from securitycamd.media.remux import RemuxedClip
from securitycamd.services.jobs import JobQueue
from securitycamd.services.stills import queue_missing
from securitycamd.storage.errors import StorageFullError
from securitycamd.storage.files import Files

log = structlog.get_logger(__name__)

SOURCE_SUFFIXES: Final = frozenset({".h264", ".264", ".avc"})
MISSING_RETRY_SECONDS: Final = 3.0
STORAGE_RETRY_SECONDS: Final = 10.0
FULL: Final = "The footage storage is full."
SPARE_BYTES: Final = 1024 * 1024
"""An MP4 takes a little more room than its source."""


class ConversionService:
    """The converter's use case: one claimed job, from its source to a playable clip."""

    def __init__(
        self, database: Database, settings: SettingsHolder, jobs: JobQueue, files: Files, media: Media
    ) -> None:
        self._database = database
        self._settings = settings
        self._jobs = jobs
        self._files = files
        self._media = media

    async def convert(self, job: Job) -> None:
        """Do the job and end its claim, whatever comes of it.

        Raises:
            LeaseLostError: another claimer took the job over; nothing was recorded here.
            DatabaseUnavailableError: the outcome could not be recorded; the job comes back when its lease ends.
        """
        settings = self._settings.current.converter
        async with self._jobs.holding(job, lease_seconds=settings.lease_seconds):
            event = (await event_rows.by_ids(self._database, [job.event_id])).get(job.event_id)
            if event is None or event.video_h264_path is None:
                await self._end(job, JobOutcome.DONE)
                return
            try:
                done = ""
                if event.mp4_conversion_status not in {ConversionStatus.COMPLETE, ConversionStatus.OPTIMIZED}:
                    clip = await self._make_playable(job, event, event.video_h264_path)
                    done = f"in {clip.elapsed_seconds:.1f} s"
                await self._remove_source(job, event.video_h264_path, done=done)
            except ClipError as error:
                if error.fault is ClipFault.FFMPEG and await self._lacks_room(event.video_h264_path):
                    await self._jobs.release(job, delay_seconds=STORAGE_RETRY_SECONDS, reason=FULL)
                else:
                    await self._failed(job, event, error)
            except (StorageUnavailableError, OSError) as error:
                log.warning("conversion waits for the storage", event_id=event.id, error=type(error).__name__)
                reason = FULL if isinstance(error, StorageFullError) else "The storage did not answer."
                await self._jobs.release(job, delay_seconds=STORAGE_RETRY_SECONDS, reason=reason)
            except MediaClosedError:
                await self._jobs.release(job, delay_seconds=0)

    async def _make_playable(self, job: Job, event: Event, source: str) -> RemuxedClip:
        settings = self._settings.current.converter
        path = await self._locate(source)
        if path is None:
            # Without the root nobody can tell which clips never arrived: that is the storage's trouble, not the clip's.
            await self._files.disk()
            waited = (datetime.now(UTC) - job.first_due).total_seconds()
            late = waited >= settings.missing_after_seconds
            raise _fault(ClipFault.MISSING if late else ClipFault.MISSING_YET)
        target = target_of(source)
        temporary = await self._files.temporary_for(target)
        clip = await self._media.remux(
            path,
            temporary,
            frame_rate=settings.frame_rate_of(event.camera_id),
            timeout_seconds=settings.timeout_seconds,
            on_progress=self._jobs.progress_of(job),
        )
        await self._files.publish(temporary, target, replace=True)
        await self._record(job, event, target, clip)
        return clip

    async def _lacks_room(self, source: str) -> bool:
        """Whether FFmpeg failed for want of room: the storage's trouble, not the clip's."""
        try:
            needed = await self._files.size(source) or 0
            return (await self._files.disk()).free_bytes < needed + SPARE_BYTES
        except (StorageUnavailableError, OSError, InvalidError):
            return False

    async def _locate(self, source: str) -> Path | None:
        try:
            path = await self._files.locate(source)
        except InvalidError as error:
            log.warning("a clip's path leads out of the storage root", path=source, reason=error.reason)
            raise ClipError(ClipFault.MISSING, "The clip's path leads out of the footage storage.") from error
        return path

    async def _record(self, job: Job, event: Event, target: str, clip: RemuxedClip) -> None:
        # The source is not among them: it goes at once.
        kept = {path for path in event.paths if path != event.video_h264_path} | {target}
        size_bytes = sum((await self._files.each_size(sorted(kept))).values())

        async def work(transaction: Transaction) -> None:
            await self._jobs.check_held(transaction, job, lease_seconds=self._settings.current.converter.lease_seconds)
            await event_rows.update(
                transaction,
                event.id,
                {
                    "video_mp4_path": target,
                    "video_duration": clip.duration_seconds,
                    "mp4_conversion_status": ConversionStatus.COMPLETE,
                    "mp4_converted_at": datetime.now(UTC),
                },
            )
            for locked in (await event_rows.lock(transaction, [event.id])).values():
                await footage.set_size(transaction, locked, size_bytes)

        await self._database.transact(work)
        log.info(
            "clip is playable",
            event_id=event.id,
            camera_id=event.camera_id,
            seconds=round(clip.elapsed_seconds, 2),
            duration_seconds=round(clip.duration_seconds, 2),
            size_bytes=clip.size_bytes,
        )

    async def _remove_source(self, job: Job, source: str, *, done: str) -> None:
        await self._files.remove(source)
        # What some agents leave beside a finished video. A name that leaves no room for it has none.
        with suppress(InvalidError):
            await self._files.remove(f"{source}.READY")

        async def work(transaction: Transaction) -> None:
            await event_rows.update(transaction, job.event_id, {"video_h264_path": None})
            await self._jobs.finish(transaction, job, JobOutcome.DONE, done=done)
            delay_seconds = self._settings.current.converter.stills_after_seconds
            await queue_missing(transaction, job.event_id, delay_seconds=delay_seconds)

        await self._database.transact(work)

    async def _failed(self, job: Job, event: Event, error: ClipError) -> None:
        if error.fault is ClipFault.MISSING_YET:
            await self._jobs.release(job, delay_seconds=MISSING_RETRY_SECONDS, reason=str(error))
            return
        outcome = JobOutcome.RETRY if error.fault.may_pass else JobOutcome.FAIL

        async def work(transaction: Transaction) -> JobState:
            state = await self._jobs.finish(transaction, job, outcome, error=str(error))
            status = ConversionStatus.FAILED if state is JobState.FAILED else ConversionStatus.PENDING
            await event_rows.update(transaction, event.id, {"mp4_conversion_status": status})
            return state

        state = await self._database.transact(work)
        log.warning(
            "clip could not be converted",
            event_id=event.id,
            camera_id=event.camera_id,
            fault=error.fault,
            attempt=job.attempt,
            state=state,
        )

    async def _end(self, job: Job, outcome: JobOutcome) -> None:
        async def work(transaction: Transaction) -> None:
            await self._jobs.finish(transaction, job, outcome)

        await self._database.transact(work)


def target_of(source: str) -> str:
    """Where the MP4 of a source goes: beside it; never its own name."""
    path = PurePosixPath(source)
    if path.suffix.lower() in SOURCE_SUFFIXES:
        return str(path.with_suffix(".mp4"))
    return f"{source}.mp4"


def _fault(fault: ClipFault) -> ClipError:
    return ClipError(fault, FAULT_SENTENCES[fault])
