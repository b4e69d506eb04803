"""Re-encoding an MP4 smaller, and proving that nothing of it was lost.

The times of the frames are kept, also uneven ones: FFmpeg neither drops nor repeats a frame to reach a rate,
and its encoder counts in the source's own unit.
"""

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import structlog

from securitycamd.domain.clips import ClipError, ClipFault
from securitycamd.domain.errors import StorageUnavailableError, UnavailableError
from securitycamd.media.encoders import AUTO, SOFTWARE_ENCODER, EncoderChoice
from securitycamd.media.mp4 import Mp4Error, is_index_first
from securitycamd.media.probe import (
    ClipFacts,
    RunBlocking,
    clip_error,
    file_url,
    probe_clip,
    run_clip_tool,
)
from securitycamd.media.process import Tools
from securitycamd.media.progress import OnShare, Progress, Rising
from securitycamd.media.remux import TICKS_PER_SECOND
from securitycamd.media.targets import kept_when_done

_log = structlog.get_logger(__name__)

NICENESS: Final = 19
# How the work divides: the encoder takes about nine times what decoding the result does.
_ENCODED_SHARE: Final = 0.9
# Others do not play in every browser, or, like "copy", do not make anything smaller.
_ENCODER: Final = re.compile(r"auto|libx264|h264_[a-z0-9]+")
_WORD: Final = re.compile(r"[a-z0-9]+")


class OptimisationGivenUpError(UnavailableError):
    """The optimiser's time is over; the clip was not touched, and nothing is wrong with it."""

    def __init__(self) -> None:
        super().__init__("The optimiser's time is over; the clip is optimised later.")


@dataclass(frozen=True, slots=True)
class OptimiserPreset:
    """How to re-encode.

    Raises:
        ValueError: a value that no encoder takes.
    """

    encoder: str = AUTO
    """FFmpeg's name of an H.264 encoder; ``auto`` takes the Raspberry Pi's where it works, else libx264.

    Of the others those work that take pictures from memory (``h264_nvenc``, ``h264_qsv``).
    """
    x264_preset: str = "veryfast"
    constant_rate_factor: int = 28
    """Of libx264: 0 is lossless, 51 the worst; six more is half the size."""
    pixel_format: str = "yuv420p"
    max_height: int | None = None
    """Pixels, even; higher clips are scaled down to it, their shape kept. ``None`` leaves all as they are."""
    bits_per_second: int = 1_000_000
    """Of the encoders that know no constant quality: all but libx264."""
    threads: int | None = None
    """Of decoder and encoder; ``None`` leaves it to FFmpeg, which takes all cores."""

    def __post_init__(self) -> None:
        if not _ENCODER.fullmatch(self.encoder):
            raise ValueError("encoder must be auto, libx264 or one of FFmpeg's h264_ encoders")
        if not _WORD.fullmatch(self.x264_preset) or not _WORD.fullmatch(self.pixel_format):
            raise ValueError("x264_preset and pixel_format are single words")
        if not 0 <= self.constant_rate_factor <= 51:
            raise ValueError("constant_rate_factor must be 0 to 51")
        if self.max_height is not None and (self.max_height < 16 or self.max_height % 2):
            raise ValueError("max_height must be even and at least 16")
        if self.bits_per_second < 1 or (self.threads is not None and self.threads < 1):
            raise ValueError("bits_per_second and threads must be above 0")


@dataclass(frozen=True, slots=True)
class OptimisedClip:
    """What an optimisation made; whether it is smaller is for the caller to look at."""

    duration_seconds: float
    frames: int
    size_bytes: int
    source_bytes: int
    elapsed_seconds: float
    encoder: str


