"""Rows and files compared both ways, and what is safe mended."""

import os
from pathlib import Path

import pytest

from securitycamd.domain.errors import ConflictError, StorageUnavailableError
from securitycamd.domain.jobs import JobState
from securitycamd.domain.linking import LOST
from securitycamd.domain.models import Event
from securitycamd.domain.names import ConversionStatus, FileType
from securitycamd.services.storage_check import CheckReport, CheckState, FindingKind
from tests.services.conftest import Bench
from tests.services.test_linking import event_at, guarded, name, put, strays

DAY = 86_400.0


async def check(bench: Bench, *, repair: bool = False, force: bool = False) -> CheckReport:
    """A whole check."""
    service = bench.shared.storage_check
    service.request(repair=repair, force=force)
    await service.run_requested()
    return service.report


def counts(report: CheckReport) -> dict[str, int]:
    assert (report.state, report.error) == (CheckState.DONE, None)
    return {str(kind): number for kind, number in report.counts.items() if number}


def mended(report: CheckReport) -> dict[str, int]:
    return {str(kind): number for kind, number in report.mended.items() if number}


async def whole_event(bench: Bench, clip: bytes) -> Event:
    """An event with stills and a converted clip, measured, and old enough to be judged."""
    event = await event_at(bench)
    for kind in ("a", "b", "video"):
        put(bench, name(event, kind), clip if kind == "video" else b"picture")
    await bench.shared.linking.scan()
    await bench.shared.conversion.convert(await bench.claim())
    await bench.sql("UPDATE events SET created_at = created_at - INTERVAL 1 DAY")
    await bench.shared.storage_check._measuring.measure([event.id])
    return await bench.seen(event.id)


async def filler(bench: Bench, events: int) -> None:
    """So many more events that have a picture."""
    bench.made += 1000  # far from the others' times
    for _ in range(events):
        event_id = await bench.event()
        path = f"camera_1/pictures/{event_id}_20260301_110000_a.jpg"
        put(bench, path, b"p")
        await bench.report(event_id, FileType.IMAGE_A, path)
    await bench.sql(
        "UPDATE events SET created_at = created_at - INTERVAL 1 DAY, size_bytes = 1"
        " WHERE created_at > UTC_TIMESTAMP(6) - INTERVAL 1 HOUR"
    )


def clip_of(bench: Bench, event: Event) -> Path:
    return bench.root / str(event.video_mp4_path)


async def test_nothing_is_wrong(bench: Bench, clip: bytes) -> None:
    await whole_event(bench, clip)
    report = await check(bench)
    assert counts(report) == {}
    assert (report.events, report.events_total, report.files, report.files_named, report.left) == (1, 1, 3, 3, 0)


async def test_new_events_are_not_judged(bench: Bench) -> None:
    event = await event_at(bench)
    await bench.report(event.id, FileType.IMAGE_A, name(event, "a"))
    report = await check(bench)
    assert counts(report) == {}
    assert (report.events, report.events_left_out, report.events_total) == (0, 1, 1)


async def test_missing_files_are_found_and_dropped(bench: Bench, clip: bytes) -> None:
    event = await whole_event(bench, clip)
    await filler(bench, 30)
    away = clip_of(bench, event).rename(bench.root / "away.mp4")
    (bench.root / name(event, "b")).unlink()
    report = await check(bench)
    assert counts(report) == {"missing": 2}
    assert {finding.path for finding in report.findings} == {event.video_mp4_path, name(event, "b")}
    assert await bench.seen(event.id) == event  # only said, not done
    report = await check(bench, repair=True)
    assert (counts(report), mended(report), report.left) == ({"missing": 2}, {"missing": 2}, 0)
    seen = await bench.seen(event.id)
    assert (seen.image_a_path, seen.image_b_path, seen.video_mp4_path) == (event.image_a_path, None, None)
    assert (seen.image_b_transferred, seen.video_transferred) == (False, False)
    assert seen.mp4_conversion_status is ConversionStatus.FAILED
    assert seen.size_bytes == len(b"picture")
    job = await bench.job(event.id)
    assert (job.state, job.last_error) == (JobState.FAILED, LOST)
    assert counts(await check(bench)) == {}
    # Somebody puts it back.
    os.utime(away.rename(clip_of(bench, event)), (1, 1))
    assert mended(await check(bench, repair=True)) == {"orphaned": 1}
    assert (await bench.seen(event.id)).mp4_conversion_status is ConversionStatus.COMPLETE
    job = await bench.job(event.id)
    assert (job.state, job.last_error) == (JobState.DONE, None)


