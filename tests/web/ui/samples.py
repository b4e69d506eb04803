"""A site of three cameras on a Sunday evening, and events in any state."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from securitycamd.domain.models import Camera, Event
from securitycamd.domain.names import ConversionStatus, EventStatus
from securitycamd.web.ui.contexts import Site

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2025, 11, 23, 18, 43, 30, tzinfo=ZONE).astimezone(UTC)
SITE = Site("Home", ZONE, offline_after_seconds=180, late_after_seconds=600, describes=True)


def make_camera(number: int, name: str, silent_seconds: float) -> Camera:
    heard = NOW - timedelta(seconds=silent_seconds)
    return Camera(number, f"camera_{number}", name, f"{name} side", f"10.0.0.{number}", heard, heard, heard)


CAMERAS = [
    make_camera(1, "Front walk", 2),
    make_camera(2, "Back patio", 12),
    make_camera(3, "Side gate", 7500),
]


def make_event(*without: str, ago: float = 60, **changes: Any) -> Event:
    """An event of ``ago`` seconds before ``NOW`` that has everything.

    ``without`` takes ``pictures``, ``clip`` or ``words`` away; keywords change fields.
    """
    at = NOW - timedelta(seconds=ago)
    fields: dict[str, Any] = {
        "id": 48213,
        "camera_id": "camera_1",
        "timestamp": at,
        "motion_score": 1284.0,
        "confidence_score": 86.0,
        "status": EventStatus.COMPLETE,
        "image_a_path": "camera_1/pictures/48213_a.jpg",
        "image_b_path": "camera_1/pictures/48213_b.jpg",
        "thumbnail_path": "camera_1/thumbs/48213_thumb.jpg",
        "video_h264_path": None,
        "video_mp4_path": "camera_1/videos/48213_video.mp4",
        "video_duration": 48.0,
        "image_a_transferred": True,
        "image_b_transferred": True,
        "thumbnail_transferred": True,
        "video_transferred": True,
        "mp4_conversion_status": ConversionStatus.COMPLETE,
        "mp4_converted_at": at + timedelta(seconds=49),
        "ai_processed": True,
        "ai_processed_at": at + timedelta(seconds=55),
        "ai_person_detected": True,
        "ai_confidence": 0.94,
        "ai_objects": json.dumps([{"label": "person", "count": 2}, {"label": "van", "count": 1}]),
        "ai_description": "Two people come up the path.",
        "ai_phrase": "Two people walk toward the door",
        "ai_error": None,
        "created_at": at + timedelta(seconds=2),
    }
    if "pictures" in without:
        fields |= dict.fromkeys(("image_a_path", "image_b_path", "thumbnail_path"))
        fields |= dict.fromkeys(("image_a_transferred", "image_b_transferred", "thumbnail_transferred"), False)
    if "clip" in without:
        fields |= dict.fromkeys(("video_mp4_path", "video_duration", "mp4_converted_at"))
        fields |= {"video_transferred": False, "mp4_conversion_status": ConversionStatus.PENDING}
    if "words" in without:
        fields |= {name: None for name in fields if name.startswith("ai_")} | {"ai_processed": False}
    return Event(**fields | changes)
