import json
import subprocess
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from securitycamd.simulator.footage import DemoAssets, FootageError
from securitycamd.simulator.motion import MotionDetector
from securitycamd.simulator.scenes import (
    STREET_PARTS,
    FrameReader,
    Scene,
    clip_seconds,
    jpeg,
    prepare_scenes,
)


def test_three_scenes(scenes: list[Scene]) -> None:
    assert len({scene.view.name for scene in scenes}) == len(scenes) == 3


@pytest.mark.parametrize("start", [0.0, 3.7, -2.0])
def test_a_clip_is_whole_raw_h264_of_the_asked_length(scenes: list[Scene], tmp_path: Path, start: float) -> None:
    for scene in scenes:
        clip = tmp_path / "clip.h264"
        # Below zero: round the loop's end.
        clip.write_bytes(scene.clip(start % scene.seconds, 3.0))
        command = [
            "ffprobe",
            "-v",
            "error",
            "-f",
            "h264",
            "-count_frames",
            "-of",
            "json",
            "-show_streams",
            str(clip),
        ]
        result = subprocess.run(command, check=True, capture_output=True)
        assert result.stderr == b""
        stream = json.loads(result.stdout)["streams"][0]
        found = {key: stream[key] for key in ("width", "height", "profile", "nb_read_frames", "r_frame_rate")}
        assert found == {
            "width": 1280,
            "height": 720,
            "profile": "Constrained Baseline",
            "nb_read_frames": "45",
            # Not the 15/1 it was made with: no timing in the stream, as with the agents' encoders.
            "r_frame_rate": "25/1",
        }


def test_a_clip_may_be_longer_than_its_loop(scenes: list[Scene]) -> None:
    scene = scenes[-1]
    assert len(scene.clip(0, 2 * scene.seconds)) == 2 * len(scene.clip(0, scene.seconds))


def test_clips_have_whole_seconds() -> None:
    assert [clip_seconds(duration) for duration in (0.1, 1.0, 1.5, 45.0)] == [1, 1, 2, 45]


def test_clip_and_still_show_the_same_moment(scenes: list[Scene], tmp_path: Path) -> None:
    scene = scenes[0]
    (tmp_path / "clip.h264").write_bytes(scene.clip(30.0, 1.0))
    capture = cv2.VideoCapture(str(tmp_path / "clip.h264"))
    _, from_clip = capture.read()
    reader = FrameReader(scene)
    distances = {}
    for moment in (10.0, 30.0, 50.0):
        still = cv2.resize(reader.frame(moment), (1280, 720))
        distances[moment] = float(np.mean(cv2.absdiff(from_clip, still)))
    reader.close()
    assert min(distances, key=lambda moment: distances[moment]) == 30.0


def test_frames_come_in_any_order_and_round_the_loop(scenes: list[Scene]) -> None:
    reader = FrameReader(scenes[0])
    first, later, again = reader.frame(1.0).copy(), reader.frame(5.0).copy(), reader.frame(1.0).copy()
    around = reader.frame(1.0 + scenes[0].seconds)
    reader.close()
    assert np.array_equal(first, again)
    assert np.array_equal(first, around)
    assert not np.array_equal(first, later)


def test_stills_have_the_agents_sizes(scenes: list[Scene]) -> None:
    reader = FrameReader(scenes[0])
    decoded = cv2.imdecode(np.frombuffer(jpeg(reader.frame(0), (1920, 1080)), np.uint8), cv2.IMREAD_COLOR)
    reader.close()
    assert decoded is not None
    assert decoded.shape == (1080, 1920, 3)


def test_motion_is_what_changes(scenes: list[Scene]) -> None:
    reader = FrameReader(scenes[0])
    detector = MotionDetector()
    assert not detector.check(reader.frame(0)).is_motion
    still = detector.check(reader.frame(0))
    assert (still.score, still.confidence) == (0, 0)
    moved = detector.check(reader.frame(0.4))
    assert moved.is_motion
    assert moved.confidence > 50
    detector.forget()
    assert not detector.check(reader.frame(5)).is_motion
    reader.close()


def test_without_the_yard_every_camera_still_has_a_view_of_its_own(assets: DemoAssets, tmp_path: Path) -> None:
    street = prepare_scenes(replace(assets, vtest=None, folder=tmp_path), report=lambda _: None)
    assert {scene.view.name for scene in street} == {*(view.name for view in STREET_PARTS), "Street"}
    assert [path.suffix for path in tmp_path.iterdir()] == [".h264"] * 3


def test_footage_that_is_none_is_told_apart(assets: DemoAssets, tmp_path: Path) -> None:
    (tmp_path / "bikes.mp4").write_bytes(b"nothing")
    with pytest.raises(FootageError, match="could not encode"):
        prepare_scenes(
            replace(assets, vtest=None, bikes=tmp_path / "bikes.mp4", folder=tmp_path), report=lambda _: None
        )
    assert [path.name for path in tmp_path.iterdir()] == ["bikes.mp4"]
