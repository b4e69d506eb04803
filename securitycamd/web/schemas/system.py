"""Health, statistics and tasks on the wire."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.supervision import TaskState
from securitycamd.web.registry import Input, Reply


class HealthReply(Reply):
    """Whether the server can take events."""

    status: Literal["healthy", "unhealthy"]
    timestamp: datetime
    database: Literal["connected", "disconnected"]
    database_connected: bool
    version: str
    problems: Annotated[list[str], Field(description="health rules that are not content; see /api/v1/health/report")]


class FindingReply(Reply):
    """What a health rule says."""

    rule: str
    level: Literal["ok", "warning", "critical"]
    message: str
    advice: str


class HealthReportReply(Reply):
    """All health rules."""

    at: datetime
    level: Literal["ok", "warning", "critical"]
    findings: list[FindingReply]


class StatsQuery(Input):
    """Which period."""

    hours: Annotated[float, Field(gt=0, le=24 * 366, allow_inf_nan=False)] = 24.0


class CameraStatsReply(Reply):
    """What a camera brought; bytes and files as they lie on the disk now."""

    camera_id: str
    events: int
    files: int
    bytes: int
    period_hours: float


class CameraTotalsReply(Reply):
    """A camera at a glance."""

    camera_id: str
    name: str
    status: Literal["online", "offline"]
    last_seen: datetime
    events_total: int
    events_today: int
    events_24h: int
    last_event_at: datetime | None
    files: Annotated[int | None, Field(description="in its folder; null until first measured")]
    bytes: int | None


class CameraCounts(Reply):
    """How many cameras."""

    total: int
    online: int
    offline: int


class EventCounts(Reply):
    """How many events."""

    total: int
    today: int
    last_24h: int


class StorageReply(Reply):
    """The storage root."""

    total_bytes: Annotated[int | None, Field(description="`null` while the storage does not answer")]
    free_bytes: int | None
    footage_files: int | None
    footage_bytes: int | None
    measured_at: datetime | None
    saved_bytes: Annotated[int, Field(description="what optimising saved of the clips that are here")]


class QueueReply(Reply):
    """Background work that is not done."""

    kind: JobKind
    state: JobState
    jobs: int
    oldest: datetime


class SystemStatsReply(Reply):
    """The site at a glance."""

    cameras: CameraCounts
    events: EventCounts
    log_lines_total: int
    storage: StorageReply
    queues: list[QueueReply]


class TaskReply(Reply):
    """A supervised task."""

    name: str
    purpose: str
    state: TaskState
    restarts: int
    last_error: str | None
    since: datetime
    beat_age_seconds: float
    overdue: bool
    takes_commands: Annotated[bool, Field(description="whether it can be paused, resumed and told to run now")]


class TaskPath(Input):
    """``{name}/{action}``."""

    name: Annotated[str, Field(examples=["converter"])]
    action: Literal["pause", "resume", "run-now"]


class TaskQuery(Input):
    """For how long."""

    minutes: Annotated[
        float | None,
        Field(
            gt=0,
            le=7 * 24 * 60,
            allow_inf_nan=False,
            description="run-now of a task that has a window: for so long; left out: until what is there now is done",
        ),
    ] = None
