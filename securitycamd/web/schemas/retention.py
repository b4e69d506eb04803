"""Retention on the wire."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from securitycamd.domain.retention import Limits, Rules
from securitycamd.services.retention import RetentionReport
from securitycamd.web.registry import Input, Reply


class DeleteQuery(Input):
    """How an event is removed."""

    force: Annotated[bool, Field(description="also when it is starred")] = False


class RemovedReply(Reply):
    """An event that is gone."""

    id: int
    camera_id: str
    size_bytes: Annotated[int, Field(description="what its files took")]


class LimitsReply(Reply):
    """Rules; null is no limit, for a camera's age: everyone's."""

    max_age_days: float | None
    max_bytes: int | None


class RulesReply(Reply):
    """The rules in force."""

    enabled: bool
    max_age_days: float | None
    max_bytes: int | None
    free_floor_bytes: Annotated[int, Field(description="so much of the disk stays free")]
    cameras: Annotated[dict[str, LimitsReply], Field(description="what holds for each camera, everyone's age included")]
    log_days: Annotated[int, Field(description="0: log lines are kept for ever")]


class CameraUseReply(Reply):
    """A camera's events: what they take, what comes, how far back they will reach."""

    camera_id: str
    size_bytes: int
    protected_bytes: Annotated[int, Field(description="of starred events; they are in size_bytes too")]
    bytes_a_day: float
    days_kept: Annotated[float | None, Field(description="in the long run; null: without end at this rate")]
    promise_days: Annotated[float | None, Field(description="the age up to which a rule promises to keep them")]
    promise_kept: bool


class DiskReply(Reply):
    """The storage root's file system."""

    total_bytes: int
    free_bytes: int


class PlannedReply(Reply):
    """A camera's day of footage that would go, wholly or in part."""

    on: Annotated[date, Field(description="when (day of UTC)")]
    camera_id: str
    day: Annotated[date, Field(description="which footage (day of UTC)")]
    events: Annotated[int, Field(description="0: of a day to come, not known yet")]
    size_bytes: int
    reason: Literal["age", "camera size", "size", "free space"]
    partly: Annotated[bool, Field(description="only the oldest of the day; the numbers are estimates")]


class ForecastReply(Reply):
    """Where it goes at the last week's rate."""

    bytes_a_day: float
    days_until_floor: Annotated[
        float | None, Field(description="until the free-space rule takes over; null: never at this rate, or not known")
    ]
    days_kept: Annotated[
        float | None,
        Field(description="how far back footage reaches before size or space cut it off; null: they never do"),
    ]
    promise_kept: bool


class RetentionReply(Reply):
    """What is kept, what goes next and why, and whether the promised days fit."""

    at: datetime
    rules: RulesReply
    cameras: list[CameraUseReply]
    disk: Annotated[DiskReply | None, Field(description="null: the storage does not answer")]
    plan: Annotated[list[PlannedReply], Field(description="now and in the coming two weeks, in the order of going")]
    forecast: ForecastReply
    warnings: list[str]
    saved_bytes: Annotated[int, Field(description="what making clips smaller saved of the footage that is here")]


def retention_reply(report: RetentionReport, zone: ZoneInfo) -> dict[str, Any]:
    """A report as :class:`RetentionReply` describes it."""
    rules, disk, ahead = report.rules, report.disk, report.forecast
    return {
        "at": report.at.astimezone(zone),
        "rules": {
            "enabled": report.enabled,
            "max_age_days": rules.everywhere.max_age_days,
            "max_bytes": rules.everywhere.max_bytes,
            "free_floor_bytes": rules.free_floor_bytes if disk is None else rules.floor_of(disk),
            "cameras": {camera_id: _limits(rules, camera_id) for camera_id in sorted(report.used)},
            "log_days": report.log_days,
        },
        "cameras": [
            {
                "camera_id": camera.camera_id,
                "size_bytes": report.used[camera.camera_id].size_bytes,
                "protected_bytes": report.used[camera.camera_id].protected_bytes,
                "bytes_a_day": round(camera.bytes_a_day),
                "days_kept": _days(camera.days_kept),
                "promise_days": camera.promise_days,
                "promise_kept": camera.promise_kept,
            }
            for camera in ahead.cameras
        ],
        "disk": None if disk is None else {"total_bytes": disk.total_bytes, "free_bytes": disk.free_bytes},
        "plan": [
            {
                "on": item.on,
                "camera_id": item.camera_id,
                "day": item.day,
                "events": item.events,
                "size_bytes": item.size_bytes,
                "reason": item.reason,
                "partly": item.partly,
            }
            for item in report.planned
        ],
        "forecast": {
            "bytes_a_day": round(ahead.bytes_a_day),
            "days_until_floor": _days(ahead.days_until_floor),
            "days_kept": _days(ahead.days_kept),
            "promise_kept": ahead.promise_kept,
        },
        "warnings": report.warnings,
        "saved_bytes": report.saved_bytes,
    }


def _limits(rules: Rules, camera_id: str) -> dict[str, Any]:
    held = Limits(rules.age_of(camera_id), rules.bytes_of(camera_id))
    return {"max_age_days": held.max_age_days, "max_bytes": held.max_bytes}


def _days(days: float | None) -> float | None:
    return None if days is None else round(days, 2)
