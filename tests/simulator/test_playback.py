import subprocess
from pathlib import Path

import pytest

from securitycamd.simulator.playback import playable_problem, top_level_boxes


def make(path: Path, *options: str, codec: str = "libx264") -> Path:
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=15:d=2"]
    subprocess.run([*command, "-c:v", codec, "-pix_fmt", "yuv420p", *options, str(path)], check=True)
    return path


def test_a_good_file_has_no_problem(tmp_path: Path) -> None:
    good = make(tmp_path / "good.mp4", "-movflags", "+faststart")
    assert playable_problem(good, 2.0) is None
    assert top_level_boxes(good.read_bytes())[:2] == ["ftyp", "moov"]


@pytest.mark.parametrize(
    ("options", "codec", "seconds", "problem"),
    [
        (["-movflags", "+faststart"], "libx264", 2.5, "plays 2.00 s instead of 2.50 s"),
        ([], "libx264", 2.0, "index is not in front"),
        (["-movflags", "+faststart"], "mpeg4", 2.0, "not h264"),
    ],
)
def test_names_what_is_wrong(tmp_path: Path, options: list[str], codec: str, seconds: float, problem: str) -> None:
    made = make(tmp_path / "bad.mp4", *options, codec=codec)
    assert problem in str(playable_problem(made, seconds))


def test_what_is_no_film_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"nothing")
    assert "cannot read" in str(playable_problem(tmp_path / "no.mp4", 1.0))
