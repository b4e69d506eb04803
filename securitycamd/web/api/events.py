"""``/api/v1/events``."""

from typing import Final

from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.events import (
    EventCreate,
    EventPath,
    EventReply,
    FileUpdate,
    JobReply,
    StatusUpdate,
    event_reply,
)


async def create(call: Call[None, None, EventCreate]) -> web.Response:
    """Keep an event."""
    told = call.body
    event, is_new = await call.parts.events.create(
        call.principal,
        camera_id=told.camera_id,
        timestamp=told.timestamp,
        motion_score=told.motion_score,
        confidence_score=told.confidence_score,
    )
    reply = event_reply(event, call.parts.settings.current.site.zone)
    return json_reply(reply, 201 if is_new else 200)


async def get_event(call: Call[EventPath, None, None]) -> web.Response:
    """One event."""
    event = await call.parts.events.get(call.principal, call.path.id)
    return json_reply(event_reply(event, call.parts.settings.current.site.zone))


async def update_files(call: Call[EventPath, None, FileUpdate]) -> web.Response:
    """Note a file."""
    event = await call.parts.events.report_file(call.principal, call.path.id, call.body.report())
    return json_reply(event_reply(event, call.parts.settings.current.site.zone))


async def update_status(call: Call[EventPath, None, StatusUpdate]) -> web.Response:
    """Note the agent's status."""
    event = await call.parts.events.set_status(call.principal, call.path.id, call.body.status)
    return json_reply(event_reply(event, call.parts.settings.current.site.zone))


async def list_jobs(call: Call[EventPath, None, None]) -> web.Response:
    """The background work on an event."""
    event = await call.parts.events.get(call.principal, call.path.id)
    zone = call.parts.settings.current.site.zone
    return json_reply(
        [
            {
                "kind": job.kind,
                "state": job.state,
                "attempts": job.attempts,
                "last_error": job.last_error,
                "changed_at": job.changed_at.astimezone(zone),
                "progress": job.progress,
            }
            for job in await call.parts.jobs.of_event(event.id)
        ]
    )


ROUTES: Final = [
    Route(
        "POST",
        "/api/v1/events",
        Audience.AGENT,
        "Report motion",
        create,
        tag="events",
        body=EventCreate,
        replies={200: EventReply, 201: EventReply},
        description="The same camera and timestamp again is the same event: 200 and its id.",
    ),
    Route(
        "GET",
        "/api/v1/events/{id}",
        Audience.VIEWER,
        "One event",
        get_event,
        tag="events",
        path_model=EventPath,
        replies={200: EventReply},
    ),
    Route(
        "PATCH",
        "/api/v1/events/{id}/files",
        Audience.AGENT,
        "Report a file of an event",
        update_files,
        tag="events",
        path_model=EventPath,
        body=FileUpdate,
        replies={200: EventReply},
        description="A video that is transferred is converted; both stills transferred are described.",
    ),
    Route(
        "PATCH",
        "/api/v1/events/{id}/status",
        Audience.AGENT,
        "Report how far the agent is with an event",
        update_status,
        tag="events",
        path_model=EventPath,
        body=StatusUpdate,
        replies={200: EventReply},
    ),
    Route(
        "GET",
        "/api/v1/events/{id}/jobs",
        Audience.VIEWER,
        "Background work on an event",
        list_jobs,
        tag="events",
        path_model=EventPath,
        replies={200: list[JobReply]},
    ),
]
