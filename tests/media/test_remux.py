import asyncio
import os
import random
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from securitycamd.domain.clips import FAULT_SENTENCES, ClipError, ClipFault
from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.media import Media
from securitycamd.media.mp4 import Mp4Error, read_facts
from tests.footage import Footage, slice_starts
from tests.media.conftest import HUNG, is_gone, read_pids, until, write_script
from tests.media.looking import ffprobe, is_missing, packet_times, pictures


def raw_stream(path: Path) -> bytes:
    """The H.264 in an MP4, as a camera would have written it."""
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(path),
        "-c",
        "copy",
        "-bsf:v",
        "h264_mp4toannexb",
        "-f",
        "h264",
        "-",
    ]
    return subprocess.run(command, check=True, capture_output=True).stdout


async def fault_of(media: Media, source: Path, target: Path, *, timeout_seconds: float = 30) -> ClipFault:
    with pytest.raises(ClipError) as caught:
        await media.remux(source, target, frame_rate=15, timeout_seconds=timeout_seconds)
    assert str(caught.value) == FAULT_SENTENCES[caught.value.fault]
    assert is_missing(target)
    return caught.value.fault


@pytest.mark.parametrize("frame_rate", [15, 12.5, 25, 29.97, 23.976, 7.3, 240])
@pytest.mark.parametrize("profile", ["baseline", "high"])
async def test_plays_at_the_given_rate(
    media: Media, footage: Footage, tmp_path: Path, profile: str, frame_rate: float
) -> None:
    source = footage.clip(profile=profile)  # type: ignore[arg-type]
    target = tmp_path / "out.tmp"
    made = await media.remux(source, target, frame_rate=frame_rate, timeout_seconds=30)
    exact = float(30 / Fraction(str(frame_rate)))
    assert (made.frames, made.duration_seconds, made.size_bytes) == (30, exact, target.stat().st_size)
    assert made.elapsed_seconds > 0
    report = ffprobe(target, "-count_frames", "-show_entries", "stream=nb_read_frames,codec_name,duration,start_time")
    (stream,) = report["streams"]
    assert (stream["codec_name"], stream["nb_read_frames"]) == ("h264", "30")
    assert float(stream["duration"]) == pytest.approx(exact, abs=2e-6)
    assert float(stream["start_time"]) == 0
    whole = ffprobe(target, "-show_entries", "format=duration")["format"]
    assert float(whole["duration"]) == pytest.approx(exact, abs=2e-6)  # type: ignore[call-overload]
    step = 1 / frame_rate
    assert [pts for pts, _ in packet_times(target)] == pytest.approx([i * step for i in range(30)], abs=2e-6)


def test_the_clips_hide_no_timing(footage: Footage, tmp_path: Path) -> None:
    """The trap that the given rate is for: without it a stream without timing plays too fast."""
    lengths = []
    for timing in (True, False):
        target = tmp_path / f"{timing}.mp4"
        source = footage.clip(timing=timing, frames_per_second=10, seconds=3)
        subprocess.run(["ffmpeg", "-v", "quiet", "-i", str(source), "-c", "copy", str(target)], check=True)
        lengths.append(float(ffprobe(target, "-show_entries", "stream=duration")["streams"][0]["duration"]))
    assert lengths[0] == pytest.approx(3, abs=0.11)
    assert lengths[1] < 2


@pytest.mark.parametrize("timing", [True, False])
async def test_nothing_is_encoded_anew_and_the_index_comes_first(
    media: Media, footage: Footage, tmp_path: Path, timing: bool
) -> None:
    source, target = footage.clip(timing=timing), tmp_path / "out.tmp"
    await media.remux(source, target, frame_rate=15, timeout_seconds=30)
    assert raw_stream(target) == source.read_bytes()
    content = target.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize("frame_rate", [15, 29.97])
@pytest.mark.parametrize("extra", [":b-pyramid=normal", ":b-pyramid=none:b-adapt=0", ":open-gop=1"])
async def test_b_frames_play_in_their_order(
    media: Media, footage: Footage, tmp_path: Path, extra: str, frame_rate: float
) -> None:
    source = footage.clip(profile="high", b_frames=3, seconds=3, extra=extra)
    target = tmp_path / "out.tmp"
    made = await media.remux(source, target, frame_rate=frame_rate, timeout_seconds=30)
    assert made.frames == 45
    times = packet_times(target)
    shown = [pts for pts, _ in times]
    assert shown != sorted(shown), "the clip has B-frames"
    step = 1 / frame_rate
    assert sorted(shown) == pytest.approx([i * step for i in range(45)], abs=2e-6)
    assert all(pts > dts - 1e-6 for pts, dts in times)
    # Shown by their times, the pictures are those that the decoder makes of the stream, in the same order.
    assert pictures(target) == pictures(source, "-f", "h264")
    stream = ffprobe(target, "-show_entries", "stream=duration,start_time")["streams"][0]
    assert float(stream["duration"]) == pytest.approx(45 * step, abs=2e-6)
    assert float(stream["start_time"]) == 0


