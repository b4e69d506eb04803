"""Pictures out of clips, and small pictures out of large ones."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import structlog

from securitycamd.domain.clips import ClipError, ClipFault
from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.media.jpeg import JpegError, JpegFacts, read_jpeg
from securitycamd.media.probe import (
    RunBlocking,
    clip_error,
    file_url,
    probe_clip,
    run_clip_tool,
    scan_stream,
)
from securitycamd.media.process import Tools
from securitycamd.media.targets import kept_when_done

_log = structlog.get_logger(__name__)

STILL_QUALITY: Final = 3
THUMBNAIL_QUALITY: Final = 5
# A picture in a damaged or hostile file may claim to have any size; the decoder would take the memory for it.
MAX_PIXELS: Final = 100_000_000
# No clip is longer. The last frame is repeated until the wanted time, so there must be an end to it.
MAX_AT_SECONDS: Final = 24 * 3600.0
# At most this share of a picture's width or height is cut off to make it fit; what is missing then is padded.
CROPPED_SHARE: Final = 0.1
_ROUNDING_SECONDS: Final = 0.001
NO_PICTURE: Final = "The picture is not a whole JPEG."


@dataclass(frozen=True, slots=True)
class Still:
    """A JPEG that was made."""

    width: int
    height: int
    size_bytes: int
    elapsed_seconds: float


@dataclass(frozen=True, slots=True)
class StillMaker:
    """What making a picture needs."""

    tools: Tools
    ffmpeg: str
    ffprobe: str
    run_blocking: RunBlocking
    timeout_seconds: float
    quality: int

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 31:
            raise ValueError("quality must be 1 (best) to 31")

    async def from_clip(
        self,
        clip: Path,
        target: Path,
        *,
        at_seconds: float,
        size: tuple[int, int] | None,
        frame_rate: float | None,
    ) -> Still:
        """See :meth:`securitycamd.media.Media.still_from_clip`."""
        if not 0 <= at_seconds <= MAX_AT_SECONDS:
            raise ValueError("at_seconds must be 0 to a day")
        if frame_rate is not None and frame_rate <= 0:
            raise ValueError("frame_rate must be above 0")
        # Repeats the last frame without end, of which one is taken: so there is one at any time.
        last_repeated = "tpad=stop=-1:stop_mode=clone"
        if frame_rate is None:
            # FFmpeg goes to the key frame before, whose time is then negative, and shows all from there. Its
            # own exact seeking gives nothing at all beyond the end.
            at = ["-noaccurate_seek", "-ss", f"{at_seconds:.6f}", "-f", "mp4"]
            choose = f"{last_repeated},select=gte(t\\,-{_ROUNDING_SECONDS})"
        else:
            # Says what is wrong with a stream in the words that its conversion would use. A raw stream has no
            # times, and cannot be searched: its frames are counted, in the order of showing.
            await scan_stream(clip, run_blocking=self.run_blocking, timeout_seconds=self.timeout_seconds)
            at = ["-framerate", str(frame_rate), "-f", "h264"]
            number = max(math.ceil((at_seconds - _ROUNDING_SECONDS) * frame_rate), 0)
            choose = f"setpts=N/FR/TB,{last_repeated},select=gte(n\\,{number})"
        if size is not None:
            width, height = size
            # Not larger than it is: that adds bytes and shows nothing more.
            choose += (
                f",scale=min(iw\\,{width}):min(ih\\,{height}):force_original_aspect_ratio=decrease:force_divisible_by=2"
            )
        try:
            return await self._make([*at, "-i", file_url(clip), "-map", "0:v:0"], choose, target)
        except ClipError as error:
            if error.fault is ClipFault.FFMPEG and not self.tools.closed:
                await self._blame_clip(clip, is_raw=frame_rate is not None)
            raise

    async def _blame_clip(self, clip: Path, *, is_raw: bool) -> None:
        """Tell a clip that has nothing to show from an FFmpeg that failed, once no picture came."""
        try:
            await self.run_blocking(clip.stat)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise clip_error(ClipFault.MISSING) from error
        except OSError as error:
            raise StorageUnavailableError from error
        await probe_clip(
            clip,
            tools=self.tools,
            ffprobe=self.ffprobe,
            timeout_seconds=self.timeout_seconds,
            container="h264" if is_raw else "mp4",
        )

    async def thumbnail(self, still: Path, target: Path, *, width: int, height: int) -> Still:
        """See :meth:`securitycamd.media.Media.thumbnail_from_still`."""
        await self._check_source(still)
        shape = f"{width}/{height}"
        kept = 1 - CROPPED_SHARE
        fit = (
            f"crop=max(1\\,max(min(iw\\,ih*{shape})\\,iw*{kept}))"
            f":max(1\\,max(min(ih\\,iw/({shape}))\\,ih*{kept})),"
            f"scale={width}:{height}:force_original_aspect_ratio=decrease,"
            f"pad={width}:{height}:-1:-1,setsar=1"
        )
        # explode: an error in the picture is an error, not a grey area.
        source = ["-xerror", "-err_detect", "explode", "-f", "jpeg_pipe", "-i", file_url(still)]
        return await self._make(source, fit, target)

    async def _check_source(self, still: Path) -> JpegFacts:
        try:
            return await self.run_blocking(read_jpeg, still)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ClipError(ClipFault.MISSING, "The picture is not on the share.") from error
        except (JpegError, IsADirectoryError) as error:
            raise ClipError(ClipFault.CUT_SHORT, NO_PICTURE) from error
        except OSError as error:
            raise StorageUnavailableError from error

    async def _make(self, source: list[str], filters: str, target: Path) -> Still:
        """Write one picture to ``target`` and look whether it is whole."""
        started = time.monotonic()
        command = [
            *(self.ffmpeg, "-hide_banner", "-nostdin", "-v", "error", "-protocol_whitelist", "file"),
            *("-max_pixels", str(MAX_PIXELS), *source),
            *("-vf", filters, "-fps_mode", "passthrough", "-frames:v", "1", "-map_metadata", "-1"),
            *("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", str(self.quality), "-f", "mjpeg"),
            *("-y", file_url(target)),
        ]
        async with kept_when_done(target, self.run_blocking):
            result = await run_clip_tool(self.tools, command, timeout_seconds=self.timeout_seconds)
            if result.return_code:
                raise clip_error(ClipFault.FFMPEG)
            try:
                made = await self.run_blocking(read_jpeg, target)
            except (JpegError, OSError) as error:
                _refuse(target, str(error), error)
        return Still(made.width, made.height, made.size_bytes, time.monotonic() - started)


def _refuse(target: Path, reason: str, cause: Exception) -> NoReturn:
    _log.warning("The picture that FFmpeg made is not whole.", path=str(target), reason=reason)
    raise clip_error(ClipFault.FFMPEG) from cause
