"""What people do with events: ``PATCH /api/v1/events/{id}``, many at once, and the history of one."""

from typing import Final

from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.events import EventPath, EventReply, event_reply
from securitycamd.web.schemas.review import BulkChange, BulkReply, EventChange, HistoryReply, history_reply


async def change(call: Call[EventPath, None, EventChange]) -> web.Response:
    """Change an event."""
    event = await call.parts.review.change(call.principal, call.path.id, call.body.change())
    return json_reply(event_reply(event, call.parts.settings.current.site.zone))


async def bulk(call: Call[None, None, BulkChange]) -> web.Response:
    """Change many events."""
    results = await call.parts.review.bulk(call.principal, call.body.ids, call.body.action)
    return json_reply(
        {
            "action": call.body.action,
            "results": [{"id": event_id, "result": result} for event_id, result in results.items()],
        }
    )


async def history(call: Call[EventPath, None, None]) -> web.Response:
    """What happened to an event."""
    event = await call.parts.events.get(call.principal, call.path.id)
    zone = call.parts.settings.current.site.zone
    entries = await call.parts.review.history(call.principal, event)
    return json_reply([history_reply(entry, zone) for entry in entries])


ROUTES: Final = [
    Route(
        "PATCH",
        "/api/v1/events/{id}",
        Audience.OPERATOR,
        "Say that an event was reviewed, star it, note something",
        change,
        tag="events",
        path_model=EventPath,
        body=EventChange,
        replies={200: EventReply},
        conflict="It is being removed",
        description="What is left out stays as it is. 409 while the event is being removed.",
    ),
    Route(
        "POST",
        "/api/v1/events/bulk",
        Audience.OPERATOR,
        "Review, star or remove many events",
        bulk,
        tag="events",
        body=BulkChange,
        replies={200: BulkReply},
        description="Says of each event what came of it. The same call may be made again. Starred events are not"
        " removed. 503 when the footage storage is away: then nothing is removed.",
    ),
    Route(
        "GET",
        "/api/v1/events/{id}/history",
        Audience.VIEWER,
        "What happened to an event, oldest first",
        history,
        tag="events",
        path_model=EventPath,
        replies={200: list[HistoryReply]},
    ),
]
