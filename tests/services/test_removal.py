"""One event goes: in what order, what a crash leaves, what stands against it."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from securitycamd.db import events as event_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.errors import ConflictError, NotFoundError, StorageUnavailableError
from securitycamd.domain.jobs import JobKind
from securitycamd.domain.names import FileType
from securitycamd.domain.principal import TRUSTED_OPERATOR, Audience, Principal
from securitycamd.domain.retention import Reason
from securitycamd.services.review import Change
from securitycamd.storage.files import Files
from tests.services.conftest import Bench, MakeBench
from tests.services.shelf import Shelf


class CrashError(Exception):
    """The process ended here."""


class Crashing:
    """Ends at the ``moment``-th step: before or after a transaction, before or after the removal of each file."""

    def __init__(self, moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = moment
        transact, unlink = Database.transact, os.unlink
        crashing = self

        async def transact_or_crash(database: Database, work: Callable[[Transaction], Awaitable[Any]]) -> Any:
            crashing.step()
            result = await transact(database, work)
            crashing.step()
            return result

        def unlink_or_crash(name: str, *, dir_fd: int | None = None) -> None:
            crashing.step()
            unlink(name, dir_fd=dir_fd)
            crashing.step()

        monkeypatch.setattr(Database, "transact", transact_or_crash)
        monkeypatch.setattr(os, "unlink", unlink_or_crash)

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise CrashError


@pytest.fixture
async def shelf(make_bench: MakeBench) -> Shelf:
    bench = await make_bench(retention={"free_floor_gigabytes": 0, "max_age_days": 1})
    await bench.register("camera_2")
    await bench.shared.storage.open()
    return Shelf(bench)


async def test_files_that_may_not_be_removed_do_not_keep_others_from_going(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a share they may belong to somebody else; the tests' user may do everything, so the call itself refuses."""
    forbidden = [await shelf.put(days_ago=9), await shelf.put(days_ago=8)]
    going = await shelf.put(camera_id="camera_2", days_ago=7)
    unlink = os.unlink

    def refuse(name: str, *, dir_fd: int | None = None) -> None:
        if "camera_1" in Path(f"/proc/self/fd/{dir_fd}").readlink().parts:
            raise PermissionError(1, "Operation not permitted")
        unlink(name, dir_fd=dir_fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse)
        retention = shelf.bench.shared.retention
        await retention.finish_marked()
        while await retention.expire_some():
            pass
        await retention.finish_marked()
        assert await shelf.ids() == forbidden
        assert await shelf.bench.sql("SELECT event_id FROM removals") == []
        with pytest.raises(StorageUnavailableError):
            await shelf.bench.shared.removal.delete(TRUSTED_OPERATOR, forbidden[0])
    assert going not in await shelf.ids()
    await shelf.bench.shared.removal.delete(TRUSTED_OPERATOR, forbidden[0])
    assert await shelf.ids() == forbidden[1:]


async def test_a_crash_between_any_two_steps_is_mended(shelf: Shelf) -> None:
    crashes = 0
    kept = await shelf.put()
    for moment in range(1, 200):
        going = [await shelf.put(days_ago=9), await shelf.put(days_ago=8)]
        with pytest.MonkeyPatch.context() as patched:
            Crashing(moment, patched)
            try:
                await shelf.bench.shared.retention.expire_some()
            except CrashError:
                crashes += 1
            else:
                break
        marked = {row[0] for row in await shelf.bench.sql("SELECT event_id FROM removals")}
        rows = await event_rows.by_ids(shelf.bench.shared.database, await shelf.ids())
        # No file is without its row, and no row that is not marked without its files.
        known = {path for event in rows.values() for path in event.paths}
        there = await asyncio.to_thread(shelf.files)
        assert there <= known, moment
        whole = {path for event in rows.values() if event.id not in marked for path in event.paths}
        assert whole <= there, moment
        # The next life finishes what was begun, and only that.
        await shelf.bench.shared.retention.finish_marked()
        assert set(await shelf.ids()) == {kept} | (set(going) & set(rows)) - marked, moment
        await shelf.check()
        await shelf.run()
    assert crashes >= 20
    assert await shelf.ids() == [kept]
    await shelf.check()


