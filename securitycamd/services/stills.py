"""Makes the pictures that an agent did not deliver, out of the clip; the thumbnail out of picture A where there is one.

They lie where the agent would have put them, under its names, and are linked by the rule that holds for files that are
found: an agent's word goes before them, and both stills being there has the event described. What lies there already
is never replaced: it may be the agent's own, which nobody reported yet.
"""

from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from securitycamd.config import SettingsHolder
from securitycamd.db import events as event_rows
from securitycamd.db import jobs as job_rows
from securitycamd.db import linking as link_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.clips import ClipError, ClipFault
from securitycamd.domain.errors import ConflictError, InvalidError, NotFoundError
from securitycamd.domain.filenames import make_path
from securitycamd.domain.jobs import Job, JobKind, JobOutcome
from securitycamd.domain.linking import Link, named_by
from securitycamd.domain.models import Event, FileReport
from securitycamd.domain.names import FileType
from securitycamd.domain.pictures import PLAYABLE, missing_pictures
from securitycamd.domain.principal import DAEMON
from securitycamd.media import Media
from securitycamd.media.jpeg import JpegError, read_jpeg
from securitycamd.services.attempts import attempt
from securitycamd.services.events import EventService
from securitycamd.services.jobs import JobQueue
from securitycamd.services.measuring import MeasuringService
from securitycamd.storage.files import Files

log = structlog.get_logger(__name__)

AT_SECONDS: Final = {FileType.IMAGE_A: 0.0, FileType.IMAGE_B: 4.0, FileType.THUMBNAIL: 0.0}
"""When agents take their pictures, after the motion."""
THUMBNAIL: Final = (480, 270)
IN_THE_WAY: Final = "A file that is not a whole picture lies in the picture's place."
NOT_THERE: Final = "The clip is not in the storage."


class StillsService:
    """The use case of the missing pictures: one claimed job."""

    def __init__(
        self,
        database: Database,
        settings: SettingsHolder,
        jobs: JobQueue,
        files: Files,
        media: Media,
        events: EventService,
        measuring: MeasuringService,
    ) -> None:
        self._database = database
        self._settings = settings
        self._jobs = jobs
        self._files = files
        self._media = media
        self._events = events
        self._measuring = measuring

    async def make(self, job: Job) -> None:
        """Do the job and end its claim, whatever comes of it.

        Raises:
            LeaseLostError: another claimer took the job over.
            DatabaseUnavailableError: the outcome could not be recorded; the job comes back when its lease ends.
        """
        async with attempt(self._jobs, job, lease_seconds=self._settings.current.converter.lease_seconds):
            event = (await event_rows.by_ids(self._database, [job.event_id])).get(job.event_id)
            missing = missing_pictures(event) if event is not None else ()
            if event is None or not missing or event.mp4_conversion_status not in PLAYABLE:
                await self._jobs.done(job)
                return
            try:
                made = await self._make_all(event, missing)
            except NotFoundError:  # the event was removed meanwhile
                await self._jobs.done(job)
            except ClipError as error:
                await self._failed(job, error)
            else:
                await self._jobs.done(job, done=", ".join(made) or None)

    async def _make_all(self, event: Event, missing: tuple[FileType, ...]) -> list[FileType]:
        """Make one picture after the other; one that cannot be made does not keep the others from being made.

        Those that were not there and were made now.
        """
        made = []
        first_error: ClipError | None = None
        for picture in missing:
            try:
                path, is_new = await self._find_or_make(event, picture)
                # Looked at last: until then the agent may have brought it under another name.
                gone = frozenset([named for named in named_by(event, picture) if await self._find(named) is None])
                report = FileReport(picture, path, transferred=True)
                event = await self._events.link_file(DAEMON, event.id, Link(report, gone - {path}))
            except ClipError as error:
                first_error = first_error or error
            else:
                made += [picture] if is_new else []
                log.info("picture made" if is_new else "picture found", event_id=event.id, picture=picture)
        await self._measuring.measure([event.id])
        if first_error is not None:
            raise first_error
        return made

    async def _find_or_make(self, event: Event, picture: FileType) -> tuple[str, bool]:
        """The path of a whole picture, and whether it was made now."""
        own = self._path(event, picture)
        for path in (*sorted(named_by(event, picture)), own):
            found = await self._find(path)
            if found is not None and await self._is_whole(found):
                return path, False
        if await self._find(own) is not None:
            raise ClipError(ClipFault.CUT_SHORT, IN_THE_WAY)
        await self._files.make_camera_folders(event.camera_id)
        temporary = await self._files.temporary_for(own)
        await self._make(event, picture, temporary)
        try:
            await self._files.publish(temporary, own)
        except ConflictError:  # it came a moment ago
            await self._files.run(temporary.unlink, missing_ok=True)
            return own, False
        return own, True

    async def _make(self, event: Event, picture: FileType, target: Path) -> None:
        if picture is FileType.THUMBNAIL and event.image_a_transferred and event.image_a_path:
            still = await self._find(event.image_a_path)
            if still is not None:
                try:
                    await self._media.thumbnail_from_still(still, target, width=THUMBNAIL[0], height=THUMBNAIL[1])
                except ClipError as error:
                    log.warning("picture A gives no thumbnail; the clip does", event_id=event.id, fault=error.fault)
                else:
                    return
        clip = await self._find(event.video_mp4_path) if event.video_mp4_path else None
        if clip is None:
            await self._files.disk()
            raise ClipError(ClipFault.MISSING, NOT_THERE)
        await self._media.still_from_clip(
            clip,
            target,
            at_seconds=AT_SECONDS[picture],
            size=THUMBNAIL if picture is FileType.THUMBNAIL else None,
            timeout_seconds=self._settings.current.converter.timeout_seconds,
        )

    async def _find(self, path: str) -> Path | None:
        """Where a file is; ``None`` also for a path that leads out of the storage."""
        try:
            return await self._files.locate(path)
        except InvalidError:
            return None

    async def _is_whole(self, path: Path) -> bool:
        try:
            await self._files.run(read_jpeg, path)
        except (JpegError, FileNotFoundError):
            return False
        return True

    def _path(self, event: Event, picture: FileType) -> str:
        zone = self._settings.current.site.zone
        local: datetime = event.timestamp.astimezone(zone).replace(tzinfo=None)
        return make_path(event.camera_id, event.id, local, picture)

    async def _failed(self, job: Job, error: ClipError) -> None:
        outcome = JobOutcome.RETRY if error.fault.may_pass else JobOutcome.FAIL

        async def work(transaction: Transaction) -> None:
            await self._jobs.finish(transaction, job, outcome, error=str(error))

        await self._database.transact(work)
        log.warning("pictures could not be made", event_id=job.event_id, fault=error.fault, attempt=job.attempt)


async def queue_missing(
    transaction: Transaction, event_id: int, *, delay_seconds: float = 0.0, again: bool = False
) -> None:
    """Have the pictures made that an event whose clip is playable lacks, unless they arrive within the delay.

    Args:
        transaction: in which.
        event_id: of which event.
        delay_seconds: how long to wait for its agent.
        again: also when that was done before, or could not be done.
    """
    event = (await event_rows.by_ids(transaction, [event_id])).get(event_id)
    if event is None or event.mp4_conversion_status not in PLAYABLE or not missing_pictures(event):
        return
    if again:
        await link_rows.requeue(transaction, event_id, JobKind.STILLS)
    await job_rows.enqueue(transaction, event_id, JobKind.STILLS, delay_seconds=delay_seconds)
