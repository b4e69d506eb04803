import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securitycamd.domain.clips import ClipError, ClipFault
from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.media import Media
from securitycamd.media.jpeg import JpegError, JpegFacts, read_jpeg
from tests.footage import Footage
from tests.media.conftest import HUNG, is_gone, read_pids, until, write_script
from tests.media.looking import ffprobe, is_missing, tool

JPEG = ("-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-f", "mjpeg", "-")


def frame(clip: Path, number: int) -> bytes:
    """A frame of a raw stream, by its number in the order of showing, as a JPEG of the best quality."""
    choose = f"select=eq(n\\,{number})"
    return tool("-f", "h264", "-i", str(clip), "-vf", choose, "-fps_mode", "passthrough", "-q:v", "3", *JPEG)


def drawn(size: str, *, colour: str = "white", extra: tuple[str, ...] = ()) -> bytes:
    """A JPEG of one colour."""
    return tool("-f", "lavfi", "-i", f"color={colour}:s={size}", *extra, *JPEG)


def brightness(picture: Path, x: int, y: int) -> int:
    """Of one pixel, 0 to 255."""
    crop = f"format=gray,crop=1:1:{x}:{y}:exact=1"
    return tool("-i", str(picture), "-vf", crop, "-f", "rawvideo", "-")[0]


async def fault_of(work: Any, target: Path) -> ClipFault:
    with pytest.raises(ClipError) as caught:
        await work
    assert is_missing(target)
    return caught.value.fault


@pytest.mark.parametrize(("profile", "b_frames"), [("baseline", 0), ("high", 3)])
async def test_the_first_frame_at_or_after_a_time_or_the_last(
    media: Media, footage: Footage, tmp_path: Path, profile: Any, b_frames: int
) -> None:
    raw, clip = footage.clip(profile=profile, b_frames=b_frames, seconds=3), tmp_path / "clip"
    target = tmp_path / "out.tmp"
    await media.remux(raw, clip, frame_rate=15, timeout_seconds=30)
    for at_seconds, number in (
        (0, 0),
        (0.5, 8),
        (1, 15),
        (2.6, 39),
        (2.95, 44),
        (3, 44),
        (4, 44),
        (3600, 44),
    ):
        expected = frame(raw, number)
        made = await media.still_from_clip(clip, target, at_seconds=at_seconds)
        assert target.read_bytes() == expected, at_seconds
        assert (made.width, made.height, made.size_bytes) == (320, 180, len(expected))
        await media.still_from_clip(raw, target, at_seconds=at_seconds, frame_rate=15)
        assert target.read_bytes() == expected, at_seconds


async def test_of_a_damaged_clip_the_last_frame_that_can_be_shown(
    media: Media, footage: Footage, tmp_path: Path
) -> None:
    cut, whole = footage.cut_mid_frame(profile="high", b_frames=2)
    clip = tmp_path / "clip"
    await media.remux(cut, clip, frame_rate=15, timeout_seconds=30)
    for source, frame_rate in ((cut, 15), (clip, None)):
        made = await media.still_from_clip(source, tmp_path / "o", at_seconds=whole, frame_rate=frame_rate)
        assert (made.width, made.height) == (320, 180)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((160, 160), (160, 90)), ((100, 20), (36, 20)), ((1920, 1080), (320, 180)), (None, (320, 180))],
)
async def test_a_still_fits_into_its_size_and_is_never_enlarged(
    media: Media, footage: Footage, tmp_path: Path, size: tuple[int, int] | None, expected: tuple[int, int]
) -> None:
    target = tmp_path / "out.jpg"
    made = await media.still_from_clip(footage.mp4(), target, at_seconds=1, size=size)
    assert (made.width, made.height) == expected
    (stream,) = ffprobe(target, "-show_entries", "stream=codec_name,width,height")["streams"]
    assert list(map(str, stream.values())) == ["mjpeg", *map(str, expected)]


@pytest.mark.parametrize(
    ("size", "is_edge_seen", "is_top_seen"),
    [
        ("1920x1080", True, True),
        ("96x54", True, True),
        ("1280x800", True, True),
        ("640x480", False, True),
        ("400x900", False, True),
        ("1600x400", True, False),
        ("2x2", False, True),
    ],
)
async def test_a_thumbnail_has_its_size_whatever_the_still(
    media: Media, footage: Footage, tmp_path: Path, size: str, is_edge_seen: bool, is_top_seen: bool
) -> None:
    target = tmp_path / "thumb.jpg"
    made = await media.thumbnail_from_still(footage.write(f"{size}.jpg", drawn(size)), target)
    assert (made.width, made.height, made.size_bytes) == (480, 270, target.stat().st_size)
    places = {
        "edge": (2, 135),
        "other edge": (477, 135),
        "top": (240, 2),
        "bottom": (240, 267),
        "middle": (240, 135),
    }
    seen = {name: brightness(target, *place) > 200 for name, place in places.items()}
    assert seen == {
        "edge": is_edge_seen,
        "other edge": is_edge_seen,
        "top": is_top_seen,
        "bottom": is_top_seen,
        "middle": True,
    }