async def test_what_stands_in_the_way_of_one_keeps_no_other(shelf: Shelf) -> None:
    """A link in the place of a folder of one camera, and a file of one event in a folder that a link replaced."""
    bench = shelf.bench
    stays = [await shelf.put(days_ago=9, camera_id="camera_2") for _ in range(2)]
    going = [await shelf.put(days_ago=8 - number) for number in range(3)]
    folder, away = bench.root / "camera_2", bench.root.parent / "away"
    folder.rename(away)
    folder.symlink_to(away)
    odd = await bench.event()
    (bench.root / "camera_1" / "odd").symlink_to(away)
    await bench.sql(f"UPDATE events SET image_a_path = 'camera_1/odd/x.jpg' WHERE id = {odd}")
    await bench.sql(f"UPDATE events SET timestamp = '2020-01-01', created_at = '2020-01-01' WHERE id = {odd}")
    ids = [*stays, *going, odd]
    assert [event.id for event in await bench.shared.removal.mark(ids, Reason.AGE)] == ids
    finished = await bench.shared.removal.finish_some(ids)
    assert (finished.gone, finished.unreachable, finished.changed) == (set(going), {*stays, odd}, set())
    assert await shelf.ids() == sorted([*stays, odd])
    assert not await bench.sql("SELECT event_id FROM removals"), "what was not touched is kept as if never marked"
    assert len(list(away.glob("*/*"))) == 8


async def test_a_star_and_its_end(shelf: Shelf) -> None:
    event_id = await shelf.put(days_ago=9)
    review = shelf.bench.shared.review
    for _ in range(2):
        assert (await review.change(TRUSTED_OPERATOR, event_id, Change(starred=True))).protected
        await shelf.check()
    assert await shelf.run() == 0
    for _ in range(2):
        assert not (await review.change(TRUSTED_OPERATOR, event_id, Change(starred=False))).protected
        await shelf.check()
    assert await shelf.run() == 1


async def test_a_star_set_between_choice_and_mark_counts(shelf: Shelf) -> None:
    event_id = await shelf.put(days_ago=9, starred=True)
    assert await shelf.bench.shared.removal.mark([event_id], Reason.AGE) == []
    await shelf.check()


async def test_what_is_being_removed_takes_no_star(shelf: Shelf) -> None:
    event_id = await shelf.put(days_ago=9)
    await shelf.bench.shared.removal.mark([event_id], Reason.AGE)
    with pytest.raises(ConflictError):
        await shelf.bench.shared.review.change(TRUSTED_OPERATOR, event_id, Change(starred=True))


async def test_a_person_removes_an_event(shelf: Shelf) -> None:
    event_id, other = await shelf.put(), await shelf.put()
    gone = await shelf.bench.shared.removal.delete(TRUSTED_OPERATOR, event_id)
    assert (gone.id, gone.size_bytes) == (event_id, 1000)
    assert await shelf.ids() == [other]
    await shelf.check()
    with pytest.raises(NotFoundError):
        await shelf.bench.shared.removal.delete(TRUSTED_OPERATOR, event_id)


async def test_a_starred_event_goes_by_force_only(shelf: Shelf) -> None:
    event_id = await shelf.put(starred=True)
    with pytest.raises(ConflictError, match="starred"):
        await shelf.bench.shared.removal.delete(TRUSTED_OPERATOR, event_id)
    await shelf.check()
    await shelf.bench.shared.removal.delete(TRUSTED_OPERATOR, event_id, force=True)
    assert await shelf.ids() == []
    await shelf.check()


async def test_nobody_removes_what_they_may_not_see(shelf: Shelf) -> None:
    event_id = await shelf.put()
    stranger = Principal("someone", Audience.OPERATOR, frozenset({"camera_2"}))
    with pytest.raises(NotFoundError):
        await shelf.bench.shared.removal.delete(stranger, event_id)
    with pytest.raises(NotFoundError):
        await shelf.bench.shared.review.change(stranger, event_id, Change(starred=True))
    await shelf.check()


