"""Events: reported, changed, read. Calls that arrive together share a transaction, and so a commit."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from securitycamd.batching import Batcher
from securitycamd.config import SettingsHolder
from securitycamd.db import events as rows
from securitycamd.db import jobs as job_rows
from securitycamd.db import linking as link_rows
from securitycamd.db import removals as removal_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.changes import Change, What
from securitycamd.domain.errors import DatabaseUnavailableError, NotFoundError
from securitycamd.domain.jobs import JobKind
from securitycamd.domain.linking import Link, freed
from securitycamd.domain.models import Event, EventFilter, FileReport, NewEvent, Page
from securitycamd.domain.names import ConversionStatus, EventStatus, FileType, is_camera_id
from securitycamd.domain.principal import Principal
from securitycamd.domain.times import Span, read_time

BATCH_LIMIT: Final = 64
WAITING_LIMIT: Final = 2000
_CONVERTED: Final = frozenset({ConversionStatus.COMPLETE, ConversionStatus.OPTIMIZED})
# Two events of one batch may be the same event, told twice: the agent lost our first reply.
Key = tuple[str, datetime]


@dataclass(frozen=True, slots=True)
class _Wanted:
    principal: Principal
    event_id: int
    report: FileReport | None = None
    status: EventStatus | None = None
    link: Link | None = None
    received: bool = False
    """The file was written by us, and lies there for an event that may be on its way out."""


@dataclass(frozen=True, slots=True)
class _Changed:
    """What a change makes of an event: how it looks, the columns to write, the work to queue."""

    event: Event
    columns: dict[str, Any]
    jobs: frozenset[JobKind]
    again: bool = False
    """Whether the jobs are to be done once more where they had ended."""
    is_playable_now: bool = False
    """Its clip was found; what was said of a conversion that failed holds no more."""


class EventService:
    """What agents say of events, and what is asked about them."""

    def __init__(self, database: Database, settings: SettingsHolder, *, on_work: Callable[[JobKind], None]) -> None:
        self._database = database
        self._settings = settings
        self._on_work = on_work
        self._creating = Batcher(
            self._create_batch, limit=BATCH_LIMIT, waiting_limit=WAITING_LIMIT, full=DatabaseUnavailableError
        )
        self._changing = Batcher(
            self._change_batch, limit=BATCH_LIMIT, waiting_limit=WAITING_LIMIT, full=DatabaseUnavailableError
        )
        self._reading = Batcher(
            self._read_batch, limit=BATCH_LIMIT, waiting_limit=WAITING_LIMIT, full=DatabaseUnavailableError
        )

    async def create(
        self,
        principal: Principal,
        *,
        camera_id: str,
        timestamp: datetime,
        motion_score: float,
        confidence_score: float | None,
    ) -> tuple[Event, bool]:
        """Keep an event; whether it is new. The same camera and time again is the same event.

        Raises:
            NotFoundError: the camera is not registered, or not this principal's.
            InvalidError: the time cannot be stored.
        """
        if not principal.may_see(camera_id):
            raise _no_camera(camera_id)
        reading = read_time(timestamp, self._settings.current.site.zone, arrival=datetime.now(UTC))
        event = NewEvent(camera_id, reading.at, motion_score, confidence_score, reading.other)
        return await self._creating(event)

    async def report_file(
        self, principal: Principal, event_id: int, report: FileReport, *, received: bool = False
    ) -> Event:
        """Note what an agent says of a file, and queue the work that it makes possible.

        Args:
            principal: who asks.
            event_id: of which event.
            report: the agent's word.
            received: that the file was written by us just now. An event that is being removed is then as good as gone:
                its other files may be unlinked already, and nobody would come back for this one.

        Raises:
            NotFoundError: there is no such event (any more), or not for this principal.
        """
        return await self._changing(_Wanted(principal, event_id, report=report, received=received))

    async def link_file(self, principal: Principal, event_id: int, link: Link) -> Event:
        """Note a file that was found, unless an agent's word for its place came first: see the event returned."""
        return await self._changing(_Wanted(principal, event_id, link=link))

    async def set_status(self, principal: Principal, event_id: int, status: EventStatus) -> Event:
        """Note how far the agent is."""
        return await self._changing(_Wanted(principal, event_id, status=status))

    async def get(self, principal: Principal, event_id: int) -> Event:
        """One event.

        Raises:
            NotFoundError: there is none, or not for this principal.
        """
        event = await self._reading(event_id)
        if event is None or not principal.may_see(event.camera_id):
            raise _no_event(event_id)
        return event

    async def some(self, principal: Principal, event_ids: Sequence[int]) -> dict[int, Event]:
        """Those of the events that are there and for this principal, by id."""
        answers = await asyncio.gather(*(self._reading(event_id) for event_id in set(event_ids)))
        return {event.id: event for event in answers if event is not None and principal.may_see(event.camera_id)}

    async def newest(
        self, principal: Principal, *, camera_id: str | None, span: Span, limit: int, offset: int
    ) -> Page[Event]:
        """A page of the events that ``principal`` may see, newest first, with the exact total."""
        cameras = principal.visible(camera_id)
        if camera_id is not None and not is_camera_id(camera_id):
            cameras = frozenset()
        wanted = EventFilter(cameras, span)
        total = await rows.count(self._database, wanted)
        found = await rows.newest(self._database, wanted, limit=limit, offset=offset) if total > offset else []
        return Page(found, total, limit, offset)

    async def _create_batch(self, batch: Sequence[NewEvent]) -> list[tuple[Event, bool] | Exception]:
        now = datetime.now(UTC)

        async def work(transaction: Transaction) -> list[tuple[Event, bool] | Exception]:
            there, known = await rows.by_keys(transaction, {key for event in batch for key in _keys(event)})
            fresh: dict[Key, NewEvent] = {}
            for event in batch:
                if event.camera_id in known and not any(key in there or key in fresh for key in _keys(event)):
                    fresh[_keys(event)[0]] = event
            made = await rows.add(transaction, list(fresh.values()), now)
            for row in made.values():
                transaction.tell(Change(What.NEW, row.id, row.camera_id))
            answers: list[tuple[Event, bool] | Exception] = []
            for event in batch:
                if event.camera_id not in known:
                    answers.append(_no_camera(event.camera_id))
                    continue
                key = next(key for key in _keys(event) if key in there or key in made)
                # Only the first to tell of it made it; the rest told it again.
                answers.append((there.get(key) or made[key], fresh.pop(key, None) is event))
            return answers

        return await self._database.transact(work)

    async def _change_batch(self, batch: Sequence[_Wanted]) -> list[Event | Exception]:
        queued: set[JobKind] = set()

        async def work(transaction: Transaction) -> list[Event | Exception]:
            queued.clear()
            current = await rows.lock(transaction, sorted({change.event_id for change in batch}))
            columns: dict[int, dict[str, Any]] = {}
            jobs: set[tuple[int, JobKind]] = set()
            again: set[tuple[int, JobKind]] = set()
            playable: set[int] = set()
            answers: list[Event | Exception] = []
            received = {change.event_id for change in batch if change.received}
            # Whoever marks an event has its lock: what is not marked now finds the file when it is.
            going = await removal_rows.which_marked(transaction, sorted(received))
            for change in batch:
                event = current.get(change.event_id)
                is_gone = event is None or (change.received and event.id in going)
                if event is None or is_gone or not change.principal.may_see(event.camera_id):
                    answers.append(_no_event(change.event_id))
                    continue
                changed = _apply(event, change)
                current[event.id] = changed.event
                columns.setdefault(event.id, {}).update(changed.columns)
                wanted = {(event.id, kind) for kind in changed.jobs}
                jobs |= wanted
                again |= wanted if changed.again else set()
                playable |= {event.id} if changed.is_playable_now else set()
                answers.append(changed.event)
            for event_id, values in sorted(columns.items()):
                await rows.update(transaction, event_id, values)
            for event_id in sorted(playable):
                await link_rows.settle_failure(transaction, event_id, JobKind.REMUX)
            for event_id, kind in sorted(jobs):
                if (event_id, kind) in again:
                    await link_rows.requeue(transaction, event_id, kind)
                await job_rows.enqueue(transaction, event_id, kind)
                queued.add(kind)
            return answers

        answers = await self._database.transact(work)
        for kind in queued:
            self._on_work(kind)
        return answers

    async def _read_batch(self, batch: Sequence[int]) -> list[Event | Exception | None]:
        found = await rows.by_ids(self._database, list(set(batch)))
        return [found.get(event_id) for event_id in batch]


