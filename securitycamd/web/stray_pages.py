"""The page of stray files, and what its forms ask for."""

from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.principal import Audience
from securitycamd.web.pages import render, site_of
from securitycamd.web.registry import Call, Route, read_form
from securitycamd.web.schemas.strays import StrayPathQuery
from securitycamd.web.ui.strays_view import PAGE_SIZE, STRAYS_URL, StraysQuery, strays_context

LONGEST_NUMBER: Final = 18


async def strays(call: Call[None, Any, None]) -> web.Response:
    """Files that fit no event."""
    query = StraysQuery.read(call.request.query.get("offset"))
    service = call.parts.strays
    context = strays_context(
        await service.listed(call.principal, limit=PAGE_SIZE, offset=query.offset),
        await call.parts.cameras.everything(call.principal),
        site=site_of(call.request),
        now=datetime.now(UTC),
        scanned_at=service.scanned_at,
        unusable=service.unusable(call.principal),
        may_change=call.principal.role >= Audience.OPERATOR,
    )
    return render(call.request, context)


async def link(call: Call[None, StrayPathQuery, None]) -> web.Response:
    """Give a file to an event, and show the event."""
    text = (await read_form(call.request)).get("event_id", "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER):
        raise InvalidError("event_id", "must be the number of an event")
    event = await call.parts.strays.link(call.principal, call.query.path, int(text))
    raise web.HTTPSeeOther(f"/events/{event.id}")


async def delete(call: Call[None, StrayPathQuery, None]) -> web.Response:
    """Remove a file. The form says what goes before it is sent."""
    await call.parts.strays.delete(call.principal, call.query.path)
    raise web.HTTPSeeOther(STRAYS_URL)


ROUTES: Final = [
    Route("GET", STRAYS_URL, Audience.VIEWER, "Files that fit no event", strays, page=True),
    Route(
        "POST",
        f"{STRAYS_URL}/link",
        Audience.OPERATOR,
        "Give a stray file to an event",
        link,
        query_model=StrayPathQuery,
        page=True,
    ),
    Route(
        "POST",
        f"{STRAYS_URL}/delete",
        Audience.OPERATOR,
        "Remove a stray file",
        delete,
        query_model=StrayPathQuery,
        page=True,
    ),
]
