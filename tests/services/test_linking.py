"""Files that no agent reported find their events; what fits none is listed and stays."""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from structlog.typing import EventDict

from securitycamd.db import strays as stray_rows
from securitycamd.domain.errors import ConflictError, InvalidError, NotFoundError, StorageUnavailableError
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.models import Event
from securitycamd.domain.names import ConversionStatus, FileType
from securitycamd.domain.principal import TRUSTED_OPERATOR, Audience, Principal
from securitycamd.services import linking
from securitycamd.storage import Files, FoundFile, StorageGuard, find_for_event
from tests.services.conftest import Bench, MakeBench

ZONE = ZoneInfo("Europe/Berlin")
LOCAL = datetime(2026, 3, 1, 11, 0, 22)  # noqa: DTZ001 - as names tell the time
IDENTITY = "0f9d8c7b6a5e4d3c"


def put(bench: Bench, path: str, content: bytes = b"x" * 100, *, age: float = 60.0) -> Path:
    """A file on the share, written so long ago."""
    bench.write(path, content)
    target = bench.root / path
    os.utime(target, (time.time() - age, time.time() - age))
    return target


async def event_at(bench: Bench, local: datetime = LOCAL, *, camera_id: str = "camera_1", fold: int = 0) -> Event:
    """An event at a local time of the site."""
    moment = local.replace(tzinfo=ZONE, fold=fold).astimezone(UTC)
    event, _ = await bench.shared.events.create(
        TRUSTED_OPERATOR, camera_id=camera_id, timestamp=moment, motion_score=1.0, confidence_score=None
    )
    return event


def name(event: Event | int, kind: str, *, local: datetime = LOCAL, camera_id: str = "camera_1") -> str:
    """Where an agent puts a file."""
    number = event if isinstance(event, int) else event.id
    ext, folder = {"video": ("h264", "videos"), "thumb": ("jpg", "thumbs")}.get(kind, ("jpg", "pictures"))
    return f"{camera_id}/{folder}/{number}_{local:%Y%m%d_%H%M%S}_{kind}.{ext}"


async def strays(bench: Bench) -> dict[str, str]:
    """The list: reasons by path."""
    page = await bench.shared.strays.listed(TRUSTED_OPERATOR, limit=200, offset=0)
    assert page.total == len(page.items)
    return {stray.path: stray.reason for stray in page.items}


async def guarded(bench: Bench) -> StorageGuard:
    """The guard of the storage root, which is content."""
    files = bench.shared.files
    if files.guard is None:
        files.guard = StorageGuard(files, IDENTITY)
        await files.guard.establish(adopt=True)
    assert (await files.guard.check()).is_ok
    return files.guard


async def kinds(bench: Bench, event: Event) -> set[JobKind]:
    return {job.kind for job in await bench.shared.jobs.of_event(event.id)}


# --- what fits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "b"), [("a", "b"), ("picA", "picB")])
async def test_files_of_both_dialects_are_linked_as_if_reported(
    bench: Bench, clip: bytes, logs: list[EventDict], a: str, b: str
) -> None:
    event = await event_at(bench)
    paths = {kind: name(event, kind) for kind in (a, b, "thumb", "video")}
    for kind, path in paths.items():
        put(bench, path, clip if kind == "video" else b"picture")
    put(bench, f"{paths['video']}.READY", b"")
    report = await bench.shared.linking.scan()
    assert (report.files, report.linked, report.strays) == (4, 4, 0)
    seen = await bench.seen(event.id)
    assert seen.image_a_path == paths[a]
    assert seen.image_b_path == paths[b]
    assert seen.thumbnail_path == paths["thumb"]
    assert seen.video_h264_path == paths["video"]
    flags = (seen.image_a_transferred, seen.image_b_transferred, seen.thumbnail_transferred, seen.video_transferred)
    assert all(flags)
    assert {JobKind.REMUX, JobKind.ANALYSE} <= await kinds(bench, event)
    told = [line for line in logs if line["event"] == "a file that no agent reported was linked"]
    assert {line["path"] for line in told} == set(paths.values())
    job = await bench.claim()
    await bench.shared.conversion.convert(job)
    assert (await bench.seen(event.id)).mp4_conversion_status is ConversionStatus.COMPLETE
    again = await bench.shared.linking.scan()
    assert (again.linked, again.strays, again.waiting) == (0, 0, 0)


