"""The state of the whole server on the wire."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field

from securitycamd.domain.jobs import JobKind
from securitycamd.health.report import Report
from securitycamd.services.system import SystemReport
from securitycamd.web.registry import Reply
from securitycamd.web.schemas.ai import AiReply
from securitycamd.web.schemas.common import local
from securitycamd.web.schemas.jobs import ListedJobReply
from securitycamd.web.schemas.logs import LogReply, log_reply
from securitycamd.web.schemas.system import HealthReportReply, TaskReply


class QueueStateReply(Reply):
    """The jobs of a kind."""

    kind: JobKind
    waiting: int
    running: int
    failed: int
    oldest_waiting: datetime | None
    ended_per_hour: Annotated[float | None, Field(description="by this server, lately")]
    empty_in_seconds: Annotated[float | None, Field(description="at that rate, if no more come")]


class DatabaseReply(Reply):
    """The database and the way to it."""

    is_connected: bool
    is_embedded: bool
    address: str
    version: str | None
    size_bytes: int | None
    connections: int
    connections_used: int
    connections_limit: int
    answer_seconds: float | None


class ProcessReply(Reply):
    """The process."""

    uptime_seconds: float
    threads: int
    memory_bytes: int | None
    cpu_share: Annotated[float | None, Field(description="of one core")]
    loop_lag_seconds: Annotated[float | None, Field(description="the longest that the event loop was late")]


class SampleReply(Reply):
    """One measurement of the last hours."""

    at: datetime
    memory_bytes: int
    cpu_share: float
    loop_lag_seconds: float
    database_seconds: float | None
    waiting: dict[str, int]


class FootageReply(Reply):
    """The disk that the footage is on."""

    total_bytes: int | None
    free_bytes: int | None
    bytes_a_day: float | None
    days_until_full: float | None
    days_kept: float | None


class ReloadReply(Reply):
    """The last reload of the settings."""

    at: datetime
    problems: list[str]
    applied: list[str]
    later: Annotated[list[str], Field(description="what needs a restart")]


class SystemReply(Reply):
    """All of it; null is not known while a part is away."""

    at: datetime
    health: HealthReportReply
    ai: Annotated[AiReply, Field(description="as `GET /api/v1/ai` has it")]
    tasks: list[TaskReply]
    queues: list[QueueStateReply] | None
    running: list[ListedJobReply] | None
    failed: list[ListedJobReply] | None
    database: DatabaseReply
    footage: FootageReply
    process: ProcessReply
    samples: Annotated[list[SampleReply], Field(description="of the last six hours, oldest first")]
    failures: list[LogReply] | None
    versions: dict[str, str | None]
    settings: Annotated[dict[str, str], Field(description="that differ from the defaults, without secrets")]
    reload: ReloadReply | None


def health_reply(report: Report, zone: ZoneInfo) -> Mapping[str, Any]:
    """What each rule said, as :class:`HealthReportReply` describes it."""
    return {
        "at": report.at.astimezone(zone),
        "level": report.level.name.lower(),
        "findings": [asdict(finding) | {"level": finding.level.name.lower()} for finding in report.findings],
    }


def system_reply(report: SystemReport, health: Report, ai: Mapping[str, Any], zone: ZoneInfo) -> Mapping[str, Any]:
    """The report as :class:`SystemReply` describes it; ``ai`` is made already."""

    def jobs(found: Any) -> list[dict[str, Any]] | None:
        return None if found is None else [asdict(job) | {"changed_at": local(job.changed_at, zone)} for job in found]

    last = report.samples[-1] if report.samples else None
    ahead = report.forecast
    return {
        "at": local(report.at, zone),
        "health": health_reply(health, zone),
        "ai": ai,
        "tasks": [asdict(task) | {"since": local(task.since, zone)} for task in report.tasks],
        "queues": report.queues
        and [asdict(queue) | {"oldest_waiting": local(queue.oldest_waiting, zone)} for queue in report.queues],
        "running": jobs(report.running),
        "failed": jobs(report.failed),
        "database": asdict(report.database),
        "footage": {
            "total_bytes": report.disk and report.disk.total_bytes,
            "free_bytes": report.disk and report.disk.free_bytes,
            "bytes_a_day": ahead and ahead.bytes_a_day,
            "days_until_full": ahead and ahead.days_until_floor,
            "days_kept": ahead and ahead.days_kept,
        },
        "process": {
            "uptime_seconds": round(report.uptime_seconds, 1),
            "threads": report.threads,
            "memory_bytes": last and last.memory_bytes,
            "cpu_share": last and last.cpu_share,
            "loop_lag_seconds": last and last.loop_lag_seconds,
        },
        "samples": [asdict(sample) | {"at": local(sample.at, zone)} for sample in report.samples],
        "failures": None if report.failures is None else [log_reply(line, zone) for line in report.failures],
        "versions": report.versions,
        "settings": report.settings,
        "reload": report.reload and asdict(report.reload) | {"at": local(report.reload.at, zone)},
    }
