"""Many files go in few calls: each folder opened and synced once, and what is refused keeps no other."""

from pathlib import Path

import pytest

from securitycamd.storage import Files, changes
from securitycamd.storage.files import REMOVED_A_CALL
from securitycamd.storage.folders import Anchor, sync_folder
from securitycamd.storage.scan import find_for_events


def put(root: Path, *names: str) -> list[str]:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return list(names)


def left_in(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.glob("*/*/*")}


async def test_files_of_several_folders_go(files: Files, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []

    def count(folder: int) -> None:
        synced.append(folder)
        sync_folder(folder)

    monkeypatch.setattr(changes, "sync_folder", count)
    pictures = put(root, *(f"camera_1/pictures/{number}_a.jpg" for number in range(10)))
    clips = put(root, *(f"camera_1/videos/{number}_video.mp4" for number in range(10)))
    kept = put(root, "camera_1/videos/20_video.mp4")
    removed: set[str] = set()
    assert await files.remove_some([*pictures, *clips, "camera_1/thumbs/never.jpg"], removed) == set()
    assert removed == {*pictures, *clips}
    assert len(synced) == 3, "once a folder"
    assert left_in(root) == set(kept)


async def test_more_than_a_call_takes(files: Files, root: Path) -> None:
    names = put(root, *(f"camera_1/pictures/{number}_a.jpg" for number in range(2 * REMOVED_A_CALL + 1)))
    removed: set[str] = set()
    assert await files.remove_some(names, removed) == set()
    assert removed == set(names)


async def test_what_is_refused_keeps_no_other(files: Files, root: Path) -> None:
    outside = root.parent / "outside"
    theirs = put(outside, "x.jpg")
    (root / "camera_1/linked").symlink_to(outside)
    (root / "camera_1/pictures/folder.jpg").mkdir()
    ours = put(root, "camera_1/pictures/1_a.jpg")
    odd = ["camera_1/linked/x.jpg", "camera_1/pictures/folder.jpg", "../outside/x.jpg"]
    removed: set[str] = set()
    assert await files.remove_some([*odd, *ours, "camera_9/pictures/1_a.jpg"], removed) == set(odd)
    assert removed == set(ours)
    assert (outside / theirs[0]).exists()


def test_what_was_removed_before_an_error_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = put(root, "camera_1/pictures/1_a.jpg", "camera_1/videos/1_video.mp4")
    real = Anchor.open_folder

    def failing(self: Anchor, *parts: str) -> object:
        if parts[-1] == "videos":
            raise OSError(5, "input/output error")
        return real(self, *parts)

    monkeypatch.setattr(Anchor, "open_folder", failing)
    removed: set[str] = set()
    with pytest.raises(OSError, match="input"):
        changes.remove_some(Anchor(root), names, removed)
    assert removed == {names[0]}


async def test_the_files_of_several_events_are_found_in_one_call(files: Files, root: Path) -> None:
    put(root, "camera_1/pictures/1_a.jpg", "camera_1/videos/2_video.h264", "camera_1/thumbs/3_thumb.jpg")
    put(root, "camera_1/pictures/12_a.jpg", "camera_1/pictures/1_a.jpg.tmp", "camera_1/pictures/odd.jpg")
    found = await find_for_events(files, "camera_1", {1, 2, 4})
    assert {file.relative for file in found} == {"camera_1/pictures/1_a.jpg", "camera_1/videos/2_video.h264"}