async def test_slices_of_a_picture_are_one_frame(media: Media, footage: Footage, tmp_path: Path) -> None:
    source = footage.clip(profile="main", b_frames=2, slices=4, extra=":aud=1")
    made = await media.remux(source, tmp_path / "out.tmp", frame_rate=15, timeout_seconds=30)
    assert (made.frames, made.duration_seconds) == (30, 2.0)


@pytest.mark.parametrize("b_frames", [0, 2])
async def test_a_clip_cut_in_its_last_frame_keeps_all_whole_ones(
    media: Media, footage: Footage, tmp_path: Path, b_frames: int
) -> None:
    source, whole = footage.cut_mid_frame(profile="main", b_frames=b_frames)
    made = await media.remux(source, tmp_path / "out.tmp", frame_rate=15, timeout_seconds=30)
    assert made.frames in {whole, whole + 1}
    assert whole == 29


async def test_a_clip_cut_right_after_headers(media: Media, footage: Footage, tmp_path: Path) -> None:
    stream = footage.clip(profile="main", b_frames=2).read_bytes()
    source = footage.write("tail.h264", stream + stream[: slice_starts(stream)[0]])
    made = await media.remux(source, tmp_path / "out.tmp", frame_rate=15, timeout_seconds=30)
    assert made.frames in {30, 31}


