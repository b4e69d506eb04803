"""A raw H.264 stream into an MP4 that browsers play, without re-encoding."""

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import structlog

from securitycamd.domain.clips import ClipFault
from securitycamd.media.annexb import StreamFacts
from securitycamd.media.mp4 import Mp4Error, Mp4Facts, read_facts, set_display_order
from securitycamd.media.probe import RunBlocking, clip_error, file_url, run_clip_tool, scan_stream
from securitycamd.media.process import Tools
from securitycamd.media.progress import OnShare, Progress, Rising
from securitycamd.media.targets import kept_when_done

_log = structlog.get_logger(__name__)

# What FFmpeg gives raw streams, and thereby the MP4: a frame lasts a whole number of these at every common
# rate.
TICKS_PER_SECOND: Final = 1_200_000
# Room for the index at the head of the file: boxes of fixed size, and for each frame its entries in the
# tables of sizes (4), times (8), composition (8), key frames (4), chunks (12) and offsets (8).
INDEX_BYTES: Final = 8192
INDEX_BYTES_PER_FRAME: Final = 44


@dataclass(frozen=True, slots=True)
class RemuxedClip:
    """What a remux made."""

    duration_seconds: float
    frames: int
    size_bytes: int
    elapsed_seconds: float


async def remux_clip(
    source: Path,
    target: Path,
    *,
    tools: Tools,
    ffmpeg: str,
    run_blocking: RunBlocking,
    frame_rate: float,
    timeout_seconds: float,
    on_progress: OnShare | None,
) -> RemuxedClip:
    """See :meth:`securitycamd.media.Media.remux`."""
    started = time.monotonic()
    rate = Fraction(str(frame_rate))
    if rate <= 0:
        raise ValueError("frame_rate must be above 0")
    on_share = Rising(on_progress)
    async with kept_when_done(target, run_blocking):
        stream = await scan_stream(source, run_blocking=run_blocking, timeout_seconds=timeout_seconds)
        if stream.pictures == 1:
            await _check_only_picture(source, tools=tools, ffmpeg=ffmpeg, timeout_seconds=timeout_seconds)
        result = await run_clip_tool(
            tools,
            [ffmpeg, *_arguments(source, target, stream, rate)],
            timeout_seconds=timeout_seconds,
            # The MP4 is about as large as the stream.
            on_stdout=Progress("total_size", stream.size_bytes, on_share).feed,
        )
        if result.return_code:
            raise clip_error(ClipFault.FFMPEG)
        made = await run_blocking(_finish, target, stream, rate)
    on_share(1.0)
    return RemuxedClip(
        # Exact; the file's own is, to the tick.
        duration_seconds=float(made.frames / rate),
        frames=made.frames,
        size_bytes=made.size_bytes,
        elapsed_seconds=time.monotonic() - started,
    )


def _arguments(source: Path, target: Path, stream: StreamFacts, rate: Fraction) -> list[str]:
    """FFmpeg's arguments.

    - The rate stands before the input, for what FFmpeg guesses from it; the stream has none to rely on.
    - ``setts`` gives every frame its time; a copied raw stream has none, and FFmpeg's guess drifts.
    - The index gets its room at the head before the pictures are written. ``+faststart`` gives the same
      layout by writing the whole file twice.
    - Little is probed: the pass over the stream has told that it is H.264, and probing decodes pictures.
    - Leading pictures without a key frame are kept: what a damaged clip has is copied, all of it.
    """
    frame = f"{rate.denominator}/{rate.numerator}/TB"
    times = f"setts=ts=N*{frame}:duration={frame}"
    if stream.shown_at:
        # Makes FFmpeg write a composition table with an entry for each frame, by one or two ticks in turn,
        # which set_display_order then overwrites. The first and the last frame stay in place, and with them
        # the duration.
        last = stream.pictures + stream.has_tail - 1
        times = f"setts=dts=N*{frame}:pts=N*{frame}+between(N\\,1\\,{last - 1})*(1+mod(N\\,2)):duration={frame}"
    index_bytes = INDEX_BYTES + INDEX_BYTES_PER_FRAME * (stream.pictures + 1)
    return [
        *("-hide_banner", "-nostdin", "-v", "warning", "-nostats"),
        *("-progress", "pipe:1", "-stats_period", "0.25"),
        *("-protocol_whitelist", "file", "-f", "h264", "-framerate", f"{rate.numerator}/{rate.denominator}"),
        *("-probesize", "65536", "-fpsprobesize", "0", "-i", file_url(source)),
        *("-map", "0:v:0", "-c", "copy", "-copyinkf", "-bsf:v", times),
        *("-movie_timescale", str(TICKS_PER_SECOND), "-moov_size", str(index_bytes)),
        *("-f", "mp4", "-y", file_url(target)),
    ]


async def _check_only_picture(source: Path, *, tools: Tools, ffmpeg: str, timeout_seconds: float) -> None:
    """Decode a stream of one picture: where nothing follows it, only that tells whether it is whole."""
    command = [ffmpeg, "-hide_banner", "-nostdin", "-v", "error", "-xerror", "-err_detect", "explode"]
    command += ["-protocol_whitelist", "file", "-f", "h264", "-i", file_url(source), "-f", "null", "-"]
    result = await run_clip_tool(tools, command, timeout_seconds=timeout_seconds)
    if result.return_code < 0:
        raise clip_error(ClipFault.FFMPEG)
    if result.return_code:
        raise clip_error(ClipFault.CUT_SHORT)


def _finish(target: Path, stream: StreamFacts, rate: Fraction) -> Mp4Facts:
    """Put the frames in their order of showing and look at the result, whole. Blocking."""
    frame_ticks = TICKS_PER_SECOND / rate
    try:
        if stream.shown_at:
            tail = (stream.pictures,) if stream.has_tail else ()
            set_display_order(target, stream.shown_at + tail, float(frame_ticks))
        made = read_facts(target)
        if made.frames not in {stream.pictures, stream.pictures + stream.has_tail}:
            reason = f"{made.frames} frames of {stream.pictures}"
        elif abs(made.duration_ticks - made.frames * frame_ticks) > 1:
            reason = f"{made.frames} frames last {made.duration_seconds} s"
        elif not made.index_first:
            reason = "the index comes last"
        else:
            return made
    except (Mp4Error, OSError) as error:
        reason = str(error)
    _log.warning("The remuxed clip is not whole.", path=str(target), reason=reason)
    raise clip_error(ClipFault.FFMPEG)
