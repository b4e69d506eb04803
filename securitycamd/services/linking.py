"""Self-linking: files on the share that no agent reported find their events, as if it had.

An agent tells of a file three times and then gives up. So the whole share is walked over now and then, and events whose
files are overdue are looked after directly. What fits no event is listed as a stray, and never removed.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from securitycamd.config import SettingsHolder
from securitycamd.db import events as event_rows
from securitycamd.db import linking as rows
from securitycamd.db import strays as stray_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.strays import Stray
from securitycamd.domain.clips import FAULT_SENTENCES, ClipFault
from securitycamd.domain.errors import InvalidError, NotFoundError
from securitycamd.domain.filenames import FootageName, parse_name
from securitycamd.domain.linking import CUT_SHORT, EMPTY, LOST, NO_NAME, Link, misfit, named_by, taken
from securitycamd.domain.models import Event, FileReport
from securitycamd.domain.names import FileType
from securitycamd.domain.principal import DAEMON
from securitycamd.media.mp4 import Mp4Error, is_index_first, read_facts
from securitycamd.services.conversion import target_of
from securitycamd.services.events import EventService
from securitycamd.services.stills import queue_missing
from securitycamd.storage.errors import StorageLostError
from securitycamd.storage.files import Files
from securitycamd.storage.paths import printable
from securitycamd.storage.scan import FoundFile, find_for_event, scan, sweep_ready

log = structlog.get_logger(__name__)

STABLE_SECONDS: Final = 10.0
"""A file that was written to more lately may still be on its way."""
YOUNG_LIMIT: Final = 20_000
UNUSABLE_NAMED: Final = 3
"""So many a camera are named; the check of the storage names all."""
READY_KEPT_SECONDS: Final = 3600.0
OVERDUE_IDS: Final = 5000
"""So many of the newest events are looked through for missing files."""
OVERDUE_HOURS: Final = 6.0
OVERDUE_A_PASS: Final = 20
OVERDUE_TRIES: Final = 7
FIRST_PAUSE_SECONDS: Final = 30.0
NEAR: Final = timedelta(hours=1)
NEAR_EVENTS: Final = 2000
_WAITED_FOR: Final = (FAULT_SENTENCES[ClipFault.MISSING], LOST)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that fits its event."""

    file: FoundFile
    event_id: int
    link: Link


@dataclass(slots=True)
class Judged:
    """What some files are."""

    links: list[Candidate] = field(default_factory=list)
    strays: list[tuple[FoundFile, str]] = field(default_factory=list)
    """With the reason, for people."""
    waiting: int = 0
    """Still being written, or somebody is at work on their event."""


@dataclass(slots=True)
class ScanReport:
    """What came of a scan."""

    started_at: datetime
    files: int = 0
    linked: int = 0
    strays: int = 0
    waiting: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    """Files with names that no event can name and no page can ask for, by camera; they can be told of only."""
    unusable_paths: list[str] = field(default_factory=list)
    """Some of them, as they can be shown."""
    seconds: float = 0.0

    def add_unusable(self, path: str, _reason: str) -> None:
        """Note a file that was left out for its name."""
        camera_id, _, _ = path.partition("/")
        self.unusable[camera_id] += 1
        if self.unusable[camera_id] <= UNUSABLE_NAMED:
            self.unusable_paths.append(printable(path))


@dataclass(slots=True)
class _Tries:
    made: int = 0
    not_before: float = 0.0


