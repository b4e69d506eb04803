"""Files on their way out: what is read of them, and that nothing of them stays open."""

import asyncio
import gc
import os
from pathlib import Path

import pytest

from securitycamd.domain.errors import InvalidError, StorageUnavailableError
from securitycamd.storage import FileFacts, Files, Reading, Stretch
from securitycamd.storage.reading import PIECE_BYTES
from tests.storage.conftest import Mount, until

CLIP = "camera_1/videos/1_video.mp4"
CONTENT = bytes(range(251)) * 4000


def open_clips() -> int:
    """How many descriptors of clips this process has."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            found += str(link.readlink()).endswith("_video.mp4")
        except FileNotFoundError:
            continue
    return found


def whole(facts: FileFacts) -> Stretch:
    return Stretch(0, facts.size_bytes)


async def content_of(reading: Reading | None) -> bytes:
    assert reading is not None
    found = b"".join([piece async for piece in reading.pieces()])
    reading.close()
    return found


@pytest.fixture
def clip(root: Path) -> Path:
    path = root / CLIP
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize(
    "stretch",
    [
        Stretch(0, len(CONTENT)),
        Stretch(5, 10),
        Stretch(PIECE_BYTES - 1, PIECE_BYTES + 2),
        Stretch(len(CONTENT) - 1, 1),
        Stretch(0, 0),
    ],
)
async def test_the_bytes_that_were_asked_for(files: Files, clip: Path, stretch: Stretch) -> None:
    reading = await files.open_reading(CLIP, lambda _: stretch)
    assert reading is not None
    assert reading.facts == FileFacts(len(CONTENT), os.stat(clip).st_mtime_ns)  # noqa: PTH116 - no loop waits for it
    assert await content_of(reading) == CONTENT[stretch.offset : stretch.offset + stretch.count]
    await until(lambda: open_clips() == 0)


async def test_what_is_replaced_meanwhile_is_sent_as_it_was(files: Files, clip: Path) -> None:
    reading = await files.open_reading(CLIP, whole)
    other = clip.with_name("other")
    other.write_bytes(b"smaller")
    other.replace(clip)
    assert await content_of(reading) == CONTENT


async def test_what_becomes_shorter_meanwhile_is_an_error(files: Files, clip: Path) -> None:
    reading = await files.open_reading(CLIP, whole)
    with clip.open("r+b") as file:
        file.truncate(PIECE_BYTES + 1)
    with pytest.raises(StorageUnavailableError):
        await content_of(reading)


async def test_what_is_no_file_is_not_there(files: Files, root: Path) -> None:
    (root / "camera_1/videos/folder.mp4").mkdir()
    os.mkfifo(root / "camera_1/videos/pipe.mp4")
    for name in ("folder.mp4", "pipe.mp4", "missing.mp4"):
        assert await files.open_reading(f"camera_1/videos/{name}", whole) is None
    with pytest.raises(InvalidError):
        await files.open_reading("../x.mp4", whole)


async def test_a_link_that_takes_a_folders_place_after_the_look(
    files: Files, root: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / clip.name).write_bytes(b"secret")
    real_open = os.open

    def swap_then_open(path: str | Path, flags: int, *args: int, **options: int) -> int:
        if Path(path) == clip and not clip.parent.is_symlink():
            clip.parent.rename(root / "camera_1/was")
            (root / "camera_1/videos").symlink_to(outside)
        return real_open(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", swap_then_open)
    with pytest.raises(InvalidError):
        await files.open_reading(CLIP, whole)
    monkeypatch.undo()
    await until(lambda: open_clips() == 0)


async def test_who_is_given_up_while_it_opens_is_closed_when_it_is_open(root: Path, clip: Path, mount: Mount) -> None:
    files = Files(root, threads=2, timeout_seconds=1.0)
    mount.holds("open", lambda path, *_: Path(path) == clip)
    with pytest.raises(StorageUnavailableError):
        await files.open_reading(CLIP, whole)
    mount.answer()
    await until(lambda: files.hung == 0)
    assert open_clips() == 0
    assert await content_of(await files.open_reading(CLIP, whole)) == CONTENT
    files.close()


async def test_a_read_that_hangs_is_given_up_and_closed_when_it_returns(root: Path, clip: Path, mount: Mount) -> None:
    files = Files(root, threads=2, timeout_seconds=1.0)
    mount.holds("pread", lambda _descriptor, _count, at: at > 0)
    reading = await files.open_reading(CLIP, whole)
    with pytest.raises(StorageUnavailableError):
        async with asyncio.timeout(5):
            await content_of(reading)
    assert reading is not None
    reading.close()
    assert open_clips() == 1, "the thread is still in it"
    (clip.parent / "2_other.mp4").write_bytes(b"other")
    assert await content_of(await files.open_reading("camera_1/videos/2_other.mp4", whole)) == b"other"
    mount.answer()
    await until(lambda: open_clips() == 0)
    await until(lambda: not files.hung)
    files.close()


async def test_what_is_forgotten_is_closed(files: Files, clip: Path) -> None:
    reading = await files.open_reading(CLIP, whole)
    assert reading is not None
    assert open_clips() == 1
    del reading
    gc.collect()
    assert open_clips() == 0


async def test_closing_waits_for_a_thread_but_nobody_for_it(root: Path, clip: Path, mount: Mount) -> None:
    files = Files(root, threads=1, timeout_seconds=1.0)
    reading = await files.open_reading(CLIP, whole)
    assert reading is not None
    with pytest.raises(StorageUnavailableError):
        await files.run(mount.ask)
    reading.close()
    await asyncio.sleep(1.5)  # longer than a call may wait to begin
    assert open_clips() == 1
    mount.answer()
    await until(lambda: open_clips() == 0)
    files.close()