async def test_a_ready_file_without_its_video_goes(bench: Bench) -> None:
    event = await event_at(bench)
    alone, beside = (name(number, "video") for number in (event.id + 1, event))
    put(bench, beside)
    for video in (alone, beside):
        put(bench, f"{video}.READY", b"", age=2 * linking.READY_KEPT_SECONDS)
    await bench.shared.linking.scan()
    assert [(bench.root / f"{video}.READY").exists() for video in (alone, beside)] == [False, True]


async def test_what_an_agent_reported_stays_as_it_is(bench: Bench) -> None:
    event = await event_at(bench)
    path = name(event, "a")
    put(bench, path)
    put(bench, name(event, "picA"))
    await bench.report(event.id, FileType.IMAGE_A, path)
    assert (await bench.shared.linking.scan()).linked == 0
    assert (await bench.seen(event.id)).image_a_path == path
    assert await strays(bench) == {name(event, "picA"): f"Event {event.id} has its picture A already."}


async def test_a_path_whose_file_is_not_there_gives_way(bench: Bench) -> None:
    event = await event_at(bench)
    await bench.report(event.id, FileType.IMAGE_A, "camera_1/pictures/never_came.jpg")
    put(bench, name(event, "a"))
    assert (await bench.shared.linking.scan()).linked == 1
    assert (await bench.seen(event.id)).image_a_path == name(event, "a")


async def test_a_clip_that_comes_after_it_was_given_up_is_converted(bench: Bench, clip: bytes) -> None:
    event = await event_at(bench)
    await bench.report(event.id, FileType.VIDEO, name(event, "video"))
    await bench.sql("UPDATE jobs SET created_at = '2020-01-01'")
    await bench.shared.conversion.convert(await bench.claim())
    assert (await bench.job(event.id)).state is JobState.FAILED
    put(bench, name(event, "video"), clip)
    assert (await bench.shared.linking.scan()).linked == 1
    await bench.shared.conversion.convert(await bench.claim())
    assert (await bench.seen(event.id)).mp4_conversion_status is ConversionStatus.COMPLETE


async def test_a_clip_that_cannot_be_converted_is_not_tried_for_ever(bench: Bench) -> None:
    event = await event_at(bench)
    put(bench, name(event, "video"), b"no video at all" * 100)
    assert (await bench.shared.linking.scan()).linked == 1
    await bench.shared.conversion.convert(await bench.claim())
    assert (await bench.job(event.id)).state is JobState.FAILED
    assert (await bench.shared.linking.scan()).linked == 0
    assert await strays(bench) == {}


@pytest.mark.parametrize(("local", "content"), [(LOCAL, b""), (LOCAL + timedelta(hours=1), b"no video at all" * 100)])
async def test_a_reported_clip_that_could_not_be_converted_is_no_stray(
    bench: Bench, local: datetime, content: bytes
) -> None:
    event = await event_at(bench)
    # Neither that it is empty nor a wrong clock makes it another event's: its agent said whose it is.
    path = name(event, "video", local=local)
    put(bench, path, content)
    await bench.report(event.id, FileType.VIDEO, path)
    await bench.shared.conversion.convert(await bench.claim())
    assert (await bench.job(event.id)).state is JobState.FAILED
    report = await bench.shared.linking.scan()
    assert (report.linked, report.strays) == (0, 0)
    assert await strays(bench) == {}


async def test_a_whole_mp4_becomes_the_clip(bench: Bench, clip: bytes) -> None:
    event = await event_at(bench)
    put(bench, name(event, "video"), clip)
    await bench.shared.linking.scan()
    await bench.shared.conversion.convert(await bench.claim())
    playable = (await bench.seen(event.id)).video_mp4_path
    # As after a restore of an older database.
    await bench.sql(
        "UPDATE events SET video_mp4_path = NULL, video_transferred = FALSE, mp4_conversion_status = 'pending'"
    )
    os.utime(bench.root / str(playable), (1, 1))
    assert (await bench.shared.linking.scan()).linked == 1
    seen = await bench.seen(event.id)
    assert (seen.video_mp4_path, seen.mp4_conversion_status) == (playable, ConversionStatus.COMPLETE)
    assert seen.video_duration == pytest.approx(1.0)
    assert JobKind.STILLS in await kinds(bench, event)  # it has no pictures, and nobody will bring them


