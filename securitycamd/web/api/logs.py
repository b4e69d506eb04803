"""``/api/v1/logs``."""

from typing import Final

from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.logs import LogEntry, LogListReply, LogQuery, LogsInserted, log_reply


async def ingest(call: Call[None, None, list[LogEntry]]) -> web.Response:
    """Keep a batch of lines."""
    inserted = await call.parts.logs.add(call.principal, call.body)
    return json_reply({"logs_inserted": inserted}, 201)


async def list_logs(call: Call[None, LogQuery, None]) -> web.Response:
    """A page of lines."""
    query, zone = call.query, call.parts.settings.current.site.zone
    page = await call.parts.logs.newest(call.principal, query.wanted(zone), limit=query.limit, offset=query.offset)
    return json_reply(
        {
            "logs": [log_reply(line, zone) for line in page.items],
            "total": page.total,
            "limit": page.limit,
            "offset": page.offset,
        }
    )


ROUTES: Final = [
    Route(
        "POST",
        "/api/v1/logs",
        Audience.AGENT,
        "Report log lines",
        ingest,
        tag="logs",
        body=list[LogEntry],
        replies={201: LogsInserted},
        description="All lines of the batch are kept, or, when one is invalid, none. An empty batch gets 400.",
    ),
    Route(
        "GET",
        "/api/v1/logs",
        Audience.OPERATOR,
        "List log lines, newest first",
        list_logs,
        tag="logs",
        query_model=LogQuery,
        replies={200: LogListReply},
    ),
]
