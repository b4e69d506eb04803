"""The page about the server, its part that is fetched again and again, and what its buttons ask for."""

import asyncio
from typing import Final

import aiohttp_jinja2
from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.web.pages import cameras_if_known, render, site_of
from securitycamd.web.registry import Call, Route
from securitycamd.web.schemas.jobs import EventJobPath, KindPath
from securitycamd.web.schemas.system import TaskPath
from securitycamd.web.ui.system_contexts import SystemContext
from securitycamd.web.ui.system_view import SYSTEM_URL, system_context


async def system(call: Call[None, None, None]) -> web.Response:
    """The whole page."""
    return render(call.request, await _context(call))


async def live(call: Call[None, None, None]) -> web.Response:
    """What changes on it, to be put in the place of what was."""
    context = await _context(call)
    template = aiohttp_jinja2.get_env(call.app).get_template(context.template)
    block = template.blocks["live"](template.new_context(context.values()))
    return web.Response(text="".join(block), content_type="text/html", headers={"Cache-Control": "no-store"})


async def _context(call: Call[None, None, None]) -> SystemContext:
    cameras, report, ai = await asyncio.gather(
        cameras_if_known(call.request, call.principal),
        call.parts.system.report(call.principal),
        call.parts.ai_status.status(),
    )
    return system_context(report, call.parts.health.report, ai, cameras, site=site_of(call.request))


async def command(call: Call[TaskPath, None, None]) -> web.Response:
    """Pause, resume or wake a task."""
    call.parts.supervisor.command(call.path.name, call.path.action)
    raise web.HTTPSeeOther(f"{SYSTEM_URL}#tasks")


async def retry_all(call: Call[KindPath, None, None]) -> web.Response:
    """Have every failed job of a kind tried again."""
    await call.parts.retries.retry_failed(call.principal, call.path.kind)
    raise web.HTTPSeeOther(f"{SYSTEM_URL}#queues")


async def retry_one(call: Call[EventJobPath, None, None]) -> web.Response:
    """Have a failed job tried again."""
    await call.parts.retries.retry(call.principal, call.path.id, call.path.kind)
    raise web.HTTPSeeOther(f"{SYSTEM_URL}#failed")


ROUTES: Final = [
    Route("GET", SYSTEM_URL, Audience.OPERATOR, "The state of the server", system, page=True),
    Route("GET", f"{SYSTEM_URL}/live", Audience.OPERATOR, "What changes on the system page", live),
    Route(
        "POST",
        f"{SYSTEM_URL}/tasks/{{name}}/{{action}}",
        Audience.OPERATOR,
        "Pause, resume or wake a task",
        command,
        path_model=TaskPath,
        page=True,
    ),
    Route(
        "POST",
        f"{SYSTEM_URL}/jobs/{{kind}}/retry-failed",
        Audience.OPERATOR,
        "Try every failed job of a kind again",
        retry_all,
        path_model=KindPath,
        page=True,
    ),
    Route(
        "POST",
        f"{SYSTEM_URL}/events/{{id}}/jobs/{{kind}}/retry",
        Audience.OPERATOR,
        "Try a failed job again",
        retry_one,
        path_model=EventJobPath,
        page=True,
    ),
]
