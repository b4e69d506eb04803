import asyncio
import json
import os
import shutil
import stat
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from securitycamd.domain.errors import InvalidError, StorageUnavailableError
from securitycamd.storage import (
    Files,
    GuardCondition,
    GuardState,
    StorageGuard,
    StorageLostError,
    Usage,
    found_identity,
    scan,
    sweep_ready,
)
from securitycamd.storage.markers import CAMERA_MARKER, KNOWN_FOLDER, ROOT_MARKER
from securitycamd.storage.reading import Stretch
from tests.storage.conftest import IDENTITY, Mount, guard_of, until

VIDEO = "camera_1/videos/1_video.mp4"
OTHER = "ffffffffffffffff"
ALL_WELL = GuardState(GuardCondition.OK, "")


async def upload(files: Files) -> None:
    async with await files.open_upload("camera_1/videos/2.mp4", limit_bytes=9) as arriving:
        await arriving.write(b"123")
        await arriving.finish()


async def publish(files: Files, path: Path | None = None) -> None:
    temporary = path or files.root / "camera_1/videos/.3.mp4.0123456789abcdef01234567.tmp"
    await files.publish(temporary, "camera_1/videos/3.mp4")


CHANGES: list[Callable[[Files], Awaitable[object]]] = [
    lambda files: files.remove(VIDEO),
    lambda files: files.temporary_for(VIDEO),
    publish,
    upload,
    lambda files: files.make_camera_folders("camera_1"),
    lambda files: files.sweep_temporaries(0),
    lambda files: sweep_ready(files, older_than_seconds=0),
]


def fill(root: Path) -> dict[str, bytes]:
    """Put in the folder something for every change to change."""
    for name in (
        "1_video.mp4",
        ".3.mp4.0123456789abcdef01234567.tmp",
        ".4.mp4.0123456789abcdef01234567.tmp",
        "5_video.h264.READY",
    ):
        (root / "camera_1/videos" / name).write_bytes(b"" if name.endswith("READY") else b"x")
    return content(root)


def move(old: Path, new: Path) -> None:
    old.rename(new)


def content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


async def refused(files: Files, condition: GuardCondition | None = None) -> None:
    """Every change is refused for what the storage is, and changes nothing."""
    before = content(files.root) if files.root.exists() else None
    for change in CHANGES:
        with pytest.raises(StorageLostError) as caught:
            await change(files)
        assert str(caught.value).endswith(".")
        assert str(files.root) not in str(caught.value) + caught.value.state.remedy
        if condition is not None:
            assert caught.value.state.condition is condition
    assert (content(files.root) if files.root.exists() else None) == before


# --- the root ---


async def test_every_change_works_behind_a_guard(guarded: Files, root: Path) -> None:
    fill(root)
    for change in CHANGES:
        await change(guarded)
    assert sorted(path.name for path in (root / "camera_1/videos").iterdir()) == ["2.mp4", "3.mp4"]


async def test_the_first_use_marks_the_root_and_what_is_in_it(root: Path) -> None:
    files = Files(root, 1, 10)
    (root / "camera_2").symlink_to(root)
    (root / "camera_3").write_bytes(b"")
    (root / "lost+found").mkdir()
    guard = files.guard = StorageGuard(files, IDENTITY)
    assert await found_identity(files) is None
    assert (await guard.establish(adopt=True)).is_ok
    marker = json.loads((root / ROOT_MARKER).read_bytes())
    assert marker["identity"] == IDENTITY
    assert marker["created"]
    camera_marker = json.loads((root / "camera_1" / CAMERA_MARKER).read_bytes())
    assert (camera_marker["identity"], camera_marker["camera_id"]) == (IDENTITY, "camera_1")
    assert not (root / "lost+found" / CAMERA_MARKER).exists()
    assert not (root / CAMERA_MARKER).exists()
    assert await found_identity(files) == IDENTITY
    assert await files.usage() == {"camera_1": Usage(0, 0)}, "markers are no footage"

    again = StorageGuard(files, IDENTITY)
    before = (root / ROOT_MARKER).stat()
    assert (await again.establish(adopt=True)).is_ok
    assert (root / ROOT_MARKER).stat().st_ino == before.st_ino
    assert not any(name.endswith(".new") for name in content(root))
    files.close()


