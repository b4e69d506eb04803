"""The gallery, and the pieces of it that its script asks for while it is shown."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import Field

from securitycamd import __version__
from securitycamd.domain.errors import InvalidError
from securitycamd.domain.jobs import JobKind
from securitycamd.domain.models import Event
from securitycamd.domain.names import ConversionStatus
from securitycamd.domain.principal import Audience
from securitycamd.domain.times import day_bounds
from securitycamd.web.pages import error_page, reached_at, render, site_of
from securitycamd.web.registry import Call, Input, Route, json_reply
from securitycamd.web.theme import REMEMBERED_SECONDS
from securitycamd.web.ui.cards import Work, cards_context
from securitycamd.web.ui.contexts import Site
from securitycamd.web.ui.frame import rail_context
from securitycamd.web.ui.gallery_contexts import GalleryContext, StripView
from securitycamd.web.ui.gallery_view import gallery_context
from securitycamd.web.ui.query import ALL_CAMERAS, GalleryQuery
from securitycamd.web.ui.strip_view import strip_counts, strip_days, strip_view

CAMERAS_COOKIE: Final = "cameras"
LOOK_COOKIE: Final = "gallery"
LOOK: Final = ("view", "limit")
"""How the gallery is shown: what was chosen last holds wherever an address does not say it."""
PART_HEADER: Final = "X-Part"
"""Sent by the pages' scripts with whatever they fetch to show."""
FRAGMENT_LIMIT: Final = 100
"""So many cards are sent at once; a page has no more."""
STORAGE_AWAY: Final = (
    "The footage storage is not there. Events are kept, but pictures and clips cannot be shown until it is back."
)


class FragmentQuery(Input):
    """``?ids=1,2,3``, beside the gallery's own parameters."""

    ids: Annotated[str, Field(max_length=2000, pattern=r"^\d{1,18}(,\d{1,18})*$")]


async def front(call: Call[None, None, None]) -> web.Response:
    """The gallery to a browser; to a program where the API is."""
    if "text/html" in call.request.headers.get("Accept", ""):
        if call.principal.role < Audience.VIEWER:
            return await error_page(call.request, 403, "Not allowed", "This page is shown on trusted networks only.")
        response = await gallery(call)
    else:
        response = json_reply(
            {
                "name": "securitycamd",
                "version": __version__,
                "docs": "/docs",
                "openapi": "/openapi.json",
                "health": "/api/v1/health",
            }
        )
    response.headers.add("Vary", "Accept")
    return response


async def gallery(call: Call[Any, Any, Any]) -> web.Response:
    """Events, newest first; of the cameras and in the view that were chosen last, where the address says nothing."""
    given = call.request.query
    if PART_HEADER in call.request.headers:
        # The page's script asks for what it shows already; nobody chose anything.
        return render(call.request, await _context(call, GalleryQuery.read(given)))
    said = frozenset(name for name in LOOK if given.get(name))
    query = _as_chosen(GalleryQuery.read(given), call.request, said)
    if "camera_id" not in given and (cameras := _remembered_cameras(call.request)):
        onwards = web.HTTPSeeOther(query.model_copy(update={"camera_id": cameras}).url())
        _remember_look(onwards, query, said)
        raise onwards
    response = render(call.request, await _context(call, query))
    _remember_look(response, query, said)
    if query.camera_id:
        chosen = ",".join(query.camera_id)[:1000]
        response.set_cookie(CAMERAS_COOKIE, chosen, max_age=REMEMBERED_SECONDS, samesite="Lax", httponly=True, path="/")
    elif ALL_CAMERAS in given.getall("camera_id", []):
        response.del_cookie(CAMERAS_COOKIE, path="/")
    return response


