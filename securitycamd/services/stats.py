"""Numbers about events, files and queues. Counts are kept counts; bytes are measured on disk."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from securitycamd.config import SettingsHolder
from securitycamd.db import events as event_rows
from securitycamd.db import footage
from securitycamd.db import logs as log_rows
from securitycamd.db.engine import Database
from securitycamd.domain.models import Camera, EventFilter, LogFilter
from securitycamd.domain.names import CameraStatus
from securitycamd.domain.principal import Principal
from securitycamd.domain.retention import Disk
from securitycamd.domain.times import LATEST, Span, day_bounds, today
from securitycamd.services.cameras import CameraService
from securitycamd.services.jobs import JobQueue, QueueDepth
from securitycamd.storage.files import Files, Usage

EVENTS_A_READ: Final = 1000


@dataclass(frozen=True, slots=True)
class CameraPeriodStats:
    """What a camera brought within a period; files and bytes as they lie on the disk now."""

    camera_id: str
    period_hours: float
    events: int
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class CameraTotals:
    """A camera at a glance."""

    camera: Camera
    status: CameraStatus
    events_total: int
    events_today: int
    events_24h: int
    last_event_at: datetime | None
    usage: Usage | None
    """All files in its folder; ``None`` when not measured yet."""


@dataclass(frozen=True, slots=True)
class SystemStats:
    """The whole site at a glance."""

    cameras_total: int
    cameras_online: int
    events_total: int
    events_today: int
    events_24h: int
    log_lines_total: int
    usage: Usage | None
    usage_measured_at: datetime | None
    disk: Disk | None
    """``None``: the storage does not answer."""
    queues: list[QueueDepth]
    saved_bytes: int
    """What optimising saved of the clips that are here."""


class StatsService:
    """Counts and sizes, for the cameras a principal may see."""

    def __init__(
        self,
        database: Database,
        settings: SettingsHolder,
        cameras: CameraService,
        files: Files,
        jobs: JobQueue,
    ) -> None:
        self._database = database
        self._settings = settings
        self._cameras = cameras
        self._files = files
        self._jobs = jobs
        self._usage: dict[str, Usage] = {}
        self._measured_at: datetime | None = None

    async def measure_usage(self) -> None:
        """Walk the storage root; what the totals show until the next walk."""
        self._usage = await self._files.usage()
        self._measured_at = datetime.now(UTC)

    async def camera_period(self, principal: Principal, camera_id: str, hours: float) -> CameraPeriodStats:
        """A camera's last ``hours``; every file of the period is looked at on the disk."""
        camera = await self._cameras.get(principal, camera_id)
        start = datetime.now(UTC) - timedelta(hours=hours)
        wanted = EventFilter(frozenset({camera.camera_id}), Span(start))
        events = await event_rows.count(self._database, wanted)
        files = size_bytes = 0
        end: datetime | None = LATEST
        while end is not None:
            paths, end = await event_rows.paths(self._database, camera.camera_id, start, end, limit=EVENTS_A_READ)
            if paths:
                measured = await self._files.sizes(paths)
                files += measured.files
                size_bytes += measured.size_bytes
        return CameraPeriodStats(camera.camera_id, hours, events, files, size_bytes)

    async def camera_totals(self, principal: Principal) -> list[CameraTotals]:
        """Every camera at a glance."""
        now = datetime.now(UTC)
        silence = self._cameras.offline_after_seconds
        totals = []
        for camera in await self._cameras.everything(principal):
            only = frozenset({camera.camera_id})
            totals.append(
                CameraTotals(
                    camera,
                    camera.status(now, offline_after_seconds=silence),
                    await self._count(only, Span()),
                    await self._count(only, self._today(now)),
                    await self._count(only, Span(now - timedelta(hours=24))),
                    await event_rows.latest_time(self._database, camera.camera_id),
                    self._usage.get(camera.camera_id),
                )
            )
        return totals

    async def system(self, principal: Principal) -> SystemStats:
        """The site at a glance."""
        now = datetime.now(UTC)
        cameras = await self._cameras.everything(principal)
        silence = self._cameras.offline_after_seconds
        online = [c for c in cameras if c.status(now, offline_after_seconds=silence) is CameraStatus.ONLINE]
        seen = [usage for camera_id, usage in self._usage.items() if principal.may_see(camera_id)]
        return SystemStats(
            len(cameras),
            len(online),
            await self._count(principal.cameras, Span()),
            await self._count(principal.cameras, self._today(now)),
            await self._count(principal.cameras, Span(now - timedelta(hours=24))),
            await log_rows.count(self._database, LogFilter()),
            Usage(sum(u.files for u in seen), sum(u.size_bytes for u in seen)) if self._measured_at else None,
            self._measured_at,
            await self._files.disk_if_there(),
            await self._jobs.depths(),
            await footage.saved_bytes(self._database, [camera.camera_id for camera in cameras]),
        )

    async def _count(self, cameras: frozenset[str] | None, span: Span) -> int:
        return await event_rows.count(self._database, EventFilter(cameras, span))

    def _today(self, now: datetime) -> Span:
        zone = self._settings.current.site.zone
        return Span(*day_bounds(today(zone, now), zone))