async def test_a_lost_mp4_is_made_again_from_its_source(bench: Bench, clip: bytes) -> None:
    event = await event_at(bench)
    put(bench, name(event, "video"), clip)
    await bench.shared.linking.scan()
    await bench.shared.conversion.convert(await bench.claim())
    (bench.root / str((await bench.seen(event.id)).video_mp4_path)).unlink()
    put(bench, name(event, "video"), clip)
    assert (await bench.shared.linking.scan()).linked == 1
    await bench.shared.conversion.convert(await bench.claim())
    seen = await bench.seen(event.id)
    assert seen.mp4_conversion_status is ConversionStatus.COMPLETE
    assert (bench.root / str(seen.video_mp4_path)).exists()


@pytest.mark.parametrize("fold", [0, 1])
async def test_both_readings_of_a_repeated_hour_fit(bench: Bench, fold: int) -> None:
    local = datetime(2025, 10, 26, 2, 30, 5)  # noqa: DTZ001 - shown twice that night
    event = await event_at(bench, local, fold=fold)
    put(bench, name(event, "a", local=local))
    assert (await bench.shared.linking.scan()).linked == 1


async def test_an_hour_off_does_not_fit(bench: Bench) -> None:
    event = await event_at(bench)
    put(bench, name(event, "a", local=LOCAL + timedelta(hours=1)))
    put(bench, name(event, "b", local=LOCAL + timedelta(seconds=3)))
    report = await bench.shared.linking.scan()
    assert (report.linked, report.strays) == (1, 1)
    assert await strays(bench) == {
        name(event, "a", local=LOCAL + timedelta(hours=1)): f"The time in the name is not that of event {event.id}."
    }


# --- what is left alone ----------------------------------------------------------------------------------------------


async def test_what_is_still_being_written_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    event = await event_at(bench)
    put(bench, name(event, "a"), age=0)
    put(bench, name(event, "b"))
    put(bench, f"{name(event, 'b')}.tmp")
    put(bench, name(event, "thumb"), age=-3600)  # the camera's clock is ahead
    report = await bench.shared.linking.scan()
    assert (report.linked, report.strays, report.waiting) == (0, 0, 3)
    monkeypatch.setattr(linking, "STABLE_SECONDS", 0.05)
    (bench.root / f"{name(event, 'b')}.tmp").unlink()
    await asyncio.sleep(0.1)
    assert (await bench.shared.linking.scan()).linked == 3


async def test_files_of_an_event_that_is_being_removed_wait(bench: Bench) -> None:
    event = await event_at(bench)
    put(bench, name(event, "a"))
    await bench.sql(f"INSERT INTO removals VALUES ({event.id}, 'age', UTC_TIMESTAMP(6))")
    report = await bench.shared.linking.scan()
    assert (report.linked, report.strays, report.waiting) == (0, 0, 1)


async def test_a_result_whose_row_is_not_written_yet_is_no_stray(bench: Bench, clip: bytes) -> None:
    event = await event_at(bench)
    put(bench, name(event, "video"), clip)
    put(bench, name(event, "video").replace(".h264", ".mp4"), b"what a crash left behind")
    await bench.report(event.id, FileType.VIDEO, name(event, "video"))
    report = await bench.shared.linking.scan()
    assert (report.linked, report.strays, report.waiting) == (0, 0, 1)


# --- strays ----------------------------------------------------------------------------------------------------------


async def test_each_stray_says_why(bench: Bench) -> None:
    await bench.register("camera_2")
    event = await event_at(bench)
    other = await event_at(bench, camera_id="camera_2")
    expected = {
        name(999_999, "a"): "There is no event 999999.",
        name(2**62, "a"): f"There is no event {2**62}.",
        name(other, "a"): f"Event {other.id} belongs to camera_2.",
        name(event, "thumb"): "The file is empty.",
        "camera_1/pictures/holiday.jpg": "The name is not one that agents use.",
        name(event, "video").replace("h264", "mp4"): "The clip is cut short.",
    }
    for path in expected:
        put(bench, path, b"" if "thumb" in path else b"x" * 64)
    report = await bench.shared.linking.scan()
    assert (report.linked, report.strays) == (0, len(expected))
    assert await strays(bench) == expected


