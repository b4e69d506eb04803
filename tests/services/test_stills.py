"""Pictures that an agent did not deliver are made from its clip, and what it did deliver is never replaced."""

import asyncio
import subprocess
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from securitycamd.domain.filenames import make_path
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.names import FileType
from securitycamd.media.jpeg import JpegFacts, read_jpeg
from securitycamd.services.stills import IN_THE_WAY
from tests.footage import Footage
from tests.services.conftest import Bench, MakeBench

STILLS, ANALYSE = JobKind.STILLS, JobKind.ANALYSE
A, B, THUMBNAIL = FileType.IMAGE_A, FileType.IMAGE_B, FileType.THUMBNAIL


@pytest.fixture(scope="session")
def picture(footage: Footage) -> bytes:
    return footage.jpeg().read_bytes()


async def playable(bench: Bench, clip: bytes) -> int:
    event_id = await bench.clip(clip)
    await bench.shared.conversion.convert(await bench.claim())
    return event_id


async def make(bench: Bench) -> None:
    await bench.due_now()
    job = await bench.claim(STILLS)
    try:
        await bench.shared.stills.make(job)
    finally:
        bench.shared.jobs.let_go(job)


async def own_path(bench: Bench, event_id: int, file_type: FileType) -> str:
    event = await bench.seen(event_id)
    local = event.timestamp.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
    return make_path("camera_1", event_id, local, file_type)


async def jpeg(path: Path) -> JpegFacts:
    return await asyncio.to_thread(read_jpeg, path)


async def test_all_three_are_made_under_the_agents_names(bench: Bench, clip: bytes) -> None:
    event_id = await playable(bench, clip)
    await make(bench)
    event = await bench.seen(event_id)
    paths = [await own_path(bench, event_id, file_type) for file_type in (A, B, THUMBNAIL)]
    assert [event.image_a_path, event.image_b_path, event.thumbnail_path] == paths
    assert paths[0] == f"camera_1/pictures/{event_id}_20260301_110001_a.jpg"
    assert paths[2] == f"camera_1/thumbs/{event_id}_20260301_110001_thumb.jpg"
    assert event.image_a_transferred
    assert event.image_b_transferred
    assert event.thumbnail_transferred
    found = [await jpeg(bench.root / path) for path in paths]
    assert [(each.width, each.height) for each in found] == [(320, 180), (320, 180), (480, 270)]
    assert event.size_bytes == sum((bench.root / path).stat().st_size for path in event.paths)
    assert (await bench.job(event_id, ANALYSE)).state is JobState.QUEUED
    assert (await bench.job(event_id, STILLS)).state is JobState.DONE


async def test_it_waits_for_the_agent_first(make_bench: MakeBench, clip: bytes, picture: bytes) -> None:
    bench = await make_bench(converter={"stills_after_seconds": 100})
    event_id = await playable(bench, clip)
    [(seconds,)] = await bench.sql(
        "SELECT TIMESTAMPDIFF(SECOND, created_at, run_after) FROM jobs WHERE kind = 'stills'"
    )
    assert seconds == 100
    assert await bench.shared.jobs.claim(STILLS, lease_seconds=30) is None
    for file_type in (A, B, THUMBNAIL):
        path = await own_path(bench, event_id, file_type)
        bench.write(path, picture)
        await bench.report(event_id, file_type, path)
    await make(bench)
    for file_type in (A, B, THUMBNAIL):
        assert (bench.root / await own_path(bench, event_id, file_type)).read_bytes() == picture


async def test_nothing_is_queued_when_nothing_is_missing(bench: Bench, clip: bytes, picture: bytes) -> None:
    event_id = await bench.clip(clip)
    for file_type in (A, B, THUMBNAIL):
        path = await own_path(bench, event_id, file_type)
        bench.write(path, picture)
        await bench.report(event_id, file_type, path)
    await bench.shared.conversion.convert(await bench.claim())
    assert [job.kind for job in await bench.shared.jobs.of_event(event_id)] == [JobKind.REMUX, ANALYSE]


async def test_a_thumbnail_is_made_of_the_agents_picture(bench: Bench, clip: bytes, tmp_path: Path) -> None:
    event_id = await playable(bench, clip)
    red = tmp_path / "red.jpg"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=red:s=640x360", "-frames:v", "1", str(red)]
    await asyncio.to_thread(subprocess.run, command, check=True)
    path = await own_path(bench, event_id, A)
    bench.write(path, red.read_bytes())
    await bench.report(event_id, A, path)
    await make(bench)
    event = await bench.seen(event_id)
    assert event.thumbnail_path
    command = ["ffmpeg", "-v", "error", "-i", str(bench.root / event.thumbnail_path), "-vf", "scale=1:1"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    pixel = (await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)).stdout
    assert pixel[0] > 200
    assert max(pixel[1:]) < 60
    assert (bench.root / path).read_bytes() == red.read_bytes()


