"""The pages of live pictures, and the addresses of one camera's pictures for programs that run no script."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from securitycamd.cameras.relay import Relay, Viewer
from securitycamd.domain.errors import CameraUnavailableError
from securitycamd.domain.live import EndReason, StreamState
from securitycamd.domain.principal import Audience
from securitycamd.web.api.media import attachment
from securitycamd.web.live_socket import bound_what_lies_unsent
from securitycamd.web.pages import render, site_of
from securitycamd.web.registry import Call, Input, Route
from securitycamd.web.schemas.common import CameraPath
from securitycamd.web.sites import refuse_foreign_picture
from securitycamd.web.ui.live_view import LIVE_URL, camera_context, wall_context

BOUNDARY: Final = "FRAME"
FIRST_PICTURE_SECONDS: Final = 20.0
"""How long a program waits for the first picture before it is told that there is none."""
LOOK_SECONDS: Final = 5.0
"""How long it may take until it is noticed that a viewer left while there were no pictures to send."""


class StillQuery(Input):
    """``?download=1``."""

    download: Annotated[bool, Field(description="save it, under a name that says camera and time")] = False


async def wall(call: Call[None, None, None]) -> web.Response:
    """All cameras. Opening it starts nothing."""
    cameras = await call.parts.cameras.listed(call.principal)
    context = wall_context(
        cameras,
        await call.parts.live.posters(cameras),
        site=site_of(call.request),
        now=datetime.now(UTC),
        limit_minutes=call.parts.settings.current.live.max_minutes,
    )
    return render(call.request, context)


async def camera(call: Call[CameraPath, None, None]) -> web.Response:
    """One camera."""
    chosen = await call.parts.cameras.get(call.principal, call.path.camera_id)
    context = camera_context(
        chosen,
        await call.parts.cameras.listed(call.principal),
        await call.parts.live.posters([chosen]),
        site=site_of(call.request),
        now=datetime.now(UTC),
        limit_minutes=call.parts.settings.current.live.max_minutes,
    )
    return render(call.request, context)


async def still(call: Call[CameraPath, StillQuery, None]) -> web.Response:
    """The newest live picture of a camera that somebody watches; starts nothing."""
    frame = await call.parts.live.newest(call.principal, call.path.camera_id)
    headers = {"Cache-Control": "no-store"}
    if call.query.download:
        found = await call.parts.cameras.get(call.principal, call.path.camera_id)
        local = datetime.now(call.parts.settings.current.site.zone)
        headers["Content-Disposition"] = attachment(f"{found.name} {local:%Y-%m-%d %H.%M.%S} live.jpg")
    return web.Response(body=bytes(frame.jpeg), content_type="image/jpeg", headers=headers)


async def stream(call: Call[CameraPath, None, None]) -> web.StreamResponse:
    """A camera's pictures one after the other: works as the address of an image."""
    refuse_foreign_picture(call.request)
    live = call.parts.live
    response = web.StreamResponse(
        headers={
            "Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY}",
            "Cache-Control": "no-store",
            "Connection": "close",
        }
    )
    if call.request.method == "HEAD":  # whoever asks about it does not watch
        await call.parts.cameras.get(call.principal, call.path.camera_id)
        return response
    async with live.viewer() as viewer:
        relay = await live.watch(call.principal, viewer, call.path.camera_id)
        await _first_picture(relay, viewer)
        await response.prepare(call.request)
        bound_what_lies_unsent(call.request)
        try:
            await _send_pictures(call, response, relay, viewer)
        except ConnectionError:
            pass  # the viewer left
        except TimeoutError:
            if call.request.transport is not None:
                call.request.transport.abort()
    return response


async def _first_picture(relay: Relay, viewer: Viewer) -> None:
    try:
        async with asyncio.timeout(FIRST_PICTURE_SECONDS):
            while relay.frame is None:
                status = relay.status()
                if viewer.ended:
                    raise CameraUnavailableError(_END_SENTENCES[viewer.ended[relay.camera_id]])
                if status.state is StreamState.OFFLINE:
                    raise CameraUnavailableError(status.reason)
                await viewer.woken()
    except TimeoutError:
        raise CameraUnavailableError("The camera sends no picture.") from None


async def _send_pictures(
    call: Call[CameraPath, None, None], response: web.StreamResponse, relay: Relay, viewer: Viewer
) -> None:
    stall_seconds = call.parts.settings.current.live.stall_seconds
    number = 0
    # Where no picture is to be written nothing else tells that the viewer left: its connection is gone then.
    while not viewer.ended and call.request.transport is not None:
        frame = relay.frame
        if frame is not None and frame.number != number:
            number = frame.number
            picture = frame.jpeg
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            async with asyncio.timeout(stall_seconds):
                await response.write(b"".join((head.encode(), picture, b"\r\n")))
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await viewer.woken()


_END_SENTENCES: Final = {
    EndReason.UNWATCHED: "The stream has ended.",
    EndReason.TIME_LIMIT: "The stream reached its time limit (live.max_minutes).",
    EndReason.CAMERA_GONE: "This camera was removed.",
    EndReason.SERVER_STOPS: "The server is about to stop.",
    EndReason.FAULT: "Something went wrong on our side; it is in the log.",
}

ROUTES: Final = [
    Route("GET", LIVE_URL, Audience.VIEWER, "All cameras live", wall, page=True),
    Route(
        "GET",
        f"{LIVE_URL}/{{camera_id:[A-Za-z0-9_]+}}.mjpeg",
        Audience.VIEWER,
        "A camera's live pictures as one endless image",
        stream,
        path_model=CameraPath,
    ),
    Route(
        "GET",
        f"{LIVE_URL}/{{camera_id:[A-Za-z0-9_]+}}.jpg",
        Audience.VIEWER,
        "The newest live picture of a camera that is watched",
        still,
        path_model=CameraPath,
        query_model=StillQuery,
    ),
    Route(
        "GET", f"{LIVE_URL}/{{camera_id}}", Audience.VIEWER, "One camera live", camera, path_model=CameraPath, page=True
    ),
]
