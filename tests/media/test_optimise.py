import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from securitycamd.domain.clips import FAULT_SENTENCES, ClipError, ClipFault
from securitycamd.domain.errors import StorageUnavailableError, UnavailableError
from securitycamd.media import (
    Media,
    MediaClosedError,
    OptimisationGivenUpError,
    OptimisedClip,
    OptimiserPreset,
)
from tests.footage import Footage, slice_starts
from tests.media.conftest import HUNG, is_gone, read_pids, until, write_script
from tests.media.looking import duration, ffprobe, frames, is_missing, packet_times, tool

X264 = OptimiserPreset(encoder="libx264")
MTIME_NS = 1_600_000_000_123_456_789
# Nearly lossless, so that there is something to save.
WASTEFUL = ":crf=6"


async def mp4(media: Media, footage: Footage, folder: Path, *, frame_rate: float = 15, **options: Any) -> Path:
    """A clip as the converter leaves it."""
    target = folder / "clip.mp4"
    source = footage.clip(**({"extra": WASTEFUL} | options))
    await media.remux(source, target, frame_rate=frame_rate, timeout_seconds=30)
    os.utime(target, ns=(MTIME_NS, MTIME_NS))
    return target


async def optimise(media: Media, source: Path, target: Path, preset: OptimiserPreset = X264) -> OptimisedClip:
    return await media.optimise(source, target, preset=preset, timeout_seconds=60)


async def fault_of(media: Media, source: Path, target: Path, preset: OptimiserPreset = X264) -> ClipFault:
    with pytest.raises(ClipError) as caught:
        await optimise(media, source, target, preset)
    assert str(caught.value) == FAULT_SENTENCES[caught.value.fault]
    assert is_missing(target)
    return caught.value.fault


@pytest.mark.parametrize(("b_frames", "frame_rate"), [(0, 15), (2, 29.97), (2, 7.3)])
async def test_smaller_with_every_frame_at_its_time(
    media: Media, footage: Footage, tmp_path: Path, b_frames: int, frame_rate: float
) -> None:
    source = await mp4(media, footage, tmp_path, profile="high", b_frames=b_frames, frame_rate=frame_rate)
    before, target = source.read_bytes(), tmp_path / "out.tmp"
    made = await optimise(media, source, target)
    assert (made.frames, made.encoder) == (30, "libx264")
    assert made.size_bytes == target.stat().st_size < made.source_bytes / 2
    assert made.source_bytes == source.stat().st_size
    assert made.elapsed_seconds > 0
    assert frames(target) == (30, 30)
    assert duration(target) == pytest.approx(duration(source), abs=2e-6)
    assert made.duration_seconds == pytest.approx(30 / frame_rate, abs=1e-5)
    times = [sorted(pts for pts, _ in packet_times(path)) for path in (source, target)]
    assert times[1] == pytest.approx(times[0], abs=2e-6)
    content = target.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert (target.stat().st_mtime_ns, source.read_bytes()) == (MTIME_NS, before)


async def test_uneven_times_stay_uneven(media: Media, footage: Footage, tmp_path: Path) -> None:
    source = footage.mp4(filters="select=lt(mod(n\\,7)\\,3)")
    await optimise(media, source, tmp_path / "out.tmp")
    times = [sorted(pts for pts, _ in packet_times(path)) for path in (source, tmp_path / "out.tmp")]
    assert len({round(b - a, 3) for a, b in zip(times[0], times[0][1:], strict=False)}) > 1
    assert times[1] == pytest.approx(times[0], abs=1e-5)


async def test_audio_and_tags_are_kept(media: Media, footage: Footage, tmp_path: Path) -> None:
    tags = {"title": "Front walk", "creation_time": "2025-10-28T14:30:22.000000Z", "camera": "camera_1"}
    source, target = footage.mp4(audio=True, tags=tags), tmp_path / "out.tmp"
    await optimise(media, source, target)
    sound = [tool("-i", str(path), "-map", "0:a", "-c", "copy", "-f", "md5", "-") for path in (source, target)]
    assert sound[0] == sound[1]
    probed: Any = ffprobe(target, "-show_entries", "format_tags:stream=codec_type")
    assert [stream["codec_type"] for stream in probed["streams"]] == ["video", "audio"]
    assert tags.items() <= probed["format"]["tags"].items()


@pytest.mark.parametrize(("max_height", "expected"), [(90, (160, 90)), (180, (320, 180)), (1080, (320, 180))])
async def test_height_is_bounded(
    media: Media, footage: Footage, tmp_path: Path, max_height: int, expected: tuple[int, int]
) -> None:
    source = await mp4(media, footage, tmp_path)
    await optimise(media, source, tmp_path / "out.tmp", OptimiserPreset("libx264", max_height=max_height, threads=1))
    facts = await media.probe(tmp_path / "out.tmp")
    assert (facts.width, facts.height, facts.frames) == (*expected, 30)