async def test_what_lies_there_unreported_is_linked_not_replaced(bench: Bench, clip: bytes, picture: bytes) -> None:
    """The agent's own, or ours of before a crash."""
    event_id = await playable(bench, clip)
    path = await own_path(bench, event_id, A)
    bench.write(path, picture)
    await make(bench)
    assert (bench.root / path).read_bytes() == picture
    assert (await bench.seen(event_id)).image_a_path == path


async def test_a_damaged_file_in_the_way_stays_and_is_told(bench: Bench, clip: bytes, picture: bytes) -> None:
    event_id = await playable(bench, clip)
    path = await own_path(bench, event_id, A)
    bench.write(path, picture[:-100])
    await make(bench)
    job, event = await bench.job(event_id, STILLS), await bench.seen(event_id)
    assert (job.state, job.last_error) == (JobState.FAILED, IN_THE_WAY)
    assert (bench.root / path).read_bytes() == picture[:-100]
    # The others are made all the same.
    assert (event.image_a_transferred, event.image_b_transferred, event.thumbnail_transferred) == (False, True, True)


async def test_a_picture_that_was_named_and_never_came(bench: Bench, clip: bytes) -> None:
    event_id = await playable(bench, clip)
    await bench.sql(f"UPDATE events SET image_a_path = 'camera_1/pictures/lost.jpg' WHERE id = {event_id}")
    await make(bench)
    event = await bench.seen(event_id)
    assert event.image_a_path == await own_path(bench, event_id, A)
    assert event.image_a_transferred


async def test_a_picture_that_comes_meanwhile_wins(
    bench: Bench, clip: bytes, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id = await playable(bench, clip)
    path = await own_path(bench, event_id, A)
    publish = bench.shared.files.publish

    async def late(temporary: Path, final: str, *, replace: bool = False) -> None:
        if final == path:
            await asyncio.to_thread(bench.write, path, picture)
        await publish(temporary, final, replace=replace)

    monkeypatch.setattr(bench.shared.files, "publish", late)
    await make(bench)
    assert (bench.root / path).read_bytes() == picture
    assert (await bench.seen(event_id)).image_a_path == path
    assert not [found for found in (bench.root / "camera_1/pictures").iterdir() if found.name.startswith(".")]


async def test_without_a_clip_there_are_no_pictures(bench: Bench, clip: bytes) -> None:
    event_id = await playable(bench, clip)
    bench.playable_of(event_id).unlink()
    await make(bench)
    assert (await bench.job(event_id, STILLS)).state is JobState.FAILED


def test_the_names_are_those_of_the_site() -> None:
    local = datetime(2026, 3, 1, 11, 0, 1)  # noqa: DTZ001 - the site's clock
    assert make_path("camera_1", 7, local, B) == "camera_1/pictures/7_20260301_110001_b.jpg"


# --- later than at the end of a conversion ---------------------------------------------------------------------------


AN_HOUR_OLD = "UPDATE events SET created_at = UTC_TIMESTAMP(6) - INTERVAL 1 HOUR"


async def test_an_event_that_was_left_without_pictures_gets_them(bench: Bench, clip: bytes) -> None:
    """As those of an older database, whose conversions asked for none."""
    event_id = await playable(bench, clip)
    await bench.sql("DELETE FROM jobs")
    await bench.sql(AN_HOUR_OLD)
    assert await bench.shared.linking.look_for_overdue() == 0
    await make(bench)
    assert (await bench.seen(event_id)).thumbnail_transferred
    await bench.shared.linking.look_for_overdue()
    assert (await bench.job(event_id, STILLS)).state is JobState.DONE


async def test_an_event_whose_clip_is_not_playable_waits(bench: Bench, clip: bytes) -> None:
    await bench.clip(clip)
    await bench.sql(AN_HOUR_OLD)
    await bench.shared.linking.look_for_overdue()
    assert await bench.sql("SELECT kind FROM jobs") == [("remux",)]


async def test_pictures_that_vanished_are_made_anew_once_that_is_noticed(bench: Bench, clip: bytes) -> None:
    event_id = await playable(bench, clip)
    await make(bench)
    await bench.sql(AN_HOUR_OLD)
    await bench.shared.storage.open()
    thumbnail = await own_path(bench, event_id, THUMBNAIL)
    (bench.root / thumbnail).unlink()
    bench.shared.storage_check.request(repair=True, force=True)
    await bench.shared.storage_check.run_requested()
    assert not (await bench.seen(event_id)).thumbnail_transferred
    await make(bench)
    assert (await bench.seen(event_id)).thumbnail_transferred
    assert (await jpeg(bench.root / thumbnail)).width == 480