async def test_a_lost_clip_is_made_again_when_its_source_is_there(bench: Bench, clip: bytes) -> None:
    event = await whole_event(bench, clip)
    await filler(bench, 30)
    clip_of(bench, event).unlink()
    put(bench, name(event, "video"), clip)
    report = await check(bench, repair=True)
    # The source is an orphan that fits: it takes the place of the clip.
    assert counts(report) == {"missing": 1, "orphaned": 1}
    assert report.left == 0
    await bench.shared.conversion.convert(await bench.claim())
    assert clip_of(bench, await bench.seen(event.id)).exists()


async def test_orphans_that_fit_are_linked_and_others_listed(bench: Bench) -> None:
    event = await event_at(bench)
    put(bench, name(event, "a"))
    put(bench, name(88_001, "a"))
    report = await check(bench)
    assert counts(report) == {"orphaned": 2}
    assert (await bench.seen(event.id)).image_a_path is None
    assert await strays(bench) == {}
    report = await check(bench, repair=True)
    assert (counts(report), mended(report), report.left) == ({"orphaned": 2}, {"orphaned": 1}, 1)
    assert (await bench.seen(event.id)).image_a_path == name(event, "a")
    assert set(await strays(bench)) == {name(88_001, "a")}


async def test_files_whose_names_cannot_be_used_are_told_of(bench: Bench) -> None:
    await event_at(bench)
    odd = bench.root / "camera_1" / "videos" / "concat:a|b.h264"
    odd.parent.mkdir(parents=True, exist_ok=True)
    odd.write_bytes(b"clip")
    (odd.parent / os.fsdecode(b"7_\xff.h264")).write_bytes(b"clip")
    for repair in (False, True):
        report = await check(bench, repair=repair)
        assert counts(report) == {"orphaned": 2}
        assert mended(report) == {}
        unread, finding = sorted(report.findings, key=lambda each: each.path)
        assert unread.path == "camera_1/videos/7_\\xff.h264"
        assert "UTF-8" in unread.sentence
        assert finding.path == "camera_1/videos/concat:a|b.h264"
        assert "colon" in finding.sentence
        assert "another name" in finding.sentence
    assert odd.exists()


async def test_sizes_are_measured_again(bench: Bench, clip: bytes) -> None:
    event = await whole_event(bench, clip)
    (bench.root / name(event, "a")).write_bytes(b"another picture")
    report = await check(bench)
    assert counts(report) == {"size": 1}
    assert (await check(bench, repair=True)).left == 0
    grown = len(b"another picture") - len(b"picture")
    assert (await bench.seen(event.id)).size_bytes == event.size_bytes + grown
    assert counts(await check(bench)) == {}


async def test_what_was_never_finished(bench: Bench) -> None:
    ours = "camera_1/videos/.1_video.mp4.00000000000000aa01234567.tmp"
    part = "camera_1/videos/.1_video.h264.0123456789abcdef.part"
    theirs = "camera_1/videos/1_video.h264.tmp"
    for path in (ours, part, theirs):
        put(bench, path, age=2 * DAY)
    put(bench, "camera_1/videos/2_video.h264.tmp", age=60)
    report = await check(bench)
    assert counts(report) == {"unfinished": 3}
    assert {finding.path for finding in report.findings} == {ours, part, theirs}
    report = await check(bench, repair=True)
    assert (mended(report), report.left) == ({"unfinished": 2}, 1)
    there = {path.name for path in (bench.root / "camera_1/videos").iterdir()}
    assert there == {"1_video.h264.tmp", "2_video.h264.tmp"}


@pytest.mark.parametrize("size_bytes", [0, 40, 2000])
async def test_a_clip_that_is_cut_short(bench: Bench, clip: bytes, size_bytes: int) -> None:
    event = await whole_event(bench, clip)
    os.truncate(clip_of(bench, event), size_bytes)
    report = await check(bench)
    assert counts(report) == {"size": 1, "unfinished": 1}
    (finding,) = [one for one in report.findings if one.kind is FindingKind.UNFINISHED]
    assert (finding.path, finding.event_id) == (event.video_mp4_path, event.id)