async def test_quality_is_the_presets(media: Media, footage: Footage, tmp_path: Path) -> None:
    source = await mp4(media, footage, tmp_path, seconds=1)
    sizes = [
        (await optimise(media, source, tmp_path / "o", OptimiserPreset("libx264", constant_rate_factor=crf))).size_bytes
        for crf in (10, 28, 45)
    ]
    assert sizes[0] > 1.5 * sizes[1] > 2 * sizes[2]


async def test_progress_rises_to_one(media: Media, footage: Footage, tmp_path: Path) -> None:
    shares: list[float] = []
    source = await mp4(media, footage, tmp_path, seconds=6, size="640x360")
    await media.optimise(
        source,
        tmp_path / "o",
        preset=X264,
        timeout_seconds=60,
        on_progress=shares.append,
        give_up=asyncio.Event(),
    )
    assert shares == sorted(set(shares))
    assert shares[-1] == 1
    assert len(shares) >= 3
    assert any(0.9 < share < 1 for share in shares), "decoding the result is part of it"


@pytest.mark.parametrize("name", ["-y", "concat:a|b.mp4", "a %d [1]'\".mp4"])
async def test_names_are_only_names(media: Media, footage: Footage, tmp_path: Path, name: str) -> None:
    source, target = tmp_path / "in" / name, tmp_path / "out" / name
    for path in (source, target):
        path.parent.mkdir(parents=True)
    source.write_bytes((await mp4(media, footage, tmp_path, seconds=0.5)).read_bytes())
    assert (await optimise(media, source, target)).frames == 8
    assert target.is_file()


# A machine with the Pi's encoder, played by x264. In "$0.calls" stand the calls that asked for it.
PI = """case "$*" in
  *-encoders*) echo " V..... h264_v4l2m2m  V4L2 mem2mem H.264 encoder wrapper"; exit ;;
  *h264_v4l2m2m*) echo "$*" >> "$0.calls"; FAIL ;;
esac
for argument; do
  shift
  [ "$argument" = h264_v4l2m2m ] && argument=libx264
  set -- "$@" "$argument"
done
exec ffmpeg "$@"
"""


def machine(folder: Path, fail: str) -> tuple[Media, Path]:
    script = write_script(folder / "ffmpeg", PI.replace("FAIL", fail))
    return Media(1, ffmpeg=script, niceness=0), Path(f"{script}.calls")


async def test_auto_takes_the_machines_encoder_where_it_works(media: Media, footage: Footage, tmp_path: Path) -> None:
    source = await mp4(media, footage, tmp_path)
    pi, calls = machine(tmp_path, ":")
    preset = OptimiserPreset(bits_per_second=200_000)
    made = [await optimise(pi, source, tmp_path / "o", preset) for _ in range(2)]
    assert [clip.encoder for clip in made] == ["h264_v4l2m2m"] * 2
    trial, *clips = calls.read_text().splitlines()
    assert "lavfi" in trial
    assert ["lavfi" in call for call in clips] == [False, False], "the trial is made once"
    assert all("-b:v 200000" in call and "-crf" not in call for call in clips)


@pytest.mark.parametrize("fail", ["exit 1", 'exec ffmpeg -t 0.5 "$@" -c:v libx264', "kill -SEGV $$"])
async def test_auto_takes_x264_where_the_trial_fails(media: Media, footage: Footage, tmp_path: Path, fail: str) -> None:
    source = await mp4(media, footage, tmp_path)
    pi, calls = machine(tmp_path, fail)
    for _ in range(2):
        assert (await optimise(pi, source, tmp_path / "o", OptimiserPreset())).encoder == "libx264"
    assert len(calls.read_text().splitlines()) == 1, "the trial is made once"


async def test_auto_takes_x264_where_the_encoder_fails_on_a_clip(
    media: Media, footage: Footage, tmp_path: Path
) -> None:
    source = await mp4(media, footage, tmp_path)
    pi, calls = machine(tmp_path, 'case "$*" in *lavfi*) ;; *) exit 1 ;; esac')
    assert (await optimise(pi, source, tmp_path / "o", OptimiserPreset())).encoder == "libx264"
    assert len(calls.read_text().splitlines()) == 2
    # The operator's own choice is not put aside.
    assert await fault_of(pi, source, tmp_path / "p", OptimiserPreset("h264_v4l2m2m")) == ClipFault.FFMPEG


