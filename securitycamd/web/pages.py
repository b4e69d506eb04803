"""The pages: each handler gathers, lets a builder make the context, and renders."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp_jinja2
from aiohttp import web

from securitycamd.domain.errors import DomainError, StorageUnavailableError
from securitycamd.domain.jobs import JobKind
from securitycamd.domain.models import Camera
from securitycamd.domain.names import ConversionStatus
from securitycamd.domain.principal import Audience, Principal
from securitycamd.services.review import Change
from securitycamd.web import keys
from securitycamd.web.registry import Call, Route
from securitycamd.web.schemas.events import EventPath
from securitycamd.web.theme import chosen_theme
from securitycamd.web.ui.contexts import Site
from securitycamd.web.ui.event_view import event_context
from securitycamd.web.ui.frame import docs_context, error_context
from securitycamd.web.ui.page_contexts import PageContext, template_values
from securitycamd.web.ui.query import GalleryQuery
from securitycamd.web.ui.storage_view import storage_context

SIZES_SECONDS: Final = 1.0
"""So long a page waits for what it can be shown without."""


def render(request: web.Request, template: str, context: PageContext, status: int = 200) -> web.Response:
    """A page of a template."""
    response = aiohttp_jinja2.render_template(template, request, template_values(context))
    response.set_status(status)
    response.headers["Cache-Control"] = "no-cache"
    return response


def site_of(request: web.Request) -> Site:
    """What builders must know of the site, and how this reader wants to see it."""
    return replace(Site.of(request.app[keys.SETTINGS].current), theme=chosen_theme(request))


async def event(call: Call[EventPath, None, None]) -> web.Response:
    """One event."""
    found = await call.app[keys.EVENTS].get(call.principal, call.path.id)
    errors: Mapping[int, str] = {}
    if found.mp4_conversion_status is ConversionStatus.FAILED:
        errors = await call.app[keys.JOBS].errors([found.id], JobKind.REMUX)
    context = event_context(
        found,
        await call.app[keys.CAMERAS].everything(call.principal),
        site=site_of(call.request),
        now=datetime.now(UTC),
        query=GalleryQuery.read(call.request.query),
        clip_error=errors.get(found.id),
        file_sizes=await _sizes(call, found.paths),
        may_change=call.principal.role >= Audience.OPERATOR,
    )
    return render(call.request, "event.html", context)


async def _sizes(call: Call[Any, Any, Any], paths: Sequence[str]) -> Mapping[str, int]:
    """Bytes of files that are there; a page does without them while the storage does not answer."""
    try:
        async with asyncio.timeout(SIZES_SECONDS):
            return await call.app[keys.FILES].each_size(paths)
    except (TimeoutError, StorageUnavailableError):
        return {}


async def retry_conversion(call: Call[EventPath, None, None]) -> web.Response:
    """Have the clip of an event converted again, and go back to its page."""
    await call.app[keys.RETRIES].retry(call.principal, call.path.id, JobKind.REMUX)
    raise web.HTTPSeeOther(f"/events/{call.path.id}")


async def star(call: Call[EventPath, None, None]) -> web.Response:
    """Keep an event for good."""
    await call.app[keys.REVIEW].change(call.principal, call.path.id, Change(starred=True))
    raise web.HTTPSeeOther(f"/events/{call.path.id}")


async def unstar(call: Call[EventPath, None, None]) -> web.Response:
    """Keep it no longer than others."""
    await call.app[keys.REVIEW].change(call.principal, call.path.id, Change(starred=False))
    raise web.HTTPSeeOther(f"/events/{call.path.id}")


async def delete_event(call: Call[EventPath, None, None]) -> web.Response:
    """Remove an event. The form says what goes before it is sent."""
    await call.app[keys.REMOVAL].delete(call.principal, call.path.id)
    raise web.HTTPSeeOther("/")


async def storage(call: Call[None, None, None]) -> web.Response:
    """What is kept, what goes next and why."""
    context = storage_context(
        await call.app[keys.RETENTION].report(call.principal),
        await call.app[keys.CAMERAS].everything(call.principal),
        site=site_of(call.request),
    )
    return render(call.request, "storage.html", context)


async def docs(call: Call[None, None, None]) -> web.Response:
    """The interactive API reference."""
    cameras = await _cameras_if_known(call.request, call.principal)
    return render(call.request, "docs.html", docs_context(cameras, site=site_of(call.request), now=datetime.now(UTC)))


async def _cameras_if_known(request: web.Request, principal: Principal) -> list[Camera] | None:
    if principal.role < Audience.VIEWER:
        return None
    try:
        return await request.app[keys.CAMERAS].everything(principal)
    except DomainError:
        return None


def error_page(request: web.Request, status: int, title: str, sentence: str) -> web.Response:
    """A page about what went wrong."""
    context = error_context(
        status,
        sentence,
        site=site_of(request),
        now=datetime.now(UTC),
        title=title,
        retry_url=request.path_qs if status >= 500 and request.method == "GET" else None,
    )
    return render(request, "error.html", context, status)


ROUTES: Final = [
    Route("GET", "/events/{id}", Audience.VIEWER, "One event", event, path_model=EventPath, page=True),
    Route("POST", "/events/{id}/star", Audience.OPERATOR, "Star an event", star, path_model=EventPath, page=True),
    Route(
        "POST", "/events/{id}/unstar", Audience.OPERATOR, "Take the star away", unstar, path_model=EventPath, page=True
    ),
    Route(
        "POST",
        "/events/{id}/delete",
        Audience.OPERATOR,
        "Remove an event",
        delete_event,
        path_model=EventPath,
        page=True,
    ),
    Route("GET", "/retention", Audience.OPERATOR, "What is kept, and what goes next", storage, page=True),
    Route(
        "POST",
        "/events/{id}/retry",
        Audience.OPERATOR,
        "Convert the clip of an event again",
        retry_conversion,
        path_model=EventPath,
        page=True,
    ),
    Route("GET", "/docs", Audience.PUBLIC, "The API reference", docs, page=True),
]
