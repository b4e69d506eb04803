"""``/api/v1/ai``, and how an event's description came about."""

from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from securitycamd.domain.jobs import JobKind
from securitycamd.domain.principal import Audience
from securitycamd.services.reruns import Rerun
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.ai import AiReply, AnalysisReply, RerunBody, RerunReply, ai_reply, analysis_reply
from securitycamd.web.schemas.events import EventPath
from securitycamd.web.schemas.jobs import RetriedReply
from securitycamd.web.ui.describing_view import TASK as ANALYSER
from securitycamd.web.ui.query import GalleryQuery


async def ai_status(call: Call[None, None, None]) -> web.Response:
    """How the descriptions stand."""
    return json_reply(await ai_now(call))


async def ai_now(call: Call[None, None, None]) -> dict[str, Any]:
    """The same as :class:`AiReply` describes it."""
    paused = call.parts.supervisor.is_paused(ANALYSER)
    zone = call.parts.settings.current.site.zone
    return ai_reply(await call.parts.ai_status.status(), zone, paused=paused, now=datetime.now(UTC))


async def analysis_of_event(call: Call[EventPath, None, None]) -> web.Response:
    """How an event's description came about."""
    record = await call.parts.ai_status.of_event(call.principal, call.path.id)
    return json_reply(analysis_reply(call.path.id, record, call.parts.settings.current.site.zone))


async def rerun_event(call: Call[EventPath, None, None]) -> web.Response:
    """Describe an event once more."""
    await call.parts.reruns.one(call.principal, call.path.id)
    return json_reply({"kind": JobKind.ANALYSE, "queued": 1})


async def rerun_some(call: Call[None, None, RerunBody]) -> web.Response:
    """Describe many events once more."""
    body = call.body
    wanted = Rerun(body.camera_id, body.span(call.parts.settings.current.site.zone), body.only_failed)
    done = await call.parts.reruns.some(call.principal, wanted, body.next)
    return json_reply({"queued": done.queued, "next": done.next})


async def rerun_from_page(call: Call[EventPath, None, None]) -> web.Response:
    """Describe an event once more, and go back to its page."""
    await call.parts.reruns.one(call.principal, call.path.id)
    raise web.HTTPSeeOther(GalleryQuery.read(call.request.query).url(f"/events/{call.path.id}"))


ROUTES: Final = [
    Route(
        "GET",
        "/api/v1/ai",
        Audience.VIEWER,
        "How the descriptions stand: server, models, breaker, backlog",
        ai_status,
        tag="system",
        replies={200: AiReply},
        description="Never waits for the AI server: it was last looked at some seconds ago.",
    ),
    Route(
        "POST",
        "/api/v1/ai/rerun",
        Audience.OPERATOR,
        "Describe a range of events once more",
        rerun_some,
        tag="system",
        body=RerunBody,
        replies={200: RerunReply},
        description="What is known of them stays until it is replaced. They wait in line like new events.",
    ),
    Route(
        "GET",
        "/api/v1/events/{id}/analysis",
        Audience.VIEWER,
        "How an event's description came about",
        analysis_of_event,
        tag="events",
        path_model=EventPath,
        replies={200: AnalysisReply},
    ),
    Route(
        "POST",
        "/api/v1/events/{id}/analysis/rerun",
        Audience.OPERATOR,
        "Describe an event once more, before all others",
        rerun_event,
        tag="events",
        path_model=EventPath,
        replies={200: RetriedReply},
        conflict="It is being described now, or has no pictures yet",
    ),
]
PAGE_ROUTES: Final = [
    Route(
        "POST",
        "/events/{id}/describe-again",
        Audience.OPERATOR,
        "Describe an event once more",
        rerun_from_page,
        path_model=EventPath,
        page=True,
    ),
]
