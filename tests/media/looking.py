"""What videos hold, in the words of FFmpeg's own tools and of nothing of ours."""

import json
import subprocess
from pathlib import Path


def ffprobe(path: Path, *options: str) -> dict[str, list[dict[str, str]]]:
    command = ["ffprobe", "-v", "error", *options, "-of", "json", str(path)]
    result: dict[str, list[dict[str, str]]] = json.loads(
        subprocess.run(command, check=True, capture_output=True).stdout
    )
    return result


def packet_times(path: Path) -> list[tuple[float, float]]:
    packets = ffprobe(path, "-show_entries", "packet=pts_time,dts_time")["packets"]
    return [(float(p["pts_time"]), float(p["dts_time"])) for p in packets]


def pictures(path: Path, *input_options: str) -> list[str]:
    """A checksum of each decoded picture, in the order of showing."""
    command = [
        "ffmpeg",
        "-v",
        "error",
        *input_options,
        "-i",
        str(path),
        "-fps_mode",
        "passthrough",
        "-f",
        "framemd5",
        "-",
    ]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.split(",")[-1].strip() for line in lines if not line.startswith("#")]


def packets(path: Path, *input_options: str) -> int:
    """How many frames a video has."""
    options = ("-select_streams", "v:0", "-count_packets", "-show_entries", "stream=nb_read_packets")
    (stream,) = ffprobe(path, *input_options, *options)["streams"]
    return int(stream["nb_read_packets"])


def frames(path: Path, *input_options: str) -> tuple[int, int]:
    """How many frames a video has, and how many of them the decoder shows."""
    entries = "stream=nb_read_packets,nb_read_frames"
    select = ("-select_streams", "v:0", "-count_packets", "-count_frames", "-show_entries", entries)
    (stream,) = ffprobe(path, *input_options, *select)["streams"]
    return int(stream["nb_read_packets"]), int(stream["nb_read_frames"])


def duration(path: Path) -> float:
    """How long an MP4 plays, in seconds: what its video track says."""
    (stream,) = ffprobe(path, "-select_streams", "v:0", "-show_entries", "stream=duration")["streams"]
    return float(stream["duration"])


def tool(*arguments: str) -> bytes:
    """What FFmpeg writes to its standard output."""
    return subprocess.run(["ffmpeg", "-v", "error", *arguments], check=True, capture_output=True).stdout


def is_missing(path: Path) -> bool:
    """Whether there is no such file; for use in coroutines, where a test may block."""
    return not path.exists()
