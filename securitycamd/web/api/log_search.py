"""``/api/v1/logs/search``, ``/api/v1/logs/stream`` and ``/api/v1/logs/download``."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from aiohttp import web
from pydantic_core import to_json

from securitycamd.domain.errors import DatabaseUnavailableError
from securitycamd.domain.models import LogLine
from securitycamd.domain.principal import Audience
from securitycamd.services.log_search import DOWNLOAD_LIMIT
from securitycamd.web.event_stream import event_stream, write
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.log_search import (
    FoundLinesReply,
    LinesDownloadQuery,
    LinesFollowQuery,
    LinesPageQuery,
    found_reply,
)
from securitycamd.web.schemas.logs import log_reply

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.3
"""How long one answer may look for lines; who asks goes on from where it ended."""
SILENCE_SECONDS: Final = 10.0
"""So often something is written, that both sides notice a connection that is gone."""
RETRY_MILLISECONDS: Final = 2000
_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


async def search_logs(call: Call[None, LinesPageQuery, None]) -> web.Response:
    """Lines from a place onwards."""
    query, zone = call.query, call.parts.settings.current.site.zone
    service, wanted = call.parts.log_search, query.wanted(zone)
    if (after := query.after_place) is not None:
        found = await service.newer(call.principal, wanted, after, limit=query.limit, seconds=LOOK_SECONDS)
    else:
        found = await service.older(call.principal, wanted, query.before_place, limit=query.limit, seconds=LOOK_SECONDS)
    return json_reply(found_reply(found, zone))


async def follow_logs(call: Call[None, LinesFollowQuery, None]) -> web.StreamResponse:
    """Lines as they come, as server-sent events."""
    zone = call.parts.settings.current.site.zone
    told = call.request.headers.get("Last-Event-ID", "")
    after_id = int(told) if told.isascii() and told.isdecimal() and len(told) <= 18 else call.query.after_id
    tail = call.parts.log_tail
    response = event_stream()
    if call.request.method == "HEAD":
        await response.prepare(call.request)
        return response
    async with aclosing(tail.follow(call.principal, call.query.wanted(zone), after_id)) as news:
        silent_since = 0.0
        clock = asyncio.get_running_loop().time
        try:
            async for item in news:
                text = ""
                if not response.prepared:
                    await response.prepare(call.request)
                    text = f"retry: {RETRY_MILLISECONDS}\nevent: ready\nid: {item.newest_id}\ndata: {{}}\n\n"
                if item.lines or item.skipped:
                    data = {"lines": [log_reply(line, zone) for line in item.lines], "skipped": item.skipped}
                    text += f"event: lines\nid: {item.newest_id}\ndata: {to_json(data).decode()}\n\n"
                if not text and clock() - silent_since > SILENCE_SECONDS:
                    text = ": still here\n\n"
                if text:
                    silent_since = clock()
                    await write(response, text)
        except (ConnectionError, TimeoutError):
            pass  # the reader went away, or takes nothing
        except DatabaseUnavailableError:
            if not response.prepared:
                raise
            # The reader comes again after a moment, and is then told what it missed.
            with suppress(ConnectionError, TimeoutError):
                await write(response, "event: away\ndata: {}\n\n")
    return response


async def download_logs(call: Call[None, LinesDownloadQuery, None]) -> web.StreamResponse:
    """Lines as a file, the oldest first, read and written in pieces."""
    settings, query = call.parts.settings.current, call.query
    zone = settings.site.zone
    download = await call.parts.log_search.download(call.principal, query.wanted(zone))
    kind, extension = ("text/plain", "txt") if query.format == "text" else ("application/x-ndjson", "jsonl")
    name = file_name(settings.site.name, datetime.now(UTC).astimezone(zone), extension)
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
    )
    render = _as_text if query.format == "text" else _as_json
    # The first piece before the first byte: a database that is away is still an answer, not a broken file.
    async for lines in download.pieces:
        if not response.prepared:
            await response.prepare(call.request)
            if download.is_cut and query.format == "text":
                await write(
                    response,
                    f"# The newest {DOWNLOAD_LIMIT:,} lines of what was asked for; ask for fewer days for more.\n",
                )
        await write(response, render(lines, zone))
    if not response.prepared:
        await response.prepare(call.request)
    await response.write_eof()
    return response


def file_name(site_name: str, now: datetime, extension: str) -> str:
    """A name that says whose lines they are, and when they were fetched."""
    site = re.sub(r"[^a-z0-9]+", "-", site_name.casefold()).strip("-") or "site"
    return f"logs-{site}-{now:%Y%m%d-%H%M}.{extension}"


def _as_text(lines: Sequence[LogLine], zone: ZoneInfo) -> str:
    return "".join(f"{line_text(line, zone)}\n" for line in lines)


def line_text(line: LogLine, zone: ZoneInfo) -> str:
    """A line as one line of text: what an agent says cannot begin another."""
    local = line.timestamp.astimezone(zone)
    message = _BREAKS.sub(" ", line.message)
    source = _BREAKS.sub(" ", line.source)
    return f"{local.isoformat(sep=' ', timespec='milliseconds')} {line.level:<7} {source}: {message}"


def _as_json(lines: Sequence[LogLine], zone: ZoneInfo) -> str:
    return "".join(f"{to_json(log_reply(line, zone)).decode()}\n" for line in lines)


ROUTES: Final = [
    Route(
        "GET",
        "/api/v1/logs/search",
        Audience.OPERATOR,
        "Look for log lines, page by page",
        search_logs,
        tag="logs",
        query_model=LinesPageQuery,
        replies={200: FoundLinesReply},
        description="Several sources and levels at once, and a text. An answer takes a bounded time, however many lines"
        " there are: with `is_cut_short` it had to stop looking, and goes on when asked again from `further`.",
    ),
]
# Not in the reference: what they answer is no JSON. docs/logs.md describes them.
STREAM_ROUTES: Final = [
    Route(
        "GET",
        "/api/v1/logs/stream",
        Audience.OPERATOR,
        "Log lines as they come",
        follow_logs,
        query_model=LinesFollowQuery,
    ),
    Route(
        "GET",
        "/api/v1/logs/download",
        Audience.OPERATOR,
        "Log lines as a file",
        download_logs,
        query_model=LinesDownloadQuery,
    ),
]
