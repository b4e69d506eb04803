import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from securitycamd.domain.errors import InvalidError
from securitycamd.storage import Files, FoundFile, find_for_event, scan, sweep_ready
from securitycamd.storage import files as files_module
from tests.storage.conftest import guard_of

AT = datetime(2025, 10, 28, 14, 30, 22, 500000, tzinfo=UTC)


def put(root: Path, relative: str, content: bytes = b"x", *, at: float = AT.timestamp()) -> Path:
    path = root / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (at, at))
    return path


async def found(files: Files, cameras: list[str] | None = None) -> list[str]:
    return sorted([file.relative async for batch in scan(files, cameras=cameras) for file in batch])


async def test_a_found_file(guarded: Files, root: Path) -> None:
    put(root, "camera_1/videos/42_20251028_143022_video.h264", b"12345")
    assert [batch async for batch in scan(guarded)] == [
        [
            FoundFile(
                "camera_1/videos/42_20251028_143022_video.h264",
                "camera_1",
                "42_20251028_143022_video.h264",
                5,
                AT,
            )
        ]
    ]


async def test_what_is_scanned_and_what_is_not(guarded: Files, root: Path, tmp_path: Path) -> None:
    footage = [
        "camera_1/pictures/42_20251028_143022_a.jpg",
        "camera_1/thumbs/42_20251028_143022_thumb.jpg",
        "camera_1/videos/42_20251028_143022_video.mp4",
        "camera_1/videos/holiday film.avi",
        "camera_2/pictures/1.jpg",
    ]
    for name in footage:
        put(root, name)
    for name in (
        "camera_1/videos/43_20251028_143022_video.h264.tmp",
        "camera_1/videos/42_20251028_143022_video.mp4.READY",
        "camera_1/videos/.42_video.mp4.0123456789abcdef01234567.tmp",
        "camera_1/videos/.42_video.mp4.0123456789abcdef.part",
        "camera_1/videos/-y",
        "camera_1/videos/concat:1.mp4",
        "camera_1/videos/back\\slash.mp4",
        "camera_1/videos/deeper/1.mp4",
        "camera_1/other/1.mp4",
        "camera_1/1.mp4",
        "no camera/videos/1.mp4",
        "1.mp4",
    ):
        put(root, name)
    (root / "camera_1/videos" / os.fsdecode(b"\xff.mp4")).write_bytes(b"")
    put(tmp_path, "elsewhere/1.mp4")
    (root / "camera_1/videos/link.mp4").symlink_to(tmp_path / "elsewhere" / "1.mp4")
    (root / "camera_2/videos").symlink_to(tmp_path / "elsewhere")
    (root / "camera_3").symlink_to(root / "camera_1")
    os.mkfifo(root / "camera_1/videos/fifo")
    assert await found(guarded) == footage
    assert await found(guarded, ["camera_2", "camera_9"]) == footage[-1:]


async def test_batches(guarded: Files, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "STEP_FILES", 4)
    names = [f"camera_1/{kind}/{n}.jpg" for kind in ("pictures", "thumbs") for n in range(10)]
    for name in names:
        put(root, name)
    batches = [batch async for batch in scan(guarded)]
    assert [len(batch) for batch in batches] == [4, 4, 2, 4, 4, 2]
    assert sorted(file.relative for batch in batches for file in batch) == names


async def test_files_that_go_while_they_are_walked_over(
    guarded: Files, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "STEP_FILES", 1)
    for n in range(9):
        put(root, f"camera_1/pictures/{n}.jpg")
    seen = []
    async for (file,) in scan(guarded):
        seen.append(file.name)
        for path in (root / "camera_1/pictures").iterdir():
            path.unlink()
    assert 1 <= len(seen) < 9


async def test_times_that_no_calendar_has(guarded: Files, root: Path) -> None:
    put(root, "camera_1/pictures/1.jpg", at=-1e10)
    put(root, "camera_1/pictures/2.jpg", at=1e10)
    times = {file.name: file.modified_at async for batch in scan(guarded) for file in batch}
    assert times["1.jpg"] == datetime(1970, 1, 1, tzinfo=UTC)
    assert times["2.jpg"] > AT


async def test_a_camera_that_is_not_right_is_left_out(guarded: Files, root: Path) -> None:
    put(root, "camera_1/pictures/1.jpg")
    put(root, "camera_2/pictures/1.jpg")
    (root / "camera_1/.securitycamd-camera").unlink()
    assert await found(guarded) == ["camera_2/pictures/1.jpg"]
    assert list(guard_of(guarded).camera_states) == ["camera_1"]


async def test_the_files_of_an_event(guarded: Files, root: Path) -> None:
    of_event = [
        "camera_1/pictures/42_20251028_143022_a.jpg",
        "camera_1/videos/42_20251028_143022_video.h264",
        "camera_1/thumbs/42_20251028_143022_thumb.jpg",
    ]
    for name in of_event:
        put(root, name)
    for name in (
        "camera_1/videos/42_20251028_143022_video.h264.READY",
        "camera_1/videos/42_20251028_143022_video.h264.tmp",
        "camera_1/videos/421_20251028_143022_video.h264",
        "camera_1/videos/142_20251028_143022_video.h264",
        "camera_2/videos/42_20251028_143022_video.h264",
    ):
        put(root, name)
    assert [file.relative for file in await find_for_event(guarded, "camera_1", 42)] == of_event
    assert await find_for_event(guarded, "camera_1", 4) == []
    assert await find_for_event(guarded, "camera_9", 42) == []
    with pytest.raises(InvalidError):
        await find_for_event(guarded, "..", 42)


async def test_ready_files_whose_video_is_gone(guarded: Files, root: Path) -> None:
    hour_ago = time.time() - 3601
    gone = put(root, "camera_1/videos/1_video.h264.READY", b"", at=hour_ago)
    kept = [
        put(root, "camera_1/videos/2_video.h264", at=hour_ago),
        put(root, "camera_1/videos/2_video.h264.READY", b"", at=hour_ago),
        put(root, "camera_1/videos/3_video.h264.READY", b"", at=time.time()),
        put(root, "camera_1/videos/4_video.h264.READY", b"not empty", at=hour_ago),
        put(root, "camera_1/pictures/5.jpg.READY", b"", at=hour_ago),
    ]
    assert await sweep_ready(guarded, older_than_seconds=3600) == 1
    assert not gone.exists()
    assert all(path.exists() for path in kept)
