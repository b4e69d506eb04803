"""``GET /api/v1/events`` and what goes with it: lists, filters, neighbours."""

from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.domain.snippets import snippets
from securitycamd.domain.times import EARLIEST
from securitycamd.domain.words import read_search
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.common import local, span_of
from securitycamd.web.schemas.events import EventListReply, EventPath, event_reply
from securitycamd.web.schemas.finding import (
    FindQuery,
    FoundReply,
    NeighboursReply,
    TimelineQuery,
    TimelineReply,
    neighbours_reply,
)
from securitycamd.web.schemas.places import place_text


async def list_events(call: Call[None, FindQuery, None]) -> web.Response:
    """A page of events."""
    query, zone = call.query, call.parts.settings.current.site.zone
    wanted = query.wanted(zone)
    if query.is_plain:
        plain = await call.parts.events.newest(
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
    finding = call.parts.finding
    if query.is_ranked:
        page = await finding.ranked(call.principal, wanted, limit=query.limit, offset=query.offset)
    else:
        page = await finding.find(call.principal, wanted, limit=query.limit, before=query.before, after=query.after)
    search = read_search(wanted.text)
    return json_reply(
        {
            "events": [event_reply(event, zone) for event in page.items],
            "total": page.total.value,
            "total_is_exact": page.total.is_exact,
            "position": page.position,
            "limit": query.limit,
            "offset": query.offset,
            "newer": None if page.newer is None else place_text(page.newer),
            "older": None if page.older is None else place_text(page.older),
            "snippets": [
                {"event_id": event.id, "field": snippet.field, "pieces": snippet.pieces}
                for event in page.items
                for snippet in snippets(event, search)
            ],
            "ignored": search.ignored,
            "searched_to": local(page.searched_to, zone),
        }
    )


async def get_neighbours(call: Call[EventPath, FindQuery, None]) -> web.Response:
    """The events next to one."""
    event = await call.parts.events.get(call.principal, call.path.id)
    wanted = call.query.wanted(call.parts.settings.current.site.zone)
    return json_reply(neighbours_reply(await call.parts.finding.neighbours(call.principal, wanted, event)))


async def event_timeline(call: Call[None, TimelineQuery, None]) -> web.Response:
    """How much happened when."""
    query, zone = call.query, call.parts.settings.current.site.zone
    span = span_of(query.start, query.end, zone)
    found = await call.parts.timeline.counts(
        call.principal,
        cameras=None if query.camera_id is None else frozenset(query.camera_id),
        start=span.start or EARLIEST,
        end=span.end or datetime.now(UTC),
        step=query.step,
    )
    return json_reply(
        {
            "step": query.step,
            "start": found.start.astimezone(zone),
            "end": found.end.astimezone(zone),
            "total": sum(bucket.total for bucket in found.buckets),
            "buckets": [
                {"start": bucket.start.astimezone(zone), "total": bucket.total, "counts": bucket.counts}
                for bucket in found.buckets
            ],
        }
    )


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
    Route(
        "GET",
        "/api/v1/stats/timeline",
        Audience.VIEWER,
        "How much happened when, by category",
        event_timeline,
        tag="system",
        query_model=TimelineQuery,
        replies={200: TimelineReply},
        description="By the hour or by the day of the site, from kept counts: at most 33 days of hours or 400 days."
        " Less where many cameras are named.",
    ),
]
