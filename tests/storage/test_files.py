import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from securitycamd.domain.errors import ConflictError, InvalidError, StorageUnavailableError
from securitycamd.storage import Files, StorageFullError, Usage
from securitycamd.storage import files as files_module
from tests.storage.conftest import Mount

VIDEO = "camera_1/videos/1_video.mp4"


def write(path: Path, content: bytes = b"x", *, age_seconds: float = 0) -> Path:
    path.write_bytes(content)
    then = time.time() - age_seconds
    os.utime(path, (then, then))
    return path


async def test_prepare_makes_the_root_once(tmp_path: Path) -> None:
    root = tmp_path / "new" / "root"
    files = Files(root, 1, 10)
    await files.prepare()
    assert root.is_dir()
    root.chmod(0o700)
    await files.prepare()
    assert stat.S_IMODE(root.stat().st_mode) == 0o700, "what is there stays as the operator made it"
    files.close()


async def test_prepare_where_a_file_is(tmp_path: Path) -> None:
    write(tmp_path / "file")
    files = Files(tmp_path / "file", 1, 10)
    with pytest.raises(StorageUnavailableError):
        await files.prepare()
    files.close()


async def test_camera_folders(files: Files, root: Path) -> None:
    old = os.umask(0o077)
    try:
        await files.make_camera_folders("camera_2")
    finally:
        os.umask(old)
    await files.make_camera_folders("camera_2")
    made = root / "camera_2"
    assert sorted(p.name for p in made.iterdir()) == ["pictures", "thumbs", "videos"]
    for folder in (made, *made.iterdir()):
        assert folder.stat().st_mode & stat.S_IWGRP, "agents write as another user of the group"


@pytest.mark.parametrize("camera_id", ["", "..", "a/b", "a" * 51, "a\n", "ä", ".securitycamd"])
async def test_no_folders_for_what_is_no_camera(files: Files, camera_id: str) -> None:
    with pytest.raises(InvalidError) as caught:
        await files.make_camera_folders(camera_id)
    assert caught.value.field == "camera_id"


async def test_camera_folders_through_a_link_out(files: Files, root: Path, tmp_path: Path) -> None:
    (root / "camera_3").symlink_to(tmp_path)
    with pytest.raises(InvalidError):
        await files.make_camera_folders("camera_3")


async def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    files = Files(tmp_path / "unmounted", 1, 10)
    with pytest.raises(StorageUnavailableError):
        await files.make_camera_folders("camera_1")
    with pytest.raises(StorageUnavailableError):
        await files.usage()
    with pytest.raises(StorageUnavailableError):
        await files.disk()
    with pytest.raises(StorageUnavailableError):
        await files.sweep_temporaries(0)
    assert await files.size(VIDEO) is None
    assert not await files.remove(VIDEO)
    assert not (tmp_path / "unmounted").exists()
    files.close()


async def test_size_and_exists(files: Files, root: Path) -> None:
    assert await files.size(VIDEO) is None
    assert not await files.exists(VIDEO)
    write(root / VIDEO, b"12345")
    assert await files.size(VIDEO) == 5
    assert await files.exists(VIDEO)
    assert await files.size("camera_1/videos") is None, "a folder is no file"
    assert await files.size(f"{VIDEO}/below") is None


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f.size("../x"),
        lambda f: f.exists("/etc/passwd"),
        lambda f: f.locate("../footage/../x"),
        lambda f: f.read("/etc/passwd", limit_bytes=1),
        lambda f: f.remove("a/../../x"),
        lambda f: f.temporary_for("-y"),
        lambda f: f.publish(Path("x"), "concat:x"),
        lambda f: f.remove("camera_1/out/x"),
    ],
)
async def test_every_call_refuses_paths_out(files: Files, root: Path, call: Callable[[Files], object]) -> None:
    (root / "camera_1" / "out").symlink_to("/tmp")
    with pytest.raises(InvalidError):
        await call(files)  # type: ignore[misc]  # each gives something to wait for


async def test_what_is_there_is_found_and_read(files: Files, root: Path) -> None:
    assert await files.locate(VIDEO) is None
    assert await files.read(VIDEO, limit_bytes=9) is None
    path = write(root / VIDEO, b"12345")
    assert await files.locate(VIDEO) == path
    assert await files.locate("camera_1/videos") is None
    assert await files.read(VIDEO, limit_bytes=3) == b"123"
    assert await files.each_size([VIDEO, "camera_1/videos/none.mp4", "../x"]) == {VIDEO: 5}


async def test_sizes_over_several_steps(files: Files, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "STEP_FILES", 3)
    names = [f"camera_1/pictures/{n}.jpg" for n in range(10)]
    for n, name in enumerate(names[:8]):
        write(root / name, b"x" * n)
    assert await files.sizes([*names, "../x", "camera_1"]) == Usage(8, sum(range(8)))
    assert await files.sizes([]) == Usage(0, 0)


async def test_temporaries_are_hidden_and_beside(files: Files, root: Path) -> None:
    first, second = await files.temporary_for(VIDEO), await files.temporary_for(VIDEO)
    assert first != second
    assert first.parent == root / "camera_1" / "videos"
    assert first.name.startswith(".1_video.mp4.")
    assert first.suffix == ".tmp"
    assert not first.exists()
    write(await files.temporary_for("camera_1/videos/" + "ä" * 127))  # no name is too long for one