async def test_quality_can_be_set(media: Media, footage: Footage, tmp_path: Path) -> None:
    target, sizes = tmp_path / "o", []
    for quality in (2, 8, 31):
        still = await media.still_from_clip(footage.mp4(), target, at_seconds=1, quality=quality)
        thumbnail = await media.thumbnail_from_still(target, tmp_path / "t", width=160, height=90, quality=quality)
        sizes.append((still.size_bytes, thumbnail.size_bytes))
    assert sizes[0][0] > sizes[1][0] > sizes[2][0]
    assert sizes[0][1] > sizes[1][1] > sizes[2][1]


async def test_grey_and_fine_stills(media: Media, footage: Footage, tmp_path: Path) -> None:
    for pixels in ("gray", "yuvj444p", "yuvj422p"):
        content = tool("-f", "lavfi", "-i", "color=white:s=320x180", *JPEG[:4], "-pix_fmt", pixels, *JPEG[6:])
        made = await media.thumbnail_from_still(footage.write("g.jpg", content), tmp_path / "t")
        assert (made.width, brightness(tmp_path / "t", 240, 135) > 200) == (480, True)


@pytest.mark.parametrize("name", ["-y", "concat:a|b.jpg", "%03d [1]'\".jpg"])
async def test_names_are_only_names(media: Media, footage: Footage, tmp_path: Path, name: str) -> None:
    clip, still, thumbnail = (tmp_path / folder / name for folder in ("clip", "still", "thumb"))
    for path in (clip, still, thumbnail):
        path.parent.mkdir(parents=True)
    clip.write_bytes(footage.mp4().read_bytes())
    await media.still_from_clip(clip, still, at_seconds=1)
    await media.thumbnail_from_still(still, thumbnail)
    assert thumbnail.is_file()


async def test_clips_with_nothing_to_show(media: Media, footage: Footage, tmp_path: Path) -> None:
    target = tmp_path / "o"

    async def fault(clip: Path, frame_rate: float | None) -> ClipFault:
        return await fault_of(media.still_from_clip(clip, target, at_seconds=4, frame_rate=frame_rate), target)

    assert await fault(tmp_path / "none", None) == ClipFault.MISSING
    assert await fault(tmp_path / "none", 15) == ClipFault.MISSING_YET
    for clip in (footage.clip(), footage.empty(), footage.jpeg()):
        assert await fault(clip, None) == ClipFault.CUT_SHORT
    assert await fault(footage.empty(), 15) == ClipFault.EMPTY
    assert await fault(footage.jpeg(), 15) == ClipFault.NOT_H264
    # A list of files to read, under the name of a clip.
    playlist = footage.write("list.mp4", f"ffconcat version 1.0\nfile {footage.mp4()}\n".encode())
    assert await fault(playlist, None) == ClipFault.CUT_SHORT