@contextlib.asynccontextmanager
async def given_up_when(give_up: asyncio.Event | None) -> AsyncIterator[None]:
    """Cancel what the block waits for as soon as ``give_up`` is set.

    Raises:
        OptimisationGivenUpError: it was.
    """
    if give_up is None:
        yield
        return
    if give_up.is_set():
        raise OptimisationGivenUpError
    limit = asyncio.timeout(None)

    async def watch(event: asyncio.Event) -> None:
        await event.wait()
        limit.reschedule(asyncio.get_running_loop().time())

    try:
        async with limit:
            watcher = asyncio.create_task(watch(give_up))
            try:
                yield
            finally:
                watcher.cancel()
    except TimeoutError:
        if not limit.expired():
            raise
        raise OptimisationGivenUpError from None


@dataclass(frozen=True, slots=True)
class _Work:
    """One optimisation: what it needs, and until when it must be done."""

    source: Path
    target: Path
    tools: Tools
    ffmpeg: str
    ffprobe: str
    run_blocking: RunBlocking
    preset: OptimiserPreset
    deadline: float
    on_share: Rising

    @property
    def left_seconds(self) -> float:
        return max(self.deadline - time.monotonic(), 0.0)

    async def probe(self, path: Path) -> ClipFacts:
        return await probe_clip(
            path,
            tools=self.tools,
            ffprobe=self.ffprobe,
            timeout_seconds=self.left_seconds,
            container="mp4",
        )

    async def stat(self, path: Path) -> os.stat_result:
        try:
            return await self.run_blocking(path.stat)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise clip_error(ClipFault.MISSING) from error
        except PermissionError as error:
            raise clip_error(ClipFault.FFMPEG) from error
        except OSError as error:
            raise StorageUnavailableError from error

    async def run(self, arguments: list[str], progress: Progress) -> str:
        """Run FFmpeg; what it complained of.

        Raises:
            ClipError: it failed or took too long.
        """
        head = [self.ffmpeg, "-hide_banner", "-nostdin", "-v", "error", "-nostats"]
        head += ["-progress", "pipe:1", "-stats_period", "0.25", "-protocol_whitelist", "file"]
        if self.preset.threads is not None:
            head += ["-threads", str(self.preset.threads)]
        result = await run_clip_tool(
            self.tools,
            head + arguments,
            timeout_seconds=self.left_seconds,
            on_stdout=progress.feed,
            niceness=NICENESS,
        )
        if result.return_code:
            raise clip_error(ClipFault.FFMPEG)
        return result.stderr_tail

    async def attempt(self, encoder: str, before: ClipFacts) -> ClipFacts:
        """Re-encode with ``encoder`` and look at the result, whole."""
        await self.run(
            _arguments(self.source, self.target, encoder, self.preset, before),
            Progress("frame", before.frames, self.on_share, last=_ENCODED_SHARE),
        )
        try:
            if not await self.run_blocking(is_index_first, self.target):
                self.refuse("the index comes last")
        except (Mp4Error, OSError) as error:
            self.refuse(str(error))
        after = await self.probe(self.target)
        self.compare(before, after)
        decoded = Progress("frame", before.frames, self.on_share, first=_ENCODED_SHARE)
        # -xerror: FFmpeg ends at the first picture that it had to mend, instead of showing it mended.
        decode = ["-xerror", "-f", "mp4", "-i", file_url(self.target), "-map", "0:v:0"]
        if await self.run([*decode, "-fps_mode", "passthrough", "-f", "null", "-"], decoded):
            self.refuse("decoding it gives errors")
        if decoded.value != before.frames:
            self.refuse(f"{decoded.value} frames of {before.frames} can be decoded")
        return after

    def compare(self, before: ClipFacts, after: ClipFacts) -> None:
        """Hold what the index of the result says against that of the source."""
        if after.codec != "h264":
            self.refuse(f"it is {after.codec}")
        if after.frames != before.frames:
            self.refuse(f"{after.frames} frames of {before.frames}")
        if after.audio_packets != before.audio_packets:
            self.refuse(f"{after.audio_packets} packets of audio of {before.audio_packets}")
        lasted, lasts = before.duration_seconds or 0.0, after.duration_seconds or 0.0
        if abs(lasts - lasted) > lasted / before.frames / 2:
            self.refuse(f"it lasts {lasts} s instead of {lasted} s")

    def refuse(self, reason: str) -> NoReturn:
        _log.warning("The optimised clip is not whole.", path=str(self.target), reason=reason)
        raise clip_error(ClipFault.FFMPEG)


