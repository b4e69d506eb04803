"""``/api/v1/cameras/{camera_id}/...``: all about one camera, and what operators do with it."""

from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.web.api.cameras import camera_now
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.camera_admin import (
    ActivityReply,
    AgentReply,
    CameraChange,
    CameraDetailsReply,
    CameraRemoveQuery,
    CoverageReply,
    RemovalPlanReply,
    RemovalReply,
    SpanQuery,
    activity_reply,
    agent_reply,
    coverage_reply,
    details_reply,
    plan_reply,
    removal_reply,
)
from securitycamd.web.schemas.cameras import CameraReply
from securitycamd.web.schemas.common import CameraPath


async def details(call: Call[CameraPath, None, None]) -> web.Response:
    """All about one camera."""
    found = await call.parts.camera_details.details(call.principal, call.path.camera_id)
    settings = call.parts.settings.current
    silence = settings.agents.offline_after_seconds
    return json_reply(details_reply(found, datetime.now(UTC), settings.site.zone, silence))


async def change_camera(call: Call[CameraPath, None, CameraChange]) -> web.Response:
    """Rename, move, hide or show a camera."""
    told = call.body
    camera = await call.parts.cameras.describe(
        call.principal, call.path.camera_id, name=told.name, location=told.location, is_hidden=told.hidden
    )
    return json_reply(camera_now(call, camera))


async def refresh(call: Call[CameraPath, None, None]) -> web.Response:
    """Ask the agent now."""
    agent = await call.parts.agents.refresh(call.principal, call.path.camera_id)
    return json_reply(agent_reply(agent, call.parts.settings.current.site.zone))


async def plan(call: Call[CameraPath, None, None]) -> web.Response:
    """What would go with a camera."""
    return json_reply(plan_reply(await call.parts.camera_removal.plan(call.principal, call.path.camera_id)))


async def remove(call: Call[CameraPath, CameraRemoveQuery, None]) -> web.Response:
    """Remove a camera."""
    left = await call.parts.camera_removal.remove(
        call.principal, call.path.camera_id, with_footage=call.query.footage, force=call.query.force
    )
    is_under_way = left is not None and call.query.footage
    return json_reply(removal_reply(call.path.camera_id, left), 202 if is_under_way else 200)


async def restore(call: Call[CameraPath, None, None]) -> web.Response:
    """Stop a removal, or bring a removed camera back."""
    camera = await call.parts.camera_removal.undo(call.principal, call.path.camera_id)
    return json_reply(camera_now(call, camera))


async def activity(call: Call[CameraPath, SpanQuery, None]) -> web.Response:
    """Events by hour."""
    span = call.query.span
    hours = await call.parts.camera_details.activity(call.principal, call.path.camera_id, span)
    return json_reply(activity_reply(call.path.camera_id, span, hours, call.parts.settings.current.site.zone))


async def coverage(call: Call[CameraPath, SpanQuery, None]) -> web.Response:
    """What the camera could see when."""
    span = call.query.span
    parts = await call.parts.camera_details.coverage(call.principal, call.path.camera_id, span)
    return json_reply(coverage_reply(call.path.camera_id, span, parts, call.parts.settings.current.site.zone))


_ONE: Final = "/api/v1/cameras/{camera_id}"

ROUTES: Final = [
    Route(
        "GET",
        f"{_ONE}/details",
        Audience.VIEWER,
        "All about one camera",
        details,
        tag="cameras",
        path_model=CameraPath,
        replies={200: CameraDetailsReply},
    ),
    Route(
        "PATCH",
        _ONE,
        Audience.OPERATOR,
        "Rename, hide or show a camera",
        change_camera,
        tag="cameras",
        path_model=CameraPath,
        body=CameraChange,
        replies={200: CameraReply},
        description="An operator's name and location stay when the agent registers again with its own.",
    ),
    Route(
        "POST",
        f"{_ONE}/refresh",
        Audience.VIEWER,
        "Ask the camera's agent how it is",
        refresh,
        tag="cameras",
        path_model=CameraPath,
        replies={200: AgentReply},
        description="Takes up to some seconds. An agent that does not answer is no error: `error` says why.",
    ),
    Route(
        "GET",
        f"{_ONE}/removal",
        Audience.OPERATOR,
        "What would go with a camera",
        plan,
        tag="cameras",
        path_model=CameraPath,
        replies={200: RemovalPlanReply},
    ),
    Route(
        "DELETE",
        _ONE,
        Audience.OPERATOR,
        "Remove a camera, with or without its footage",
        remove,
        tag="cameras",
        path_model=CameraPath,
        query_model=CameraRemoveQuery,
        replies={200: RemovalReply, 202: RemovalReply},
        conflict="It is online and `force` was not said, or its footage is being removed",
        description=(
            "Without footage the camera leaves every list and its events stay; an agent that registers again brings it"
            " back. With footage (202) its events go one after another in the background, starred ones too, and the"
            " camera at the end; meanwhile its agent is refused. A camera that is online is refused with 409 unless"
            " `force` is said."
        ),
    ),
    Route(
        "POST",
        f"{_ONE}/restore",
        Audience.OPERATOR,
        "Stop a removal, or bring a removed camera back",
        restore,
        tag="cameras",
        path_model=CameraPath,
        replies={200: CameraReply},
        conflict="It is not removed",
        description="What has gone already stays gone. 409 when the camera is not removed.",
    ),
    Route(
        "GET",
        f"{_ONE}/activity",
        Audience.VIEWER,
        "How many events each hour had",
        activity,
        tag="cameras",
        path_model=CameraPath,
        query_model=SpanQuery,
        replies={200: ActivityReply},
    ),
    Route(
        "GET",
        f"{_ONE}/coverage",
        Audience.VIEWER,
        "What a camera could see when",
        coverage,
        tag="cameras",
        path_model=CameraPath,
        query_model=SpanQuery,
        replies={200: CoverageReply},
        description=(
            "`watching`: heard of, motion becomes events. `viewed`: watched live, so that motion detection was paused."
            " `offline`: silent for long. `unknown`: the server was down, or the camera not there yet."
        ),
    ),
]
