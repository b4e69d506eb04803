"""The pages of the days' reports."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web

from securitycamd.domain.errors import NotFoundError
from securitycamd.domain.principal import Audience
from securitycamd.web.pages import render, site_of
from securitycamd.web.registry import Call, Route
from securitycamd.web.schemas.digests import DigestPath, read_day
from securitycamd.web.ui.digest_view import DIGESTS_URL, PAGE_SIZE, digest_context, digest_url, digests_context

_ONE: Final = f"{DIGESTS_URL}/{{date}}"


async def digests(call: Call[Any, Any, Any]) -> web.Response:
    """All reports, newest first."""
    before = read_day(call.request.query.get("before", ""))
    found = await call.parts.digests.newest(call.principal, before=before, limit=PAGE_SIZE + 1)
    context = digests_context(
        found,
        await call.parts.cameras.everything(call.principal),
        site=site_of(call.request),
        now=datetime.now(UTC),
        due=_due(call),
        is_first=before is None,
        may_change=call.principal.role >= Audience.OPERATOR,
    )
    return render(call.request, context)


async def digest(call: Call[DigestPath, None, None]) -> web.Response:
    """The report of a day."""
    service, day = call.parts.digests, call.path.date
    found = await service.get(call.principal, day)
    earlier = await service.newest(call.principal, before=day, limit=1)
    context = digest_context(
        found,
        await call.parts.cameras.everything(call.principal),
        site=site_of(call.request),
        now=datetime.now(UTC),
        due=_due(call),
        there=await service.still_there(found),
        earlier=earlier[0].day if earlier else None,
        later=await _later(call),
        may_change=call.principal.role >= Audience.OPERATOR,
    )
    return render(call.request, context)


def _due(call: Call[Any, Any, Any]) -> str | None:
    settings = call.parts.settings.current.digest
    return settings.time if settings.enabled else None


async def _later(call: Call[DigestPath, None, None]) -> Any:
    """The day after, where it has a report."""
    try:
        return (await call.parts.digests.get(call.principal, call.path.date + timedelta(days=1))).day
    except (NotFoundError, OverflowError):
        return None


async def write(call: Call[DigestPath, None, None]) -> web.Response:
    """Have a report written anew, and show it."""
    await call.parts.digests.request(call.principal, call.path.date)
    raise web.HTTPSeeOther(digest_url(call.path.date))


ROUTES: Final = [
    Route("GET", DIGESTS_URL, Audience.VIEWER, "Reports of the days", digests, page=True),
    Route("GET", _ONE, Audience.VIEWER, "The report of a day", digest, path_model=DigestPath, page=True),
    Route("POST", _ONE, Audience.OPERATOR, "Have it written anew", write, path_model=DigestPath, page=True),
]
