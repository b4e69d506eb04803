"""Events go: the row is marked, then its files are unlinked, then the row goes with its counts.

Whatever instant a crash picks, the next round finds the mark and finishes what was begun: a row without files never
stays, and no file loses its row before it is gone itself.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Final

import structlog

from securitycamd.db import events as event_rows
from securitycamd.db import jobs as job_rows
from securitycamd.db import removals as rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.errors import ConflictError, InvalidError, NotFoundError, StorageUnavailableError
from securitycamd.domain.filenames import parse_name
from securitycamd.domain.jobs import JobKind
from securitycamd.domain.models import Event
from securitycamd.domain.principal import Principal
from securitycamd.domain.retention import Reason
from securitycamd.services.conversion import target_of
from securitycamd.storage.errors import StorageLostError
from securitycamd.storage.files import Files
from securitycamd.storage.paths import check_relative
from securitycamd.storage.scan import find_for_event

log = structlog.get_logger(__name__)

MARKS_A_READ: Final = 200
UNREPORTED_FOR: Final = timedelta(days=1)
"""So long after an event files of it may lie there that nobody spoke of; later the scan has linked them."""


class RemovalService:
    """Removes events, for retention and for people."""

    def __init__(self, database: Database, files: Files) -> None:
        self._database = database
        self._files = files

    async def delete(self, principal: Principal, event_id: int, *, force: bool = False) -> Event:
        """Remove an event with all its files, as a person asks; what it was.

        Raises:
            NotFoundError: there is no such event, or not for this principal.
            ConflictError: it is starred, and ``force`` was not said; or it is being worked on.
            StorageUnavailableError: its files cannot be reached. When some were already gone, the rest goes by itself
                once the storage is back.
        """
        await self.check_storage()

        async def work(transaction: Transaction) -> Event:
            event = await self._lock(transaction, principal, event_id)
            if event.protected and not force:
                raise ConflictError("This event is starred. Take the star away first, or ask with force.")
            if await rows.busy(transaction, [event.id]):
                raise ConflictError("This event is being worked on; try again in a moment.")
            await rows.mark(transaction, [event.id], rows.OPERATOR)
            return event

        event = await self._database.transact(work)
        if not await self.finish(event.id):
            raise StorageUnavailableError("Not all files of the event could be removed yet; the rest goes by itself.")
        log.info("event removed", event_id=event.id, camera_id=event.camera_id, by=principal.name)
        return event

    async def mark(self, event_ids: Sequence[int], reason: Reason) -> list[Event]:
        """Mark those of the events that may go at this moment; they are the ones that were marked now."""

        async def work(transaction: Transaction) -> list[Event]:
            locked = await event_rows.lock(transaction, event_ids)
            busy = await rows.busy(transaction, list(locked))
            marked = await rows.which_marked(transaction, list(locked))
            going = [
                event
                for event in locked.values()
                if not event.protected and event.id not in busy and event.id not in marked
            ]
            await rows.mark(transaction, [event.id for event in going], reason)
            return going

        return await self._database.transact(work)

    async def finish_marked(self) -> int:
        """Finish every removal that was begun; how many are finished. What a camera's folder forbids now, waits.

        Raises:
            StorageUnavailableError: the storage is not there; nothing was changed.
        """
        done, after = 0, 0
        while found := await rows.marked(self._database, after=after, limit=MARKS_A_READ):
            await self.check_storage()
            for event_id, _ in found:
                done += await self.finish(event_id)
            after = found[-1][0]
        return done

    async def finish(self, event_id: int) -> bool:
        """Unlink a marked event's files, then remove its row; whether it is gone.

        Raises:
            StorageUnavailableError: the storage does not answer, or is not the right one.
        """
        event = (await event_rows.by_ids(self._database, [event_id])).get(event_id)
        if event is None:
            return True
        removed = 0
        try:
            for path in await self._files_of(event):
                removed += await self._unlink(path)
        except StorageLostError as error:
            if error.camera_id is None:
                raise
            return await self._left(event, removed, str(error))
        except InvalidError as error:
            # A link in the place of a folder: what is behind it is not ours to touch, and may come back.
            return await self._left(event, removed, error.reason)

        async def work(transaction: Transaction) -> bool:
            now = (await event_rows.lock(transaction, [event.id])).get(event.id)
            if now is None:
                return True
            # An agent reported a file, or a worker took up a job, while the files went: once more, later.
            if now.paths != event.paths or await rows.busy(transaction, [event.id]):
                return False
            await rows.remove(transaction, now)
            return True

        return await self._database.transact(work)

    async def check_storage(self) -> None:
        """Make sure that the storage is there and the right one.

        Raises:
            StorageUnavailableError: it is not.
        """
        if self._files.guard is not None:
            self._files.guard.require()
        await self._files.disk()

    async def _lock(self, transaction: Transaction, principal: Principal, event_id: int) -> Event:
        event = (await event_rows.lock(transaction, [event_id])).get(event_id)
        if event is None or not principal.may_see(event.camera_id):
            raise NotFoundError(f"There is no event {event_id}.")
        return event

    async def _left(self, event: Event, removed: int, reason: str) -> bool:
        """Leave an event whose camera's folder is not what it should be; untouched, it is kept as if never marked."""
        log.warning("an event's files cannot be reached; it stays", event_id=event.id, reason=reason, removed=removed)

        async def work(transaction: Transaction) -> None:
            now = (await event_rows.lock(transaction, [event.id])).get(event.id)
            if now is not None:
                await rows.unmark(transaction, now.id)
                for kind in _work_on(now):
                    await job_rows.enqueue(transaction, now.id, kind)

        if not removed:
            await self._database.transact(work)
        return False

    async def _unlink(self, path: str) -> bool:
        try:
            return await self._files.remove(path)
        except InvalidError:
            # Of a folder the storage says that no such file is there; of a link it says the same as to us.
            await self._files.size(path)
            return False

    async def _files_of(self, event: Event) -> list[str]:
        paths = _known_files(event)
        if datetime.now(UTC) - event.created_at < UNREPORTED_FOR:
            # What its agent has delivered and not reported yet.
            for found in await find_for_event(self._files, event.camera_id, event.id):
                name = parse_name(found.name)
                if name is not None and name.event_id == event.id and found.relative not in paths:
                    paths.append(found.relative)
        others = await self._owned_by_others(event, paths)
        return [path for path in paths if path not in others]

    async def _owned_by_others(self, event: Event, paths: Sequence[str]) -> set[str]:
        """Files that their names give to other events that are there: an agent reported the wrong one."""
        named = {path: name.event_id for path in paths if (name := parse_name(PurePosixPath(path).name))}
        strangers = {owner for owner in named.values() if owner != event.id}
        there = await event_rows.by_ids(self._database, sorted(strangers))
        return {path for path, owner in named.items() if owner in there and path in there[owner].paths}


def _known_files(event: Event) -> list[str]:
    """Everything that may lie there for an event, pictures first: a clip that is left is worth more than a still."""
    found = [path for path in (event.thumbnail_path, event.image_a_path, event.image_b_path) if path]
    if event.video_h264_path:
        # A clip that a crash left unrecorded, and what some agents leave beside a finished video.
        found += [target_of(event.video_h264_path), f"{event.video_h264_path}.READY", event.video_h264_path]
    if event.video_mp4_path:
        found.append(event.video_mp4_path)
    # A path that no file of ours can have names nothing that could be removed.
    return [path for path in dict.fromkeys(found) if _is_ours(path)]


def _is_ours(path: str) -> bool:
    try:
        check_relative(path)
    except InvalidError:
        return False
    return True


def _work_on(event: Event) -> list[JobKind]:
    """The work that waited on an event before it was marked."""
    kinds = []
    if event.video_h264_path and event.video_transferred:
        kinds.append(JobKind.REMUX)
    if event.image_a_transferred and event.image_b_transferred and not event.ai_processed:
        kinds.append(JobKind.ANALYSE)
    return kinds