async def cards(call: Call[None, FragmentQuery, None]) -> web.Response:
    """Some events' cards, as the page of the same query shows them. What is gone is left out."""
    ids = list(dict.fromkeys(int(text) for text in call.query.ids.split(",")))
    if len(ids) > FRAGMENT_LIMIT:
        raise InvalidError("ids", f"at most {FRAGMENT_LIMIT}")
    found = await call.parts.events.some(call.principal, ids)
    context = cards_context(
        sorted(found.values(), key=lambda event: (event.timestamp, event.id), reverse=True),
        await call.parts.cameras.everything(call.principal),
        GalleryQuery.read(call.request.query),
        site=site_of(call.request),
        now=datetime.now(UTC),
        work=await _work(call, list(found.values())),
    )
    response = render(call.request, context)
    response.headers["Cache-Control"] = "no-store"
    return response


async def rail(call: Call[None, None, None]) -> web.Response:
    """The cameras' state as every page shows it."""
    cameras = await call.parts.cameras.everything(call.principal)
    response = render(call.request, rail_context(cameras, site=site_of(call.request), now=datetime.now(UTC)))
    response.headers["Cache-Control"] = "no-store"
    return response


async def _context(call: Call[Any, Any, Any], query: GalleryQuery) -> GalleryContext:
    site, now = site_of(call.request), datetime.now(UTC)
    before, after = query.places
    # One beside the other: the database works on one while we make something of the other.
    page, cameras, strip = await asyncio.gather(
        call.parts.finding.find(
            call.principal, query.wanted(site.zone, now), limit=query.limit, before=before, after=after
        ),
        call.parts.cameras.everything(call.principal),
        _strip(call, query, site=site, now=now),
    )
    return gallery_context(
        page,
        cameras,
        query,
        site=site,
        now=now,
        server_url=reached_at(call.request),
        strip=strip,
        work=await _work(call, page.items),
        notice=None if call.parts.storage.is_usable else STORAGE_AWAY,
        may_change=call.principal.role >= Audience.OPERATOR,
    )


async def _strip(call: Call[Any, Any, Any], query: GalleryQuery, *, site: Site, now: datetime) -> StripView | None:
    first, last = strip_days(query, site.zone, now)
    try:
        timeline = await call.parts.timeline.counts(
            call.principal,
            cameras=frozenset(query.camera_id) or None,
            start=day_bounds(first, site.zone)[0],
            end=day_bounds(last, site.zone)[1],
            step="hour" if first == last else "day",
        )
    except InvalidError:
        return None  # too many cameras at once for so long a stretch
    return strip_view(strip_counts(timeline, query), query, site=site, now=now)


async def _work(call: Call[Any, Any, Any], events: Sequence[Event]) -> Work:
    failed = [event.id for event in events if event.mp4_conversion_status is ConversionStatus.FAILED]
    return Work(
        clip_errors=await call.parts.jobs.errors(failed, JobKind.REMUX),
        clip_progress=call.parts.jobs.progress_by_event(JobKind.REMUX),
    )


def _as_chosen(query: GalleryQuery, request: web.Request, said: Collection[str]) -> GalleryQuery:
    """The query as the reader likes it shown, but for what the address says; any text may come as a cookie."""
    view, _, limit = request.cookies.get(LOOK_COOKIE, "").partition("-")
    chosen = GalleryQuery.read({"view": view, "limit": limit})
    return query.model_copy(update={name: getattr(chosen, name) for name in LOOK if name not in said})


def _remember_look(response: web.StreamResponse, query: GalleryQuery, said: Collection[str]) -> None:
    if said:
        look = f"{query.view}-{query.limit}"
        response.set_cookie(LOOK_COOKIE, look, max_age=REMEMBERED_SECONDS, samesite="Lax", httponly=True, path="/")


def _remembered_cameras(request: web.Request) -> tuple[str, ...]:
    return GalleryQuery.read({"camera_id": request.cookies.get(CAMERAS_COOKIE, "")}).camera_id


ROUTES: Final = [
    Route("GET", "/", Audience.PUBLIC, "The gallery, or where the API is", front, page=True),
    Route("GET", "/fragments/events", Audience.VIEWER, "Some events' cards", cards, query_model=FragmentQuery),
    Route("GET", "/fragments/cameras", Audience.VIEWER, "The cameras' state", rail),
]
