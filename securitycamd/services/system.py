"""The state of the whole server for its operator: tasks, queues, database, process, versions, settings."""

import asyncio
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from securitycamd import __version__
from securitycamd.ai.version import server_version
from securitycamd.config import LastReload, SettingsHolder, differing
from securitycamd.db import status as database_status
from securitycamd.db.engine import Database
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.log_search import LineQuery
from securitycamd.domain.models import LogLine
from securitycamd.domain.names import CENTRAL_SOURCE, LogLevel
from securitycamd.domain.principal import Principal
from securitycamd.domain.retention import Disk, Forecast
from securitycamd.media.pool import Media
from securitycamd.services.jobs import JobQueue, QueueDepth
from securitycamd.services.log_search import LogSearchService
from securitycamd.services.patience import if_there
from securitycamd.services.retention import RetentionService
from securitycamd.services.retries import ListedJob, RetryService
from securitycamd.storage.files import Files
from securitycamd.supervision import Supervisor, TaskReport
from securitycamd.telemetry.gauges import Gauges, Sample

log = structlog.get_logger(__name__)

RUNNING_SHOWN: Final = 12
FAILED_SHOWN: Final = 20
FAILURES_SHOWN: Final = 12
LOOK_SECONDS: Final = 0.05
OUTSIDE_SECONDS: Final = 3.0
RATE_SECONDS: Final = 3600.0
"""Over so long a time it is judged how fast a queue moves."""
FORECAST_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class QueueState:
    """The jobs of a kind."""

    kind: JobKind
    waiting: int
    running: int
    failed: int
    oldest_waiting: datetime | None
    ended_per_hour: float | None
    """As this server ended them lately; ``None``: it has not run long enough to say."""
    empty_in_seconds: float | None
    """At that rate, if no more come; ``None``: nothing waits, or nothing moves."""


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """The database server and the way to it."""

    is_connected: bool
    is_embedded: bool
    address: str
    """Without user and password."""
    version: str | None
    size_bytes: int | None
    connections: int
    connections_used: int
    connections_limit: int
    answer_seconds: float | None


@dataclass(frozen=True, slots=True)
class SystemReport:
    """All of it. ``None``: not known while the database or the storage is away."""

    at: datetime
    tasks: Sequence[TaskReport]
    queues: Sequence[QueueState] | None
    running: Sequence[ListedJob] | None
    failed: Sequence[ListedJob] | None
    database: DatabaseState
    disk: Disk | None
    forecast: Forecast | None
    uptime_seconds: float
    threads: int
    samples: Sequence[Sample]
    failures: Sequence[LogLine] | None
    versions: Mapping[str, str | None]
    settings: Mapping[str, str]
    """Those in force that differ from the defaults, without secrets."""
    reload: LastReload | None


