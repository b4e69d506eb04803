"""``/api/v1/stream``: what changes, as it is committed, as server-sent events. See ``docs/stream.md``."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field
from pydantic_core import to_json

from securitycamd.domain.changes import Change, What
from securitycamd.domain.errors import DatabaseUnavailableError
from securitycamd.domain.principal import Audience
from securitycamd.services.changes import ChangeHub, News, Watcher
from securitycamd.web.event_stream import event_stream, write
from securitycamd.web.registry import Call, Input, Route

HEARTBEAT_SECONDS: Final = 15.0
"""A line that says nothing, so that neither side nor anything between takes the connection for dead."""
GATHER_SECONDS: Final = 0.25
"""What changes together is told together."""
RETRY_MS: Final = 2000


class StreamQuery(Input):
    """``?since=``, for those who come back."""

    since: Annotated[str | None, Field(max_length=40, description="the id of the last event that was seen")] = None


async def stream(call: Call[None, StreamQuery, None]) -> web.StreamResponse:
    """Changes until the reader goes or the server stops."""
    hub = call.parts.changes
    since = call.request.headers.get("Last-Event-ID") or call.query.since
    response = event_stream()
    if call.request.method == "HEAD":
        await response.prepare(call.request)
        return response
    with hub.watch(since) as watcher, suppress(ConnectionError, TimeoutError):
        await response.prepare(call.request)
        hello = f"retry: {RETRY_MS}\nid: {hub.start}-{watcher.first}\nevent: hello\ndata: {{}}\n\n"
        await write(response, hello)
        await _tell(call, response, hub, watcher)
    return response


async def _tell(
    call: Call[None, StreamQuery, None], response: web.StreamResponse, hub: ChangeHub, watcher: Watcher
) -> None:
    while not watcher.is_closed:
        if not await watcher.wait(HEARTBEAT_SECONDS):
            await write(response, ": still here\n\n")
            continue
        await asyncio.sleep(GATHER_SECONDS)
        news = watcher.take(hub.start)
        text = await _text(call, news)
        if text and not watcher.is_closed:
            await write(response, text)


async def _text(call: Call[None, StreamQuery, None], news: News) -> str:
    changes: Iterable[Change] = news.changes
    is_everything = news.is_everything
    if call.principal.cameras is not None:
        try:
            changes = await _visible(call, news.changes)
        except DatabaseUnavailableError:
            changes, is_everything = (), True
    if is_everything:
        return f"id: {news.mark}\nevent: reload\ndata: {{}}\n\n"
    told = [_reply(change) for change in changes]
    return f"id: {news.mark}\nevent: changes\ndata: {to_json(told).decode()}\n\n" if told else ""


async def _visible(call: Call[None, StreamQuery, None], changes: Iterable[Change]) -> list[Change]:
    """Those of them that the reader may know of."""
    changes = list(changes)
    unknown = [change.event_id for change in changes if change.camera_id is None and change.event_id is not None]
    seen = await call.parts.events.some(call.principal, unknown)
    return [
        change
        for change in changes
        if (change.event_id in seen if change.camera_id is None else call.principal.may_see(change.camera_id))
    ]


def _reply(change: Change) -> dict[str, object]:
    if change.what is What.CAMERA:
        return {"what": change.what, "camera_id": change.camera_id}
    told: dict[str, object] = {"what": change.what, "id": change.event_id}
    if change.camera_id is not None:
        told["camera_id"] = change.camera_id
    if change.progress is not None:
        told["progress"] = round(change.progress, 3)
    return told


ROUTES: Final = [
    # Not in the reference: its reply has no end, and no schema could say what is in it.
    Route("GET", "/api/v1/stream", Audience.VIEWER, "What changes, as it changes", stream, query_model=StreamQuery)
]
