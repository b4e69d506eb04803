"""Which encoder re-encodes clips: the machine's own when it has one that works, else x264."""

import contextlib
from typing import Final

import structlog

from securitycamd.domain.clips import ClipError
from securitycamd.media.annexb import StreamScanner
from securitycamd.media.probe import run_clip_tool
from securitycamd.media.process import Tools

_log = structlog.get_logger(__name__)

AUTO: Final = "auto"
SOFTWARE_ENCODER: Final = "libx264"
PI_ENCODER: Final = "h264_v4l2m2m"
LIST_SECONDS: Final = 30.0
TRIAL_SECONDS: Final = 30.0
_TRIAL_FRAMES: Final = 15


class EncoderChoice:
    """Finds out once in the life of a process what ``auto`` means on this machine."""

    def __init__(self, tools: Tools, ffmpeg: str) -> None:
        self._tools = tools
        self._ffmpeg = ffmpeg
        self._auto: str | None = None

    async def resolve(self, encoder: str) -> str:
        """The name of the encoder to use; ``encoder`` itself, unless it is ``auto``."""
        if encoder != AUTO:
            return encoder
        if self._auto is None:
            works = await self._is_listed() and await self._encodes()
            chosen = PI_ENCODER if works else SOFTWARE_ENCODER
            _log.info("The encoder of the optimiser is chosen.", encoder=chosen)
            if self._tools.closed:  # then the trial was ended by us, and says nothing
                return chosen
            self._auto = chosen
        return self._auto

    async def _is_listed(self) -> bool:
        command = [self._ffmpeg, "-hide_banner", "-nostdin", "-v", "error", "-encoders"]
        with contextlib.suppress(ClipError):
            result = await run_clip_tool(self._tools, command, timeout_seconds=LIST_SECONDS)
            return any(line.split()[1:2] == [PI_ENCODER.encode()] for line in result.stdout.splitlines())
        return False

    async def _encodes(self) -> bool:
        """Encode a second of video and count what comes out: being listed says nothing of a device."""
        source = f"testsrc2=size=640x360:rate={_TRIAL_FRAMES}:duration=1"
        command = [
            *(self._ffmpeg, "-hide_banner", "-nostdin", "-v", "error", "-f", "lavfi", "-i", source),
            *("-pix_fmt", "yuv420p", "-c:v", PI_ENCODER, "-b:v", "1000000", "-f", "h264", "pipe:1"),
        ]
        with contextlib.suppress(ClipError):
            result = await run_clip_tool(self._tools, command, timeout_seconds=TRIAL_SECONDS)
            scanner = StreamScanner()
            scanner.feed(result.stdout)
            return not result.return_code and scanner.finish().pictures == _TRIAL_FRAMES
        return False
