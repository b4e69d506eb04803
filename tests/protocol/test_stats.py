"""Statistics: events counted, and files as they lie on the disk."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import Site
from tests.protocol.wire import API, fields_of, refused

STATS = f"{API}/cameras/camera_1/stats"
NOTHING = {"events": 0, "files": 0, "bytes": 0}


async def _event(site: Site, *, hours_old: float = 1.0, camera_id: str = "camera_1") -> int:
    moment = datetime.now(UTC) - timedelta(hours=hours_old)
    return int((await site.event(camera_id, moment.isoformat()))["id"])


async def _file(site: Site, event_id: int, file_type: str, name: str, size: int | None) -> None:
    """Put a file of ``size`` bytes into the storage root (``None``: none) and report it."""
    if size is not None:
        path = site.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    body = {"file_type": file_type, "file_path": name, "transferred": True}
    await site.json("PATCH", f"{API}/events/{event_id}/files", json=body)


async def test_events_files_and_bytes_of_a_period(site: Site) -> None:
    await site.register()
    await site.register("camera_2")
    first, second = await _event(site, hours_old=1), await _event(site, hours_old=20)
    older, other = await _event(site, hours_old=30), await _event(site, camera_id="camera_2")
    await _file(site, first, "image_a", "camera_1/pictures/1_a.jpg", 1000)
    await _file(site, first, "image_b", "camera_1/pictures/1_b.jpg", 200)
    await _file(site, first, "thumbnail", "camera_1/thumbs/1.jpg", None)  # reported, but not there
    await _file(site, second, "video", "camera_1/videos/2_video.h264", 30_001)
    await _file(site, older, "image_a", "camera_1/pictures/3_a.jpg", 400_000)
    await _file(site, other, "image_a", "camera_2/pictures/4_a.jpg", 5_000_000)
    (site.root / "camera_1/pictures/stray.jpg").write_bytes(b"not of any event")
    expected = {"events": 2, "files": 3, "bytes": 31_201, "period_hours": 24}
    for query in ({"hours": "24"}, {}):
        reply = await site.json("GET", STATS, params=query)
        assert reply == expected | {"camera_id": "camera_1"}
    assert expected | {"events": 3, "files": 4, "bytes": 431_201, "period_hours": 48} == {
        name: value
        for name, value in (await site.json("GET", STATS, params={"hours": "48"})).items()
        if name != "camera_id"
    }
    (site.root / "camera_1/pictures/1_a.jpg").unlink()
    assert (await site.json("GET", STATS))["bytes"] == 30_201


async def test_the_converted_clip_counts_in_place_of_the_raw_one(site: Site) -> None:
    await site.register()
    event_id = await _event(site)
    await _file(site, event_id, "video", "camera_1/videos/1_video.h264", 5000)
    (site.root / "camera_1/videos/1_video.mp4").write_bytes(b"x" * 4321)
    (site.root / "camera_1/videos/1_video.h264").unlink()
    async with site.shared.database.session() as session:
        await session.script("UPDATE events SET video_mp4_path = 'camera_1/videos/1_video.mp4'")
    reply = await site.json("GET", STATS)
    assert (reply["files"], reply["bytes"]) == (1, 4321)


async def test_a_camera_without_events_has_brought_nothing(site: Site) -> None:
    await site.register()
    assert NOTHING.items() <= (await site.json("GET", STATS)).items()


@pytest.mark.parametrize("hours", ["0", "-1", "many", "", "nan", "inf", "1e9", "9" * 400])
async def test_a_period_that_is_none_is_refused(site: Site, hours: str) -> None:
    await site.register()
    assert fields_of(await refused(site, 422, "GET", STATS, params={"hours": hours})) == {"hours"}


@pytest.mark.parametrize(("hours", "events"), [("0.5", 1), ("2", 2), ("8784", 3)])
async def test_any_other_period(site: Site, hours: str, events: int) -> None:
    await site.register()
    for hours_old in (0.25, 1.5, 300 * 24):
        await _event(site, hours_old=hours_old)
    reply = await site.json("GET", STATS, params={"hours": hours})
    assert (reply["events"], reply["period_hours"]) == (events, float(hours))


async def test_the_whole_site(site: Site) -> None:
    await site.register()
    await site.register("camera_2")
    for hours_old in (0, 23, 25, 24 * 40):
        await _event(site, hours_old=hours_old)
    event_id = await _event(site, camera_id="camera_2")
    await _file(site, event_id, "video", "camera_2/videos/5_video.h264", 77)
    reply = await site.json("GET", f"{API}/stats")
    assert reply["cameras"] == {"total": 2, "online": 2, "offline": 0}
    assert (reply["events"]["total"], reply["events"]["last_24h"]) == (5, 3)
    assert reply["log_lines_total"] == 0
    assert reply["storage"]["total_bytes"] >= reply["storage"]["free_bytes"] > 0
    assert (reply["storage"]["footage_bytes"], reply["storage"]["measured_at"]) == (None, None)
    assert [(queue["kind"], queue["state"], queue["jobs"]) for queue in reply["queues"]] == [("remux", "queued", 1)]
    await site.shared.stats.measure_usage()
    storage = (await site.json("GET", f"{API}/stats"))["storage"]
    assert (storage["footage_files"], storage["footage_bytes"]) == (1, 77)
    assert storage["measured_at"]


async def test_every_camera(site: Site) -> None:
    await site.register("camera_2")
    await site.register("camera_1")
    event_id = await _event(site, hours_old=0)
    await _event(site, hours_old=30)
    await _file(site, event_id, "image_a", "camera_1/pictures/1_a.jpg", 12)
    await site.shared.stats.measure_usage()
    first, second = await site.json("GET", f"{API}/stats/cameras")
    counts: dict[str, Any] = {"camera_id": "camera_1", "events_total": 2, "events_24h": 1}
    assert (counts | {"files": 1, "bytes": 12, "status": "online"}).items() <= first.items()
    assert first["last_event_at"] == (await site.json("GET", f"{API}/events/{event_id}"))["timestamp"]
    nothing = {"camera_id": "camera_2", "events_total": 0, "events_24h": 0, "last_event_at": None}
    assert nothing.items() <= second.items()
