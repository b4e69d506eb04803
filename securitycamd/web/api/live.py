"""``/api/v1/live``."""

from typing import Final

from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.live import StreamReply, stream_reply


async def streams(call: Call[None, None, None]) -> web.Response:
    """The streams of all cameras."""
    return json_reply([stream_reply(status) for status in await call.parts.live.statuses(call.principal)])


ROUTES: Final = [
    Route(
        "GET",
        "/api/v1/live",
        Audience.VIEWER,
        "The live streams of all cameras",
        streams,
        tag="live",
        replies={200: list[StreamReply]},
        description="Looking starts nothing. While a stream is not `idle`, the camera does not look for motion.",
    )
]