async def optimise_clip(
    source: Path,
    target: Path,
    *,
    tools: Tools,
    ffmpeg: str,
    ffprobe: str,
    encoders: EncoderChoice,
    run_blocking: RunBlocking,
    preset: OptimiserPreset,
    timeout_seconds: float,
    on_progress: OnShare | None,
) -> OptimisedClip:
    """See :meth:`securitycamd.media.Media.optimise`."""
    started = time.monotonic()
    on_share = Rising(on_progress)
    work = _Work(source, target, tools, ffmpeg, ffprobe, run_blocking, preset, started + timeout_seconds, on_share)
    file = await work.stat(source)
    before = await work.probe(source)
    encoder = await encoders.resolve(preset.encoder)
    async with kept_when_done(target, run_blocking):
        try:
            after = await work.attempt(encoder, before)
        except ClipError as error:
            is_choice_ours = preset.encoder == AUTO and encoder != SOFTWARE_ENCODER
            if not is_choice_ours or error.fault is not ClipFault.FFMPEG or tools.closed:
                raise
            # It worked in the trial, but not on this clip: too large for it, or another program has it.
            _log.warning("The machine's encoder fails; x264 takes the clip.", encoder=encoder)
            encoder = SOFTWARE_ENCODER
            after = await work.attempt(encoder, before)
        # The file is as old as the footage in it, whenever it was made.
        try:
            await run_blocking(os.utime, target, ns=(file.st_atime_ns, file.st_mtime_ns))
        except OSError as error:
            raise StorageUnavailableError from error
    on_share(1.0)
    return OptimisedClip(
        duration_seconds=after.duration_seconds or 0.0,
        frames=after.frames,
        size_bytes=after.size_bytes,
        source_bytes=file.st_size,
        elapsed_seconds=time.monotonic() - started,
        encoder=encoder,
    )


def _arguments(source: Path, target: Path, encoder: str, preset: OptimiserPreset, before: ClipFacts) -> list[str]:
    """FFmpeg's arguments after the general ones.

    - The format is named: a file that only claims to be a clip could be a list of other files to read.
    - ``passthrough`` and the source's time base keep every frame and its time.
    - Encoders do not tell how long a frame lasts, and for the last one FFmpeg guesses; ``setts`` tells it.
    """
    arguments = ["-f", "mp4", "-i", file_url(source), "-map", "0:v:0", "-map", "0:a?", "-map_metadata", "0"]
    if preset.max_height is not None:
        arguments += ["-vf", f"scale=-2:min(ih\\,{preset.max_height})"]
    arguments += ["-fps_mode", "passthrough", "-enc_time_base", before.time_base, "-c:a", "copy"]
    arguments += ["-c:v", encoder, "-pix_fmt", preset.pixel_format]
    if encoder == SOFTWARE_ENCODER:
        arguments += ["-preset", preset.x264_preset, "-crf", str(preset.constant_rate_factor)]
    else:
        arguments += ["-b:v", str(preset.bits_per_second)]
    if preset.threads is not None:
        arguments += ["-threads", str(preset.threads)]
    if before.duration_seconds:
        frame = f"{before.duration_seconds / before.frames:.9f}"
        arguments += ["-bsf:v", f"setts=pts=PTS:dts=DTS:duration={frame}/TB"]
    arguments += ["-movflags", "+faststart+use_metadata_tags", "-movie_timescale", str(TICKS_PER_SECOND)]
    return [*arguments, "-f", "mp4", "-y", file_url(target)]