def _keys(event: NewEvent) -> tuple[Key, ...]:
    first = (event.camera_id, event.timestamp)
    return (first,) if event.other is None else (first, (event.camera_id, event.other))


def _apply(event: Event, change: _Wanted) -> _Changed:
    columns: dict[str, Any] = {}
    jobs: set[JobKind] = set()
    report, before = change.report, event
    if change.status is not None:
        columns["status"] = change.status
    if change.link is not None:
        place = freed(event, change.link)
        if place is None:
            return _Changed(event, {}, frozenset())
        columns |= place
        report, before = change.link.report, replace(event, **columns)
        if change.link.is_playable:
            columns |= _clip_columns(event, report)
            after = replace(event, **columns)
            has_all = _has_stills(after) and after.thumbnail_transferred
            missing = frozenset() if has_all else frozenset({JobKind.STILLS})
            return _Changed(after, columns, missing, is_playable_now=True)
    if report is not None:
        columns |= _file_columns(before, report)
        after = replace(event, **columns)
        if after.video_h264_path and after.video_transferred and report.file_type is FileType.VIDEO:
            if before.mp4_conversion_status is ConversionStatus.FAILED:
                columns["mp4_conversion_status"] = ConversionStatus.PENDING
            if before.mp4_conversion_status not in _CONVERTED:
                jobs.add(JobKind.REMUX)
        if _has_stills(after) and not event.ai_processed and report.file_type in _STILLS:
            jobs.add(JobKind.ANALYSE)
    return _Changed(replace(event, **columns), columns, frozenset(jobs), again=change.link is not None)


