"""What is told of one camera, and what an operator may change of it, on the wire."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field

from securitycamd.domain.agents import AgentStatus
from securitycamd.domain.coverage import Cover, CoverPart, shares
from securitycamd.domain.models import Camera
from securitycamd.domain.names import CameraRemoval
from securitycamd.services.camera_details import ActivitySpan, CameraDetails, HourOfEvents
from securitycamd.services.camera_removal import Progress, RemovalPlan
from securitycamd.web.registry import Input, Reply
from securitycamd.web.schemas.cameras import CameraReply, camera_reply
from securitycamd.web.schemas.common import local


class CameraChange(Input):
    """What an operator says of a camera; what is left out stays."""

    name: Annotated[
        str | None, Field(max_length=100, description="empty: as the agent calls it", examples=["Front walk"])
    ] = None
    location: Annotated[str | None, Field(max_length=200, description="empty: as the agent says")] = None
    hidden: Annotated[bool | None, Field(description="keep it out of lists; it records on")] = None


class CameraRemoveQuery(Input):
    """How a camera is removed."""

    footage: Annotated[bool, Field(description="true: with all its events and files; false: its events stay")]
    force: Annotated[bool, Field(description="although it is online")] = False


class SpanQuery(Input):
    """How far back."""

    span: ActivitySpan = ActivitySpan.DAY


class AgentReply(Reply):
    """What the agent said when it was last asked."""

    asked_at: datetime
    answered_at: datetime | None
    error: Annotated[str | None, Field(description="why the last question had no answer")]
    version: str | None
    running_since: datetime | None
    motion_state: str | None
    streaming: bool | None
    clock_offset_seconds: Annotated[
        float | None, Field(description="its clock less the server's, good to about a second; positive: it is ahead")
    ]


class RemovalProgress(Reply):
    """How far a removal with footage is."""

    events_total: int
    events_left: int
    trouble: str | None


class CameraDetailsReply(CameraReply):
    """A camera with all that is known of it."""

    agent_name: Annotated[str, Field(description="what its agent calls it")]
    agent_location: str
    hidden: bool
    removal: CameraRemoval | None
    removal_progress: RemovalProgress | None
    agent: AgentReply | None
    events_total: int
    events_today: int
    events_starred: int
    last_event_at: datetime | None
    size_bytes: int
    starred_bytes: int


class RemovalPlanReply(Reply):
    """What would go with a camera's footage."""

    camera_id: str
    events: int
    events_starred: int
    size_bytes: int
    online: Annotated[bool, Field(description="then it is removed with `force` only")]


class RemovalReply(Reply):
    """What became of it."""

    camera_id: str
    gone: Annotated[bool, Field(description="its record is gone, too; false: its events are still here")]
    removal: CameraRemoval | None


class HourReply(Reply):
    """An hour."""

    start: datetime
    events: int


class ActivityReply(Reply):
    """Events by hour, oldest first."""

    camera_id: str
    span: ActivitySpan
    hours: list[HourReply]


class CoverReply(Reply):
    """A stretch of time."""

    cover: Cover
    start: datetime
    end: datetime


class CoverageReply(Reply):
    """What a camera could see when, oldest first, without gaps."""

    camera_id: str
    span: ActivitySpan
    shares: Annotated[dict[str, float], Field(description="of each kind that occurs, 0 to 1")]
    parts: list[CoverReply]


def agent_reply(agent: AgentStatus | None, zone: ZoneInfo) -> dict[str, Any] | None:
    """An agent as :class:`AgentReply` describes it."""
    if agent is None:
        return None
    return {
        "asked_at": agent.asked_at.astimezone(zone),
        "answered_at": local(agent.answered_at, zone),
        "error": agent.error,
        "version": agent.version,
        "running_since": local(agent.running_since, zone),
        "motion_state": agent.motion_state,
        "streaming": agent.is_streaming,
        "clock_offset_seconds": agent.clock_offset_seconds,
    }


def details_reply(details: CameraDetails, now: datetime, zone: ZoneInfo, silence_seconds: float) -> dict[str, Any]:
    """A camera as :class:`CameraDetailsReply` describes it."""
    camera = details.camera
    return camera_reply(camera, now, zone, silence_seconds) | {
        "agent_name": camera.agent_name,
        "agent_location": camera.agent_location,
        "hidden": camera.is_hidden,
        "removal": camera.removal,
        "removal_progress": progress_reply(details.progress),
        "agent": agent_reply(details.agent, zone),
        "events_total": details.events_total,
        "events_today": details.events_today,
        "events_starred": details.starred,
        "last_event_at": local(details.newest.at if details.newest else None, zone),
        "size_bytes": details.use.size_bytes,
        "starred_bytes": details.use.protected_bytes,
    }


def progress_reply(progress: Progress | None) -> dict[str, Any] | None:
    """Progress as :class:`RemovalProgress` describes it."""
    if progress is None:
        return None
    return {
        "events_total": progress.events_total,
        "events_left": progress.events_left,
        "trouble": progress.trouble,
    }


def plan_reply(plan: RemovalPlan) -> dict[str, Any]:
    """A plan as :class:`RemovalPlanReply` describes it."""
    return {
        "camera_id": plan.camera.camera_id,
        "events": plan.events,
        "events_starred": plan.starred,
        "size_bytes": plan.use.size_bytes,
        "online": plan.is_online,
    }


def removal_reply(camera_id: str, left: Camera | None) -> dict[str, Any]:
    """An outcome as :class:`RemovalReply` describes it."""
    return {"camera_id": camera_id, "gone": left is None, "removal": left.removal if left else None}


def activity_reply(camera_id: str, span: ActivitySpan, hours: list[HourOfEvents], zone: ZoneInfo) -> dict[str, Any]:
    """Hours as :class:`ActivityReply` describes them."""
    told = [{"start": hour.start.astimezone(zone), "events": hour.events} for hour in hours]
    return {"camera_id": camera_id, "span": span, "hours": told}


def coverage_reply(camera_id: str, span: ActivitySpan, parts: list[CoverPart], zone: ZoneInfo) -> dict[str, Any]:
    """Coverage as :class:`CoverageReply` describes it."""
    return {
        "camera_id": camera_id,
        "span": span,
        "shares": {cover: round(share, 5) for cover, share in shares(parts).items()},
        "parts": [
            {"cover": part.cover, "start": part.start.astimezone(zone), "end": part.end.astimezone(zone)}
            for part in parts
        ],
    }
