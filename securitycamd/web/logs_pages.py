"""The page of log lines."""

from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.web.pages import render, site_of
from securitycamd.web.registry import Call, Route
from securitycamd.web.schemas.log_search import LinesPageQuery
from securitycamd.web.ui.logs_view import LOGS_URL, ROWS, logs_context

LINES_SHOWN: Final = 200
LOOK_SECONDS: Final = 0.01
"""The page is quick: what a search does not find at once is a link, or the script's to go on with."""


async def logs(call: Call[None, Any, None]) -> web.Response:
    """Lines, the newest at the end."""
    site, now = site_of(call.request), datetime.now(UTC)
    query = LinesPageQuery.read(call.request.query)
    query = query.model_copy(update={"limit": min(query.limit, LINES_SHOWN)})
    service, wanted = call.parts.log_search, query.wanted(site.zone)
    if (after := query.after_place) is not None:
        found = await service.newer(call.principal, wanted, after, limit=query.limit, seconds=LOOK_SECONDS)
    else:
        found = await service.older(call.principal, wanted, query.before_place, limit=query.limit, seconds=LOOK_SECONDS)
    asked = call.request.query.get("rows", "")
    context = logs_context(
        found,
        query,
        cameras=await call.parts.cameras.everything(call.principal),
        sources=await service.sources(call.principal),
        total=await service.count(call.principal, wanted),
        rows=next((number for number in ROWS if str(number) == asked), ROWS[0]),
        site=site,
        now=now,
    )
    return render(call.request, context)


ROUTES: Final = [Route("GET", LOGS_URL, Audience.OPERATOR, "Log lines", logs, page=True)]
