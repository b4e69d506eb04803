"""Cameras on the wire."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field

from securitycamd.domain.models import Camera
from securitycamd.domain.names import CameraStatus
from securitycamd.web.registry import Input, Reply
from securitycamd.web.schemas.common import CameraId


class CameraRegister(Input):
    """What an agent says of itself at each start."""

    camera_id: CameraId
    name: Annotated[str, Field(min_length=1, max_length=100, examples=["Front walk"])]
    location: Annotated[str, Field(min_length=1, max_length=200, examples=["North side"])]
    ip_address: Annotated[str, Field(max_length=45, examples=["192.168.1.31"])]


class CameraListQuery(Input):
    """Which cameras."""

    hidden: Annotated[bool, Field(description="those that an operator hid, too")] = False
    removed: Annotated[bool, Field(description="those that were removed and still have events, too")] = False


class CameraReply(Reply):
    """A camera."""

    id: int
    camera_id: str
    name: str
    location: str
    ip_address: str
    status: CameraStatus
    last_seen: datetime
    created_at: datetime
    updated_at: datetime


def camera_reply(camera: Camera, now: datetime, zone: ZoneInfo, offline_after_seconds: float) -> dict[str, Any]:
    """A camera as :class:`CameraReply` describes it; times in the site's zone."""
    return {
        "id": camera.id,
        "camera_id": camera.camera_id,
        "name": camera.name,
        "location": camera.location,
        "ip_address": camera.ip_address,
        "status": camera.status(now, offline_after_seconds=offline_after_seconds),
        "last_seen": camera.last_seen.astimezone(zone),
        "created_at": camera.created_at.astimezone(zone),
        "updated_at": camera.updated_at.astimezone(zone),
    }
