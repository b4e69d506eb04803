"""``GET /api/v1/events`` and what goes with it: lists, filters, neighbours."""

from typing import Final

from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.web import keys
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.events import EventListReply, EventPath, event_reply
from securitycamd.web.schemas.finding import FindQuery, FoundReply, NeighboursReply, neighbours_reply
from securitycamd.web.schemas.places import place_text


async def list_events(call: Call[None, FindQuery, None]) -> web.Response:
    """A page of events."""
    query, zone = call.query, call.app[keys.SETTINGS].current.site.zone
    wanted = query.wanted(zone)
    if query.is_plain:
        plain = await call.app[keys.EVENTS].newest(
            call.principal,
            camera_id=query.camera_id[0] if query.camera_id else None,
            span=wanted.span,
            limit=query.limit,
            offset=query.offset,
        )
        return json_reply(
            {
                "events": [event_reply(event, zone) for event in plain.items],
                "total": plain.total,
                "limit": plain.limit,
                "offset": plain.offset,
            }
        )
    page = await call.app[keys.FINDING].find(
        call.principal, wanted, limit=query.limit, before=query.before, after=query.after
    )
    return json_reply(
        {
            "events": [event_reply(event, zone) for event in page.items],
            "total": page.total.value,
            "total_is_exact": page.total.is_exact,
            "position": page.position,
            "limit": query.limit,
            "offset": 0,
            "newer": None if page.newer is None else place_text(page.newer),
            "older": None if page.older is None else place_text(page.older),
            "searched_to": None if page.searched_to is None else page.searched_to.astimezone(zone),
        }
    )


async def get_neighbours(call: Call[EventPath, FindQuery, None]) -> web.Response:
    """The events next to one."""
    event = await call.app[keys.EVENTS].get(call.principal, call.path.id)
    wanted = call.query.wanted(call.app[keys.SETTINGS].current.site.zone)
    return json_reply(neighbours_reply(await call.app[keys.FINDING].neighbours(call.principal, wanted, event)))


ROUTES: Final = [
    Route(
        "GET",
        "/api/v1/events",
        Audience.VIEWER,
        "List events, newest first",
        list_events,
        tag="events",
        query_model=FindQuery,
        replies={200: EventListReply | FoundReply},
        description="With one camera and days only, pages are turned with `limit` and `offset`. With anything else they"
        " are turned with `before` and `after`, and the reply says more.",
    ),
    Route(
        "GET",
        "/api/v1/events/{id}/neighbours",
        Audience.VIEWER,
        "The events next to one in a filtered list",
        get_neighbours,
        tag="events",
        path_model=EventPath,
        query_model=FindQuery,
        replies={200: NeighboursReply},
    ),
]