async def test_a_clip_damaged_in_its_middle_keeps_what_it_has(media: Media, footage: Footage, tmp_path: Path) -> None:
    made = await media.remux(footage.corrupt_middle(), tmp_path / "out.tmp", frame_rate=15, timeout_seconds=30)
    assert 25 <= made.frames <= 30


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_the_damage_the_count_agrees_with_ffmpeg(
    media: Media, footage: Footage, tmp_path: Path, seed: int
) -> None:
    """Or a clip that could be kept would be given up as not whole."""
    chance = random.Random(seed)
    stream = bytearray(footage.clip(profile="main", b_frames=2, slices=2).read_bytes())
    for _ in range(40):
        stream[chance.randrange(200, len(stream))] ^= 1 << chance.randrange(8)
    hole = chance.randrange(200, len(stream))
    stream[hole : hole + 700] = bytes(300) if seed % 2 else chance.randbytes(500)
    source = tmp_path / "damaged.h264"
    source.write_bytes(stream[: chance.randrange(len(stream) // 2, len(stream))])
    made = await media.remux(source, tmp_path / "out.tmp", frame_rate=15, timeout_seconds=30)
    assert 10 <= made.frames <= 31


async def test_a_clip_that_starts_between_key_frames(media: Media, footage: Footage, tmp_path: Path) -> None:
    stream = footage.clip(seconds=3).read_bytes()
    source = footage.write("headless.h264", stream[slice_starts(stream)[5] - 1 :])
    made = await media.remux(source, tmp_path / "out.tmp", frame_rate=15, timeout_seconds=30)
    assert made.frames == 40


async def test_a_clip_of_one_whole_picture(media: Media, footage: Footage, tmp_path: Path) -> None:
    source = footage.clip(seconds=0.05)
    made = await media.remux(source, tmp_path / "out.tmp", frame_rate=15, timeout_seconds=30)
    assert made.frames == 1
    assert made.duration_seconds == pytest.approx(1 / 15)


async def test_what_is_no_clip(media: Media, footage: Footage, tmp_path: Path) -> None:
    target = tmp_path / "out.tmp"
    await media.remux(footage.clip(), tmp_path / "mp4.h264", frame_rate=15, timeout_seconds=30)
    assert await fault_of(media, footage.empty(), target) == ClipFault.EMPTY
    for profile in ("baseline", "high"):
        cut = footage.cut_in_first_frame(profile=profile)
        assert await fault_of(media, cut, target) == ClipFault.CUT_SHORT
    assert await fault_of(media, footage.jpeg(), target) == ClipFault.NOT_H264
    assert await fault_of(media, tmp_path / "mp4.h264", target) == ClipFault.NOT_H264
    assert await fault_of(media, footage.write("text.h264", b"hello\n" * 999), target) == ClipFault.NOT_H264
    assert await fault_of(media, tmp_path, target) == ClipFault.NOT_H264
    assert await fault_of(media, tmp_path / "none.h264", target) == ClipFault.MISSING_YET
    assert await fault_of(media, footage.empty() / "below.h264", target) == ClipFault.MISSING_YET


async def test_progress_rises_to_one(media: Media, footage: Footage, tmp_path: Path) -> None:
    shares: list[float] = []
    source = footage.clip(seconds=6, size="640x360")
    await media.remux(source, tmp_path / "out.tmp", frame_rate=15, timeout_seconds=30, on_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert all(0 < share <= 1 for share in shares)


async def test_a_stale_target_is_overwritten(media: Media, footage: Footage, tmp_path: Path) -> None:
    target = tmp_path / "out.tmp"
    target.write_bytes(b"old" * 1_000_000)
    made = await media.remux(footage.clip(), target, frame_rate=15, timeout_seconds=30)
    assert target.stat().st_size == made.size_bytes < 1_000_000


@pytest.mark.parametrize("frame_rate", [0, -1])
async def test_nonsense_rates(media: Media, footage: Footage, tmp_path: Path, frame_rate: float) -> None:
    with pytest.raises(ValueError, match="frame_rate"):
        await media.remux(footage.clip(), tmp_path / "o", frame_rate=frame_rate, timeout_seconds=30)


async def test_no_room_for_the_result(footage: Footage, tmp_path: Path) -> None:
    # 40 kB a file: as a full disk ends it, with a message and an error code.
    script = write_script(tmp_path / "ffmpeg", "trap '' XFSZ; ulimit -f 80; exec ffmpeg \"$@\"")
    media = Media(1, ffmpeg=script, niceness=0)
    assert await fault_of(media, footage.clip(seconds=6, size="640x360"), tmp_path / "o") == ClipFault.FFMPEG


@pytest.mark.parametrize(
    "after",
    [
        'for last; do :; done; truncate -s -1000 "${last#file:}"',
        'for last; do :; done; rm "${last#file:}"',
        'for last; do :; done; echo nonsense > "${last#file:}"',
        "kill -SEGV $$",
        "exit 1",
    ],
)
async def test_results_that_are_not_whole_are_not_believed(footage: Footage, tmp_path: Path, after: str) -> None:
    script = write_script(tmp_path / "ffmpeg", f'ffmpeg "$@"; {after}')
    assert await fault_of(Media(1, ffmpeg=script), footage.clip(), tmp_path / "out.tmp") == ClipFault.FFMPEG


async def test_frames_that_are_lost_on_the_way_are_missed(footage: Footage, tmp_path: Path) -> None:
    # FFmpeg 5 takes an error while reading for the end of the stream, and ends with 0.
    script = write_script(tmp_path / "ffmpeg", 'ffmpeg -t 1 "$@"; code=$?; echo $code > "$0.code"; exit $code')
    assert await fault_of(Media(1, ffmpeg=script), footage.clip(), tmp_path / "out.tmp") == ClipFault.FFMPEG
    assert read_pids(Path(f"{script}.code")) == [0], "FFmpeg itself saw nothing wrong"


async def test_without_ffmpeg(footage: Footage, tmp_path: Path) -> None:
    media = Media(1, ffmpeg="no-such-ffmpeg")
    assert await fault_of(media, footage.clip(), tmp_path / "out.tmp") == ClipFault.FFMPEG


async def test_a_hung_ffmpeg_is_ended_with_all_it_started(footage: Footage, tmp_path: Path) -> None:
    script = write_script(tmp_path / "ffmpeg", HUNG)
    media = Media(1, ffmpeg=script, grace_seconds=0.2)
    fault = await fault_of(media, footage.clip(), tmp_path / "out.tmp", timeout_seconds=1)
    assert fault == ClipFault.HUNG
    pids = read_pids(Path(f"{script}.pids"))
    assert len(pids) == 2
    # Its own child is not ours to wait for: it was killed, and is gone as soon as the system comes to it.
    await until(lambda: all(map(is_gone, pids)))
    assert media.running == 0


async def test_cancelling_leaves_neither_process_nor_target(footage: Footage, tmp_path: Path) -> None:
    script = write_script(tmp_path / "ffmpeg", HUNG)
    target, pid_file = tmp_path / "out.tmp", Path(f"{script}.pids")
    media = Media(1, ffmpeg=script, grace_seconds=0.2)
    remux = media.remux(footage.clip(), target, frame_rate=15, timeout_seconds=60)
    task = asyncio.create_task(remux)
    await until(lambda: len(read_pids(pid_file)) == 2)
    assert target.exists()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not target.exists()
    await until(lambda: all(map(is_gone, read_pids(pid_file))))


async def test_a_source_that_cannot_be_read_to_its_end_is_the_storages_trouble(tmp_path: Path) -> None:
    async def broken_storage(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    media = Media(1, run_blocking=broken_storage)  # type: ignore[arg-type]  # it never returns anything
    with pytest.raises(StorageUnavailableError):
        await media.remux(tmp_path / "in", tmp_path / "out", frame_rate=15, timeout_seconds=30)


async def test_a_source_that_hangs_is_the_storages_trouble(media: Media, tmp_path: Path) -> None:
    source = tmp_path / "fifo.h264"
    os.mkfifo(source)
    with pytest.raises(StorageUnavailableError):
        await media.remux(source, tmp_path / "out", frame_rate=15, timeout_seconds=0.3)
    os.close(os.open(source, os.O_WRONLY | os.O_NONBLOCK))  # lets the thread go


async def test_an_mp4_cut_anywhere_is_refused(media: Media, footage: Footage, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    await media.remux(footage.clip(), whole, frame_rate=15, timeout_seconds=30)
    content = whole.read_bytes()
    index_end = content.index(b"mdat")
    assert (await asyncio.to_thread(read_facts, whole)).frames == 30
    for length in [*range(0, index_end, 97), index_end + 4, len(content) // 2, len(content) - 1]:
        cut.write_bytes(content[:length])
        with pytest.raises(Mp4Error):
            await asyncio.to_thread(read_facts, cut)