async def test_what_is_worked_on_is_not_removed(shelf: Shelf, clip: bytes) -> None:
    event_id = await shelf.bench.clip(clip)
    job = await shelf.bench.claim()
    with pytest.raises(ConflictError, match="worked on"):
        await shelf.bench.shared.removal.delete(TRUSTED_OPERATOR, event_id)
    await shelf.bench.shared.conversion.convert(job)
    await shelf.bench.shared.removal.delete(TRUSTED_OPERATOR, event_id)
    await shelf.check()


async def test_what_an_agent_and_a_crash_left_beside_goes_too(shelf: Shelf) -> None:
    bench = shelf.bench
    event_id = await bench.event()
    clip = f"camera_1/videos/{event_id}_20260301_100000_video"
    bench.write(f"{clip}.h264", b"clip")
    bench.write(f"{clip}.h264.READY", b"")
    bench.write(f"{clip}.mp4", b"made, not recorded")
    await bench.report(event_id, FileType.VIDEO, f"{clip}.h264")
    bench.write(f"camera_1/pictures/{event_id}_20260301_100000_a.jpg", b"delivered, not reported")
    bench.write(f"camera_1/pictures/{event_id}0_20260301_100000_a.jpg", b"of another event")
    await bench.shared.removal.delete(TRUSTED_OPERATOR, event_id)
    assert shelf.files() == {f"camera_1/pictures/{event_id}0_20260301_100000_a.jpg"}


async def test_the_file_of_another_event_stays(shelf: Shelf) -> None:
    bench = shelf.bench
    other = await shelf.put()
    event_id = await bench.event()
    await bench.report(event_id, FileType.IMAGE_A, f"camera_1/pictures/{other}_20260301_100000_a.jpg")
    await bench.shared.removal.delete(TRUSTED_OPERATOR, event_id)
    assert await shelf.ids() == [other]
    await shelf.check()


async def test_paths_that_name_no_file_stand_in_nobodys_way(shelf: Shelf) -> None:
    bench = shelf.bench
    event_id = await bench.event()
    bench.write("camera_1/pictures/folder/x.jpg", b"x")
    await bench.report(event_id, FileType.IMAGE_A, "camera_1/pictures/folder")
    await bench.report(event_id, FileType.IMAGE_B, "camera_1/pictures/never_there.jpg")
    await bench.sql(f"UPDATE events SET thumbnail_path = '../../etc/passwd' WHERE id = {event_id}")
    await bench.shared.removal.delete(TRUSTED_OPERATOR, event_id)
    assert await shelf.ids() == []
    assert shelf.files() == {"camera_1/pictures/folder/x.jpg"}


async def test_a_file_reported_while_the_others_go_goes_with_the_next_round(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = shelf.bench
    event_id = await bench.event()
    await bench.report(event_id, FileType.THUMBNAIL, "camera_1/thumbs/t.jpg")
    bench.write("camera_1/thumbs/t.jpg", b"x")
    bench.write("camera_1/pictures/late.jpg", b"late")
    remove = Files.remove_some

    async def report_then_remove(files: Files, paths: Sequence[str], removed: set[str]) -> set[str]:
        await bench.report(event_id, FileType.IMAGE_A, "camera_1/pictures/late.jpg")
        return await remove(files, paths, removed)

    with monkeypatch.context() as patched:
        patched.setattr(Files, "remove_some", report_then_remove)
        with pytest.raises(StorageUnavailableError):
            await bench.shared.removal.delete(TRUSTED_OPERATOR, event_id)
    assert await bench.shared.retention.finish_marked() == 1
    assert await shelf.ids() == []
    await shelf.check()


async def test_work_that_waited_goes_on_when_an_event_stays_after_all(shelf: Shelf) -> None:
    bench: Bench = shelf.bench
    event_id = await bench.clip(b"never a clip")
    folder, away = bench.root / "camera_1", bench.root.parent / "away"
    folder.rename(away)
    folder.symlink_to(away)
    assert await shelf.run() == 0
    assert not await bench.sql("SELECT event_id FROM removals")
    assert (await bench.job(event_id)).kind is JobKind.REMUX
    assert (away / "videos" / f"{event_id}_video.h264").exists()
