"""The rules carried out on real rows and files."""

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from securitycamd.db import events as event_rows
from securitycamd.db import footage
from securitycamd.db.engine import Transaction
from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.domain.names import FileType
from securitycamd.domain.principal import TRUSTED_OPERATOR, Audience, Principal
from securitycamd.domain.retention import Disk, Reason
from securitycamd.health.report import Level
from securitycamd.health.retention import rule as retention_rule
from tests.services.conftest import Bench, MakeBench
from tests.services.shelf import Shelf, write_outside

GB = 10**9


@pytest.fixture
def make_shelf(make_bench: MakeBench) -> Any:
    async def make(**retention: Any) -> Shelf:
        bench = await make_bench(retention={"free_floor_gigabytes": 0} | retention)
        await bench.register("camera_2")
        await bench.shared.storage.open()
        return Shelf(bench)

    return make


@dataclass
class SmallDisk:
    """A file system that holds the footage and nothing else; a ``late`` one shows room only when asked to."""

    shelf: Shelf
    total_bytes: int
    late: bool = False
    shown: int | None = None

    def taken(self) -> int:
        return sum(self.shelf.size_of(path) for path in self.shelf.files())

    async def __call__(self) -> Disk:
        free = self.total_bytes - await asyncio.to_thread(self.taken)
        if not self.late or self.shown is None:
            self.shown = free
        return Disk(self.total_bytes, self.shown)


def small_disk(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, total_bytes: int, *, late: bool = False) -> SmallDisk:
    disk = SmallDisk(shelf, total_bytes, late)
    monkeypatch.setattr(shelf.bench.shared.retention._files, "disk", disk)
    return disk


# --- each rule --------------------------------------------------------------------------------------------------


async def test_the_defaults_remove_nothing(make_bench: MakeBench) -> None:
    bench = await make_bench()
    await bench.register("camera_2")
    await bench.shared.storage.open()
    shelf = Shelf(bench)
    for days in (0, 400, 4000):
        await shelf.put(days_ago=days)
    assert await shelf.run() == 0
    await shelf.check()


async def test_by_age(make_shelf: Any) -> None:
    shelf = await make_shelf(max_age_days=10, cameras={"camera_2": {"max_age_days": 0}})
    kept = [await shelf.put(days_ago=9.9), await shelf.put(days_ago=30, starred=True)]
    for days in (10.1, 11, 500):
        await shelf.put(days_ago=days)
    kept.append(await shelf.put(days_ago=500, camera_id="camera_2"))
    assert await shelf.run() == 3
    assert await shelf.ids() == sorted(kept)
    await shelf.check()


async def test_by_size_the_oldest_of_all_cameras_go_and_not_one_too_many(make_shelf: Any) -> None:
    shelf = await make_shelf(max_gigabytes=7500 / GB)
    made = {days: await shelf.put(days_ago=days, camera_id=f"camera_{1 + days % 2}") for days in range(12)}
    assert await shelf.run() == 5
    assert await shelf.ids() == sorted(made[days] for days in range(7))
    await shelf.check()


async def test_by_a_cameras_size_no_other_camera_is_touched(make_shelf: Any) -> None:
    shelf = await make_shelf(cameras={"camera_1": {"max_gigabytes": 3000 / GB}})
    mine = [await shelf.put(days_ago=days) for days in range(6)]
    others = [await shelf.put(days_ago=days, camera_id="camera_2") for days in range(6, 12)]
    assert await shelf.run() == 3
    assert await shelf.ids() == sorted(mine[:3] + others)
    await shelf.check()


