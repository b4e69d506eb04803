# ruff: noqa: DTZ001 - times as the older tables hold them
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from securitycamd.domain.models import Detection
from securitycamd.domain.names import Category, ConversionStatus, LogLevel
from securitycamd.domain.older import Reader, camera_names, detections
from securitycamd.domain.times import EARLIEST, LATEST

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def reader(**options: Any) -> Reader:
    return Reader(ZoneInfo("Europe/Berlin"), NOW, **options)


def nothing(_description: str, _seen: tuple[Detection, ...], _person: bool) -> Category:
    return Category.NOTHING


def test_cameras_keep_their_names_where_they_can() -> None:
    names = camera_names(["camera_1", "cam-1", "cam_1", "Küche", "  "], ["CAMERA_1", "Porch", "porch", None, "x" * 70])
    assert names == {
        "camera_1": "camera_1",
        "cam_1": "cam_1",
        "cam-1": "cam_1_2",
        "Küche": "K_che",
        "": "unknown",
        "CAMERA_1": "camera_1",
        "Porch": "Porch",
        "porch": "Porch",
        "x" * 70: "x" * 50,
    }


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (None, []),
        ("[]", []),
        ('[{"label": "car", "count": 2}, {"name": "dog"}, {}, "car"]', [("car", 3), ("dog", 1)]),
        ('{"person": 2, "cat": "many"}', [("person", 2), ("cat", 1)]),
        ("person, car,", [("person", 1), ("car", 1)]),
        ('"bus"', [("bus", 1)]),
    ],
)
def test_what_was_seen_is_read_from_several_shapes(text: str | None, seen: list[tuple[str, int]]) -> None:
    assert detections(text) == tuple(Detection(label, count) for label, count in seen)


def test_a_row_with_the_identifying_columns_alone_is_an_event() -> None:
    event = reader().event({"id": 5, "timestamp": datetime(2025, 1, 2, 3), "motion_score": 1}, "a", nothing)
    assert event.columns["timestamp"] == event.columns["created_at"] == datetime(2025, 1, 2, 2, tzinfo=UTC)
    assert event.columns["mp4_conversion_status"] is ConversionStatus.PENDING
    assert (event.remux, event.analyse, event.failed) == (False, False, False)


@pytest.mark.parametrize(
    ("status", "source", "clip", "becomes", "remux", "failed"),
    [
        ("optimized", None, "v.mp4", ConversionStatus.OPTIMIZED, False, False),
        ("complete", "v.h264", None, ConversionStatus.PENDING, True, False),
        ("complete", "v.h264", "v.mp4", ConversionStatus.COMPLETE, False, False),
        (None, None, "v.mp4", ConversionStatus.COMPLETE, False, False),
        ("error", "v.h264", None, ConversionStatus.FAILED, False, True),
        ("failed", None, None, ConversionStatus.FAILED, False, False),
        ("what", "v.h264", None, ConversionStatus.PENDING, True, False),
    ],
)
def test_clips_are_as_far_as_their_files(
    status: str | None, source: str | None, clip: str | None, becomes: ConversionStatus, remux: bool, failed: bool
) -> None:
    row = {"id": 1, "video_h264_path": source, "video_mp4_path": clip, "mp4_conversion_status": status}
    event = reader().event(row, "a", nothing)
    assert (event.columns["mp4_conversion_status"], event.remux, event.failed) == (becomes, remux, failed)


def test_times_that_cannot_be_are_brought_into_range_and_utc_stays_what_it_is() -> None:
    far = reader()
    assert far.event({"id": 1, "timestamp": datetime(9500, 1, 1)}, "a", nothing).columns["timestamp"] < LATEST
    assert far.event({"id": 2, "timestamp": datetime(1001, 1, 1)}, "a", nothing).columns["timestamp"] == EARLIEST
    assert far.mended["timestamp"] == 2
    known = reader(is_utc=frozenset({"timestamp"}))
    line = known.line({"timestamp": datetime(2025, 7, 1, 12), "source": "a", "level": "warn", "message": "m"})
    assert (line.timestamp, line.level) == (datetime(2025, 7, 1, 12, tzinfo=UTC), LogLevel.WARNING)
