"""``PATCH /api/v1/events/{id}/files``: what an agent says of the files of an event."""

import asyncio
import json
from typing import Any

import pytest

from tests.conftest import Site
from tests.protocol.wire import API, FILE, fields_of, refused, without

PATHS = {
    "image_a": ("image_a_path", "camera_1/pictures/1_20251028_143022_a.jpg"),
    "image_b": ("image_b_path", "camera_1/pictures/1_20251028_143022_picB.jpg"),
    "thumbnail": ("thumbnail_path", "camera_1/thumbs/1_20251028_143022_thumb.jpg"),
    "video": ("video_h264_path", "camera_1/videos/1_20251028_143022_video.h264"),
}


@pytest.fixture
async def event(site: Site) -> Any:
    await site.register()
    return await site.event()


@pytest.fixture
def files(event: Any) -> str:
    """Where the event's files are reported."""
    return f"{API}/events/{event['id']}/files"


async def _jobs(site: Site, event: Any) -> dict[str, str]:
    return {job["kind"]: job["state"] for job in await site.json("GET", f"{API}/events/{event['id']}/jobs")}


@pytest.mark.parametrize("file_type", list(PATHS))
async def test_a_file_is_noted_and_nothing_else_changes(site: Site, event: Any, files: str, file_type: str) -> None:
    column, path = PATHS[file_type]
    body = {"file_type": file_type, "file_path": path, "transferred": True}
    reply = await site.json("PATCH", files, json=body, status=200)
    assert reply == event | {column: path, f"{file_type}_transferred": True}
    assert await site.json("GET", f"{API}/events/{event['id']}") == reply


async def test_a_video_may_tell_its_duration(site: Site, event: Any, files: str) -> None:
    body = {"file_type": "video", "file_path": PATHS["video"][1], "transferred": True, "video_duration": 47.6}
    assert (await site.json("PATCH", files, json=body))["video_duration"] == 47.6
    del body["video_duration"]
    assert (await site.json("PATCH", files, json=body))["video_duration"] == 47.6
    assert (await site.json("PATCH", files, json=body | {"video_duration": None}))["video_duration"] == 47.6


async def test_a_file_that_was_not_transferred_is_noted_as_that(site: Site, event: Any, files: str) -> None:
    reply = await site.json("PATCH", files, json=FILE | {"transferred": False})
    assert reply == event | {"image_a_path": FILE["file_path"]}
    assert (await site.json("PATCH", files, json=FILE))["image_a_transferred"] is True


async def test_the_same_report_again_changes_nothing(site: Site, files: str) -> None:
    first = await site.json("PATCH", files, json=FILE)
    assert await site.json("PATCH", files, json=FILE) == first


async def test_the_latest_report_counts(site: Site, files: str) -> None:
    await site.json("PATCH", files, json=FILE)
    path = "camera_1/pictures/1_20251028_143022_picA.jpg"
    assert (await site.json("PATCH", files, json=FILE | {"file_path": path}))["image_a_path"] == path


async def test_it_needs_no_content_type(site: Site, files: str) -> None:
    await site.json("PATCH", files, data=json.dumps(FILE).encode(), skip_auto_headers=["Content-Type"], status=200)


async def test_reports_that_arrive_together_all_count(site: Site, event: Any, files: str) -> None:
    bodies = [
        {"file_type": file_type, "file_path": path, "transferred": True} for file_type, (_, path) in PATHS.items()
    ]
    status = site.json("PATCH", f"{API}/events/{event['id']}/status", json={"status": "complete"})
    await asyncio.gather(*(site.json("PATCH", files, json=body) for body in bodies), status)
    kept = await site.json("GET", f"{API}/events/{event['id']}")
    assert kept["status"] == "complete"
    assert all(kept[column] == path for column, path in PATHS.values())
    assert all(kept[f"{file_type}_transferred"] for file_type in PATHS)


async def test_a_video_is_to_be_converted_once(site: Site, event: Any, files: str) -> None:
    body = {"file_type": "video", "file_path": PATHS["video"][1], "transferred": True}
    await site.json("PATCH", files, json=body | {"transferred": False})
    assert await _jobs(site, event) == {}
    for _ in range(2):
        await site.json("PATCH", files, json=body)
    assert await _jobs(site, event) == {"remux": "queued"}


async def test_stills_are_to_be_described_when_both_are_there(site: Site, event: Any, files: str) -> None:
    for file_type in ("image_b", "thumbnail"):
        await site.json("PATCH", files, json=FILE | {"file_type": file_type, "file_path": PATHS[file_type][1]})
    assert await _jobs(site, event) == {}
    await site.json("PATCH", files, json=FILE)
    assert await _jobs(site, event) == {"analyse": "queued"}