async def test_by_free_space(make_shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = await make_shelf(free_floor_gigabytes=20_500 / GB)
    made = [await shelf.put(days_ago=days) for days in range(60)]
    small_disk(shelf, monkeypatch, 78_000)
    retention = shelf.bench.shared.retention
    assert await retention.is_below_floor()
    assert retention.below_floor_seconds >= 0
    # A quarter of this disk is less than the floor that was asked for: 19,500 bytes stay free.
    assert await shelf.run() == 2
    assert await shelf.ids() == made[:58]
    assert not await retention.is_below_floor()
    assert retention.below_floor_seconds == 0
    assert "more than a quarter" in (await retention.report(TRUSTED_OPERATOR)).warnings[0]
    await shelf.check()


async def test_a_disk_that_shows_new_room_late_loses_nothing_for_it(
    make_shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = await make_shelf(free_floor_gigabytes=20_000 / GB)
    for days in range(85):
        await shelf.put(days_ago=days)
    disk = small_disk(shelf, monkeypatch, 100_000, late=True)
    assert await shelf.run() == 5
    disk.shown = None
    assert await shelf.run() == 0
    assert len(await shelf.ids()) == 80


async def test_a_step_is_bounded_and_says_what_it_did(make_shelf: Any) -> None:
    shelf = await make_shelf(max_age_days=1)
    for days in range(30):
        await shelf.put(days_ago=2 + days)
    step = await shelf.bench.shared.retention.expire_some()
    assert step is not None
    assert (step.reason, step.events, step.size_bytes) == (Reason.AGE, 25, 25_000)
    assert len(await shelf.ids()) == 5
    await shelf.check()


async def test_what_was_not_measured_yet_is_measured_before_it_counts(make_shelf: Any) -> None:
    shelf = await make_shelf(max_gigabytes=4500 / GB)
    made = [await shelf.put(days_ago=days) for days in range(6)]

    async def forget(transaction: Transaction) -> None:
        for event in (await event_rows.lock(transaction, made[-1:])).values():
            await footage.set_size(transaction, event, 0)

    await shelf.bench.shared.database.transact(forget)
    step = await shelf.bench.shared.retention.expire_some()
    assert step is not None
    assert (step.events, step.size_bytes) == (1, 1000)
    await shelf.run()
    assert await shelf.ids() == made[:4]
    await shelf.check()


# --- what stays -------------------------------------------------------------------------------------------------


async def test_switched_off_nothing_goes_but_what_was_begun(make_shelf: Any) -> None:
    shelf = await make_shelf(enabled=False, max_age_days=1)
    begun, other = await shelf.put(days_ago=9), await shelf.put(days_ago=8)
    await shelf.bench.shared.removal.mark([begun], Reason.AGE)
    assert await shelf.run() == 0
    assert await shelf.bench.shared.retention.finish_marked() == 1
    assert await shelf.ids() == [other]
    await shelf.check()


async def test_an_event_whose_files_still_come_is_not_taken_for_room_that_it_does_not_make(make_shelf: Any) -> None:
    shelf = await make_shelf(max_gigabytes=1500 / GB)
    starred = [await shelf.put(days_ago=days, starred=True) for days in (1, 2)]
    fresh = await shelf.bench.event()
    await shelf.bench.sql(f"UPDATE events SET timestamp = UTC_TIMESTAMP(6) - INTERVAL 30 SECOND WHERE id = {fresh}")
    assert await shelf.run() == 0
    assert await shelf.ids() == sorted([*starred, fresh])
    # When one that came after it has to go, it goes along: the order is kept.
    await shelf.put()
    assert await shelf.run() == 2
    assert await shelf.ids() == sorted(starred)


async def test_an_event_that_is_worked_on_waits(make_shelf: Any, clip: bytes) -> None:
    shelf = await make_shelf(max_age_days=1)
    bench: Bench = shelf.bench
    event_id = await bench.clip(clip)  # of the first of March
    job = await bench.claim()
    assert await shelf.run() == 0
    await bench.shared.conversion.convert(job)
    assert await shelf.run() == 1
    assert await shelf.ids() == []
    assert not await bench.sql(f"SELECT id FROM jobs WHERE event_id = {event_id}")
    await shelf.check()


async def test_an_event_whose_work_only_waits_goes_with_its_work(make_shelf: Any) -> None:
    shelf = await make_shelf(max_age_days=1)
    await shelf.bench.clip(b"never a clip", ready=True)
    assert await shelf.run() == 1
    assert await shelf.bench.shared.jobs.depths() == []
    await shelf.check()


async def test_a_storage_that_is_not_ours_loses_nothing(make_shelf: Any) -> None:
    shelf = await make_shelf(max_age_days=1)
    event_id = await shelf.put(days_ago=9)
    marker = next(path for path in shelf.bench.root.iterdir() if path.is_file())
    content = marker.read_bytes()
    marker.unlink()
    with pytest.raises(StorageUnavailableError):
        await shelf.run()
    await shelf.bench.shared.storage.watch()
    with pytest.raises(StorageUnavailableError):
        await shelf.run()
    with pytest.raises(StorageUnavailableError):
        await shelf.bench.shared.removal.delete(TRUSTED_OPERATOR, event_id)
    assert len(shelf.files()) == 4
    marker.write_bytes(content)
    await shelf.bench.shared.storage.watch()
    await shelf.bench.shared.retention.finish_marked()
    await shelf.run()
    assert await shelf.ids() == []
    await shelf.check()


async def test_a_link_in_the_place_of_a_cameras_folder_is_not_followed(make_shelf: Any, tmp_path: Path) -> None:
    shelf = await make_shelf(max_age_days=1)
    made = [await shelf.put(days_ago=9) for _ in range(3)]
    other = await shelf.put(days_ago=9, camera_id="camera_2")
    home, away = shelf.bench.root / "camera_1", tmp_path / "away"
    shutil.move(home, away)
    theirs = write_outside(away)
    home.symlink_to(away)
    await shelf.run()
    assert all(path.exists() for path in theirs)
    assert len([path for path in away.rglob("*") if path.name.endswith((".jpg", ".mp4"))]) == 12 + 2
    assert set(made) <= set(await shelf.ids())
    assert other not in await shelf.ids()
    # The right folder is back: they go after all.
    home.unlink()
    for path in theirs:
        path.unlink()
    shutil.move(away, home)
    await shelf.bench.shared.storage.watch()
    shelf.bench.shared.retention._held.clear()
    await shelf.bench.shared.retention.finish_marked()
    await shelf.run()
    assert await shelf.ids() == []
    await shelf.check()


async def test_a_folder_swapped_for_a_link_while_files_go(
    make_shelf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf: Shelf = await make_shelf(max_age_days=1)
    await shelf.put(days_ago=9)
    home, away = shelf.bench.root / "camera_1", tmp_path / "away"
    unlink = os.unlink

    def swap_after_the_first(name: str, *, dir_fd: int | None = None) -> None:
        unlink(name, dir_fd=dir_fd)
        if not home.is_symlink():
            home.rename(away)
            home.symlink_to(away)

    monkeypatch.setattr(os, "unlink", swap_after_the_first)
    await shelf.run()
    monkeypatch.setattr(os, "unlink", unlink)
    assert len([path for path in away.rglob("*") if path.name.endswith((".jpg", ".mp4"))]) == 3
    home.unlink()
    away.rename(home)
    await shelf.bench.shared.retention.finish_marked()
    assert await shelf.ids() == []
    await shelf.check()


# --- what is told -----------------------------------------------------------------------------------------------


async def test_the_report(make_shelf: Any) -> None:
    shelf = await make_shelf(max_age_days=3, log_days=7)
    for days in range(5):
        await shelf.put(days_ago=days, size_bytes=2000)
    await shelf.put(days_ago=2, size_bytes=5000, camera_id="camera_2", starred=True)
    report = await shelf.bench.shared.retention.report(TRUSTED_OPERATOR)
    assert {camera: (use.size_bytes, use.protected_bytes) for camera, use in report.used.items()} == {
        "camera_1": (10_000, 0),
        "camera_2": (5000, 5000),
    }
    assert {item.camera_id for item in report.planned if item.events} == {"camera_1"}
    assert all(item.reason is Reason.AGE for item in report.planned)
    now = [item for item in report.planned if item.on == report.at.date()]
    assert 2000 <= sum(item.size_bytes for item in now) <= 6000
    assert report.forecast.promise_kept
    assert report.warnings == []
    assert report.log_days == 7


async def test_a_rule_for_a_camera_that_nobody_knows_is_told(make_shelf: Any) -> None:
    shelf = await make_shelf(cameras={"camera_2": {"max_age_days": 3}, "kamera_1": {"max_age_days": 7}})
    retention = shelf.bench.shared.retention
    (warning,) = (await retention.report(TRUSTED_OPERATOR)).warnings
    assert "kamera_1" in warning
    assert "camera_2" not in warning
    only = Principal("someone", Audience.OPERATOR, frozenset({"camera_1"}))
    assert (await retention.report(only)).warnings == []
    finding = await retention_rule(retention).check()
    assert (finding.level, finding.message) == (Level.WARNING, warning)


async def test_who_sees_one_camera_is_told_of_no_other(make_shelf: Any) -> None:
    shelf = await make_shelf(max_age_days=3)
    await shelf.put(days_ago=9, camera_id="camera_2")
    only = Principal("someone", Audience.OPERATOR, frozenset({"camera_1"}))
    report = await shelf.bench.shared.retention.report(only)
    assert (set(report.used), report.planned, report.disk) == ({"camera_1"}, [], None)


async def test_promises_that_do_not_fit_are_told(make_shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = await make_shelf(max_age_days=90, free_floor_gigabytes=5000 / GB)
    for days in range(8):
        await shelf.put(days_ago=days)
    small_disk(shelf, monkeypatch, 28_000)
    report = await shelf.bench.shared.retention.report(TRUSTED_OPERATOR)
    assert report.forecast.days_until_floor == pytest.approx(15)
    assert report.forecast.days_kept == pytest.approx(23)
    assert len(report.warnings) == 1
    assert report.warnings[0].startswith("camera_1 is promised 90 days, but only about 23.0 fit")


# --- measuring --------------------------------------------------------------------------------------------------


async def test_a_conversion_measures_its_event(bench: Bench, clip: bytes) -> None:
    event_id = await bench.clip(clip)
    bench.write(f"camera_1/pictures/{event_id}_a.jpg", bytes(123))
    await bench.report(event_id, FileType.IMAGE_A, f"camera_1/pictures/{event_id}_a.jpg")
    await bench.shared.conversion.convert(await bench.claim())
    event = await bench.seen(event_id)
    assert event.size_bytes == bench.playable_of(event_id).stat().st_size + 123
    assert await footage.used_bytes(bench.shared.database, ["camera_1"]) == {"camera_1": event.size_bytes}


async def test_all_events_are_measured_in_the_course_of_time(make_shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("securitycamd.services.measuring.NEWEST", 3)
    monkeypatch.setattr("securitycamd.services.measuring.OLDER", 4)
    shelf = await make_shelf()
    made = [await shelf.put(days_ago=days) for days in range(20)]
    await shelf.bench.sql("UPDATE events SET size_bytes = 0")
    await shelf.bench.sql("DELETE FROM tallies WHERE series LIKE 'bytes|%'")
    measured = [await shelf.bench.shared.measuring.measure_some() for _ in range(6)]
    assert sum(measured) == len(made)
    assert max(measured) <= 7
    await shelf.check()
    # Round again: what was changed behind our back is found.
    shelf.bench.write(next(path for path in shelf.files() if path.endswith("mp4")), bytes(5))
    assert sum([await shelf.bench.shared.measuring.measure_some() for _ in range(6)]) == 1
    await shelf.check()


async def test_a_camera_whose_folder_is_gone_keeps_what_was_known_and_no_other_from_being_measured(
    make_shelf: Any,
) -> None:
    shelf = await make_shelf()
    there, gone = await shelf.put(), await shelf.put(camera_id="camera_2")
    guard = shelf.bench.shared.storage.guard
    await guard.mark_camera("camera_2")
    (shelf.bench.root / "camera_2").rename(shelf.bench.root.with_name("away"))
    await event_rows.update(shelf.bench.shared.database, there, {"size_bytes": 1})
    measuring = shelf.bench.shared.measuring
    assert await measuring.measure([gone, there]) == 1
    assert [(await shelf.bench.seen(one)).size_bytes for one in (there, gone)] == [1000, 1000]
    await guard.check_cameras()
    assert await measuring.measure([gone, there]) == 0
