"""``/api/v1/retention``, and what people decide about single events: keep for good, or remove now."""

from typing import Any, Final

from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.services.review import Change
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.events import EventPath, EventReply, event_reply
from securitycamd.web.schemas.retention import DeleteQuery, RemovedReply, RetentionReply, retention_reply


async def get_retention(call: Call[None, None, None]) -> web.Response:
    """What goes when, and why."""
    report = await call.parts.retention.report(call.principal)
    return json_reply(retention_reply(report, call.parts.settings.current.site.zone))


async def protect(call: Call[EventPath, None, None]) -> web.Response:
    """Star an event."""
    return await _protect(call, protected=True)


async def unprotect(call: Call[EventPath, None, None]) -> web.Response:
    """Take the star away."""
    return await _protect(call, protected=False)


async def _protect(call: Call[EventPath, Any, Any], *, protected: bool) -> web.Response:
    event = await call.parts.review.change(call.principal, call.path.id, Change(starred=protected))
    return json_reply(event_reply(event, call.parts.settings.current.site.zone))


async def delete(call: Call[EventPath, DeleteQuery, None]) -> web.Response:
    """Remove an event."""
    event = await call.parts.removal.delete(call.principal, call.path.id, force=call.query.force)
    return json_reply({"id": event.id, "camera_id": event.camera_id, "size_bytes": event.size_bytes})


ROUTES: Final = [
    Route(
        "GET",
        "/api/v1/retention",
        Audience.OPERATOR,
        "What goes when, and why",
        get_retention,
        tag="retention",
        replies={200: RetentionReply},
        description="The rules in force, what each camera takes, what would go now and in the coming two weeks.",
    ),
    Route(
        "PUT",
        "/api/v1/events/{id}/protection",
        Audience.OPERATOR,
        "Star an event: retention never takes it",
        protect,
        tag="retention",
        path_model=EventPath,
        replies={200: EventReply},
        conflict="It is being removed",
    ),
    Route(
        "DELETE",
        "/api/v1/events/{id}/protection",
        Audience.OPERATOR,
        "Take the star away",
        unprotect,
        tag="retention",
        path_model=EventPath,
        replies={200: EventReply},
        conflict="It is being removed",
    ),
    Route(
        "DELETE",
        "/api/v1/events/{id}",
        Audience.OPERATOR,
        "Remove an event with all its files",
        delete,
        tag="retention",
        path_model=EventPath,
        query_model=DeleteQuery,
        replies={200: RemovedReply},
        conflict="It is starred and `force` was not said, or it is worked on",
        description="For good. Answered with 409 while it is starred (unless `force=true`) or worked on.",
    ),
]
