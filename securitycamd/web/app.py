"""The aiohttp application: routes, middleware, pages and the services they speak to."""

from typing import Final

import aiohttp_jinja2
from aiohttp import web

from securitycamd.web import (
    camera_pages,
    digest_pages,
    docs_pages,
    event_pages,
    gallery_pages,
    keys,
    legacy_pages,
    live_pages,
    live_socket,
    logs_pages,
    pages,
    rerun_pages,
    static,
    stray_pages,
    system_pages,
    theme,
)
from securitycamd.web.api import (
    ai,
    camera_admin,
    cameras,
    digests,
    events,
    finding,
    jobs,
    live,
    log_search,
    logs,
    media,
    reference,
    retention,
    review,
    storage,
    storage_check,
    strays,
    stream,
    system,
    system_state,
    uploads,
)
from securitycamd.web.assets import read_assets
from securitycamd.web.middleware import guard, scope, tell_errors
from securitycamd.web.registry import Route, add_routes
from securitycamd.web.ui.environment import environment_options, finish_environment

API_ROUTES: Final[list[Route]] = [
    *cameras.ROUTES,
    *camera_admin.ROUTES,
    *events.ROUTES,
    *finding.ROUTES,
    *digests.ROUTES,
    *jobs.ROUTES,
    *ai.ROUTES,
    *uploads.ROUTES,
    *live.ROUTES,
    *logs.ROUTES,
    *log_search.ROUTES,
    *retention.ROUTES,
    *review.ROUTES,
    *strays.ROUTES,
    *storage.ROUTES,
    *storage_check.ROUTES,
    *system.ROUTES,
    *system_state.ROUTES,
]
ALL_ROUTES: Final[list[Route]] = [
    *API_ROUTES,
    *reference.ROUTES,
    *media.ROUTES,
    *static.ROUTES,
    *gallery_pages.ROUTES,
    *pages.ROUTES,
    *docs_pages.ROUTES,
    *live_socket.ROUTES,
    *live_pages.ROUTES,
    *event_pages.ROUTES,
    *legacy_pages.ROUTES,
    *stray_pages.ROUTES,
    *digest_pages.ROUTES,
    *logs_pages.ROUTES,
    *system_pages.ROUTES,
    *rerun_pages.ROUTES,
    *stream.ROUTES,
    *camera_pages.ROUTES,
    *log_search.STREAM_ROUTES,
    *theme.ROUTES,
    *ai.PAGE_ROUTES,
]


def make_app(parts: keys.Parts) -> web.Application:
    """Build the application. Reads every template and static file's hash: not for a running loop's hot path."""
    app = web.Application(
        middlewares=[scope, tell_errors, guard],
        client_max_size=parts.settings.current.server.max_body_bytes,
    )
    app[keys.PARTS] = parts

    async def end_streams(_: web.Application) -> None:
        # They would hold up the stop until its time is over.
        parts.changes.close()
        parts.log_tail.close()

    app.on_shutdown.append(end_streams)
    app[reference.DOCUMENT] = reference.document_of(API_ROUTES, parts.settings.current.site.name)
    app[keys.ASSETS] = assets = read_assets()
    environment = finish_environment(aiohttp_jinja2.setup(app, **environment_options()), assets)
    app[docs_pages.REFERENCE] = docs_pages.Reference(app[reference.DOCUMENT], environment)
    live_socket.install(app)
    add_routes(app, ALL_ROUTES)
    return app