async def test_a_video_told_again_after_it_was_converted_changes_nothing(site: Site, event: Any, files: str) -> None:
    """The agent lost our reply; its raw clip is gone by now, and must not be looked for."""
    body = {"file_type": "video", "file_path": PATHS["video"][1], "transferred": True}
    await site.json("PATCH", files, json=body)
    async with site.shared.database.session() as session:
        await session.script(
            "UPDATE events SET video_h264_path = NULL, video_mp4_path = 'camera_1/videos/1_video.mp4',"
            " mp4_conversion_status = 'optimized'"
        )
    converted = await site.json("GET", f"{API}/events/{event['id']}")
    assert await site.json("PATCH", files, json=body, status=200) == converted


@pytest.mark.parametrize("event_id", ["{next}", "0", "-1", str(2**32), str(2**64), "9" * 400])
async def test_an_unknown_event_is_not_found(site: Site, event: Any, event_id: str) -> None:
    path = f"{API}/events/{event_id.format(next=event['id'] + 1)}/files"
    await refused(site, 404, "PATCH", path, json=FILE)


@pytest.mark.parametrize("field", list(FILE))
async def test_every_field_but_the_duration_is_required(site: Site, files: str, field: str) -> None:
    assert fields_of(await refused(site, 422, "PATCH", files, json=without(FILE, field))) == {field}


@pytest.mark.parametrize(
    "wrong",
    [
        {"file_type": "image_c"},
        {"file_type": "IMAGE_A"},
        {"file_type": ""},
        {"file_type": None},
        {"file_type": 1},
        {"transferred": None},
        {"transferred": "perhaps"},
        {"transferred": 2},
        {"transferred": []},
        {"file_path": None},
        {"file_path": 1},
        {"file_path": ["a.jpg"]},
        {"file_type": "video", "video_duration": 0},
        {"file_type": "video", "video_duration": -1.5},
        {"file_type": "video", "video_duration": "long"},
    ],
)
async def test_what_breaks_a_rule_is_refused_by_its_name(
    site: Site, event: Any, files: str, wrong: dict[str, Any]
) -> None:
    detail = await refused(site, 422, "PATCH", files, json=FILE | wrong)
    assert fields_of(detail) == {list(wrong)[-1]}
    assert await site.json("GET", f"{API}/events/{event['id']}") == event


@pytest.mark.parametrize("file_type", ["image_a", "image_b", "thumbnail"])
async def test_only_a_video_has_a_duration(site: Site, files: str, file_type: str) -> None:
    body = FILE | {"file_type": file_type, "video_duration": 40.0}
    await refused(site, 422, "PATCH", files, json=body)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
async def test_a_duration_is_finite(site: Site, files: str, number: str) -> None:
    body = json.dumps(FILE | {"file_type": "video", "video_duration": 77.125}).replace("77.125", number)
    assert fields_of(await refused(site, 422, "PATCH", files, data=body)) == {"video_duration"}


ELSEWHERE = [
    "",
    "..",
    "../etc/passwd",
    "camera_1/../../etc/passwd.jpg",
    "camera_1/pictures/..",
    "camera_1/./a.jpg",
    "/etc/passwd",
    "//etc/passwd",
    "/",
    "camera_1/pictures/",
    "camera_1/.hidden.jpg",
    "%2e%2e/%2e%2e/etc/passwd",
    "camera_1%2Fpictures%2Fa.jpg",
    "%252e%252e/a.jpg",
    "..\\..\\windows\\win.ini",
    "C:\\a.jpg",
    "C:/a.jpg",
    "\\\\server\\share\\a.jpg",
    "camera_1/a\x00.jpg",
    "camera_1/a\n.jpg",
    "camera_1/a\x7f.jpg",
    "camera_1/a\u202egpj.h264",
    "-y",
    "camera_1/-i",
    "--help",
    "concat:a.h264|b.h264",
    "file:///etc/passwd",
    "http://example.org/a.h264",
    "camera_1/pipe:0",
    "a" * 501,
    "camera_1/" + "a" * 256,
    "camera_1/" + "🎥" * 64,
]


@pytest.mark.parametrize("file_type", ["image_a", "video"])
async def test_a_path_that_could_lead_anywhere_else_is_refused(
    site: Site, event: Any, files: str, file_type: str
) -> None:
    for path in ELSEWHERE:
        body = FILE | {"file_type": file_type, "file_path": path}
        assert fields_of(await refused(site, 422, "PATCH", files, json=body)) == {"file_path"}, path
    assert await site.json("GET", f"{API}/events/{event['id']}") == event
    assert await _jobs(site, event) == {}


@pytest.mark.parametrize(
    "path",
    [
        "camera_1/pictures/42_20251028_143022_a.jpg",
        "camera_1/videos/42_20251028_143022_video.h264",
        "a",
        "/".join(["a" * 99] * 5) + "b",
        "camera_1/pictures/Hof, hinten (2) ü 🎥 100%.jpg",
    ],
)
async def test_a_path_inside_is_kept_as_it_is(site: Site, files: str, path: str) -> None:
    assert (await site.json("PATCH", files, json=FILE | {"file_path": path}))["image_a_path"] == path