class LinkingService:
    """Looks for files and gives them to the events they belong to."""

    def __init__(self, database: Database, settings: SettingsHolder, files: Files, events: EventService) -> None:
        self._database = database
        self._settings = settings
        self._files = files
        self._events = events
        self._tries: dict[int, _Tries] = {}
        self._young: dict[str, tuple[int, datetime, float]] = {}
        """Size, time and when it was first seen so, of files that say that they were just written."""
        self.last_scan: ScanReport | None = None

    # --- the two ways to look ---

    async def scan(self, *, on_step: Callable[[], None] = lambda: None) -> ScanReport:
        """Walk over the whole share: link what fits, list what does not.

        Raises:
            StorageUnavailableError, DatabaseUnavailableError: the walk is not complete.
        """
        started = time.monotonic()
        report = ScanReport(datetime.now(UTC))
        self._require_storage()
        async for batch in scan(self._files, on_unusable=report.add_unusable):
            judged = await self._settle_camera(batch, report.started_at)
            report.files += len(batch)
            report.linked += len(judged.links)
            report.strays += len(judged.strays)
            report.waiting += judged.waiting
            on_step()
        await self._forget_strays(report.started_at)
        # Some agents put it there when the clip was converted, and its source gone, already.
        await sweep_ready(self._files, older_than_seconds=READY_KEPT_SECONDS)
        report.seconds = round(time.monotonic() - started, 2)
        self.last_scan = report
        log.info(
            "footage scanned",
            files=report.files,
            linked=report.linked,
            strays=report.strays,
            unusable=report.unusable.total(),
            seconds=report.seconds,
        )
        return report

    async def look_for_overdue(self) -> int:
        """Look after the newest events whose files should have been reported by now; how many files were linked.

        Each is looked after a few times, with growing pauses: a file may arrive long after its agent gave up.
        """
        self._require_storage()
        now = datetime.now(UTC)
        newest = await rows.newest_id(self._database)
        waiting = await rows.overdue(
            self._database,
            after_id=max(0, newest - OVERDUE_IDS),
            since=now - timedelta(hours=OVERDUE_HOURS),
            before=now - timedelta(seconds=self._settings.current.agents.files_overdue_seconds),
        )
        self._tries = {event_id: self._tries.get(event_id, _Tries()) for event_id, _, _ in waiting}
        linked = looked = 0
        for event_id, camera_id, _ in waiting:
            tries = self._tries[event_id]
            if tries.made >= OVERDUE_TRIES or time.monotonic() < tries.not_before:
                continue
            if looked == OVERDUE_A_PASS:
                break
            looked += 1
            try:
                found = await find_for_event(self._files, camera_id, event_id)
            except InvalidError:  # a camera of an older database, whose name can be no folder
                found = []
            except PermissionError:
                log.warning("a camera's folder may not be read", camera_id=camera_id)
                found = []
            except StorageLostError as error:
                if error.camera_id is None:
                    raise
                found = []
            tries.made += 1
            tries.not_before = time.monotonic() + FIRST_PAUSE_SECONDS * 2.0 ** (tries.made - 1)
            if found:
                linked += len((await self._settle_camera(found, now)).links)
            if tries.made == 1:
                await self._make_pictures(event_id)
        return linked

    async def _make_pictures(self, event_id: int) -> None:
        """Have those made that nobody delivered in their time; its clip may have become playable without a conversion,
        or its agent may have taken back its word since.
        """
        await self._database.transact(lambda transaction: queue_missing(transaction, event_id, again=True))

    def _require_storage(self) -> None:
        if self._files.guard is not None:
            self._files.guard.require()

    async def _settle_camera(self, found: Sequence[FoundFile], now: datetime) -> Judged:
        try:
            return await self.settle(found, seen_at=now)
        except StorageLostError as error:
            if error.camera_id is None:
                raise
            # The guard has told; the other cameras' files need not wait for this one's folder.
            return Judged(waiting=len(found))

    async def _forget_strays(self, before: datetime) -> None:
        for camera_id in await stray_rows.camera_ids(self._database):
            # Of a folder that is not the right one nothing is known, least of all that a file is gone.
            guard = self._files.guard
            if guard is None or (await guard.check_camera(camera_id)).is_ok:
                await stray_rows.forget(self._database, camera_id, before)

    # --- what is done with files ---

    async def settle(self, found: Sequence[FoundFile], *, seen_at: datetime) -> Judged:
        """Link what fits and list the rest."""
        judged = await self.judge(found)
        if not judged.links and not judged.strays:
            return judged
        links: list[Candidate] = []
        answers = await asyncio.gather(
            *(self._events.link_file(DAEMON, one.event_id, one.link) for one in judged.links),
            return_exceptions=True,
        )
        for one, answer in zip(judged.links, answers, strict=True):
            if isinstance(answer, NotFoundError):  # removed meanwhile
                judged.waiting += 1
            elif isinstance(answer, BaseException):
                raise answer
            elif one.link.report.path in named_by(answer, one.link.report.file_type):
                links.append(one)
                self._tell(one)
            else:
                judged.strays.append((one.file, taken(one.event_id, one.link.report.file_type)))
        judged.links = links
        strays = [_stray(file, reason, seen_at) for file, reason in judged.strays]

        async def work(transaction: Transaction) -> None:
            await stray_rows.note(transaction, strays)
            await stray_rows.remove(transaction, [one.file.relative for one in links])

        await self._database.transact(work)
        return judged

    def _tell(self, one: Candidate) -> None:
        self._young.pop(one.file.relative, None)
        log.info(
            "a file that no agent reported was linked",
            event_id=one.event_id,
            camera_id=one.file.camera_id,
            file_type=one.link.report.file_type,
            path=one.file.relative,
        )

    async def judge(self, found: Sequence[FoundFile]) -> Judged:
        """Say what files are, without doing anything about it. What an event has already is in no list."""
        names = {file.relative: parse_name(file.name) for file in found}
        ids = sorted({name.event_id for name in names.values() if name is not None})
        settled = await rows.settled_paths(self._database, ids)
        rest = [file for file in found if file.relative not in settled]
        return await self._judge(rest, names) if rest else Judged()

    async def _judge(self, found: Sequence[FoundFile], names: Mapping[str, FootageName | None]) -> Judged:
        judged = Judged()
        ids = sorted({name.event_id for file in found if (name := names[file.relative]) is not None})
        events = await event_rows.by_ids(self._database, ids)
        leaving = await rows.being_removed(self._database, ids)
        waited_for = await rows.given_up(self._database, ids, _WAITED_FOR)
        fitting: list[tuple[FoundFile, FootageName, Event]] = []
        odd: list[FoundFile] = []
        for file in found:
            name = names[file.relative]
            event = None if name is None else events.get(name.event_id)
            # A source that its event names and that could not be converted stays as it is, unless it was missing.
            is_failed = event is not None and event.video_transferred and file.relative == event.video_h264_path
            if self._is_young(file) or (name is not None and name.event_id in leaving):
                judged.waiting += 1
            elif name is None:
                odd.append(file)
            elif event is not None and is_failed and event.id not in waited_for:
                continue
            elif reason := misfit(file.camera_id, name, event, self._zone):
                judged.strays.append((file, reason))
            elif not file.size_bytes:
                judged.strays.append((file, EMPTY))
            elif event is not None:
                fitting.append((file, name, event))
        judged.strays += [(file, NO_NAME) for file in await self._unnamed(odd)]
        if fitting:
            await self._place(fitting, judged)
        return judged

    @property
    def _zone(self) -> ZoneInfo:
        return self._settings.current.site.zone

    async def _place(self, fitting: Sequence[tuple[FoundFile, FootageName, Event]], judged: Judged) -> None:
        """Look whether the files are whole, and whether their places in their events are free."""
        wanted = {
            path
            for file, name, event in fitting
            for path in (file.relative, f"{file.relative}.tmp", *named_by(event, name.file_type))
        }
        sizes = await self._files.each_size(sorted(wanted))
        for file, name, event in fitting:
            others = named_by(event, name.file_type) - {file.relative}
            is_result = event.video_h264_path in sizes and target_of(event.video_h264_path or "") == file.relative
            if (
                sizes.get(file.relative) != file.size_bytes
                or f"{file.relative}.tmp" in sizes
                # A conversion whose end could not be recorded left it: it is done again.
                or (name.file_type is FileType.VIDEO and is_result)
            ):
                judged.waiting += 1
            elif others & sizes.keys():
                judged.strays.append((file, taken(event.id, name.file_type)))
            elif name.file_type is FileType.VIDEO and not name.is_raw_video:
                await self._place_clip(file, event, others, judged)
            else:
                report = FileReport(name.file_type, file.relative, transferred=True)
                judged.links.append(Candidate(file, event.id, Link(report, others)))

    async def _place_clip(self, file: FoundFile, event: Event, others: frozenset[str], judged: Judged) -> None:
        path = await self._files.locate(file.relative)
        if path is None:
            judged.waiting += 1
            return
        try:
            await self._files.run(is_index_first, path)
        except (Mp4Error, OSError):
            judged.strays.append((file, CUT_SHORT))
            return
        try:
            duration = (await self._files.run(read_facts, path)).duration_seconds
        except (Mp4Error, OSError):  # more tracks than ours have; it plays all the same
            duration = None
        report = FileReport(FileType.VIDEO, file.relative, transferred=True, video_duration=duration)
        judged.links.append(Candidate(file, event.id, Link(report, others, is_playable=True)))

    def _is_young(self, file: FoundFile) -> bool:
        now = time.monotonic()
        if (datetime.now(UTC) - file.modified_at).total_seconds() >= STABLE_SECONDS:
            return False
        # The time may be the camera's, and its clock ahead of ours: then only looking twice tells.
        size_bytes, modified_at, since = self._young.get(file.relative, (-1, file.modified_at, now))
        if (size_bytes, modified_at) == (file.size_bytes, file.modified_at):
            return now - since < STABLE_SECONDS
        if len(self._young) >= YOUNG_LIMIT:
            self._young.clear()
        self._young[file.relative] = (file.size_bytes, file.modified_at, now)
        return True

    async def _unnamed(self, odd: Sequence[FoundFile]) -> list[FoundFile]:
        """Those that no event of about that time names: an agent may report a file of any name."""
        known = await stray_rows.by_paths(self._database, [file.relative for file in odd])
        fresh = [file for file in odd if file.relative not in known]
        named: set[str] = set()
        for camera_id, start, end in _spans(fresh):
            named |= await rows.paths_near(self._database, camera_id, start, end, limit=NEAR_EVENTS)
        return [file for file in odd if file.relative not in named]


def _spans(found: Sequence[FoundFile]) -> list[tuple[str, datetime, datetime]]:
    """Stretches of time around files of a camera, those that overlap made one."""
    spans: list[tuple[str, datetime, datetime]] = []
    for file in sorted(found, key=lambda file: (file.camera_id, file.modified_at)):
        start, end = file.modified_at - NEAR, file.modified_at + NEAR
        if spans and spans[-1][0] == file.camera_id and start <= spans[-1][2]:
            spans[-1] = (file.camera_id, spans[-1][1], end)
        else:
            spans.append((file.camera_id, start, end))
    return spans


def _stray(file: FoundFile, reason: str, seen_at: datetime) -> Stray:
    return Stray(file.relative, file.camera_id, file.size_bytes, file.modified_at, reason, seen_at, seen_at)