async def test_a_picture_that_is_empty(bench: Bench, clip: bytes) -> None:
    event = await whole_event(bench, clip)
    os.truncate(bench.root / name(event, "b"), 0)
    await check(bench, repair=True)  # measures it, and from then on only its emptiness tells
    (finding,) = (await check(bench)).findings
    assert (finding.kind, finding.path) == (FindingKind.UNFINISHED, name(event, "b"))


async def test_half_a_disk_does_not_empty_the_books(bench: Bench, clip: bytes) -> None:
    event = await whole_event(bench, clip)
    await filler(bench, 5)
    clip_of(bench, event).unlink()
    put(bench, name(88_002, "a"))
    report = await check(bench, repair=True)
    assert counts(report) == {"missing": 1, "orphaned": 1}
    assert mended(report) == {}
    assert report.refused is not None
    assert report.refused.startswith("12% of all footage")
    assert await bench.seen(event.id) == event
    assert await strays(bench) == {}
    report = await check(bench, repair=True, force=True)
    assert (report.refused, mended(report)) == (None, {"missing": 1})
    assert (await bench.seen(event.id)).video_mp4_path is None


async def test_an_event_that_changes_meanwhile_stays_as_it_is(bench: Bench, clip: bytes) -> None:
    event = await whole_event(bench, clip)
    (bench.root / name(event, "a")).unlink()
    before = await bench.seen(event.id)
    other = name(event, "picA")
    await bench.report(event.id, FileType.IMAGE_A, other)
    gone = frozenset({name(event, "a")})
    assert await bench.shared.storage_check._drop({event.id: before}, {event.id: gone}) == 1
    assert (await bench.seen(event.id)).image_a_path == other


async def test_events_that_are_being_removed_are_left_alone(bench: Bench, clip: bytes) -> None:
    event = await whole_event(bench, clip)
    await bench.sql(f"INSERT INTO removals VALUES ({event.id}, 'age', UTC_TIMESTAMP(6))")
    (bench.root / name(event, "a")).unlink()
    assert counts(await check(bench)) == {}


async def test_one_at_a_time(bench: Bench) -> None:
    bench.shared.storage_check.request()
    with pytest.raises(ConflictError):
        bench.shared.storage_check.request(repair=True)
    await bench.shared.storage_check.run_requested()
    assert (await check(bench)).state is CheckState.DONE


async def test_nothing_is_done_without_the_right_storage(bench: Bench, clip: bytes) -> None:
    event = await whole_event(bench, clip)
    await guarded(bench)
    aside = bench.root.with_name("unmounted")
    bench.root.rename(aside)
    bench.root.mkdir()
    report = await check(bench, repair=True, force=True)
    assert (report.state, counts_of(report)) == (CheckState.FAILED, {})
    assert report.error
    assert await bench.seen(event.id) == event
    bench.root.rmdir()
    aside.rename(bench.root)
    assert counts(await check(bench)) == {}


def counts_of(report: CheckReport) -> dict[str, int]:
    return {str(kind): number for kind, number in report.counts.items() if number}


async def test_a_cameras_folder_that_is_not_the_right_one_is_left_out(bench: Bench, clip: bytes) -> None:
    event = await whole_event(bench, clip)
    guard = await guarded(bench)
    await guard.mark_camera("camera_1")
    (bench.root / "camera_1").rename(bench.root / "aside")
    (bench.root / "camera_1" / "pictures").mkdir(parents=True)
    report = await check(bench, repair=True, force=True)
    assert counts(report) == {}
    assert len(report.skipped) == 1
    assert "camera_1" in report.skipped[0]
    assert await bench.seen(event.id) == event


async def test_a_check_that_is_broken_off_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise StorageUnavailableError

    monkeypatch.setattr(bench.shared.storage_check, "_require_storage", fail)
    report = await check(bench)
    assert report.state is CheckState.FAILED
    assert report.error == "The footage storage does not answer; try again shortly."

    async def break_down(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bench.shared.storage_check, "_require_storage", break_down)
    with pytest.raises(ZeroDivisionError):
        await check(bench)
    report = bench.shared.storage_check.report
    assert (report.state, report.error) == (CheckState.FAILED, "It was broken off.")
