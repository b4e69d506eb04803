"""``/api/v1/system``."""

from typing import Final

from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.web.api.ai import ai_now
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.system_state import SystemReply, system_reply


async def system_state(call: Call[None, None, None]) -> web.Response:
    """Everything that an operator asks of the server."""
    report = await call.parts.system.report(call.principal)
    zone = call.parts.settings.current.site.zone
    return json_reply(system_reply(report, call.parts.health.report, await ai_now(call), zone))


ROUTES: Final = [
    Route(
        "GET",
        "/api/v1/system",
        Audience.OPERATOR,
        "The state of the whole server",
        system_state,
        tag="system",
        replies={200: SystemReply},
        description="Tasks, queues, health, the AI server, database, process, versions and settings, as the system"
        " page shows them.",
    )
]