async def test_a_file_with_an_odd_name_that_was_reported_is_no_stray(bench: Bench) -> None:
    event = await event_at(bench, datetime.now(ZONE).replace(tzinfo=None))
    put(bench, "camera_1/pictures/front.jpg")
    await bench.report(event.id, FileType.IMAGE_A, "camera_1/pictures/front.jpg")
    assert (await bench.shared.linking.scan()).strays == 0


async def test_the_life_of_a_stray(bench: Bench) -> None:
    gone, late, stays = name(77_001, "a"), name(77_002, "a"), name(77_003, "a")
    for path in (gone, late, stays):
        put(bench, path)
    await bench.shared.linking.scan()
    first = await stray_rows.by_paths(bench.shared.database, [stays])
    (bench.root / gone).unlink()
    event = await event_at(bench)
    (bench.root / late).rename(bench.root / name(event, "a"))
    await bench.shared.linking.scan()
    assert set(await strays(bench)) == {stays}
    again = await stray_rows.by_paths(bench.shared.database, [stays])
    assert again[stays].found_at == first[stays].found_at
    assert again[stays].seen_at > first[stays].seen_at
    assert (bench.root / stays).exists()


async def test_the_operator_links_what_a_name_does_not_tell(bench: Bench) -> None:
    event = await event_at(bench)
    service = bench.shared.strays
    odd, wrong = "camera_1/pictures/copy.jpg", name(77_004, "b")
    put(bench, odd, b"A")
    put(bench, wrong, b"B")
    await bench.shared.linking.scan()
    with pytest.raises(InvalidError):
        await service.link(TRUSTED_OPERATOR, odd, event.id)
    await service.link(TRUSTED_OPERATOR, odd, event.id, FileType.IMAGE_A)
    seen = await service.link(TRUSTED_OPERATOR, wrong, event.id)
    assert seen.image_a_path == name(event, "a")
    assert (bench.root / name(event, "a")).read_bytes() == b"A"
    assert (bench.root / str(seen.image_b_path)).read_bytes() == b"B"
    assert JobKind.ANALYSE in await kinds(bench, event)
    # And by its new name it is known for good.
    assert (await bench.shared.linking.scan()).strays == 0
    assert await strays(bench) == {}


async def test_what_cannot_be_linked_by_hand(bench: Bench) -> None:
    await bench.register("camera_2")
    event, other = await event_at(bench), await event_at(bench, camera_id="camera_2")
    stray = name(77_005, "a")
    put(bench, stray)
    put(bench, name(event, "a"))
    await bench.shared.linking.scan()
    service = bench.shared.strays
    for error, path, event_id in (
        (NotFoundError, "camera_1/pictures/unlisted.jpg", event.id),
        (NotFoundError, stray, 10**6),
        (ConflictError, stray, other.id),
        (ConflictError, stray, event.id),  # it has its picture
    ):
        with pytest.raises(error):
            await service.link(TRUSTED_OPERATOR, path, event_id)
    assert (bench.root / stray).exists()
    (bench.root / stray).unlink()
    with pytest.raises(NotFoundError):
        await service.link(TRUSTED_OPERATOR, stray, event.id)


async def test_a_stray_is_removed_when_a_person_says_so(bench: Bench) -> None:
    event = await event_at(bench)
    stray, now_linked = name(77_006, "a"), name(event, "a")
    put(bench, stray)
    await bench.shared.linking.scan()
    only_other = Principal("guest", Audience.OPERATOR, frozenset({"camera_2"}))
    for principal, path in ((only_other, stray), (TRUSTED_OPERATOR, now_linked)):
        with pytest.raises(NotFoundError):
            await bench.shared.strays.delete(principal, path)
    await bench.shared.strays.delete(TRUSTED_OPERATOR, stray)
    assert not (bench.root / stray).exists()
    assert await strays(bench) == {}


async def test_a_listed_file_that_an_event_has_by_now_is_not_removed(bench: Bench) -> None:
    event = await event_at(bench)
    path = name(event, "a", local=LOCAL + timedelta(hours=2))
    put(bench, path)
    await bench.shared.linking.scan()
    await bench.report(event.id, FileType.IMAGE_A, path)
    with pytest.raises(ConflictError):
        await bench.shared.strays.delete(TRUSTED_OPERATOR, path)
    assert (bench.root / path).exists()