async def test_the_first_use_makes_the_root(tmp_path: Path) -> None:
    files = Files(tmp_path / "new" / "root", 1, 10)
    files.guard = StorageGuard(files, IDENTITY)
    with pytest.raises(StorageLostError):
        await files.prepare()
    assert (await files.guard.establish(adopt=True)).is_ok
    assert files.root.stat().st_mode & stat.S_IWGRP
    await files.prepare()
    files.close()


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_later_use_marks_nothing(tmp_path: Path, is_there: bool) -> None:
    root = tmp_path / "mount"
    if is_there:
        root.mkdir()
    files = Files(root, 1, 10)
    files.guard = StorageGuard(files, IDENTITY)
    assert (await files.guard.establish()).condition is GuardCondition.MISSING
    assert root.exists() is is_there
    assert not is_there or not any(root.iterdir())
    with pytest.raises(StorageLostError):
        await files.prepare()
    files.close()


async def test_nothing_is_changed_before_the_first_look(root: Path) -> None:
    fill(root)
    files = Files(root, 1, 10)
    files.guard = StorageGuard(files, IDENTITY)
    for change in CHANGES[:5]:
        with pytest.raises(StorageLostError) as caught:
            await change(files)
        assert caught.value.state.condition is GuardCondition.UNREACHABLE
    await refused(files)
    files.close()


async def test_a_root_that_goes_and_comes_back(guarded: Files, root: Path, tmp_path: Path) -> None:
    guard = guard_of(guarded)
    fill(root)
    move(root, tmp_path / "away")
    for change in CHANGES:  # it is known as right, until the first call finds that it is not
        guard._state = ALL_WELL
        with pytest.raises(StorageLostError):
            await change(guarded)
        assert guard.state.condition is GuardCondition.MISSING, "what a call found is remembered"
    assert not content(root)
    assert (await guard.check()).condition is GuardCondition.MISSING
    await refused(guarded, GuardCondition.MISSING)
    move(tmp_path / "away", root)
    await refused(guarded, GuardCondition.MISSING)
    assert (await guard.check()).is_ok
    assert await guarded.remove(VIDEO)


async def test_an_empty_mount_point_below_a_mount_that_vanished(guarded: Files, root: Path, tmp_path: Path) -> None:
    """The last check found all well; the folders say otherwise now."""
    guard = guard_of(guarded)
    temporary = await guarded.temporary_for("camera_1/videos/3.mp4")
    arriving = await guarded.open_upload("camera_1/videos/6.mp4", limit_bytes=9)
    await arriving.write(b"123")
    move(root, tmp_path / "away")
    # Even one in which agents, and FFmpeg, went on writing.
    (root / "camera_1" / "videos").mkdir(parents=True)
    fill(root)
    temporary.write_bytes(b"clip")
    before = content(root)
    changes: list[Callable[[], Awaitable[object]]] = [
        *(lambda change=change: change(guarded) for change in CHANGES),
        lambda: publish(guarded, temporary),
        arriving.finish,
    ]
    for change in changes:
        guard._state = ALL_WELL
        with pytest.raises(StorageLostError):
            await change()
        assert guard.state.condition is GuardCondition.MISSING
    assert content(root) == before
    shutil.rmtree(root)
    move(tmp_path / "away", root)
    assert (await guard.check()).is_ok


async def test_that_a_file_is_not_there_is_said_of_the_right_storage_only(
    guarded: Files, root: Path, tmp_path: Path
) -> None:
    looks: list[Callable[[], Awaitable[object]]] = [
        lambda: guarded.size(VIDEO),
        lambda: guarded.locate(VIDEO),
        lambda: guarded.read(VIDEO, limit_bytes=1),
        lambda: guarded.each_size([VIDEO]),
        lambda: guarded.sizes([VIDEO]),
        lambda: guarded.received_bytes(VIDEO),
    ]
    assert [await look() for look in looks] == [None, None, None, {}, Usage(0, 0), 0]
    assert await guarded.size("camera_9/videos/1.mp4") is None
    assert await guarded.size("file") is None
    move(root, tmp_path / "away")
    (root / "videos").mkdir(parents=True)
    looks += [guarded.usage, lambda: anext(scan(guarded))]
    for look in looks:
        with pytest.raises(StorageLostError):
            await look()
    fill_path = root / VIDEO
    fill_path.parent.mkdir(parents=True)
    fill_path.write_bytes(b"x")
    assert await guarded.size(VIDEO) == 1, "what is there is there"


