import re
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from securitycamd.domain.models import Camera, Event, EventFilter, LogFilter
from securitycamd.domain.names import CAMERA_ID_PATTERN, CameraStatus, ConversionStatus, EventStatus
from securitycamd.domain.times import Span

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CAMERA = Camera(1, "camera_1", "Front", "Garden", "127.0.0.1", NOW, NOW, NOW)


def make_event(**values: Any) -> Event:
    blank: dict[str, Any] = {field.name: None for field in fields(Event)}
    return Event(
        **blank
        | {
            "id": 1,
            "camera_id": "camera_1",
            "timestamp": NOW,
            "motion_score": 1.0,
            "status": EventStatus.PROCESSING,
            "mp4_conversion_status": ConversionStatus.PENDING,
            "created_at": NOW,
        }
        | values
    )


@pytest.mark.parametrize(
    ("silent_seconds", "status"),
    [
        (0, CameraStatus.ONLINE),
        (180, CameraStatus.ONLINE),
        (180.000001, CameraStatus.OFFLINE),
        (86400, CameraStatus.OFFLINE),
        (-60, CameraStatus.ONLINE),  # the clock was set back
    ],
)
def test_a_camera_is_offline_when_it_was_silent_for_too_long(silent_seconds: float, status: CameraStatus) -> None:
    now = NOW + timedelta(seconds=silent_seconds)
    assert CAMERA.status(now, offline_after_seconds=180) is status


def test_an_events_paths_are_those_it_has() -> None:
    assert make_event().paths == ()
    event = make_event(image_a_path="a.jpg", thumbnail_path="", video_mp4_path="v.mp4")
    assert event.paths == ("a.jpg", "v.mp4")


def test_every_path_of_an_event_is_among_its_paths() -> None:
    names = [field.name for field in fields(Event) if field.name.endswith("_path")]
    event = make_event(**{name: name for name in names})
    assert sorted(event.paths) == sorted(names)


def test_records_cannot_be_changed_by_mistake() -> None:
    with pytest.raises(FrozenInstanceError):
        CAMERA.name = "Back"  # type: ignore[misc]  # what the test is about
    assert replace(CAMERA, name="Back").name == "Back"


def test_a_filter_without_words_means_everything() -> None:
    assert EventFilter() == EventFilter(cameras=None, span=Span(None, None))
    assert LogFilter() == LogFilter(source=None, level=None, span=Span(None, None))


@pytest.mark.parametrize("name", ["camera_1", "A", "0", "x" * 50])
def test_camera_ids(name: str) -> None:
    assert re.match(CAMERA_ID_PATTERN, name)


@pytest.mark.parametrize("name", ["", "x" * 51, "a b", "a/b", "..", "a.b", "-a", "kamera_ä", "a\0"])
def test_what_is_no_camera_id(name: str) -> None:
    assert not re.match(CAMERA_ID_PATTERN, name)
