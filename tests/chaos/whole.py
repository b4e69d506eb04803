"""Whether a clip is whole, asked of FFmpeg rather than of the program under test."""

import subprocess
from pathlib import Path


def packets(path: Path) -> int:
    """How many frames ffprobe finds in the file."""
    command = ["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0"]
    command += ["-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", str(path)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert not result.stderr, result.stderr
    return int(result.stdout.strip().strip(","))


def is_whole(path: Path) -> bool:
    """Whether every frame can be decoded."""
    command = ["ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-f", "null", "-"]
    result = subprocess.run(command, check=False, capture_output=True)
    return result.returncode == 0 and not result.stderr
