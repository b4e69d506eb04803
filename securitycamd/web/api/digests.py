"""``/api/v1/digests``: the reports of the days."""

from typing import Final

from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.digests import DigestPath, DigestQuery, DigestReply, digest_reply


async def list_digests(call: Call[None, DigestQuery, None]) -> web.Response:
    """Reports, newest first."""
    zone = call.parts.settings.current.site.zone
    found = await call.parts.digests.newest(call.principal, before=call.query.before, limit=call.query.limit)
    return json_reply([digest_reply(digest, zone) for digest in found])


async def get_digest(call: Call[DigestPath, None, None]) -> web.Response:
    """The report of a day."""
    digest = await call.parts.digests.get(call.principal, call.path.date)
    return json_reply(digest_reply(digest, call.parts.settings.current.site.zone))


async def write_digest(call: Call[DigestPath, None, None]) -> web.Response:
    """Have it written anew."""
    digest = await call.parts.digests.request(call.principal, call.path.date)
    return json_reply(digest_reply(digest, call.parts.settings.current.site.zone))


ROUTES: Final = [
    Route(
        "GET",
        "/api/v1/digests",
        Audience.VIEWER,
        "Reports of the days, newest first",
        list_digests,
        tag="digests",
        query_model=DigestQuery,
        replies={200: list[DigestReply]},
    ),
    Route(
        "GET",
        "/api/v1/digests/{date}",
        Audience.VIEWER,
        "The report of a day",
        get_digest,
        tag="digests",
        path_model=DigestPath,
        replies={200: DigestReply},
    ),
    Route(
        "POST",
        "/api/v1/digests/{date}",
        Audience.OPERATOR,
        "Have the report of a day written anew",
        write_digest,
        tag="digests",
        path_model=DigestPath,
        replies={200: DigestReply},
        description="It is `waiting` until the text model has written it.",
    ),
]
