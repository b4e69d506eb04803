"""Looking at clips: what a raw stream holds, and what ffprobe says of any video."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, ParamSpec, Protocol, TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from securitycamd.domain.clips import FAULT_SENTENCES, ClipError, ClipFault
from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.media.annexb import StreamFacts, StreamScanner
from securitycamd.media.child import ToolStartError
from securitycamd.media.process import ToolResult, Tools, ToolTimeoutError

_log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

READ_BYTES: Final = 1024 * 1024
# Bytes read in one call of the runner: small enough that no call comes near a file time-out on a healthy
# mount, large enough that changing threads costs nothing.
STEP_BYTES: Final = 4 * READ_BYTES


class RunBlocking(Protocol):
    """Runs a blocking function outside the event loop; ``asyncio.to_thread`` is one."""

    def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Wait for ``function``'s result."""
        ...


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What ffprobe says of the first video stream of a file."""

    frames: int
    duration_seconds: float | None
    """``None`` for a raw stream, which does not know."""
    codec: str
    width: int
    height: int
    frames_per_second: float | None
    size_bytes: int
    time_base: str
    """The unit of its time stamps, a fraction of a second such as ``1/1200000``."""
    audio_packets: int
    """In all its audio streams."""


class _Stream(BaseModel):
    codec_type: str = ""
    codec_name: str = ""
    width: int = 0
    height: int = 0
    avg_frame_rate: str = "0/0"
    time_base: str = "0/1"
    nb_read_packets: int = 0
    duration: float | None = None


class _Format(BaseModel):
    size: int = 0
    duration: float | None = None


class _Report(BaseModel):
    streams: list[_Stream]
    format: _Format


def clip_error(fault: ClipFault) -> ClipError:
    """The error for ``fault``, with the sentence for people."""
    return ClipError(fault, FAULT_SENTENCES[fault])


def file_url(path: Path) -> str:
    """``path`` as FFmpeg must be given it: neither an option nor another protocol, whatever its name is."""
    return f"file:{path}"


async def run_clip_tool(
    tools: Tools,
    command: list[str],
    *,
    timeout_seconds: float,
    on_stdout: Callable[[bytes], None] | None = None,
    niceness: int | None = None,
) -> ToolResult:
    """Run FFmpeg or ffprobe; what it says goes into the log alone.

    Raises:
        ClipError: ``HUNG`` or ``FFMPEG``.
    """
    try:
        result = await tools.run(command, timeout_seconds=timeout_seconds, on_stdout=on_stdout, niceness=niceness)
    except ToolTimeoutError as error:
        _log.warning("The tool was stopped after its time-out.", command=command, said=error.stderr_tail)
        raise clip_error(ClipFault.HUNG) from error
    except ToolStartError as error:
        _log.error("The tool cannot be started.", command=command, reason=str(error))
        raise clip_error(ClipFault.FFMPEG) from error
    if result.return_code and not tools.closed:
        _log.info("The tool failed.", command=command, code=result.return_code, said=result.stderr_tail)
    return result


async def probe_clip(
    path: Path,
    *,
    tools: Tools,
    ffprobe: str = "ffprobe",
    timeout_seconds: float = 30.0,
    container: str | None = None,
) -> ClipFacts:
    """Ask ffprobe about a video, reading it to its end without decoding.

    Args:
        path: the file.
        tools: runs ffprobe.
        ffprobe: the program.
        timeout_seconds: for ffprobe.
        container: the format that it must have (``mp4``), or any.

    Raises:
        ClipError: ``CUT_SHORT`` when there is no video in it, ``HUNG`` or ``FFMPEG`` when ffprobe fails.
    """
    entries = "codec_type,codec_name,width,height,avg_frame_rate,time_base,nb_read_packets,duration"
    command = [
        *(ffprobe, "-v", "error", "-protocol_whitelist", "file", "-count_packets"),
        *("-show_entries", f"stream={entries}:format=size,duration", "-of", "json"),
        *(("-f", container) if container else ()),
        *("-i", file_url(path)),
    ]
    result = await run_clip_tool(tools, command, timeout_seconds=timeout_seconds)
    try:
        report = _Report.model_validate(json.loads(result.stdout))
    except (ValueError, ValidationError):
        report = None
    # ffprobe ends with 0 on a file that it could open, whatever else it had to complain about.
    if result.return_code < 0:
        raise clip_error(ClipFault.FFMPEG)
    streams = report.streams if report else []
    stream = next((stream for stream in streams if stream.codec_type == "video"), None)
    if report is None or stream is None or not stream.nb_read_packets:
        raise clip_error(ClipFault.CUT_SHORT)
    try:
        rate = float(Fraction(stream.avg_frame_rate))
    except (ValueError, ZeroDivisionError):
        rate = 0.0
    return ClipFacts(
        frames=stream.nb_read_packets,
        duration_seconds=stream.duration or report.format.duration,
        codec=stream.codec_name,
        width=stream.width,
        height=stream.height,
        frames_per_second=rate or None,
        size_bytes=report.format.size,
        time_base=stream.time_base,
        audio_packets=sum(each.nb_read_packets for each in streams if each.codec_type == "audio"),
    )


def read_step(path: Path, offset: int, scanner: StreamScanner) -> int:
    """Feed the next stretch of the file to ``scanner``; how many bytes, 0 at the end. Blocking."""
    count = 0
    # Unbuffered: the pieces are large, and nothing is read ahead past the step.
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        while count < STEP_BYTES and (piece := file.read(READ_BYTES)):
            count += len(piece)
            if not scanner.feed(piece):
                return 0
    return count


async def scan_stream(path: Path, *, run_blocking: RunBlocking, timeout_seconds: float) -> StreamFacts:
    """Read a raw H.264 stream once: is it one, how many pictures, in which order.

    Raises:
        ClipError: ``MISSING_YET``, ``EMPTY``, ``NOT_H264`` or ``CUT_SHORT``; ``FFMPEG`` when we may not read it.
        StorageUnavailableError: the storage does not let us read, or not in time.
    """
    scanner = StreamScanner()
    offset = 0
    try:
        async with asyncio.timeout(timeout_seconds):
            while count := await run_blocking(read_step, path, offset, scanner):
                offset += count
    except TimeoutError as error:
        raise StorageUnavailableError from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise clip_error(ClipFault.MISSING_YET) from error
    except IsADirectoryError as error:
        raise clip_error(ClipFault.NOT_H264) from error
    except PermissionError as error:
        _log.warning("The clip may not be read.", path=str(path))
        raise clip_error(ClipFault.FFMPEG) from error
    except OSError as error:
        _log.warning("The clip cannot be read.", path=str(path), reason=error.strerror)
        raise StorageUnavailableError from error
    facts = await run_blocking(scanner.finish)
    if facts.fault:
        raise clip_error(facts.fault)
    return facts
