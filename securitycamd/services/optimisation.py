"""Makes clips smaller at night: re-encode beside the clip, look at all of it, put it in its place if it is smaller.

Whatever instant a crash picks, the clip is there, whole, under its name: the smaller one takes the place of the other
in one step, after it was decoded to its end. Just before that step the job notes both sizes; a later attempt that finds
a clip of the noted size under the name knows that only the row is missing, and does not encode it a second time.
"""

import asyncio
import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from securitycamd.config import SettingsHolder
from securitycamd.db import events as event_rows
from securitycamd.db import footage
from securitycamd.db import jobs as job_rows
from securitycamd.db import linking as link_rows
from securitycamd.db import optimisation as rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.clips import ClipError, ClipFault
from securitycamd.domain.errors import ConflictError, InvalidError, StorageUnavailableError
from securitycamd.domain.jobs import Job, JobKind, JobOutcome, JobState
from securitycamd.domain.models import Event
from securitycamd.domain.names import ConversionStatus
from securitycamd.media import Media, OptimisationGivenUpError, OptimiserPreset
from securitycamd.services.attempts import STORAGE_RETRY_SECONDS, attempt
from securitycamd.services.jobs import JobQueue
from securitycamd.services.measuring import size_of
from securitycamd.settings import OptimiserSettings
from securitycamd.storage.files import Files

log = structlog.get_logger(__name__)

QUEUE_TARGET: Final = 8
"""So many jobs wait at most; more are made as they are taken."""
STRETCH: Final = 200
"""So many events a read looks at."""
STRETCHES_A_PASS: Final = 10
MAX_ATTEMPTS: Final = 3
"""An attempt costs minutes of the processor, and what failed thrice is still playable as it is."""
FULL: Final = "The footage storage is full."
FULL_RETRY_SECONDS: Final = 600.0
GIVEN_BACK: Final = "Given back: the optimiser's time was over."
_PLACING: Final = "Putting a smaller clip in place: {new} bytes instead of {old}."
_PLACED: Final = re.compile(r"Putting a smaller clip in place: (\d+) bytes instead of (\d+)\.")


class _PlacedPerhapsError(Exception):
    """The claim has ended; whether the smaller clip is in its place, the next attempt will see."""


@dataclass(slots=True)
class _RunNow:
    """An operator's wish to optimise outside the window."""

    until: float | None
    """On the monotonic clock; ``None``: until what was there is done."""
    newest: int | None = None
    """What was there: events up to this one; ``None`` until it was looked up."""


