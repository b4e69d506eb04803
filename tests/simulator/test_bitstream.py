import json
import subprocess
from pathlib import Path

import pytest

from securitycamd.simulator.bitstream import SEQUENCE_PARAMETER_SET, unit_offsets, without_timing


def encode(path: Path, profile: str) -> bytes:
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=1"]
    command += ["-c:v", "libx264", "-profile:v", profile, "-pix_fmt", "yuv420p", "-f", "h264", str(path)]
    subprocess.run(command, check=True)
    return path.read_bytes()


def probe(path: Path) -> dict[str, str]:
    command = ["ffprobe", "-v", "error", "-count_frames", "-of", "json", str(path)]
    command += ["-show_entries", "stream=r_frame_rate,nb_read_frames,width,height,profile"]
    found: dict[str, str] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["streams"][0]
    return found


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_takes_the_frame_rate_out_and_nothing_else(tmp_path: Path, profile: str) -> None:
    stream = encode(tmp_path / "with.h264", profile)
    before = probe(tmp_path / "with.h264")
    (tmp_path / "without.h264").write_bytes(without_timing(stream))
    after = probe(tmp_path / "without.h264")
    assert before.pop("r_frame_rate") == "30/1"
    # FFmpeg's guess when a raw stream does not say.
    assert after.pop("r_frame_rate") == "25/1"
    assert after == before
    assert len(stream) - 12 < len(without_timing(stream)) < len(stream)


def test_a_stream_without_timing_stays_as_it_is(tmp_path: Path) -> None:
    once = without_timing(encode(tmp_path / "with.h264", "baseline"))
    assert without_timing(once) == once


def test_finds_units_after_short_and_long_start_codes() -> None:
    stream = b"\x00\x00\x00\x01\x67ab\x00\x00\x01\x68c\x00\x00\x01\x67d"
    assert unit_offsets(stream, SEQUENCE_PARAMETER_SET) == [0, 12]
