"""``/api/v1/storage/strays``: files that fit no event, and what an operator does about them."""

from typing import Final

from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.events import EventReply, event_reply
from securitycamd.web.schemas.strays import (
    StrayLink,
    StrayListReply,
    StrayPathQuery,
    StrayQuery,
    StrayRemovedReply,
    stray_reply,
)


async def list_strays(call: Call[None, StrayQuery, None]) -> web.Response:
    """A page of them."""
    query, strays = call.query, call.parts.strays
    zone = call.parts.settings.current.site.zone
    unusable = strays.unusable(call.principal)
    page = await strays.listed(call.principal, camera_id=query.camera_id, limit=query.limit, offset=query.offset)
    return json_reply(
        {
            "strays": [stray_reply(stray, zone) for stray in page.items],
            "total": page.total,
            "limit": page.limit,
            "offset": page.offset,
            "scanned_at": strays.scanned_at and strays.scanned_at.astimezone(zone),
            "unusable": {"total": unusable.total, "paths": unusable.paths},
        }
    )


async def link_stray(call: Call[None, None, StrayLink]) -> web.Response:
    """Give one to an event."""
    body = call.body
    event = await call.parts.strays.link(call.principal, body.path, body.event_id, body.file_type)
    return json_reply(event_reply(event, call.parts.settings.current.site.zone))


async def delete_stray(call: Call[None, StrayPathQuery, None]) -> web.Response:
    """Remove one from the disk."""
    await call.parts.strays.delete(call.principal, call.query.path)
    return json_reply({"path": call.query.path})


ROUTES: Final = [
    Route(
        "GET",
        "/api/v1/storage/strays",
        Audience.VIEWER,
        "Files that fit no event",
        list_strays,
        tag="storage",
        query_model=StrayQuery,
        replies={200: StrayListReply},
        description="They are listed with the reason, and stay until an operator links or removes them.",
    ),
    Route(
        "POST",
        "/api/v1/storage/strays/link",
        Audience.OPERATOR,
        "Give a stray file to an event",
        link_stray,
        tag="storage",
        body=StrayLink,
        replies={200: EventReply},
        conflict="The event is of another camera, has such a file or is being removed",
        description="The number and the time in its name do not count; it gets the name of the event's files.",
    ),
    Route(
        "DELETE",
        "/api/v1/storage/strays",
        Audience.OPERATOR,
        "Remove a stray file from the disk",
        delete_stray,
        tag="storage",
        query_model=StrayPathQuery,
        replies={200: StrayRemovedReply},
        conflict="It belongs to an event by now",
        description="For good. Only files on the list of strays can be removed so.",
    ),
]