@pytest.mark.parametrize(
    ("marker", "found"),
    [
        (json.dumps({"identity": OTHER}).encode(), OTHER),
        (b"", None),
        (b"\xff\xfe", None),
        (b"[" * 4000, None),
        (b'"word"', None),
        (b'{"identity": 1}', None),
    ],
)
async def test_a_wrong_marker(guarded: Files, root: Path, marker: bytes, found: str | None) -> None:
    fill(root)
    good = (root / ROOT_MARKER).read_bytes()
    (root / ROOT_MARKER).write_bytes(marker)
    with pytest.raises(StorageLostError):
        await guarded.remove(VIDEO)
    state = await guard_of(guarded).check()
    assert (state.condition, state.found) == (GuardCondition.WRONG, found)
    assert await found_identity(guarded) == found
    assert (await guard_of(guarded).establish(adopt=True)).condition is GuardCondition.WRONG
    assert (root / ROOT_MARKER).read_bytes() == marker
    await refused(guarded, GuardCondition.WRONG)
    (root / ROOT_MARKER).write_bytes(good)
    assert (await guard_of(guarded).check()).is_ok


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
async def test_a_marker_that_is_no_file(guarded: Files, root: Path, tmp_path: Path, kind: str) -> None:
    marker = root / ROOT_MARKER
    marker.rename(tmp_path / "marker")
    if kind == "link":
        marker.symlink_to(tmp_path / "marker")
    elif kind == "fifo":
        os.mkfifo(marker)
    else:
        marker.mkdir()
    assert (await guard_of(guarded).check()).condition is GuardCondition.WRONG


async def test_a_person_takes_another_storage_over(root: Path) -> None:
    files = Files(root, 1, 10)
    before = StorageGuard(files, OTHER)
    assert (await before.establish(adopt=True)).is_ok
    guard = files.guard = StorageGuard(files, IDENTITY)
    assert (await guard.establish(adopt=True)).condition is GuardCondition.WRONG
    assert (await guard.take_over()).is_ok
    assert (await guard.check_camera("camera_1")).is_ok
    assert (await before.check()).found == IDENTITY
    files.close()


async def test_two_daemons_with_one_identity(root: Path) -> None:
    pairs = [Files(root, 2, 10), Files(root, 2, 10)]
    for files in pairs:
        files.guard = StorageGuard(files, IDENTITY)
    states = await asyncio.gather(*(guard_of(files).establish(adopt=True) for files in pairs))
    assert all(state.is_ok for state in states)
    await asyncio.gather(*(files.make_camera_folders(f"new_{n}") for n in range(9) for files in pairs))
    assert await guard_of(pairs[0]).check_cameras() == {}
    for files in pairs:
        files.close()


# --- a storage that hangs ---


async def test_a_storage_that_hangs_and_comes_back(root: Path, mount: Mount) -> None:
    files = Files(root, threads=2, timeout_seconds=0.4)
    guard = files.guard = StorageGuard(files, IDENTITY, answer_seconds=0.1)
    assert (await guard.establish(adopt=True)).is_ok
    mount.holds("open", lambda path, *_: path == root)
    mount.holds("statvfs", lambda _: True)

    asked_before = asyncio.create_task(files.disk())
    await until(lambda: mount.calls == 1)
    started = time.monotonic()
    assert (await guard.check()).condition is GuardCondition.UNREACHABLE
    assert time.monotonic() - started < 0.35, "a check does not wait as long as other calls"
    started = time.monotonic()
    with pytest.raises(StorageUnavailableError):
        await files.disk()
    with pytest.raises(StorageUnavailableError):
        await files.size(VIDEO)
    assert time.monotonic() - started < 0.08, "known not to answer: not asked"
    with pytest.raises(StorageUnavailableError):
        await asked_before
    await until(lambda: files.hung == 2)

    started = time.monotonic()
    assert (await guard.check()).condition is GuardCondition.UNREACHABLE
    assert (await guard.check_camera("camera_1")).condition is GuardCondition.UNREACHABLE
    for call in (files.disk(), guard.check_cameras(), files.remove(VIDEO), files.temporary_for(VIDEO)):
        with pytest.raises(StorageUnavailableError):
            await call
    assert time.monotonic() - started < 0.08, "known to hang: not tried"

    mount.answer()
    await until(lambda: not files.hung)
    assert (await guard.check()).is_ok
    assert (await files.disk()).total_bytes
    assert not await files.remove(VIDEO)
    files.close()


