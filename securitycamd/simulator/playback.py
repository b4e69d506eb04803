"""Whether a file plays in a browser at once: what a viewer would notice, found out with ffprobe."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

DURATION_TOLERANCE_SECONDS: Final = 0.2
PROBE_TIMEOUT_SECONDS: Final = 30.0
_HEADER_BYTES: Final = 8


def playable_problem(mp4: Path, expected_seconds: float) -> str | None:
    """What is wrong with an MP4, in words; ``None`` when it is whole H.264 that starts at once. Blocks."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0"]
    command += ["-show_entries", "stream=codec_name:format=duration", "-of", "json", str(mp4)]
    try:
        probe = subprocess.run(  # noqa: S603 - our own words
            command, check=False, capture_output=True, timeout=PROBE_TIMEOUT_SECONDS
        )
    except FileNotFoundError:
        return "ffprobe is missing: install the package ffmpeg"
    except subprocess.TimeoutExpired:
        return "ffprobe made no end of it"
    if probe.returncode != 0:
        return f"ffprobe cannot read it: {probe.stderr.decode(errors='replace').strip()}"
    return _content_problem(json.loads(probe.stdout), expected_seconds) or _order_problem(mp4.read_bytes())


def _content_problem(found: dict[str, Any], expected_seconds: float) -> str | None:
    codecs = [stream.get("codec_name") for stream in found.get("streams", [])]
    if codecs != ["h264"]:
        return f"its video is {codecs}, not h264"
    duration = float(found.get("format", {}).get("duration", 0))
    if abs(duration - expected_seconds) > DURATION_TOLERANCE_SECONDS:
        return f"it plays {duration:.2f} s instead of {expected_seconds:.2f} s"
    return None


def _order_problem(content: bytes) -> str | None:
    boxes = top_level_boxes(content)
    if "moov" not in boxes or "mdat" not in boxes or boxes.index("moov") > boxes.index("mdat"):
        return f"its index is not in front of its pictures: {' '.join(boxes)}"
    return None


def top_level_boxes(content: bytes) -> list[str]:
    """The kinds of an MP4's outermost boxes, in order (ISO/IEC 14496-12, 4.2)."""
    kinds = []
    position = 0
    while position + _HEADER_BYTES <= len(content):
        size = int.from_bytes(content[position : position + 4], "big")
        kinds.append(content[position + 4 : position + 8].decode("latin-1"))
        if size == 1:
            size = int.from_bytes(content[position + 8 : position + 16], "big")
        if size == 0:  # to the end of the file
            break
        position += max(size, _HEADER_BYTES)
    return kinds
