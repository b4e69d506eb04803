"""With real mounts, where the tests may mount: a disk that comes, goes, is swapped, and is full."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from securitycamd.storage import Files, GuardCondition, StorageFullError, StorageGuard, StorageLostError
from tests.storage.conftest import IDENTITY

VIDEO = "camera_1/videos/1_video.mp4"
DISK_BYTES = 2 * 1024 * 1024


def mount(*arguments: str | Path) -> None:
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"may not mount here: {done.stderr.strip()}")


def unmount(path: Path) -> None:
    subprocess.run(["umount", "--lazy", path], check=True)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[list[Path]]:
    """Two small disks, mounted elsewhere."""
    made: list[Path] = []
    try:
        for name in ("disk", "other"):
            path = tmp_path / name
            path.mkdir()
            mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", path)
            made.append(path)
        yield made
    finally:
        for path in made:
            unmount(path)


@pytest.fixture
def mount_point(tmp_path: Path, disks: list[Path]) -> Iterator[Path]:
    """The first disk as the storage root."""
    point = tmp_path / "mounted"
    point.mkdir()
    mount("--bind", disks[0], point)
    yield point
    while point.is_mount():
        unmount(point)


async def test_a_disk_that_goes_is_swapped_and_comes_back(mount_point: Path, disks: list[Path]) -> None:
    files = Files(mount_point, threads=2, timeout_seconds=10)
    guard = files.guard = StorageGuard(files, IDENTITY)
    assert (await guard.establish(adopt=True)).is_ok
    await files.make_camera_folders("camera_1")
    (mount_point / VIDEO).write_bytes(b"clip")
    temporary = await files.temporary_for("camera_1/videos/2.mp4")
    temporary.write_bytes(b"clip")

    unmount(mount_point)
    with pytest.raises(StorageLostError):
        await files.make_camera_folders("camera_1")
    assert guard.state.condition is GuardCondition.MISSING
    assert names(mount_point) == [], "nothing was written to the empty mount point"

    mount("--bind", disks[1], mount_point)
    assert (await guard.check()).condition is GuardCondition.MISSING
    with pytest.raises(StorageLostError):
        await files.exists(VIDEO)
    other = Files(disks[1], threads=1, timeout_seconds=10)
    assert (await StorageGuard(other, "other").establish(adopt=True)).is_ok
    other.close()
    assert (await guard.check()).found == "other"
    unmount(mount_point)

    mount("--bind", disks[0], mount_point)
    assert (await guard.check()).is_ok
    await files.publish(temporary, "camera_1/videos/2.mp4")
    assert await files.remove(VIDEO)
    files.close()


async def test_the_disk_of_one_camera_goes(mount_point: Path, disks: list[Path]) -> None:
    files = Files(mount_point, threads=2, timeout_seconds=10)
    guard = files.guard = StorageGuard(files, IDENTITY)
    await guard.establish(adopt=True)
    (mount_point / "camera_2").mkdir()
    mount("--bind", disks[1], mount_point / "camera_2")
    await files.make_camera_folders("camera_1")
    await files.make_camera_folders("camera_2")
    unmount(mount_point / "camera_2")
    with pytest.raises(StorageLostError, match="camera_2"):
        await files.make_camera_folders("camera_2")
    await files.make_camera_folders("camera_1")
    assert list(await guard.check_cameras()) == ["camera_2"]
    mount("--bind", disks[1], mount_point / "camera_2")
    assert await guard.check_cameras() == {}
    await files.make_camera_folders("camera_2")
    unmount(mount_point / "camera_2")
    files.close()


async def test_a_disk_that_is_full(mount_point: Path) -> None:
    files = Files(mount_point, threads=2, timeout_seconds=10)
    guard = files.guard = StorageGuard(files, IDENTITY)
    await guard.establish(adopt=True)
    await files.make_camera_folders("camera_1")
    with pytest.raises(StorageFullError):
        await files.open_upload(VIDEO, total=DISK_BYTES, limit_bytes=DISK_BYTES * 2)
    upload = await files.open_upload(VIDEO, limit_bytes=DISK_BYTES * 2)
    with pytest.raises(StorageFullError):
        await upload.write(bytes(DISK_BYTES * 2))
    await upload.suspend()
    left = await files.received_bytes(VIDEO)
    assert 0 < left < DISK_BYTES
    (mount_point / "filler").write_bytes(bytes((await files.disk()).free_bytes))
    assert (await files.disk()).free_bytes == 0

    assert (await guard.check()).is_ok, "full is not gone"
    assert not await files.exists(VIDEO)
    assert await files.remove("filler"), "what frees space works without any"
    upload = await files.open_upload(VIDEO, offset=left, total=left + 5, limit_bytes=DISK_BYTES)
    await upload.write(b"clips")
    assert (await upload.finish()).size_bytes == left + 5
    files.close()
