"""``/api/v1/cameras``."""

from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from securitycamd.domain.models import Camera, CameraRegistration
from securitycamd.domain.principal import Audience
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.cameras import CameraListQuery, CameraRegister, CameraReply, camera_reply
from securitycamd.web.schemas.common import CameraPath


async def register(call: Call[None, None, CameraRegister]) -> web.Response:
    """Make or renew a camera's record."""
    told = call.body
    camera, is_new = await call.parts.cameras.register(
        call.principal, CameraRegistration(told.camera_id, told.name, told.location, told.ip_address)
    )
    return json_reply(camera_now(call, camera), 201 if is_new else 200)


def camera_now(call: Call[Any, Any, Any], camera: Camera) -> dict[str, Any]:
    """A camera as :class:`CameraReply` describes it, at this moment."""
    settings = call.parts.settings.current
    return camera_reply(camera, datetime.now(UTC), settings.site.zone, settings.agents.offline_after_seconds)


async def list_cameras(call: Call[None, CameraListQuery, None]) -> web.Response:
    """The cameras in use; hidden and removed ones when asked for."""
    wanted = call.query
    cameras = [
        camera
        for camera in await call.parts.cameras.everything(call.principal)
        if (wanted.hidden or not camera.is_hidden) and (wanted.removed or camera.removal is None)
    ]
    return json_reply([camera_now(call, camera) for camera in cameras])


async def get_camera(call: Call[CameraPath, None, None]) -> web.Response:
    """One camera."""
    camera = await call.parts.cameras.get(call.principal, call.path.camera_id)
    return json_reply(camera_now(call, camera))


ROUTES: Final = [
    Route(
        "POST",
        "/api/v1/cameras/register",
        Audience.AGENT,
        "Register a camera, or renew what is known of it",
        register,
        tag="cameras",
        body=CameraRegister,
        replies={200: CameraReply, 201: CameraReply},
        conflict="Its footage is being removed; ask again until it is gone",
        description=(
            "201 the first time, 200 afterwards. The camera counts as online from then on. 409 while it is being"
            " removed with its footage: ask again until it is gone."
        ),
    ),
    Route(
        "GET",
        "/api/v1/cameras",
        Audience.VIEWER,
        "List the cameras",
        list_cameras,
        tag="cameras",
        query_model=CameraListQuery,
        replies={200: list[CameraReply]},
    ),
    Route(
        "GET",
        "/api/v1/cameras/{camera_id}",
        Audience.VIEWER,
        "One camera",
        get_camera,
        tag="cameras",
        path_model=CameraPath,
        replies={200: CameraReply},
    ),
]
