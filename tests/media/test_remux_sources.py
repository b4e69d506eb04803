"""Issue B, item 1: what cameras, cards and networks leave on the share, and MP4s that hold all of it."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from securitycamd.domain.clips import ClipError, ClipFault
from securitycamd.media import Media, RemuxedClip
from tests.footage import Footage, Profile, without_timing
from tests.media.looking import duration, frames, is_missing, packet_times, packets, pictures

RATE = 15
SIZE = "160x96"
RAW = ("-f", "h264")


def whole(footage: Footage, profile: Profile, b_frames: int) -> Path:
    return footage.clip(profile=profile, b_frames=b_frames, seconds=2, size=SIZE)


def cut_mid_frame(footage: Footage, profile: Profile, b_frames: int) -> Path:
    return footage.cut_mid_frame(profile=profile, b_frames=b_frames, seconds=2, size=SIZE)[0]


def corrupt_middle(footage: Footage, profile: Profile, b_frames: int) -> Path:
    return footage.corrupt_middle(profile=profile, b_frames=b_frames, seconds=2, size=SIZE)


def holed(footage: Footage, profile: Profile, b_frames: int) -> Path:
    """Blocks of a card that could not be read are zeros."""
    stream = bytearray(whole(footage, profile, b_frames).read_bytes())
    start = len(stream) // 2
    stream[start : start + 1500] = bytes(1500)
    return footage.write("holed.h264", bytes(stream))


def zeros_behind(footage: Footage, profile: Profile, b_frames: int) -> Path:
    """The camera lost power: the file had its length, but not yet its end."""
    return footage.write("zeros.h264", whole(footage, profile, b_frames).read_bytes() + bytes(100_000))


@pytest.mark.parametrize("source_of", [whole, cut_mid_frame, corrupt_middle, holed, zeros_behind])
@pytest.mark.parametrize(("profile", "b_frames"), [("baseline", 0), ("high", 0), ("high", 2)])
async def test_frames_and_duration_are_the_sources(
    media: Media,
    footage: Footage,
    tmp_path: Path,
    profile: Profile,
    b_frames: int,
    source_of: Callable[[Footage, Profile, int], Path],
) -> None:
    source, target = source_of(footage, profile, b_frames), tmp_path / "out.tmp"
    content = source.read_bytes()
    assert not tells_timing(content)
    made = await media.remux(source, target, frame_rate=RATE, timeout_seconds=30)
    in_source, shown_of_source = frames(source, *RAW)
    in_target, shown_of_target = frames(target)
    assert in_source >= 25
    assert made.frames == in_target == in_source
    assert duration(target) == pytest.approx(in_source / RATE, abs=2e-6)
    assert made.duration_seconds == pytest.approx(in_source / RATE)
    # The decoder makes no fewer pictures of it, and where nothing is damaged, the same ones.
    assert shown_of_target >= shown_of_source
    if source_of is whole:
        assert pictures(target) == pictures(source, *RAW)
        assert in_source == shown_of_target == 30
    assert sorted(pts for pts, _ in packet_times(target)) == pytest.approx(
        [number / RATE for number in range(in_source)], abs=2e-6
    )
    assert source.read_bytes() == content


def tells_timing(stream: bytes) -> bool:
    """Whether there is a frame rate in the stream to take out."""
    try:
        without_timing(stream)
    except AssertionError:
        return False
    return True


def test_timing_would_be_noticed(footage: Footage) -> None:
    assert tells_timing(footage.clip(timing=True).read_bytes())


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 40])
async def test_next_to_nothing(media: Media, footage: Footage, tmp_path: Path, length: int) -> None:
    source = footage.write("short.h264", footage.clip().read_bytes()[:length])
    with pytest.raises(ClipError) as caught:
        await media.remux(source, tmp_path / "o", frame_rate=RATE, timeout_seconds=30)
    # Not even another attempt makes it whole.
    fault = ClipFault.CUT_SHORT if length else ClipFault.EMPTY
    assert (caught.value.fault, caught.value.fault.may_pass) == (fault, False)
    assert is_missing(tmp_path / "o")


async def test_a_jpeg_under_a_clips_name(media: Media, footage: Footage, tmp_path: Path) -> None:
    with pytest.raises(ClipError) as caught:
        await media.remux(footage.jpeg(), tmp_path / "o", frame_rate=RATE, timeout_seconds=30)
    assert (caught.value.fault, caught.value.fault.may_pass) == (ClipFault.NOT_H264, False)


NAMES = [
    "-i",
    "-f lavfi -i testsrc2.h264",
    "-",
    "--help",
    "file:x.h264",
    "subfile,,start,0,end,9,,:x.h264",
    "concat:a.h264|b.h264",
    "crypto:x.h264",
    "data:video;base64,AAAA",
    "tee:a|b.h264",
    "pipe:",
    "%d.h264",
    "*.h264",
    "@list",
    " leading.h264",
    "trailing.h264 ",
    "two\nlines.h264",
    "back\\slash'quote\".h264",
    "käse-摄像头-📷.h264",
    "not-utf8-\udcff.h264",
    "n" * 240,
]


def files_below(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "is_relative"), [(name, False) for name in NAMES] + [(name, True) for name in NAMES[:5]]
)
async def test_names_are_only_names(
    media: Media,
    footage: Footage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    is_relative: bool,
) -> None:
    folders = {kind: tmp_path / kind for kind in ("in", "out", "here")}
    for folder in folders.values():
        folder.mkdir()
    clip = footage.clip(seconds=0.5)
    (folders["in"] / name).write_bytes(clip.read_bytes())
    source, target = folders["in"] / name, folders["out"] / name
    if is_relative:
        source, target = Path(name), Path("..", "out", name)
        monkeypatch.chdir(folders["in"])
    else:
        monkeypatch.chdir(folders["here"])
    made = await media.remux(source, target, frame_rate=RATE, timeout_seconds=30)
    assert made.frames == 8
    # Nothing but the two files came of it.
    assert files_below(tmp_path) == {Path("in", name), Path("out", name)}


GIANT_BYTES = 300 * 1024 * 1024
# Measured: 3 MB.
GROWTH_LIMIT_BYTES = 16 * 1024 * 1024


def resident_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def measured_remux(source: Path, target: Path) -> tuple[RemuxedClip, int, float]:
    """The result, how much our own memory grew at its peak, and the longest time the loop stood still."""

    async def remux() -> tuple[RemuxedClip, float]:
        longest = 0.0

        async def tick() -> None:
            nonlocal longest
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.01)
                longest = max(longest, time.monotonic() - before - 0.01)

        ticking = asyncio.create_task(tick())
        made = await Media(1, niceness=0).remux(source, target, frame_rate=RATE, timeout_seconds=120)
        ticking.cancel()
        return made, longest

    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = resident_bytes("VmRSS")
    made, longest = uvloop.run(remux())
    return made, resident_bytes("VmHWM") - before, longest


@pytest.mark.slow
@pytest.mark.parametrize(("profile", "b_frames"), [("baseline", 0), ("high", 2)])
def test_a_clip_of_300_mb(footage: Footage, tmp_path: Path, profile: Profile, b_frames: int) -> None:
    part = footage.clip(profile=profile, b_frames=b_frames, size="1280x720", seconds=4, extra=":qp=12")
    content = part.read_bytes()
    times = GIANT_BYTES // len(content) + 1
    source, target = tmp_path / "giant.h264", tmp_path / "out.tmp"
    with source.open("wb") as file:
        for _ in range(times):
            file.write(content)
    measured_remux(part, tmp_path / "small.tmp")  # what is imported on first use is no growth
    made, growth_bytes, stood_still_seconds = measured_remux(source, target)
    assert source.stat().st_size >= GIANT_BYTES
    assert made.frames == packets(target) == packets(source, *RAW) == 60 * times
    assert duration(target) == pytest.approx(made.frames / RATE, abs=2e-6)
    assert growth_bytes < GROWTH_LIMIT_BYTES
    assert made.elapsed_seconds < 30
    # The whole of it at once takes seconds; the rest is for whatever else the machine does.
    assert stood_still_seconds < 0.5
