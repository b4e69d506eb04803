"""Folders and links that change places while files are changed: nothing outside the root may be touched."""

import asyncio
import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from securitycamd.domain.errors import ConflictError, InvalidError, StorageUnavailableError
from securitycamd.storage import Files, StorageGuard
from securitycamd.storage.folders import Anchor, open_file, write_whole
from tests.storage.conftest import IDENTITY

SECONDS = 1.5
AT_FDCWD = -100
RENAME_EXCHANGE = 2
NAMES = [f"{n}_20251028_143022_video.mp4" for n in range(40)]
TEMPORARY = ".1_video.mp4.0123456789abcdef01234567.tmp"


class Swapper:
    """Puts a link to a folder outside in the place of a folder, and back, as fast as it can."""

    def __init__(self, folder: Path, outside: Path) -> None:
        self.swaps = 0
        other = outside.parent / "other"
        other.symlink_to(outside)
        self._paths = os.fsencode(folder), os.fsencode(other)
        self._exchange = ctypes.CDLL(None, use_errno=True).renameat2
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set() or self.swaps % 2:
            assert self._exchange(AT_FDCWD, self._paths[0], AT_FDCWD, self._paths[1], RENAME_EXCHANGE) == 0
            self.swaps += 1


def fill(folder: Path, content: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*NAMES, TEMPORARY):
        (folder / name).write_bytes(content)
        os.utime(folder / name, (0, 0))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What an attacker would have us remove: the same names elsewhere."""
    outside = tmp_path / "outside"
    fill(outside / "videos", b"outside")
    fill(outside, b"outside")
    return outside


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("swapped", ["camera_1", "camera_1/videos"])
@pytest.mark.parametrize("is_guarded", [False, True])
async def test_a_link_swapped_in_while_files_are_changed(
    root: Path, outside: Path, swapped: str, is_guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # for more tries
    files = Files(root, threads=2, timeout_seconds=10)
    if is_guarded:
        files.guard = StorageGuard(files, IDENTITY)
        await files.guard.establish(adopt=True)
    videos = root / "camera_1" / "videos"
    fill(videos, b"inside")
    before = content(outside)
    temporary = videos / TEMPORARY
    removed = published = 0
    refusals = (InvalidError, StorageUnavailableError, FileNotFoundError, NotADirectoryError)
    loop = asyncio.get_running_loop()
    end = loop.time() + SECONDS
    with Swapper(root / swapped, outside) as swapper:
        while loop.time() < end or not (removed and published):
            assert loop.time() < end + 60, "nothing got through"
            for name in NAMES:
                with contextlib.suppress(*refusals):
                    removed += await files.remove(f"camera_1/videos/{name}")
            with contextlib.suppress(*refusals):
                await files.publish(temporary, f"camera_1/videos/{NAMES[0]}", replace=True)
                published += 1
            with contextlib.suppress(*refusals):
                await files.sweep_temporaries(0)
            with contextlib.suppress(*refusals, ConflictError):
                async with await files.open_upload(f"camera_1/videos/{NAMES[1]}", limit_bytes=9) as upload:
                    await upload.write(b"inside")
                    await upload.finish(replace=True)
            with contextlib.suppress(OSError):
                fill_again(videos)
    assert content(outside) == before
    assert swapper.swaps > 100
    assert removed > 10
    files.close()


def fill_again(videos: Path) -> None:
    """Only where the folder is the real one, by its descriptor."""
    descriptor = os.open(videos, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if "outside" in Path(f"/proc/self/fd/{descriptor}").readlink().parts:
            return
        for name in (*NAMES, TEMPORARY):
            file = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=descriptor)
            os.close(file)
            os.utime(name, (0, 0), dir_fd=descriptor)
    finally:
        os.close(descriptor)


@pytest.fixture
def anchor(root: Path) -> Iterator[Anchor]:
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    yield Anchor(root)
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors, "a descriptor leaks"


def test_links_are_not_followed(anchor: Anchor, tmp_path: Path) -> None:
    (anchor.root / "camera_2").symlink_to(anchor.root / "camera_1")
    (anchor.root / "camera_1" / "out").symlink_to(tmp_path)
    (anchor.root / "camera_1" / "file").write_bytes(b"")
    for names, error in (
        (("camera_2",), InvalidError),
        (("camera_2", "videos"), InvalidError),
        (("camera_1", "out"), InvalidError),
        (("camera_1", "file"), NotADirectoryError),
        (("camera_1", "none"), FileNotFoundError),
        (("none", "videos"), FileNotFoundError),
    ):
        with pytest.raises(error), anchor.open_folder(*names):
            pass
    with anchor.open_folder("camera_1", "videos") as folder:
        assert os.path.samestat(os.fstat(folder), (anchor.root / "camera_1/videos").stat())


def test_what_is_no_file_is_not_opened(anchor: Anchor, tmp_path: Path) -> None:
    folder = anchor.root / "camera_1"
    (tmp_path / "target").write_bytes(b"")
    (folder / "link").symlink_to(tmp_path / "target")
    (folder / "dangling").symlink_to(tmp_path / "none")
    os.mkfifo(folder / "fifo")
    with anchor.open_folder("camera_1") as opened:
        for name, flags in (
            ("link", os.O_RDONLY),
            ("dangling", os.O_RDONLY),
            ("fifo", os.O_RDONLY),
            ("fifo", os.O_WRONLY),
            ("videos", os.O_RDONLY),
            ("videos", os.O_WRONLY),
        ):
            with pytest.raises(InvalidError), open_file(opened, name, flags):
                pass
        with pytest.raises(FileNotFoundError), open_file(opened, "none", os.O_RDONLY):
            pass


def test_a_small_file_is_there_whole_or_not(anchor: Anchor, monkeypatch: pytest.MonkeyPatch) -> None:
    with anchor.open_folder("camera_1") as folder:
        write_whole(folder, "mark", b"first", replace=False)
        with pytest.raises(ConflictError):
            write_whole(folder, "mark", b"second", replace=False)
        write_whole(folder, "mark", b"third", replace=True)

        def fail(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="space"):
            write_whole(folder, "mark", b"fourth", replace=True)
    names = [path.name for path in (anchor.root / "camera_1").iterdir()]
    assert sorted(names) == ["mark", "pictures", "thumbs", "videos"]
    assert (anchor.root / "camera_1" / "mark").read_bytes() == b"third"