async def test_stills_that_are_no_whole_jpeg(media: Media, footage: Footage, tmp_path: Path) -> None:
    target, whole = tmp_path / "o", footage.jpeg().read_bytes()

    async def fault(content: bytes) -> ClipFault:
        return await fault_of(media.thumbnail_from_still(footage.write("s.jpg", content), target), target)

    png = tool("-f", "lavfi", "-i", "color=white:s=320x180", "-frames:v", "1", "-c:v", "png", "-f", "image2pipe", "-")
    for content in (b"", b"text" * 99, png, whole[:1], whole[: len(whole) // 2], whole[:-1]):
        assert await fault(content) == ClipFault.CUT_SHORT
    # Its end is there, but not all before it.
    assert await fault(whole[: len(whole) // 2] + whole[-2:]) == ClipFault.FFMPEG
    assert await fault_of(media.thumbnail_from_still(tmp_path / "none", target), target) == ClipFault.MISSING
    assert await fault_of(media.thumbnail_from_still(tmp_path, target), target) == ClipFault.CUT_SHORT


async def test_a_still_that_claims_to_be_huge(media: Media, footage: Footage, tmp_path: Path) -> None:
    content = bytearray(footage.jpeg().read_bytes())
    frame_header = content.index(b"\xff\xc0")
    content[frame_header + 5 : frame_header + 9] = b"\xff\xdc\xff\xdc"
    still = footage.write("huge.jpg", bytes(content))
    assert (await asyncio.to_thread(read_jpeg, still)).width == 65500
    work = media.thumbnail_from_still(still, tmp_path / "o", timeout_seconds=20)
    assert await fault_of(work, tmp_path / "o") == ClipFault.FFMPEG


@pytest.mark.parametrize(
    "after",
    [
        'truncate -s -2 "${last#file:}"',
        'rm "${last#file:}"',
        ': > "${last#file:}"',
        'echo no > "${last#file:}"',
        "exit 1",
        "kill -SEGV $$",
    ],
)
async def test_results_that_are_not_whole_are_not_believed(footage: Footage, tmp_path: Path, after: str) -> None:
    media = Media(1, ffmpeg=write_script(tmp_path / "ffmpeg", f'ffmpeg "$@"; for last; do :; done; {after}'))
    target, still = tmp_path / "o", footage.write("white.jpg", drawn("320x180"))
    assert await fault_of(media.still_from_clip(footage.mp4(), target, at_seconds=1), target) == ClipFault.FFMPEG
    assert await fault_of(media.thumbnail_from_still(still, target), target) == ClipFault.FFMPEG


async def test_hung_and_cancelled(footage: Footage, tmp_path: Path) -> None:
    script, target = write_script(tmp_path / "ffmpeg", HUNG), tmp_path / "o"
    media, pids = Media(1, ffmpeg=script, grace_seconds=0.1), Path(f"{script}.pids")
    work = media.still_from_clip(footage.mp4(), target, at_seconds=1, timeout_seconds=1)
    assert await fault_of(work, target) == ClipFault.HUNG
    task = asyncio.create_task(media.still_from_clip(footage.mp4(), target, at_seconds=1))
    await until(lambda: len(read_pids(pids)) == 4)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert is_missing(target)
    await until(lambda: all(map(is_gone, read_pids(pids))))


async def test_a_storage_that_fails(footage: Footage, tmp_path: Path) -> None:
    async def broken_storage(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    media = Media(1, run_blocking=broken_storage)  # type: ignore[arg-type]  # it never returns anything
    with pytest.raises(StorageUnavailableError):
        await media.thumbnail_from_still(footage.jpeg(), tmp_path / "o")
    with pytest.raises(StorageUnavailableError):
        await media.still_from_clip(footage.clip(), tmp_path / "o", at_seconds=1, frame_rate=15)


@pytest.mark.parametrize(
    "values", [{"at_seconds": -1}, {"at_seconds": 1e9}, {"frame_rate": 0}, {"quality": 0}, {"quality": 32}]
)
async def test_nonsense(media: Media, footage: Footage, tmp_path: Path, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        await media.still_from_clip(footage.mp4(), tmp_path / "o", **({"at_seconds": 1} | values))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_jpeg_cut_anywhere_is_refused(footage: Footage, data: st.DataObject) -> None:
    whole = footage.jpeg().read_bytes()
    length = data.draw(st.integers(0, len(whole) - 1))
    assert read_jpeg(footage.write("whole.jpg", whole)) == JpegFacts(320, 180, len(whole))
    assert read_jpeg(footage.write("padded.jpg", whole + bytes(512))).height == 180
    with pytest.raises(JpegError):
        read_jpeg(footage.write("cut.jpg", whole[:length]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(garbage=st.binary(max_size=300))
def test_garbage_is_judged(footage: Footage, garbage: bytes) -> None:
    with pytest.raises(JpegError):
        read_jpeg(footage.write("garbage.jpg", b"\xff\xd8" + garbage))


def test_a_small_picture_in_the_headers_does_not_count(footage: Footage) -> None:
    small, whole = drawn("16x16"), footage.jpeg().read_bytes()
    header = b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small
    assert read_jpeg(footage.write("exif.jpg", whole[:2] + header + whole[2:])).width == 320
    with pytest.raises(JpegError):
        read_jpeg(footage.write("exif.jpg", whole[:2] + header + whole[2:-2]))


def test_the_frames_of_the_test_clip_differ(footage: Footage) -> None:
    """Or the tests above would take any frame for the right one."""
    command = ["ffmpeg", "-v", "error", "-i", str(footage.clip(seconds=3)), "-f", "framemd5", "-"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    sums = [line.split(",")[-1] for line in lines if not line.startswith("#")]
    assert len(set(sums)) == 45
