"""Events go: the row is marked, then its files are unlinked, then the row goes with its counts.

Whatever instant a crash picks, the next round finds the mark and finishes what was begun: a row without files never
stays, and no file loses its row before it is gone itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from securitycamd.storage.scan import find_for_events

log = structlog.get_logger(__name__)

MARKS_A_READ: Final = 200
TOGETHER: Final = 25
"""So many removals are finished together."""
UNREPORTED_FOR: Final = timedelta(days=1)
"""So long after an event files of it may lie there that nobody spoke of; later the scan has linked them."""


@dataclass
class Finished:
    """What came of removals that were to be finished, as ids of events."""

    gone: set[int]
    unreachable: set[int]
    """Their camera's folder is not what it should be."""
    changed: set[int]
    """An agent or a worker was at them meanwhile; they stay marked."""

    @property
    def left(self) -> set[int]:
        """Those that are still there."""
        return self.unreachable | self.changed


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
            for start in range(0, len(found), TOGETHER):
                ids = [event_id for event_id, _ in found[start : start + TOGETHER]]
                done += len((await self.finish_some(ids)).gone)
            after = found[-1][0]
        return done

    async def finish(self, event_id: int) -> bool:
        """Unlink a marked event's files, then remove its row; whether it is gone.

        Raises:
            StorageUnavailableError: the storage does not answer, or is not the right one.
        """
        return not (await self.finish_some([event_id])).left

    async def finish_some(self, event_ids: Sequence[int]) -> Finished:
        """Unlink marked events' files, then remove their rows: all pictures and clips in a few file calls, all rows in
        one transaction. What stands in the way of one event does not keep the others.

        Raises:
            StorageUnavailableError: the storage does not answer, or is not the right one; they stay marked.
        """
        events = list((await event_rows.by_ids(self._database, event_ids)).values())
        finished = Finished(set(event_ids) - {event.id for event in events}, set(), set())
        unlinked = []
        for camera in _by_camera(events):
            unlinked += await self._unlink_all(camera, finished, set())
        # An agent reported a file, or a worker took up a job, while the files went: once more, later.
        finished.changed |= {event.id for event in unlinked}
        before = {event.id: event.paths for event in unlinked}

        async def work(transaction: Transaction) -> set[int]:
            now = await event_rows.lock(transaction, list(before))
            busy = await rows.busy(transaction, list(now))
            going = [event for event in now.values() if event.paths == before[event.id] and event.id not in busy]
            await rows.remove_some(transaction, going)
            return (before.keys() - now.keys()) | {event.id for event in going}

        if before:
            gone = await self._database.transact(work)
            finished.changed -= gone
            finished.gone |= gone
        return finished

    async def _unlink_all(self, events: Sequence[Event], finished: Finished, removed: set[str]) -> list[Event]:
        """Unlink the files of one camera's events; the events whose files are gone. The others are noted.

        ``removed`` gets the paths of files that were there.
        """
        try:
            paths = await self._files_of(events)
            for path in await self._files.remove_some([path for found in paths.values() for path in found], removed):
                # Of a folder the storage says that no such file is there; of a link it says the same as to us.
                await self._files.size(path)
        except (StorageLostError, InvalidError, PermissionError) as error:
            if isinstance(error, StorageLostError) and error.camera_id is None:
                raise
            if len(events) > 1:  # each by itself, to see whose it is
                return [event for one in events for event in await self._unlink_all([one], finished, removed)]
            # A link in the place of a folder: what is behind it is not ours to touch, and may come back.
            await self._left(events[0], len(removed.intersection(_known_files(events[0]))), _reason_of(error))
            finished.unreachable.add(events[0].id)
            return []
        return list(events)

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

    async def _files_of(self, events: Sequence[Event]) -> dict[int, list[str]]:
        """What may lie there for events of one camera."""
        paths = {event.id: _known_files(event) for event in events}
        young = {event.id for event in events if datetime.now(UTC) - event.created_at < UNREPORTED_FOR}
        if young:
            # What their agent has delivered and not reported yet.
            for found in await find_for_events(self._files, events[0].camera_id, young):
                name = parse_name(found.name)
                if name is not None and name.event_id in young and found.relative not in paths[name.event_id]:
                    paths[name.event_id].append(found.relative)
        others = await self._owned_by_others(paths)
        return {event_id: [path for path in found if path not in others] for event_id, found in paths.items()}

    async def _owned_by_others(self, paths: Mapping[int, Sequence[str]]) -> set[str]:
        """Files that their names give to other events that are there: an agent reported the wrong one."""
        named = {
            path: name.event_id
            for event_id, found in paths.items()
            for path in found
            if (name := parse_name(PurePosixPath(path).name)) and name.event_id != event_id
        }
        there = await event_rows.by_ids(self._database, sorted(set(named.values()))) if named else {}
        return {path for path, owner in named.items() if owner in there and path in there[owner].paths}


def _reason_of(error: StorageLostError | InvalidError | PermissionError) -> str:
    match error:
        case InvalidError():
            return error.reason
        case PermissionError():
            return "the server may not remove its files: see their folder's permissions on the share"
        case _:
            return str(error)


def _by_camera(events: Sequence[Event]) -> list[list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(event.camera_id, []).append(event)
    return list(found.values())


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
