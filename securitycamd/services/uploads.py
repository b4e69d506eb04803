"""Files that agents without a share send over HTTP: to disk as they come, then into the same chain."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from securitycamd.config import SettingsHolder
from securitycamd.domain.errors import ConflictError, InvalidError, NotFoundError, StorageUnavailableError
from securitycamd.domain.filenames import make_path
from securitycamd.domain.models import Event, FileReport
from securitycamd.domain.names import ConversionStatus, FileType
from securitycamd.domain.principal import Principal
from securitycamd.services.events import EventService
from securitycamd.storage.files import Files

log = structlog.get_logger(__name__)

CHUNK_SECONDS: Final = 30.0
"""An agent that sends nothing for so long has gone; what came is kept to go on with."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a request says of its body: where in the file it begins, and how long the file is, if told."""

    offset: int = 0
    total: int | None = None
    digest: bytes | None = None
    """SHA-256 of the whole file."""
    video_duration: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file has come; ``event`` once it is whole."""

    received_bytes: int
    event: Event | None


class UploadService:
    """Takes files in, one request or several a file."""

    def __init__(self, settings: SettingsHolder, events: EventService, files: Files) -> None:
        self._settings = settings
        self._events = events
        self._files = files
        self._receiving: dict[str, asyncio.Task[Progress]] = {}

    async def receive(
        self, principal: Principal, event_id: int, file_type: FileType, part: Part, body: AsyncIterator[bytes]
    ) -> Progress:
        """Write ``body`` to the disk; when the file is whole, it is an event's file like any other.

        Raises:
            NotFoundError: no such event, or not this principal's.
            InvalidError, ConflictError: the part does not fit, or nothing came; the digest is not that of what came.
            UploadTooLargeError: larger than files of this type may be.
            StorageUnavailableError: the storage is away or full; what came before is kept to go on with.
        """
        event = await self._events.get(principal, event_id)
        path = self._path(event, file_type)
        await self._stop_receiving(path)
        if file_type is FileType.VIDEO and event.mp4_conversion_status in _CONVERTED:
            await self._drop_second(event, path)
            return Progress(part.total or 0, event)  # sent again, after it was converted
        work = asyncio.create_task(self._take_in(principal, event, file_type, part, body), name=f"upload of {path}")
        self._receiving[path] = work
        try:
            return await work
        except asyncio.CancelledError:
            # Not we were cancelled, but the work: a later request for the same file took over.
            if work.cancelled() and not _is_cancelled():
                raise ConflictError("A later request goes on with this file.") from None
            raise
        except PermissionError as error:
            log.warning("a camera's folder may not be written to", camera_id=event.camera_id)
            raise StorageUnavailableError(
                "The server may not write to this camera's folder; see its permissions on the share."
            ) from error
        finally:
            if self._receiving.get(path) is work:
                del self._receiving[path]

    async def _take_in(
        self, principal: Principal, event: Event, file_type: FileType, part: Part, body: AsyncIterator[bytes]
    ) -> Progress:
        path = self._path(event, file_type)
        if part.total == 0:
            raise _empty()
        upload = await self._files.open_upload(
            path, limit_bytes=self._limit(file_type), offset=part.offset, total=part.total
        )
        async with upload:
            await _copy(body, upload.write)
            if not upload.received_bytes:  # in chunks, which do not say how many
                await upload.abort()
                raise _empty()
            if part.total is not None and upload.received_bytes < part.total:
                return Progress(upload.received_bytes, None)
            # The same file sent again takes the other's place: what was acknowledged last is what counts.
            received = await upload.finish(part.digest, replace=True)
        log.info("file received", event_id=event.id, file_type=file_type, size_bytes=received.size_bytes)
        report = FileReport(file_type, path, transferred=True, video_duration=part.video_duration)
        try:
            event = await self._events.report_file(principal, event.id, report, received=True)
        except NotFoundError:
            # It expired, or was deleted, while its file came: who removed its files had no eye on this one.
            await self._files.remove(path)
            log.info("a file came too late for its event", event_id=event.id, file_type=file_type)
            raise
        if file_type is FileType.VIDEO and event.mp4_conversion_status in _CONVERTED:
            await self._drop_second(event, path)
        return Progress(received.size_bytes, event)

    async def _drop_second(self, event: Event, path: str) -> None:
        """Remove a source, or what came of it, that was sent again by an agent that lost the first reply.

        While it came, the first was converted and removed: nobody would ever look at the second.
        """
        await self._files.discard_upload(path)
        if event.video_mp4_path is not None and await self._files.exists(event.video_mp4_path):
            await self._files.remove(path)

    async def progress(self, principal: Principal, event_id: int, file_type: FileType) -> Progress:
        """How far an unfinished file has come. Who asks is not sending: a request under way for it has lost its line.

        Raises:
            NotFoundError: no such event, or not this principal's.
        """
        event = await self._events.get(principal, event_id)
        await self._stop_receiving(self._path(event, file_type))
        return Progress(await self._files.received_bytes(self._path(event, file_type)), None)

    async def _stop_receiving(self, path: str) -> None:
        """End an earlier request for the file, keeping what came.

        A line that broke shows itself only when nothing more comes for :data:`CHUNK_SECONDS`; an agent that has
        come anew need not wait for that.
        """
        # Again and again: another request that waited with this one may have begun first.
        while (work := self._receiving.get(path)) is not None:
            work.cancel()
            await asyncio.wait([work])
            if self._receiving.get(path) is work:
                del self._receiving[path]

    def _path(self, event: Event, file_type: FileType) -> str:
        local = event.timestamp.astimezone(self._settings.current.site.zone).replace(tzinfo=None)
        return make_path(event.camera_id, event.id, local, file_type)

    def _limit(self, file_type: FileType) -> int:
        server = self._settings.current.server
        return server.max_video_bytes if file_type is FileType.VIDEO else server.max_picture_bytes


_CONVERTED: Final = frozenset({ConversionStatus.COMPLETE, ConversionStatus.OPTIMIZED})


def _empty() -> InvalidError:
    # It would take the place of a file that came before, and say that the event has it.
    return InvalidError("body", "is empty: a file has at least one byte")


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _copy(body: AsyncIterator[bytes], write: Callable[[bytes], Awaitable[None]]) -> None:
    chunks = aiter(body)
    while True:
        async with asyncio.timeout(CHUNK_SECONDS):
            chunk = await anext(chunks, None)
        if chunk is None:
            return
        await write(chunk)
