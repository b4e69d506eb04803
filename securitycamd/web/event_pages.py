"""The page of one event, and what its forms do. With scripts the page does the same through the API."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from securitycamd.domain.errors import NotFoundError, StorageUnavailableError
from securitycamd.domain.jobs import JobKind
from securitycamd.domain.models import Event, LogFilter, LogLine, Neighbours, Page
from securitycamd.domain.principal import Audience
from securitycamd.domain.times import Span
from securitycamd.services.review import Change
from securitycamd.web import keys
from securitycamd.web.pages import render, site_of
from securitycamd.web.registry import Call, Input, Route, read_form
from securitycamd.web.ui.event_view import AROUND, Around, event_context
from securitycamd.web.ui.query import GalleryQuery

LINES_AROUND: Final = 200
SIZES_SECONDS: Final = 1.0
"""The page does without the sizes of files while the storage takes longer to tell."""


class EventPagePath(Input):
    """``{id}``: what no event is called is simply not there."""

    id: str

    @property
    def number(self) -> int:
        """The event's id.

        Raises:
            NotFoundError: no event can be called so.
        """
        return event_number(self.id)


class RetryPath(EventPagePath):
    """``{id}`` and ``{kind}``."""

    kind: JobKind


def event_number(text: str) -> int:
    """An event's id as people and old links write it.

    Raises:
        NotFoundError: no event can be called so.
    """
    digits = text.strip()
    # Bounded: int() of a very long numeral is slow, and refused by newer Pythons.
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10):
        raise NotFoundError("There is no such event: events are called by their numbers.")
    return int(digits)


async def event(call: Call[EventPagePath, None, None]) -> web.Response:
    """One event."""
    found = await call.parts.events.get(call.principal, call.path.number)
    query = GalleryQuery.read(call.request.query)
    cameras, around = await asyncio.gather(call.parts.cameras.everything(call.principal), _around(call, found, query))
    context = event_context(
        found,
        cameras,
        around,
        site=site_of(call.request),
        now=datetime.now(UTC),
        query=query,
        may_change=call.principal.role >= Audience.OPERATOR,
    )
    return render(call.request, context)


async def _around(call: Call[Any, Any, Any], found: Event, query: GalleryQuery) -> Around:
    """What is known of an event beside its row; each part by itself, as none needs another."""
    jobs, history, sizes, lines, beside, analysis = await asyncio.gather(
        call.parts.jobs.of_event(found.id),
        call.parts.review.history(call.principal, found),
        _sizes(call.app, found.paths),
        _lines(call, found),
        _beside(call, found, query),
        call.parts.ai_status.of_event(call.principal, found.id),
    )
    return Around(
        jobs=jobs,
        history=history,
        sizes=sizes,
        lines=None if lines is None else lines.items,
        lines_total=0 if lines is None else lines.total,
        analysis=analysis,
        earlier=beside.older,
        later=beside.newer,
        frame_rate=call.parts.settings.current.converter.frame_rate_of(found.camera_id),
    )


async def _lines(call: Call[Any, Any, Any], found: Event) -> Page[LogLine] | None:
    """What the camera wrote into its log around the event; for those who may read the log."""
    if call.principal.role < Audience.OPERATOR:
        return None
    wanted = LogFilter(source=found.camera_id, span=Span(found.timestamp - AROUND, found.timestamp + AROUND))
    return await call.parts.logs.newest(call.principal, wanted, limit=LINES_AROUND, offset=0)


async def _beside(call: Call[Any, Any, Any], found: Event, query: GalleryQuery) -> Neighbours:
    """The events next to one, within the filter that the reader came from."""
    wanted = query.wanted(call.parts.settings.current.site.zone)
    return await call.parts.finding.neighbours(call.principal, wanted, found)


async def _sizes(app: web.Application, paths: Sequence[str]) -> dict[str, int] | None:
    """Bytes of the files that are there; ``None``: the storage does not answer, or is not the right one."""
    files = app[keys.PARTS].files
    try:
        if files.guard is not None:
            files.guard.require()
        async with asyncio.timeout(SIZES_SECONDS):
            sizes = await files.each_size(paths)
            if len(sizes) < len(set(paths)):
                # Without the root nobody can tell which files are gone.
                await files.disk()
    except (TimeoutError, PermissionError, StorageUnavailableError):
        return None
    return sizes


def _back(call: Call[Any, Any, Any], event_id: int) -> web.HTTPSeeOther:
    """Back to the event's page, with the filter that the reader came from."""
    return web.HTTPSeeOther(GalleryQuery.read(call.request.query).url(f"/events/{event_id}"))


async def _change(call: Call[EventPagePath, None, None], change: Change) -> web.Response:
    await call.parts.review.change(call.principal, call.path.number, change)
    raise _back(call, call.path.number)


async def star(call: Call[EventPagePath, None, None]) -> web.Response:
    """Keep an event for good."""
    return await _change(call, Change(starred=True))


async def unstar(call: Call[EventPagePath, None, None]) -> web.Response:
    """Keep it no longer than others."""
    return await _change(call, Change(starred=False))


async def review(call: Call[EventPagePath, None, None]) -> web.Response:
    """Say that it was seen."""
    return await _change(call, Change(reviewed=True))


async def unreview(call: Call[EventPagePath, None, None]) -> web.Response:
    """Say that it is to be seen."""
    return await _change(call, Change(reviewed=False))


async def note(call: Call[EventPagePath, None, None]) -> web.Response:
    """Keep an operator's words on it."""
    return await _change(call, Change(note=(await read_form(call.request)).get("note", "")))


async def retry(call: Call[RetryPath, None, None]) -> web.Response:
    """Have work on an event tried again, and go back to its page."""
    await call.parts.retries.retry(call.principal, call.path.number, call.path.kind)
    raise _back(call, call.path.number)


async def delete_event(call: Call[EventPagePath, None, None]) -> web.Response:
    """Remove an event; on to the next one. The form says what goes before it is sent."""
    query = GalleryQuery.read(call.request.query)
    found = await call.parts.events.get(call.principal, call.path.number)
    beside = await _beside(call, found, query)
    await call.parts.removal.delete(call.principal, found.id)
    following = beside.older or beside.newer
    raise web.HTTPSeeOther(query.url("/" if following is None else f"/events/{following}"))


def _form(path: str, summary: str, handler: Any) -> Route:
    model = RetryPath if "{kind}" in path else EventPagePath
    return Route("POST", path, Audience.OPERATOR, summary, handler, path_model=model, page=True)


ROUTES: Final = [
    Route("GET", "/events/{id}", Audience.VIEWER, "One event", event, path_model=EventPagePath, page=True),
    _form("/events/{id}/star", "Star an event", star),
    _form("/events/{id}/unstar", "Take the star away", unstar),
    _form("/events/{id}/review", "Say that an event was reviewed", review),
    _form("/events/{id}/unreview", "Say that an event is to be reviewed", unreview),
    _form("/events/{id}/note", "Write a note on an event", note),
    _form("/events/{id}/retry/{kind}", "Have work on an event tried again", retry),
    _form("/events/{id}/delete", "Remove an event", delete_event),
]
