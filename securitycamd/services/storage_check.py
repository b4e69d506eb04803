"""Compares rows and files both ways, and mends what is safe to mend.

Rows first: do their files exist, are they as large as recorded, are the clips whole? Then files: does a row name them?
Everything goes in small steps with rests in between, and nothing is believed at the first look: what seems wrong is
read again, because the daemon goes on working meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import structlog

from securitycamd.db import events as event_rows
from securitycamd.db import linking as rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.errors import ConflictError, InvalidError, UnavailableError
from securitycamd.domain.jobs import JobKind
from securitycamd.domain.linking import LOST, lose
from securitycamd.domain.models import Event, EventFilter
from securitycamd.media.mp4 import Mp4Error, is_index_first
from securitycamd.services.leftovers import Leftover, find_leftovers
from securitycamd.services.linking import LinkingService
from securitycamd.services.measuring import MeasuringService, size_of
from securitycamd.services.stills import queue_missing
from securitycamd.storage.files import Files
from securitycamd.storage.folders import Anchor
from securitycamd.storage.paths import printable
from securitycamd.storage.scan import scan

log = structlog.get_logger(__name__)

CHECK_TASK: Final = "storage check"
EVENTS_A_STEP: Final = 50
PACE_SECONDS: Final = 0.01
SETTLED_AFTER: Final = timedelta(minutes=15)
"""Files of younger events still come, are converted and measured."""
SHARE_LIMIT: Final = 0.10
"""More than this share of all footage is not dropped from the books without force: half a disk may be missing."""
FINDINGS_KEPT: Final = 500


class CheckState(StrEnum):
    """How far a check is."""

    IDLE = "idle"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """It could not be done; nothing more was changed."""


class FindingKind(StrEnum):
    """What can be wrong."""

    MISSING = "missing"
    """A row names a file that is not there."""
    ORPHANED = "orphaned"
    """No row names the file."""
    SIZE = "size"
    """An event's files are not as large as recorded."""
    UNFINISHED = "unfinished"
    """Left over from something that was never finished, or a clip that is cut short."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    kind: FindingKind
    path: str
    event_id: int | None
    sentence: str


@dataclass(slots=True)
class CheckReport:
    """A check, while it runs and afterwards; only the first findings are kept, all are counted."""

    state: CheckState = CheckState.IDLE
    repair: bool = False
    force: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    phase: str = ""
    events: int = 0
    """Judged so far."""
    events_left_out: int = 0
    """Passed by so far: too young, being removed, or of a camera whose folder is not the right one."""
    events_total: int = 0
    files: int = 0
    files_named: int = 0
    counts: Counter[FindingKind] = field(default_factory=Counter)
    mended: Counter[FindingKind] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Sentences about cameras whose folders cannot be judged now."""
    refused: str | None = None
    """Why nothing was mended."""
    error: str | None = None

    @property
    def left(self) -> int:
        """How many findings were not mended."""
        return self.counts.total() - self.mended.total()

    def add(self, kind: FindingKind, path: str, event_id: int | None, sentence: str) -> None:
        """Note a finding."""
        self.counts[kind] += 1
        if len(self.findings) < FINDINGS_KEPT:
            self.findings.append(Finding(kind, path, event_id, sentence))