class SystemService:
    """Gathers what the parts say of themselves; nothing here takes long or fails when a part is away."""

    def __init__(
        self,
        database: Database,
        settings: SettingsHolder,
        files: Files,
        media: Media,
        supervisor: Supervisor,
        jobs: JobQueue,
        retries: RetryService,
        retention: RetentionService,
        log_search: LogSearchService,
        gauges: Gauges,
    ) -> None:
        self._database = database
        self._settings = settings
        self._files = files
        self._media = media
        self._supervisor = supervisor
        self._jobs = jobs
        self._retries = retries
        self._retention = retention
        self._log_search = log_search
        self._gauges = gauges
        self._versions: dict[str, str | None] = {}
        self._size_bytes: int | None = None
        self._forecast: tuple[float, Forecast] | None = None
        self._ended: list[tuple[float, Mapping[JobKind, int]]] = [(time.monotonic(), {})]

    async def report(self, principal: Principal) -> SystemReport:
        """The state now."""
        kinds = list(JobKind)
        depths, running, failed, ahead, failures, disk = await asyncio.gather(
            if_there(self._jobs.depths()),
            if_there(self._retries.newest(principal, kinds, JobState.RUNNING, limit=RUNNING_SHOWN)),
            if_there(self._retries.newest(principal, kinds, JobState.FAILED, limit=FAILED_SHOWN)),
            self._look_ahead(),
            self._failures(principal),
            self._files.disk_if_there(),
        )
        samples = self._gauges.samples
        return SystemReport(
            at=datetime.now(UTC),
            tasks=self._supervisor.reports(),
            queues=None if depths is None else [self._queue(kind, depths) for kind in kinds],
            running=running,
            failed=failed,
            database=self._database_state(samples[-1] if samples else None),
            disk=disk,
            forecast=ahead,
            uptime_seconds=self._gauges.uptime_seconds,
            threads=self._gauges.threads,
            samples=samples,
            failures=failures,
            versions={"securitycamd": __version__, "Python": platform.python_version(), **self._versions},
            settings=differing(self._settings.current),
            reload=self._settings.last_reload,
        )

    async def sample(self) -> None:
        """Measure; a regular duty."""
        started = time.monotonic()
        answered = await self._database.ping()
        seconds = time.monotonic() - started if answered else None
        depths = await if_there(self._jobs.depths()) or []
        waiting = {str(depth.kind): depth.jobs for depth in depths if depth.state is JobState.QUEUED}
        await self._gauges.take(database_seconds=seconds, waiting=waiting)
        now = time.monotonic()
        self._ended.append((now, dict(self._jobs.ended)))
        while len(self._ended) > 2 and now - self._ended[1][0] > RATE_SECONDS:
            self._ended.pop(0)

    async def look_at_others(self) -> None:
        """Ask the other programs for their versions, and the database for its size; a regular duty."""
        if (version := await if_there(database_status.version(self._database))) is not None:
            self._versions["MariaDB"] = version
        self._versions["FFmpeg"] = await self._media.version()
        settings = self._settings.current.analyser
        if settings.enabled:
            self._versions["Ollama"] = await asyncio.to_thread(server_version, settings.url, OUTSIDE_SECONDS)
        self._size_bytes = await if_there(database_status.size_bytes(self._database))

    def _queue(self, kind: JobKind, depths: Sequence[QueueDepth]) -> QueueState:
        jobs = {depth.state: depth for depth in depths if depth.kind is kind}

        def number(state: JobState) -> int:
            return jobs[state].jobs if state in jobs else 0

        waiting = number(JobState.QUEUED)
        since, before = self._ended[0]
        seconds = time.monotonic() - since
        ended = self._jobs.ended[kind] - before.get(kind, 0)
        rate = ended * 3600 / seconds if seconds >= 60 or ended else None
        return QueueState(
            kind,
            waiting,
            number(JobState.RUNNING),
            number(JobState.FAILED),
            jobs[JobState.QUEUED].oldest if waiting else None,
            rate,
            waiting * 3600 / rate if waiting and rate else None,
        )

    def _database_state(self, sample: Sample | None) -> DatabaseState:
        connections, used, limit = self._database.connections
        return DatabaseState(
            is_connected=self._database.connected,
            is_embedded=not self._settings.current.database.url,
            address=str(self._database.address),
            version=self._versions.get("MariaDB"),
            size_bytes=self._size_bytes,
            connections=connections,
            connections_used=used,
            connections_limit=limit,
            answer_seconds=None if sample is None else sample.database_seconds,
        )

    async def _look_ahead(self) -> Forecast | None:
        if self._forecast is None or time.monotonic() - self._forecast[0] > FORECAST_SECONDS:
            found = await if_there(self._retention.look_ahead())
            if found is None:
                return None
            self._forecast = (time.monotonic(), found)
        return self._forecast[1]

    async def _failures(self, principal: Principal) -> Sequence[LogLine] | None:
        wanted = LineQuery(frozenset({CENTRAL_SOURCE}), frozenset({LogLevel.WARNING, LogLevel.ERROR}))
        found = await if_there(
            self._log_search.older(principal, wanted, None, limit=FAILURES_SHOWN, seconds=LOOK_SECONDS)
        )
        return None if found is None else found.lines[::-1]
