"""The pages about cameras, and what their forms ask for."""

from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.principal import Audience
from securitycamd.web.pages import reached_at, render, site_of
from securitycamd.web.registry import Call, Route, read_form
from securitycamd.web.schemas.common import CameraPath
from securitycamd.web.ui.camera_view import CAMERAS_URL, camera_context, camera_url, cameras_context

_ONE: Final = f"{CAMERAS_URL}/{{camera_id}}"


async def cameras(call: Call[None, None, None]) -> web.Response:
    """All cameras at a glance."""
    context = cameras_context(
        await call.parts.camera_details.overview(call.principal),
        site=site_of(call.request),
        now=datetime.now(UTC),
        server_url=reached_at(call.request),
    )
    return render(call.request, context)


async def camera(call: Call[CameraPath, None, None]) -> web.Response:
    """One camera."""
    context = camera_context(
        await call.parts.camera_details.picture(call.principal, call.path.camera_id),
        await call.parts.cameras.everything(call.principal),
        site=site_of(call.request),
        now=datetime.now(UTC),
        may_change=call.principal.role >= Audience.OPERATOR,
    )
    return render(call.request, context)


async def refresh(call: Call[CameraPath, None, None]) -> web.Response:
    """Ask the agent, and show what it said."""
    await call.parts.agents.refresh(call.principal, call.path.camera_id)
    raise web.HTTPSeeOther(camera_url(call.path.camera_id))


async def edit(call: Call[CameraPath, None, None]) -> web.Response:
    """Take the operator's words for a camera."""
    form = await read_form(call.request)
    await call.parts.cameras.describe(
        call.principal, call.path.camera_id, name=form.get("name", ""), location=form.get("location", "")
    )
    raise web.HTTPSeeOther(camera_url(call.path.camera_id))


async def hide(call: Call[CameraPath, None, None]) -> web.Response:
    """Keep a camera out of lists."""
    await call.parts.cameras.describe(call.principal, call.path.camera_id, is_hidden=True)
    raise web.HTTPSeeOther(camera_url(call.path.camera_id))


async def show(call: Call[CameraPath, None, None]) -> web.Response:
    """Have a camera in lists again."""
    await call.parts.cameras.describe(call.principal, call.path.camera_id, is_hidden=False)
    raise web.HTTPSeeOther(camera_url(call.path.camera_id))


async def remove(call: Call[CameraPath, None, None]) -> web.Response:
    """Remove a camera. The form says what goes before it is sent."""
    form = await read_form(call.request)
    if form.get("footage") not in {"keep", "remove"}:
        raise InvalidError("footage", "say whether its footage is kept or removed")
    if form.get("sure") != "yes":
        raise InvalidError("sure", "say that you are sure")
    left = await call.parts.camera_removal.remove(
        call.principal,
        call.path.camera_id,
        with_footage=form["footage"] == "remove",
        force=form.get("force") == "yes",
    )
    raise web.HTTPSeeOther(CAMERAS_URL if left is None else camera_url(call.path.camera_id))


async def restore(call: Call[CameraPath, None, None]) -> web.Response:
    """Stop a removal, or bring a removed camera back."""
    await call.parts.camera_removal.undo(call.principal, call.path.camera_id)
    raise web.HTTPSeeOther(camera_url(call.path.camera_id))


def _command(name: str, audience: Audience, summary: str, handler: Any) -> Route:
    return Route("POST", f"{_ONE}/{name}", audience, summary, handler, path_model=CameraPath, page=True)


ROUTES: Final = [
    Route("GET", CAMERAS_URL, Audience.VIEWER, "All cameras", cameras, page=True),
    Route("GET", _ONE, Audience.VIEWER, "One camera", camera, path_model=CameraPath, page=True),
    _command("refresh", Audience.VIEWER, "Ask the agent how it is", refresh),
    _command("edit", Audience.OPERATOR, "Rename a camera", edit),
    _command("hide", Audience.OPERATOR, "Hide a camera", hide),
    _command("show", Audience.OPERATOR, "Show a hidden camera", show),
    _command("remove", Audience.OPERATOR, "Remove a camera", remove),
    _command("restore", Audience.OPERATOR, "Bring a removed camera back", restore),
]