async def test_publish_is_synced_before_it_is_seen_and_after(
    files: Files, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = write(await files.temporary_for(VIDEO), b"clip")
    synced: list[tuple[str, bool]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append((os.fspath(Path(f"/proc/self/fd/{descriptor}").readlink()), (root / VIDEO).exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    await files.publish(temporary, VIDEO)
    assert synced == [(str(temporary), False), (str(root / "camera_1" / "videos"), True)]
    assert (root / VIDEO).read_bytes() == b"clip"
    assert not temporary.exists()


async def test_publish_replaces_nothing_unless_told(files: Files, root: Path) -> None:
    write(root / VIDEO, b"old")
    temporary = write(await files.temporary_for(VIDEO), b"new")
    with pytest.raises(ConflictError):
        await files.publish(temporary, VIDEO)
    assert (root / VIDEO).read_bytes() == b"old"
    assert temporary.exists()
    await files.publish(temporary, VIDEO, replace=True)
    assert (root / VIDEO).read_bytes() == b"new"
    assert not temporary.exists()


async def test_publish_where_there_are_no_hard_links(files: Files, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    await files.publish(write(await files.temporary_for(VIDEO), b"first"), VIDEO)
    with pytest.raises(ConflictError):
        await files.publish(write(await files.temporary_for(VIDEO), b"second"), VIDEO)
    assert (root / VIDEO).read_bytes() == b"first"


async def test_publish_of_nothing(files: Files) -> None:
    with pytest.raises(FileNotFoundError):
        await files.publish(await files.temporary_for(VIDEO), VIDEO)


async def test_publish_takes_only_temporaries_of_the_same_folder(files: Files, root: Path, tmp_path: Path) -> None:
    elsewhere = await files.temporary_for("camera_1/pictures/1.jpg")
    agents = root / "camera_1" / "videos" / "1_video.mp4.tmp"
    for path in (elsewhere, agents, tmp_path / ".1.0123456789abcdef01234567.tmp"):
        write(path)
        with pytest.raises(InvalidError):
            await files.publish(path, VIDEO)
        assert path.exists()


async def test_remove(files: Files, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    write(root / VIDEO)
    assert await files.remove(VIDEO)
    assert len(synced) == 1
    assert not (root / VIDEO).exists()
    assert not await files.remove(VIDEO)
    assert not await files.remove("camera_9/videos/none.mp4")
    with pytest.raises(InvalidError, match="folder"):
        await files.remove("camera_1/videos")
    assert (root / "camera_1" / "videos").is_dir()


async def test_sweep_takes_only_our_old_temporaries(files: Files, root: Path, tmp_path: Path) -> None:
    videos, pictures = root / "camera_1" / "videos", root / "camera_1" / "pictures"
    ours = ".1_video.mp4.0123456789abcdef01234567.tmp"
    gone = [write(videos / ours, age_seconds=7200), write(pictures / ours, age_seconds=3601)]
    kept = [
        write(videos / ".2_video.mp4.0123456789abcdef01234567.tmp", age_seconds=60),
        write(videos / "1_video.h264.tmp", age_seconds=7200),
        write(videos / "1_video.mp4", age_seconds=7200),
        write(videos / ".nfs000000000123", age_seconds=7200),
        write(videos / ".1.tmp", age_seconds=7200),
        write(root / ours, age_seconds=7200),
    ]
    (tmp_path / "other").mkdir()
    kept.append(write(tmp_path / "other" / ours, age_seconds=7200))
    (root / "linked").symlink_to(tmp_path / "other")
    assert await files.sweep_temporaries(3600) == 2
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)


async def test_sweep_of_one_owner(files: Files, root: Path) -> None:
    videos = root / "camera_1" / "videos"
    mine, others = (Files(root, 1, 10, owner=digit * 16) for digit in "ab")
    mine_left = write(await mine.temporary_for(VIDEO))
    others_left = write(await others.temporary_for(VIDEO))
    assert await files.sweep_temporaries(0, owner="a" * 16) == 1
    assert not mine_left.exists()
    assert others_left.exists()
    assert others_left.parent == videos
    mine.close()
    others.close()


async def test_usage(files: Files, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "STEP_FILES", 2)
    for n in range(5):
        write(root / "camera_1" / "pictures" / f"{n}.jpg", b"12")
    write(root / "camera_1" / "videos" / "a.tmp", b"1234567")
    write(root / "camera_1" / "note.txt", b"1")
    (root / "camera_1" / "videos" / "big").symlink_to("/etc/passwd")
    (root / "camera_1" / "elsewhere").symlink_to(tmp_path)
    (root / "camera_2").mkdir()
    (root / "lost+found").mkdir()
    (root / "camera_3").symlink_to(root / "camera_1")
    write(root / "marker")
    assert await files.usage() == {"camera_1": Usage(7, 18), "camera_2": Usage(0, 0)}


async def test_disk(files: Files, root: Path) -> None:
    disk = await files.disk()
    assert 0 < disk.free_bytes < disk.total_bytes
    assert disk.total_bytes == os.statvfs(root).f_blocks * os.statvfs(root).f_frsize


async def test_a_hung_storage(root: Path, mount: Mount) -> None:
    files = Files(root, threads=1, timeout_seconds=0.1)
    with pytest.raises(StorageUnavailableError):
        await files.run(mount.ask)
    assert files.hung == 1
    with pytest.raises(StorageUnavailableError):
        await files.exists(VIDEO)
    files.close()


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EIO, StorageUnavailableError),
        (errno.ESTALE, StorageUnavailableError),
        (errno.ENOTCONN, StorageUnavailableError),
        (errno.ENOSPC, StorageFullError),
        (errno.EDQUOT, StorageFullError),
        (errno.ENOENT, FileNotFoundError),
        (errno.EACCES, PermissionError),
    ],
)
async def test_failures_of_the_storage_and_of_one_file(files: Files, number: int, expected: type[Exception]) -> None:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(expected) as caught:
        await files.run(fail)
    assert type(caught.value) is expected