class OptimisationService:
    """The optimiser's use case: when it may work, what is to be done, and one claimed job."""

    def __init__(
        self, database: Database, settings: SettingsHolder, jobs: JobQueue, files: Files, media: Media
    ) -> None:
        self._database = database
        self._settings = settings
        self._jobs = jobs
        self._files = files
        self._media = media
        self._give_up = asyncio.Event()
        self._give_up.set()
        self._run_now: _RunNow | None = None
        self._below = footage.LAST_ID
        self._working = 0

    # --- when ---------------------------------------------------------------------------------------------------------

    @property
    def _optimiser(self) -> OptimiserSettings:
        return self._settings.current.optimiser

    def is_open(self, now: datetime | None = None) -> bool:
        """Whether the optimiser may work at ``now`` (aware; default: the present)."""
        if not self._optimiser.enabled:
            return False
        if self._run_now is not None and (self._run_now.until is None or time.monotonic() < self._run_now.until):
            return True
        self._run_now = None
        return self._is_window_open(now or datetime.now(UTC))

    def _is_window_open(self, now: datetime) -> bool:
        return self._optimiser.window.is_open(now, self._settings.current.site.zone)

    def run_now(self, minutes: float | None) -> None:
        """Work outside the window, for so long, or until what is there now is done.

        Raises:
            ConflictError: the optimiser is switched off.
        """
        if not self._optimiser.enabled:
            raise ConflictError("The optimiser is switched off in the settings (optimiser.enabled).")
        self._run_now = _RunNow(None if minutes is None else time.monotonic() + minutes * 60)
        self._below = footage.LAST_ID

    @property
    def slots(self) -> int:
        """How many jobs may be worked on at this moment."""
        return 0 if self._give_up.is_set() else 1

    def allow(self) -> None:
        """Let jobs be claimed; the newest clips come first."""
        if self._give_up.is_set():
            self._give_up = asyncio.Event()
            self._below = footage.LAST_ID

    def give_up(self) -> None:
        """Have the running job given back, and let none be claimed."""
        self._give_up.set()

    # --- what ---------------------------------------------------------------------------------------------------------

    async def fill_queue(self) -> int:
        """Queue the newest clips that were not looked at, as far as the queue is short; how many.

        Raises:
            DatabaseUnavailableError: nothing was queued.
        """
        wanted = self._run_now
        if wanted is not None and wanted.newest is None:
            wanted.newest = await link_rows.newest_id(self._database)
        room = QUEUE_TARGET - await rows.waiting(self._database, limit=QUEUE_TARGET)
        queued = 0
        exhausted = False
        for _ in range(STRETCHES_A_PASS):
            if queued >= room or exhausted:
                break
            found = await self._next_unseen()
            exhausted = found is None
            if found:
                chosen = found[: room - queued]
                # What does not fit into the queue is looked at again when there is room.
                if len(chosen) < len(found):
                    self._below = chosen[-1]
                queued += await self._queue(chosen)
        if exhausted:
            self._below = footage.LAST_ID
            if wanted is not None and not queued:
                await self._end_run_now(wanted)
        return queued

    async def _queue(self, event_ids: list[int]) -> int:
        async def work(transaction: Transaction) -> None:
            for event_id in sorted(event_ids):
                await job_rows.enqueue(transaction, event_id, JobKind.OPTIMISE)

        await self._database.transact(work)
        return len(event_ids)

    async def _next_unseen(self) -> list[int] | None:
        now, wanted = datetime.now(UTC), self._run_now
        below = self._below
        if wanted is not None and wanted.newest is not None and not self._is_window_open(now):
            # What comes after an operator's word is not what they spoke of.
            below = min(below, wanted.newest + 1)
        stretch = await rows.unseen(
            self._database,
            below=below,
            converted_before=now - timedelta(hours=self._optimiser.min_age_hours),
            limit=STRETCH,
        )
        if stretch.last_id is None:
            return None
        self._below = stretch.last_id
        return stretch.unseen

    async def _end_run_now(self, wanted: _RunNow) -> None:
        """Close what :meth:`run_now` opened, when nothing of what was there is left."""
        if wanted.until is not None or wanted.newest is None or self._working:
            return
        if not await rows.is_due(self._database, newest=wanted.newest) and self._run_now is wanted:
            self._run_now = None
            log.info("everything that was there is optimised")

    # --- one job ------------------------------------------------------------------------------------------------------

    async def optimise(self, job: Job) -> None:
        """Do the job and end its claim, whatever comes of it.

        Raises:
            LeaseLostError: another claimer took the job over; nothing was recorded here.
            DatabaseUnavailableError: the outcome could not be recorded; the job comes back when its lease ends.
        """
        self._working += 1
        try:
            async with attempt(self._jobs, job, lease_seconds=self._optimiser.lease_seconds):
                await self._attempt(job)
        finally:
            self._working -= 1

    async def _attempt(self, job: Job) -> None:
        event = (await event_rows.by_ids(self._database, [job.event_id])).get(job.event_id)
        if event is None or not event.video_mp4_path or event.mp4_conversion_status is not ConversionStatus.COMPLETE:
            await self._jobs.done(job)
            return
        try:
            saved = await self._make_smaller(job, event, event.video_mp4_path)
        except _PlacedPerhapsError:
            return
        except OptimisationGivenUpError:
            await self._jobs.release(job, delay_seconds=0, reason=GIVEN_BACK)
            log.info("optimisation given back", event_id=event.id)
        except ClipError as error:
            if error.fault is ClipFault.FFMPEG and await self._lacks_room(event.video_mp4_path):
                await self._jobs.release(job, delay_seconds=FULL_RETRY_SECONDS, reason=FULL)
            else:
                await self._failed(job, event, error)
        else:
            await self._record(job, event, saved)

    async def _make_smaller(self, job: Job, event: Event, name: str) -> int:
        """Put a smaller clip in the place of the event's, if it can be made; the bytes that saved."""
        clip = await self._locate(name)
        size_bytes = (await self._files.run(os.stat, clip)).st_size
        if (saved := _already_saved(await self._jobs.word_in(job), size_bytes)) is not None:
            log.info("the smaller clip was in its place already", event_id=event.id)
            return saved
        temporary = await self._files.temporary_for(name)
        settings = self._optimiser
        made = await self._media.optimise(
            clip,
            temporary,
            preset=preset_of(settings),
            timeout_seconds=settings.timeout_seconds,
            on_progress=self._jobs.progress_of(job),
            give_up=self._give_up,
        )
        log.info(
            "clip re-encoded",
            event_id=event.id,
            camera_id=event.camera_id,
            encoder=made.encoder,
            seconds=round(made.elapsed_seconds, 1),
            size_bytes=made.size_bytes,
            source_bytes=made.source_bytes,
        )
        if made.size_bytes >= made.source_bytes:
            await self._files.run(temporary.unlink, missing_ok=True)
            return 0
        await self._place(job, temporary, name, new=made.size_bytes, old=made.source_bytes)
        return made.source_bytes - made.size_bytes

    async def _place(self, job: Job, temporary: Path, name: str, *, new: int, old: int) -> None:
        """Put the smaller clip in the place of the other, and say so before.

        Raises:
            _PlacedPerhapsError: the storage did not answer; the job was given back with that word still in it, for
                the change may yet take effect.
        """
        word = _PLACING.format(new=new, old=old)
        lease_seconds = self._optimiser.lease_seconds

        async def work(transaction: Transaction) -> None:
            await self._jobs.leave_word(transaction, job, word, lease_seconds=lease_seconds)

        is_placed = False
        try:
            await self._database.transact(work)
            await self._files.publish(temporary, name, replace=True)
            is_placed = True
        except (StorageUnavailableError, OSError) as error:
            log.warning("optimisation waits for the storage", event_id=job.event_id, error=type(error).__name__)
            await self._jobs.release(job, delay_seconds=STORAGE_RETRY_SECONDS, reason=word)
            raise _PlacedPerhapsError from error
        finally:
            if not is_placed:
                # The sweep of left-over files would find it, but an encoding may be large.
                await self._discard(temporary)

    async def _lacks_room(self, name: str) -> bool:
        """Whether the disk is so full that the failure may be for want of room: that is nothing about the clip."""
        return (await self._files.disk()).free_bytes < (await self._files.size(name) or 0)

    async def _discard(self, temporary: Path) -> None:
        try:
            await self._files.run(temporary.unlink, missing_ok=True)
        except (StorageUnavailableError, OSError) as error:
            log.warning("a left-over file stays for the sweep", error=type(error).__name__)

    async def _locate(self, name: str) -> Path:
        try:
            found = await self._files.locate(name)
        except InvalidError as error:
            raise ClipError(ClipFault.MISSING, "The clip's path leads out of the footage storage.") from error
        if found is None:
            # Without the root nobody can tell which clips are gone.
            await self._files.disk()
            raise ClipError(ClipFault.MISSING, "The clip is not in the storage.")
        return found

    async def _record(self, job: Job, event: Event, saved: int) -> None:
        sizes = await self._files.each_size(event.paths)

        async def work(transaction: Transaction) -> None:
            now = (await event_rows.lock(transaction, [event.id])).get(event.id)
            is_same = now is not None and now.video_mp4_path == event.video_mp4_path
            words = f"{saved / 1e6:.1f} MB saved" if saved else "it could not be made smaller"
            await self._jobs.finish(transaction, job, JobOutcome.DONE, done=words if is_same else None)
            if now is None or not is_same:
                return  # gone, or another clip was linked meanwhile: nothing of it was optimised
            await event_rows.update(transaction, event.id, {"mp4_conversion_status": ConversionStatus.OPTIMIZED})
            await footage.set_saved(transaction, now, now.saved_bytes + saved)
            if now.paths == event.paths:
                await footage.set_sizes(transaction, [(now, size_of(now, sizes))])

        await self._database.transact(work)
        log.info("clip optimised", event_id=event.id, camera_id=event.camera_id, saved_bytes=saved)

    async def _failed(self, job: Job, event: Event, error: ClipError) -> None:
        again = error.fault.may_pass and job.attempt < MAX_ATTEMPTS
        outcome = JobOutcome.RETRY if again else JobOutcome.FAIL

        async def work(transaction: Transaction) -> JobState:
            return await self._jobs.finish(transaction, job, outcome, error=str(error))

        state = await self._database.transact(work)
        log.warning("clip stays as it is", event_id=event.id, fault=error.fault, attempt=job.attempt, state=state)


def _already_saved(word: str | None, size_bytes: int) -> int | None:
    """What an attempt saved whose row is missing; ``None``: there was none, or it came not so far."""
    found = _PLACED.fullmatch(word or "")
    if found is None or int(found[1]) != size_bytes:
        return None
    return int(found[2]) - size_bytes


def preset_of(settings: OptimiserSettings) -> OptimiserPreset:
    """The settings in the words of :mod:`securitycamd.media`."""
    return OptimiserPreset(
        encoder=settings.encoder,
        x264_preset=settings.preset,
        constant_rate_factor=settings.crf,
        max_height=settings.max_height or None,
        bits_per_second=settings.bits_per_second,
    )
