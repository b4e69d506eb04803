"""The pages: each handler gathers, lets a builder make the context, and renders."""

import gzip
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import aiohttp_jinja2
from aiohttp import web

from securitycamd.domain.models import Camera
from securitycamd.domain.principal import NOBODY, Audience, Principal
from securitycamd.services.patience import if_there
from securitycamd.web import keys
from securitycamd.web.assets import accepts_gzip
from securitycamd.web.registry import MARK, PRINCIPAL, Call, Route
from securitycamd.web.theme import chosen_theme
from securitycamd.web.ui.contexts import PageContext, Site
from securitycamd.web.ui.describing_view import TASK as ANALYSER
from securitycamd.web.ui.frame import error_context
from securitycamd.web.ui.storage_view import storage_context

PACKED_FROM_BYTES: Final = 8_000
STORAGE_AWAY: Final = "The footage storage is not there. Nothing is removed until it is back."


def render(request: web.Request, context: PageContext, status: int = 200) -> web.Response:
    """A page."""
    response = aiohttp_jinja2.render_template(context.template, request, context.values())
    response.set_status(status)
    response.headers["Cache-Control"] = "no-cache"
    response.headers.add("Vary", "Accept-Encoding")
    body = response.body
    if isinstance(body, bytes) and len(body) > PACKED_FROM_BYTES and accepts_gzip(request):
        # The quickest level: a millisecond, for a sixth of the bytes on the way to a phone.
        response.body = gzip.compress(body, compresslevel=1, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
    return response


def site_of(request: web.Request) -> Site:
    """What builders must know of the site, and how this reader wants to see it."""
    parts = request.app[keys.PARTS]
    site = Site.of(parts.settings.current)
    held = "An operator paused the descriptions." if parts.supervisor.is_paused(ANALYSER) else parts.ai_status.held
    return replace(site, held=held or "", theme=chosen_theme(request), mark=request[MARK])


def reached_at(request: web.Request) -> str:
    """Where the reader reaches this server: ``http://host:8000``."""
    return f"{request.scheme}://{request.headers.get('Host', 'localhost')}"


async def storage(call: Call[None, None, None]) -> web.Response:
    """What is kept, what goes next and why."""
    context = storage_context(
        await call.parts.retention.report(call.principal),
        await call.parts.cameras.everything(call.principal),
        site=site_of(call.request),
        notice=None if call.parts.storage.is_usable else STORAGE_AWAY,
    )
    return render(call.request, context)


async def cameras_if_known(request: web.Request, principal: Principal) -> list[Camera] | None:
    """The cameras for the frame of a page that has something to say without the database, too."""
    if principal.role < Audience.VIEWER:
        return None
    return await if_there(request.app[keys.PARTS].cameras.everything(principal))


async def error_page(request: web.Request, status: int, title: str, sentence: str) -> web.Response:
    """A page about what went wrong; where that is on our side, without a look into the database."""
    cameras = None if status >= 500 else await cameras_if_known(request, request.get(PRINCIPAL, NOBODY))
    context = error_context(
        status,
        sentence,
        site=site_of(request),
        now=datetime.now(UTC),
        title=title,
        cameras=cameras,
        retry_url=request.path_qs if status >= 500 and request.method == "GET" else None,
    )
    return render(request, context, status)


ROUTES: Final = [
    Route("GET", "/retention", Audience.OPERATOR, "What is kept, and what goes next", storage, page=True),
]