async def test_of_two_looks_the_later_counts(root: Path, mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(root, threads=2, timeout_seconds=10)
    guard = StorageGuard(files, IDENTITY)
    await guard.establish(adopt=True)
    real = guard._markers.inspect_root

    def slow(path: Path) -> None:
        mount.ask()
        real(path)

    monkeypatch.setattr(guard._markers, "inspect_root", slow)
    older = asyncio.create_task(guard.check())
    await until(lambda: mount.calls == 1)
    monkeypatch.setattr(guard._markers, "inspect_root", real)
    (root / ROOT_MARKER).rename(root / "elsewhere")
    assert (await guard.check()).condition is GuardCondition.MISSING
    (root / "elsewhere").rename(root / ROOT_MARKER)
    mount.answer()
    assert (await older).is_ok
    assert guard.state.condition is GuardCondition.MISSING
    files.close()


# --- the cameras ---


async def test_a_camera_folder_that_lost_its_marker(guarded: Files, root: Path, tmp_path: Path) -> None:
    guard = guard_of(guarded)
    before = fill(root)
    (root / "camera_1" / CAMERA_MARKER).rename(tmp_path / "marker")
    del before[f"camera_1/{CAMERA_MARKER}"]
    for change in CHANGES[:5]:
        with pytest.raises(StorageLostError, match="camera_1"):
            await change(guarded)
    assert await guarded.sweep_temporaries(0) == 0
    assert [batch async for batch in scan(guarded)] == []
    assert content(root) == before
    assert guard.state.is_ok
    assert guard.camera_states["camera_1"].condition is GuardCondition.MISSING
    assert (await guard.check_camera("camera_1")).condition is GuardCondition.MISSING
    assert list(await guard.check_cameras()) == ["camera_1"]
    await guarded.make_camera_folders("camera_2")
    assert await guarded.size("camera_1/videos/1_video.mp4") == 1
    with pytest.raises(StorageLostError):
        await guarded.size("camera_1/videos/none.mp4")

    (tmp_path / "marker").rename(root / "camera_1" / CAMERA_MARKER)
    assert (await guard.check_camera("camera_1")).is_ok
    assert guard.camera_states == {}
    assert await guarded.remove(VIDEO)


@pytest.mark.parametrize("put", ["nothing", "folder", "file", "link"])
async def test_a_camera_folder_that_is_gone(guarded: Files, root: Path, tmp_path: Path, put: str) -> None:
    guard = guard_of(guarded)
    (root / "camera_1").rename(tmp_path / "away")
    if put == "folder":
        (root / "camera_1" / "videos").mkdir(parents=True)
    elif put == "file":
        (root / "camera_1").write_bytes(b"")
    elif put == "link":
        (root / "camera_1").symlink_to(tmp_path / "away")
    for change in CHANGES[:5]:
        with pytest.raises((StorageLostError, InvalidError) if put == "link" else StorageLostError):
            await change(guarded)
    assert guard.state.is_ok
    assert (await guard.check_cameras())["camera_1"].condition is GuardCondition.MISSING
    assert sorted(path.name for path in (tmp_path / "away").iterdir()) == [
        CAMERA_MARKER, "pictures", "thumbs", "videos"
    ]  # fmt: skip


async def test_a_camera_folder_that_is_a_link_to_anothers(guarded: Files, root: Path) -> None:
    fill(root)
    await guarded.make_camera_folders("camera_2")
    (root / "camera_2").rename(root.with_name("away"))
    (root / "camera_2").symlink_to("camera_1")
    before = content(root)
    theirs = "camera_2/videos/1_video.mp4"
    assert await guarded.exists(theirs.replace("camera_2", "camera_1"))
    for call in (
        guarded.locate(theirs),
        guarded.each_size([theirs]),
        guarded.open_reading(theirs, lambda _: Stretch()),
        guarded.remove(theirs),
        guarded.open_upload("camera_2/videos/new.h264", limit_bytes=9),
        guarded.temporary_for("camera_2/videos/new.mp4"),
    ):
        with pytest.raises(StorageLostError) as caught:
            await call
        assert caught.value.camera_id == "camera_2"
    assert content(root) == before
    # One that never was a camera's is no storage that was lost, but no way in either.
    (root / "camera_3").symlink_to("camera_1")
    with pytest.raises(InvalidError, match="another folder"):
        await guarded.locate("camera_3/videos/1_video.mp4")


async def test_a_camera_folder_with_the_marker_of_another(guarded: Files, root: Path) -> None:
    guard = guard_of(guarded)
    fill(root)
    (root / "camera_1").rename(root / "front_door")
    with pytest.raises(StorageLostError, match="front_door"):
        await guarded.remove("front_door/videos/1_video.mp4")
    assert (await guard.check_camera("front_door")).condition is GuardCondition.WRONG
    await guard.mark_camera("front_door")
    assert (await guard.check_camera("front_door")).is_ok
    assert await guarded.remove("front_door/videos/1_video.mp4")


async def test_a_person_says_that_a_camera_begins_anew(guarded: Files, root: Path) -> None:
    guard = guard_of(guarded)
    shutil.rmtree(root / "camera_1")
    with pytest.raises(StorageLostError):
        await guarded.make_camera_folders("camera_1")
    await guard.mark_camera("camera_1")
    await guarded.make_camera_folders("camera_1")
    assert await guard.check_cameras() == {}


async def test_a_new_camera_is_marked_when_it_is_first_written_to(guarded: Files, root: Path) -> None:
    guard = guard_of(guarded)
    await guarded.make_camera_folders("camera_2")
    # Others are made by their agents.
    (root / "camera_3" / "videos").mkdir(parents=True)
    assert (await guard.check_camera("camera_3")).is_ok
    assert await guarded.size("camera_3/videos/none.mp4") is None
    assert not (root / "camera_3" / CAMERA_MARKER).exists(), "a look changes nothing"
    await guarded.temporary_for("camera_3/videos/1.mp4")
    for camera_id in ("camera_2", "camera_3"):
        assert (root / camera_id / CAMERA_MARKER).exists()
        (root / camera_id / CAMERA_MARKER).unlink()
    assert sorted(await guard.check_cameras()) == ["camera_2", "camera_3"]


async def test_a_marker_without_its_memory_is_remembered_again(guarded: Files, root: Path) -> None:
    """A crash between the two, or somebody who tidies up."""
    shutil.rmtree(root / KNOWN_FOLDER)
    files = Files(root, 1, 10)
    files.guard = StorageGuard(files, IDENTITY)
    await files.guard.establish()
    await files.temporary_for(VIDEO)
    assert (root / KNOWN_FOLDER / "camera_1").exists()
    files.close()


@pytest.mark.parametrize("camera_id", ["", "..", "a/b", KNOWN_FOLDER])
async def test_what_is_no_camera(guarded: Files, camera_id: str) -> None:
    with pytest.raises(InvalidError):
        await guard_of(guarded).check_camera(camera_id)
    with pytest.raises(InvalidError):
        await guard_of(guarded).mark_camera(camera_id)


async def test_a_look_at_cameras_finds_the_root_gone(guarded: Files, root: Path, tmp_path: Path) -> None:
    guard = guard_of(guarded)
    move(root, tmp_path / "away")
    with pytest.raises(StorageLostError):
        await guard.check_cameras()
    assert guard.state.condition is GuardCondition.MISSING
    with pytest.raises(StorageLostError):
        await guard.mark_camera("camera_1")


def test_an_identity_is_something(root: Path) -> None:
    with pytest.raises(ValueError, match="identity"):
        StorageGuard(Files(root, 1, 10), "")