class StorageCheckService:
    """One check at a time, asked for here and done by a task."""

    def __init__(
        self, database: Database, files: Files, linking: LinkingService, *, on_request: Callable[[], None]
    ) -> None:
        self._database = database
        self._files = files
        self._linking = linking
        self._measuring = MeasuringService(database, files)
        self._on_request = on_request
        self._lost_cameras: frozenset[str] = frozenset()
        self.report = CheckReport()

    def request(self, *, repair: bool = False, force: bool = False) -> CheckReport:
        """Have a check done soon.

        Raises:
            ConflictError: one is under way.
        """
        if self.report.state in {CheckState.WAITING, CheckState.RUNNING}:
            raise ConflictError("A check of the storage is under way; wait for its end.")
        self.report = CheckReport(CheckState.WAITING, repair=repair, force=force, started_at=datetime.now(UTC))
        self._on_request()
        return self.report

    async def run_requested(self, *, on_step: Callable[[], None] = lambda: None) -> None:
        """Do the check that was asked for, if there is one; how it ended stands in the report."""
        report = self.report
        if report.state is not CheckState.WAITING:
            return
        report.state, report.error = CheckState.RUNNING, "It was broken off."
        try:
            await self._run(report, on_step)
            report.state, report.error = CheckState.DONE, None
        except UnavailableError as error:
            report.error = str(error)
        finally:
            if report.state is not CheckState.DONE:
                report.state = CheckState.FAILED
            report.phase, report.ended_at = "", datetime.now(UTC)
            log.info(
                "storage checked",
                state=report.state,
                repair=report.repair,
                findings={str(kind): number for kind, number in report.counts.items()},
                mended={str(kind): number for kind, number in report.mended.items()},
                refused=report.refused,
                error=report.error,
            )

    async def _run(self, report: CheckReport, on_step: Callable[[], None]) -> None:
        await self._require_storage(report)
        report.events_total = await event_rows.count(self._database, EventFilter())
        report.phase = "events"
        missing, differing = await self._compare_rows(report, on_step)
        may_repair = report.repair and self._may_drop(report)
        report.phase = "files"
        await self._compare_files(report, on_step, repair=may_repair)
        leftovers = [one async for one in find_leftovers(self._files, on_step)]
        for leftover in leftovers:
            report.add(FindingKind.UNFINISHED, leftover.path, None, leftover.sentence)
        if may_repair:
            report.phase = "mending"
            await self._require_storage(report)
            await self._drop_missing(report, missing, on_step)
            await self._measure(report, differing, on_step)
            await self._sweep(report, leftovers)

    async def _require_storage(self, report: CheckReport) -> None:
        """Nothing is said of a storage that may not be the right one."""
        guard = self._files.guard
        if guard is None:
            return
        await guard.check()
        guard.require()
        lost = await guard.check_cameras()
        self._lost_cameras = frozenset(lost)
        report.skipped = [lost[camera_id].sentence for camera_id in sorted(lost)]

    # --- from rows to files ---

    async def _compare_rows(self, report: CheckReport, on_step: Callable[[], None]) -> tuple[list[int], list[int]]:
        """Ids of events with missing files, and of those whose files have another size."""
        missing: list[int] = []
        differing: list[int] = []
        last = 0
        while ids := await rows.ids_after(self._database, last, limit=EVENTS_A_STEP):
            last = ids[-1]
            events = await self._events_to_judge(ids)
            sizes = await self._sizes_of(events)
            doubtful = [event.id for event in events if _is_doubtful(event, sizes)]
            report.events += len(events)
            report.events_left_out += len(ids) - len(events)
            report.files_named += sum(len(event.paths) for event in events)
            if doubtful:
                await self._look_again(report, doubtful, missing, differing)
            await self._look_at_contents(report, events, sizes)
            on_step()
            await asyncio.sleep(PACE_SECONDS)
        return missing, differing

    async def _events_to_judge(self, ids: Sequence[int]) -> list[Event]:
        found = await event_rows.by_ids(self._database, ids)
        leaving = await rows.being_removed(self._database, ids)
        before = datetime.now(UTC) - SETTLED_AFTER
        return [
            event
            for event in found.values()
            if event.id not in leaving and event.created_at < before and event.camera_id not in self._lost_cameras
        ]

    async def _sizes_of(self, events: Sequence[Event]) -> dict[str, int]:
        return await self._files.each_size([path for event in events for path in event.paths])

    async def _look_again(
        self, report: CheckReport, ids: Sequence[int], missing: list[int], differing: list[int]
    ) -> None:
        # A clip may have been converted between the row and the disk.
        events = await self._events_to_judge(ids)
        sizes = await self._sizes_of(events)
        for event in sorted(events, key=lambda event: event.id):
            gone = [path for path in event.paths if path not in sizes]
            for path in gone:
                report.add(FindingKind.MISSING, path, event.id, f"Event {event.id} names it; it is not there.")
            if gone:
                missing.append(event.id)
            elif size_of(event, sizes) != event.size_bytes:
                differing.append(event.id)
                there = size_of(event, sizes)
                told = f"All files of event {event.id}: {event.size_bytes} bytes are recorded, {there} are there."
                report.add(FindingKind.SIZE, event.paths[0] if event.paths else "", event.id, told)

    async def _look_at_contents(self, report: CheckReport, events: Sequence[Event], sizes: dict[str, int]) -> None:
        clips = {
            event.video_mp4_path: event.id
            for event in events
            if event.video_mp4_path is not None and event.video_mp4_path in sizes
        }
        if clips:
            for path in await self._files.look(_broken_clips, list(clips)):
                report.add(FindingKind.UNFINISHED, path, clips[path], "The clip is empty or cut short.")
        for event in events:
            for path in event.paths:
                if sizes.get(path) == 0 and path not in clips:
                    report.add(FindingKind.UNFINISHED, path, event.id, "The file is empty.")

    def _may_drop(self, report: CheckReport) -> bool:
        share = report.counts[FindingKind.MISSING] / max(1, report.files_named)
        if share <= SHARE_LIMIT or report.force:
            return True
        report.refused = (
            f"{share:.0%} of all footage is not on the disk. Nothing was mended: if a disk or a part of it is not"
            " mounted, mount it and check again; if the files are really gone, repair with --force."
        )
        return False

    # --- from files to rows ---

    async def _compare_files(self, report: CheckReport, on_step: Callable[[], None], *, repair: bool) -> None:
        now = datetime.now(UTC)
        cameras = [camera_id for camera_id in await self._files.cameras() if camera_id not in self._lost_cameras]

        def unusable(path: str, reason: str) -> None:
            sentence = f"No event can name it: the path {reason}. Give it another name, or remove it."
            report.add(FindingKind.ORPHANED, printable(path), None, sentence)

        async for batch in scan(self._files, cameras=cameras, on_unusable=unusable):
            judged = await self._linking.settle(batch, seen_at=now) if repair else await self._linking.judge(batch)
            report.files += len(batch)
            for one in judged.links:
                sentence = f"No event names it; it is a file of event {one.event_id}."
                report.add(FindingKind.ORPHANED, one.file.relative, one.event_id, sentence)
            if repair:
                report.mended[FindingKind.ORPHANED] += len(judged.links)
            for file, reason in judged.strays:
                report.add(FindingKind.ORPHANED, file.relative, None, f"No event names it. {reason}")
            on_step()

    # --- mending ---

    async def _drop_missing(self, report: CheckReport, ids: list[int], on_step: Callable[[], None]) -> None:
        left = 0
        for start in range(0, len(ids), EVENTS_A_STEP):
            events = await self._events_to_judge(ids[start : start + EVENTS_A_STEP])
            sizes = await self._sizes_of(events)
            gone = {
                event.id: lost
                for event in events
                if (lost := frozenset(path for path in event.paths if path not in sizes))
            }
            left += await self._drop({event.id: event for event in events if event.id in gone}, gone)
            on_step()
            await asyncio.sleep(PACE_SECONDS)
        report.mended[FindingKind.MISSING] = report.counts[FindingKind.MISSING] - left

    async def _drop(self, seen: dict[int, Event], gone: dict[int, frozenset[str]]) -> int:
        """Take paths off events, if they are still what they were; how many paths stay."""
        if not seen:
            return 0

        async def work(transaction: Transaction) -> int:
            left = 0
            for event in (await event_rows.lock(transaction, list(seen))).values():
                if event.paths != seen[event.id].paths:
                    left += len(gone[event.id])
                    continue
                loss = lose(event, gone[event.id])
                await event_rows.update(transaction, event.id, loss.columns)
                if loss.is_clip_lost:
                    await rows.note_failure(transaction, event.id, JobKind.REMUX, LOST)
                elif loss.is_source_left:
                    await rows.requeue(transaction, event.id, JobKind.REMUX)
                await queue_missing(transaction, event.id, again=True)
            return left

        left = await self._database.transact(work)
        await self._measuring.measure(list(seen))
        for event in seen.values():
            log.warning("files that are not on the disk were dropped", event_id=event.id, paths=sorted(gone[event.id]))
        return left

    async def _measure(self, report: CheckReport, ids: list[int], on_step: Callable[[], None]) -> None:
        for start in range(0, len(ids), EVENTS_A_STEP):
            step = ids[start : start + EVENTS_A_STEP]
            await self._measuring.measure(step)
            report.mended[FindingKind.SIZE] += len(step)
            on_step()
            await asyncio.sleep(PACE_SECONDS)

    async def _sweep(self, report: CheckReport, leftovers: Sequence[Leftover]) -> None:
        if any(one.is_ours for one in leftovers):
            await self._files.sweep_temporaries(timedelta(days=1).total_seconds())
            there = await self._files.each_size([one.path for one in leftovers if one.is_ours])
            ours = sum(one.is_ours for one in leftovers)
            report.mended[FindingKind.UNFINISHED] += ours - len(there)


def _is_doubtful(event: Event, sizes: dict[str, int]) -> bool:
    return size_of(event, sizes) != event.size_bytes or any(path not in sizes for path in event.paths)


def _broken_clips(anchor: Anchor, paths: Sequence[str]) -> list[str]:
    """Those that are no whole MP4, by their outermost boxes: three small reads a file. Blocking."""
    broken = []
    for path in paths:
        try:
            is_index_first(anchor.resolve(path))
        except Mp4Error:
            broken.append(path)
        except (InvalidError, OSError):  # gone meanwhile
            continue
    return broken