async def test_auto_on_this_machine_works(media: Media, footage: Footage, tmp_path: Path) -> None:
    made = await optimise(media, await mp4(media, footage, tmp_path), tmp_path / "o", OptimiserPreset())
    assert made.encoder in {"libx264", "h264_v4l2m2m"}


@pytest.mark.parametrize(
    "values",
    [
        {"encoder": "copy"},
        {"encoder": "libx264 -f null"},
        {"encoder": "mpeg4"},
        {"x264_preset": "very fast"},
        {"pixel_format": "-y"},
        {"constant_rate_factor": 52},
        {"max_height": 271},
        {"max_height": 0},
        {"bits_per_second": 0},
        {"threads": 0},
    ],
)
def test_nonsense_presets(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|words"):
        OptimiserPreset(**values)


# Takes part only in encoding, not in looking at the result.
MEDDLING = """case "$*" in *-movflags*) ;; *) exec ffmpeg "$@" ;; esac
for target; do :; done; target="${target#file:}"
"""


@pytest.mark.parametrize(
    ("meddle", "reason"),
    [
        ('ffmpeg -t 1 "$@"', "15 frames of 30"),
        ('ffmpeg -itsscale 1.1 "$@"', "it lasts"),
        ('ffmpeg -an "$@"', "packets of audio"),
        (
            'ffmpeg "$@"; dd if=/dev/urandom of="$target" bs=1 seek=9000 count=3000 conv=notrunc status=none',
            "[h264 @",  # the decoder's own complaint
        ),
        ('ffmpeg "$@"; truncate -s -20 "$target"', "cut"),
        ('cp "$0.mpeg4" "$target"', "it is mpeg4"),
        ('cp "$0.last" "$target"', "the index comes last"),
    ],
)
async def test_results_that_are_not_whole_are_not_believed(
    footage: Footage, tmp_path: Path, meddle: str, reason: str
) -> None:
    source = footage.mp4(audio=True)
    script = write_script(tmp_path / "ffmpeg", MEDDLING + meddle)
    copy = ["-i", str(source), "-f", "mp4", "-c:a", "copy"]
    tool(*copy, "-c:v", "mpeg4", "-movflags", "+faststart", f"file:{script}.mpeg4")
    tool(*copy, "-c:v", "copy", f"file:{script}.last")
    with capture_logs() as logs:
        assert await fault_of(Media(1, ffmpeg=script), source, tmp_path / "out.tmp") == ClipFault.FFMPEG
    assert any(reason in entry.get("reason", "") + entry.get("said", "") for entry in logs), logs


@pytest.mark.parametrize("meddle", ["exit 1", "kill -SEGV $$", 'ffmpeg "$@"; rm "$target"', 'echo no > "$target"'])
async def test_an_ffmpeg_that_fails(footage: Footage, tmp_path: Path, meddle: str) -> None:
    media = Media(1, ffmpeg=write_script(tmp_path / "ffmpeg", MEDDLING + meddle))
    assert await fault_of(media, footage.mp4(), tmp_path / "out.tmp") in {
        ClipFault.FFMPEG,
        ClipFault.CUT_SHORT,
    }


async def test_without_ffmpeg(footage: Footage, tmp_path: Path) -> None:
    assert await fault_of(Media(1, ffmpeg="no-such"), footage.mp4(), tmp_path / "o") == ClipFault.FFMPEG


async def test_sources_that_are_no_whole_mp4(media: Media, footage: Footage, tmp_path: Path) -> None:
    target = tmp_path / "out.tmp"
    secret = await mp4(media, footage, tmp_path)
    whole = secret.read_bytes()
    assert await fault_of(media, tmp_path / "none.mp4", target) == ClipFault.MISSING
    assert await fault_of(media, footage.clip(), target) == ClipFault.CUT_SHORT
    for content in (b"", b"text" * 99, whole[:300], f"ffconcat version 1.0\nfile {secret}\n".encode()):
        assert await fault_of(media, footage.write("bad.mp4", content), target) == ClipFault.CUT_SHORT
    cut = footage.write("cut.mp4", whole[: len(whole) * 2 // 3])
    assert await fault_of(media, cut, target) == ClipFault.FFMPEG
    assert secret.read_bytes() == whole


async def test_a_damaged_clip_stays_as_it_is(media: Media, footage: Footage, tmp_path: Path) -> None:
    """Its decoder drops pictures: what would come out is not all that is there."""
    stream = footage.clip(seconds=3).read_bytes()
    headless = footage.write("headless.h264", stream[slice_starts(stream)[5] - 1 :])
    source, target = tmp_path / "damaged.mp4", tmp_path / "out.tmp"
    await media.remux(headless, source, frame_rate=15, timeout_seconds=30)
    assert await fault_of(media, source, target) == ClipFault.FFMPEG
    # Where it shows them all, mended, they are all kept.
    await media.remux(footage.corrupt_middle(seconds=4), source, frame_rate=15, timeout_seconds=30)
    made = await optimise(media, source, target)
    assert frames(target) == (made.frames, made.frames)
    assert made.frames == frames(source)[0]


async def test_a_storage_that_fails(footage: Footage, tmp_path: Path) -> None:
    async def broken_storage(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    media = Media(1, run_blocking=broken_storage)  # type: ignore[arg-type]  # it never returns anything
    with pytest.raises(StorageUnavailableError):
        await optimise(media, footage.mp4(), tmp_path / "o")


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[tuple[Media, Path]]:
    """A pool whose FFmpeg begins to encode and never ends, and the file with its process numbers."""
    script = write_script(tmp_path / "ffmpeg", f'case "$*" in *libx264*) ;; *) exec ffmpeg "$@" ;; esac\n{HUNG}')
    media = Media(1, ffmpeg=script, grace_seconds=0.2, niceness=0)
    yield media, Path(f"{script}.pids")
    assert not media.is_optimising


async def test_giving_up_ends_all_and_leaves_nothing(
    hung: tuple[Media, Path], footage: Footage, tmp_path: Path
) -> None:
    media, pids = hung
    give_up, target = asyncio.Event(), tmp_path / "out.tmp"
    work = media.optimise(footage.mp4(), target, preset=X264, timeout_seconds=60, give_up=give_up)
    task = asyncio.create_task(work)
    await until(lambda: len(read_pids(pids)) == 2)
    assert media.is_optimising
    assert target.exists()
    give_up.set()
    started = time.monotonic()
    with pytest.raises(OptimisationGivenUpError) as caught:
        await task
    assert time.monotonic() - started < 5
    assert isinstance(caught.value, UnavailableError)
    assert not target.exists()
    await until(lambda: all(map(is_gone, read_pids(pids))))


async def test_giving_up_before_the_start_and_while_waiting(
    hung: tuple[Media, Path], footage: Footage, tmp_path: Path
) -> None:
    media, pids = hung
    source, give_up = footage.mp4(), asyncio.Event()
    first = asyncio.create_task(optimise(media, source, tmp_path / "1"))
    await until(lambda: len(read_pids(pids)) == 2)
    work = media.optimise(source, tmp_path / "2", preset=X264, timeout_seconds=60, give_up=give_up)
    second = asyncio.create_task(work)
    await asyncio.sleep(0)
    give_up.set()
    with pytest.raises(OptimisationGivenUpError):
        await second
    with pytest.raises(OptimisationGivenUpError):
        await media.optimise(source, tmp_path / "3", preset=X264, timeout_seconds=60, give_up=give_up)
    assert not first.done()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert len(read_pids(pids)) == 2
    assert not any((tmp_path / name).exists() for name in "123")


async def test_new_clips_do_not_wait_for_it_and_closing_ends_it(
    hung: tuple[Media, Path], footage: Footage, tmp_path: Path
) -> None:
    media, pids = hung
    task = asyncio.create_task(optimise(media, footage.mp4(), tmp_path / "out.tmp"))
    await until(lambda: len(read_pids(pids)) == 2)
    made = await media.remux(footage.clip(), tmp_path / "clip", frame_rate=15, timeout_seconds=30)
    assert (made.frames, media.is_optimising) == (30, True)
    await media.close(0.1)
    with pytest.raises(MediaClosedError):
        await task
    assert not (tmp_path / "out.tmp").exists()
    await until(lambda: all(map(is_gone, read_pids(pids))))


async def test_time_is_bounded(hung: tuple[Media, Path], footage: Footage, tmp_path: Path) -> None:
    media, pids = hung
    with pytest.raises(ClipError) as caught:
        await media.optimise(footage.mp4(), tmp_path / "o", preset=X264, timeout_seconds=1.5)
    assert caught.value.fault == ClipFault.HUNG
    await until(lambda: all(map(is_gone, read_pids(pids))))
    assert not (tmp_path / "o").exists()


async def test_it_is_as_nice_as_can_be(footage: Footage, tmp_path: Path) -> None:
    niceness = tmp_path / "ffmpeg.nice"
    script = write_script(tmp_path / "ffmpeg", 'nice >> "$0.nice"; exec ffmpeg "$@"')
    await optimise(Media(1, ffmpeg=script), footage.mp4(), tmp_path / "o")
    assert set(niceness.read_text().split()) == {"19"}