# --- overdue ---------------------------------------------------------------------------------------------------------


async def test_overdue_files_are_found_without_a_scan(
    make_bench: MakeBench, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await make_bench(agents={"files_overdue_seconds": 60})
    event, young = await event_at(bench), await event_at(bench, LOCAL + timedelta(minutes=1))
    done = await event_at(bench, LOCAL + timedelta(minutes=2))
    old = await event_at(bench, LOCAL + timedelta(minutes=3))
    await bench.sql(f"UPDATE events SET created_at = UTC_TIMESTAMP(6) - INTERVAL 90 SECOND WHERE id <> {young.id}")
    await bench.sql(f"UPDATE events SET created_at = UTC_TIMESTAMP(6) - INTERVAL 1 DAY WHERE id = {old.id}")
    await bench.sql(
        "UPDATE events SET image_a_transferred = 1, image_b_transferred = 1, thumbnail_transferred = 1,"
        f" video_transferred = 1 WHERE id = {done.id}"
    )
    asked: list[int] = []

    async def find(files: Files, camera_id: str, event_id: int) -> list[FoundFile]:
        asked.append(event_id)
        return await find_for_event(files, camera_id, event_id)

    monkeypatch.setattr(linking, "find_for_event", find)
    assert await bench.shared.linking.look_for_overdue() == 0
    put(bench, name(event, "video"), clip)
    assert await bench.shared.linking.look_for_overdue() == 0  # it is not asked again at once
    assert asked == [event.id]
    monkeypatch.setattr(linking, "FIRST_PAUSE_SECONDS", 0.0)
    for tries in bench.shared.linking._tries.values():
        tries.not_before = 0.0
    assert await bench.shared.linking.look_for_overdue() == 1
    for _ in range(10):
        await bench.shared.linking.look_for_overdue()
    assert asked == [event.id] * linking.OVERDUE_TRIES
    await bench.shared.conversion.convert(await bench.claim())
    assert (await bench.seen(event.id)).mp4_conversion_status is ConversionStatus.COMPLETE


async def test_nothing_is_said_of_a_storage_that_is_not_the_right_one(bench: Bench) -> None:
    guard = await guarded(bench)
    stray = name(77_007, "a")
    put(bench, stray)
    await bench.shared.linking.scan()
    aside = bench.root.with_name("unmounted")
    bench.root.rename(aside)
    bench.root.mkdir()
    assert not (await guard.check()).is_ok
    for call in (bench.shared.linking.scan, bench.shared.linking.look_for_overdue):
        with pytest.raises(StorageUnavailableError):
            await call()
    assert set(await strays(bench)) == {stray}


async def test_of_a_camera_whose_folder_is_not_the_right_one_nothing_is_forgotten(bench: Bench) -> None:
    guard = await guarded(bench)
    await bench.register("camera_2")
    lost, gone = name(77_008, "a"), name(77_009, "a", camera_id="camera_2")
    put(bench, lost)
    put(bench, gone)
    await guard.mark_camera("camera_1")
    await bench.shared.linking.scan()
    (bench.root / "camera_1").rename(bench.root / "aside")
    (bench.root / "camera_1" / "pictures").mkdir(parents=True)
    (bench.root / gone).unlink()
    await bench.shared.linking.scan()
    assert set(await strays(bench)) == {lost}


async def test_many_strays_are_forgotten_in_steps(bench: Bench) -> None:
    paths = [name(78_000 + number, "a") for number in range(2500)]
    for path in paths:
        put(bench, path)
    await bench.shared.linking.scan()
    assert await stray_rows.count(bench.shared.database, None) == len(paths)
    for path in paths:
        (bench.root / path).unlink()
    await bench.shared.linking.scan()
    assert await strays(bench) == {}


async def test_two_scans_at_once_do_no_harm(bench: Bench) -> None:
    event = await event_at(bench)
    for kind in ("a", "b", "thumb"):
        put(bench, name(event, kind))
    put(bench, name(77_010, "a"))
    await asyncio.gather(bench.shared.linking.scan(), bench.shared.linking.scan())
    seen = await bench.seen(event.id)
    assert seen.image_a_path == name(event, "a")
    assert set(await strays(bench)) == {name(77_010, "a")}
