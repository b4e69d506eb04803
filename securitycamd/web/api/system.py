"""``/api/v1/health``, ``/api/v1/stats``, ``/api/v1/tasks``."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from securitycamd import __version__
from securitycamd.domain.principal import Audience
from securitycamd.health.database import NAME as DATABASE_RULE
from securitycamd.supervision import TaskReport
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.common import CameraPath
from securitycamd.web.schemas.system import (
    CameraStatsReply,
    CameraTotalsReply,
    HealthReply,
    HealthReportReply,
    StatsQuery,
    SystemStatsReply,
    TaskPath,
    TaskQuery,
    TaskReply,
)


async def health(call: Call[None, None, None]) -> web.Response:
    """Whether events can be taken, from what is known without asking anybody."""
    connected = call.parts.health.database_connected
    problems = [name for name in call.parts.health.report.problems if name != DATABASE_RULE]
    reply = {
        "status": "healthy" if connected else "unhealthy",
        "timestamp": datetime.now(UTC).astimezone(call.parts.settings.current.site.zone),
        "database": "connected" if connected else "disconnected",
        "database_connected": connected,
        "version": __version__,
        "problems": problems if connected else [DATABASE_RULE, *problems],
    }
    return json_reply(reply) if connected else json_reply(reply, 503, {"Retry-After": "2"})


async def health_report(call: Call[None, None, None]) -> web.Response:
    """What each rule said last."""
    report = call.parts.health.report
    return json_reply(
        {
            "at": report.at.astimezone(call.parts.settings.current.site.zone),
            "level": report.level.name.lower(),
            "findings": [asdict(finding) | {"level": finding.level.name.lower()} for finding in report.findings],
        }
    )


async def camera_stats(call: Call[CameraPath, StatsQuery, None]) -> web.Response:
    """One camera's period."""
    stats = await call.parts.stats.camera_period(call.principal, call.path.camera_id, call.query.hours)
    hours = int(stats.period_hours) if stats.period_hours.is_integer() else stats.period_hours
    return json_reply(
        {
            "camera_id": stats.camera_id,
            "events": stats.events,
            "files": stats.files,
            "bytes": stats.size_bytes,
            "period_hours": hours,
        }
    )


async def cameras_stats(call: Call[None, None, None]) -> web.Response:
    """All cameras at a glance."""
    zone = call.parts.settings.current.site.zone
    return json_reply(
        [
            {
                "camera_id": item.camera.camera_id,
                "name": item.camera.name,
                "status": item.status,
                "last_seen": item.camera.last_seen.astimezone(zone),
                "events_total": item.events_total,
                "events_today": item.events_today,
                "events_24h": item.events_24h,
                "last_event_at": item.last_event_at and item.last_event_at.astimezone(zone),
                "files": item.usage and item.usage.files,
                "bytes": item.usage and item.usage.size_bytes,
            }
            for item in await call.parts.stats.camera_totals(call.principal)
        ]
    )


async def system_stats(call: Call[None, None, None]) -> web.Response:
    """The site at a glance."""
    zone = call.parts.settings.current.site.zone
    stats = await call.parts.stats.system(call.principal)
    return json_reply(
        {
            "cameras": {
                "total": stats.cameras_total,
                "online": stats.cameras_online,
                "offline": stats.cameras_total - stats.cameras_online,
            },
            "events": {
                "total": stats.events_total,
                "today": stats.events_today,
                "last_24h": stats.events_24h,
            },
            "log_lines_total": stats.log_lines_total,
            "storage": {
                "total_bytes": stats.disk and stats.disk.total_bytes,
                "free_bytes": stats.disk and stats.disk.free_bytes,
                "footage_files": stats.usage and stats.usage.files,
                "footage_bytes": stats.usage and stats.usage.size_bytes,
                "measured_at": stats.usage_measured_at and stats.usage_measured_at.astimezone(zone),
                "saved_bytes": stats.saved_bytes,
            },
            "queues": [asdict(depth) | {"oldest": depth.oldest.astimezone(zone)} for depth in stats.queues],
        }
    )


async def list_tasks(call: Call[None, None, None]) -> web.Response:
    """Every supervised task."""
    return json_reply([_task(call, report) for report in call.parts.supervisor.reports()])


async def command_task(call: Call[TaskPath, TaskQuery, None]) -> web.Response:
    """Pause, resume or wake a task."""
    path, minutes = call.path, call.query.minutes
    return json_reply(_task(call, call.parts.supervisor.command(path.name, path.action, minutes=minutes)))


def _task(call: Call[Any, Any, None], report: TaskReport) -> dict[str, Any]:
    return asdict(report) | {"since": report.since.astimezone(call.parts.settings.current.site.zone)}


ROUTES: Final = [
    Route(
        "GET",
        "/api/v1/health",
        Audience.PUBLIC,
        "Whether events can be taken",
        health,
        tag="system",
        replies={200: HealthReply, 503: HealthReply},
    ),
    Route(
        "GET",
        "/api/v1/health/report",
        Audience.VIEWER,
        "What each health rule says, and what to do",
        health_report,
        tag="system",
        replies={200: HealthReportReply},
    ),
    Route(
        "GET",
        "/api/v1/stats",
        Audience.VIEWER,
        "The site at a glance",
        system_stats,
        tag="system",
        replies={200: SystemStatsReply},
    ),
    Route(
        "GET",
        "/api/v1/stats/cameras",
        Audience.VIEWER,
        "Every camera at a glance",
        cameras_stats,
        tag="system",
        replies={200: list[CameraTotalsReply]},
    ),
    Route(
        "GET",
        "/api/v1/cameras/{camera_id}/stats",
        Audience.AGENT,
        "What a camera brought lately",
        camera_stats,
        tag="cameras",
        path_model=CameraPath,
        query_model=StatsQuery,
        replies={200: CameraStatsReply},
    ),
    Route(
        "GET",
        "/api/v1/tasks",
        Audience.OPERATOR,
        "Background tasks and their state",
        list_tasks,
        tag="system",
        replies={200: list[TaskReply]},
    ),
    Route(
        "POST",
        "/api/v1/tasks/{name}/{action}",
        Audience.OPERATOR,
        "Pause, resume or wake a background task",
        command_task,
        tag="system",
        path_model=TaskPath,
        query_model=TaskQuery,
        replies={200: TaskReply},
        conflict="It is switched off in the settings, always runs, or is paused and was told to run now",
    ),
]