def _clip_columns(event: Event, report: FileReport) -> dict[str, Any]:
    """Of a whole MP4 that was found: what converting it would have made of the event."""
    return {
        "video_h264_path": None,
        "video_mp4_path": report.path,
        "video_transferred": True,
        "video_duration": report.video_duration or event.video_duration,
        "mp4_conversion_status": ConversionStatus.COMPLETE,
        "mp4_converted_at": datetime.now(UTC),
    }


_STILLS: Final = frozenset({FileType.IMAGE_A, FileType.IMAGE_B})


def _has_stills(event: Event) -> bool:
    return event.image_a_transferred and event.image_b_transferred


def _file_columns(event: Event, report: FileReport) -> dict[str, Any]:
    columns: dict[str, Any] = {f"{report.file_type}_transferred": report.transferred}
    if report.file_type is not FileType.VIDEO:
        return columns | {f"{report.file_type}_path": report.path}
    if event.mp4_conversion_status in _CONVERTED:
        # Told again after the clip was converted: its source is gone, and the row knows better.
        return {}
    columns["video_h264_path"] = report.path
    if report.video_duration is not None:
        columns["video_duration"] = report.video_duration
    return columns


def _no_event(event_id: int) -> NotFoundError:
    return NotFoundError(f"There is no event {event_id}.")


def _no_camera(camera_id: str) -> NotFoundError:
    return NotFoundError(f"There is no camera {camera_id!r}; register it first.")
