"""What each simulated camera looks at: a view into the footage, its frames, and its clips encoded once."""

import functools
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

import click
import cv2
import numpy as np
import numpy.typing as npt

from securitycamd.simulator.bitstream import (
    PICTURE_SLICE,
    REFRESH_SLICE,
    SEQUENCE_PARAMETER_SET,
    unit_offsets,
    without_timing,
)
from securitycamd.simulator.footage import DemoAssets, FootageError, Report

Picture = npt.NDArray[np.uint8]
"""Rows, columns, then blue, green, red."""

CLIP_FRAMES_PER_SECOND: Final = 15
STILL_SIZE: Final = (1920, 1080)
THUMBNAIL_SIZE: Final = (480, 270)
STREAM_SIZE: Final = (1280, 720)
JPEG_QUALITY: Final = 85

# OpenCV would otherwise start a thread a core for every call of every camera, on machines that run three
# cameras and a server: slower for all of them.
cv2.setNumThreads(1)


@dataclass(frozen=True, slots=True)
class View:
    """A 16:9 window into a footage file, in the footage's pixels."""

    key: str
    name: str
    location: str
    left: int
    top: int
    width: int
    height: int


# The yard is 768x576 at 10 frames/s for 79.5 s, the street 640x272 at 25 for 10 s.
YARD_VIEWS: Final = (
    View("front_walk", "Front walk", "North side, above the lawn", 0, 100, 768, 432),
    View("driveway", "Driveway", "Gate, towards the parked van", 320, 30, 448, 252),
)
STREET_VIEW: Final = View("street", "Street", "Pavement by the railings", 80, 0, 480, 270)
# Where there is no yard, parts of the street keep the cameras apart.
STREET_PARTS: Final = (
    View("street_left", "Front walk", "Pavement, left part", 0, 0, 432, 243),
    View("street_right", "Driveway", "Pavement, right part", 208, 28, 432, 243),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A view of a footage file that loops for ever, and the same as raw H.264.

    The encoded loop has one closed group of pictures, with its parameter sets, a second: any run of whole
    seconds is a clip, and cutting one is copying bytes.
    """

    view: View
    footage: Path
    encoded: Path
    second_offsets: tuple[int, ...]
    """Where each second begins in ``encoded``, and where the last one ends."""

    @property
    def seconds(self) -> int:
        """How long the loop is."""
        return len(self.second_offsets) - 1

    def clip(self, start_seconds: float, duration_seconds: float) -> bytes:
        """Raw H.264 of ``duration_seconds`` (rounded up to whole seconds), round the loop. Reads the disk."""
        first = int(start_seconds) % self.seconds
        parts = []
        with self.encoded.open("rb") as file:
            for second in range(first, first + clip_seconds(duration_seconds)):
                begin, end = self.second_offsets[second % self.seconds : second % self.seconds + 2]
                file.seek(begin)
                parts.append(file.read(end - begin))
        return b"".join(parts)


def clip_seconds(duration_seconds: float) -> int:
    """How long a clip asked for with ``duration_seconds`` really is."""
    return max(1, ceil(duration_seconds))


def prepare_scenes(assets: DemoAssets, report: Report = click.echo) -> list[Scene]:
    """The scenes on this footage, their clips encoded if they are not yet. Blocks some 15 s the first time.

    Raises:
        FootageError: FFmpeg is missing or cannot encode.
    """
    others = STREET_PARTS if assets.vtest is None else YARD_VIEWS
    views = [(view, assets.vtest or assets.bikes) for view in others] + [(STREET_VIEW, assets.bikes)]
    return [_scene(view, footage, assets.folder, report) for view, footage in views]


def _scene(view: View, footage: Path, folder: Path, report: Report) -> Scene:
    window = f"{view.left}-{view.top}-{view.width}-{view.height}"
    encoded = folder / f"{footage.stem}-{view.key}-{window}.h264"
    if not encoded.is_file():
        report(f"Encoding the clips of the camera {view.name!r} ...")
        # The process id keeps apart two processes that prepare at once; both rename the same bytes.
        temporary = folder / f"{encoded.name}.{os.getpid()}.part"
        try:
            _encode(view, footage, temporary)
            temporary.write_bytes(_whole_seconds(without_timing(temporary.read_bytes()), footage))
            temporary.replace(encoded)
        finally:
            temporary.unlink(missing_ok=True)
    return Scene(view, footage, encoded, _second_offsets(encoded))


def _encode(view: View, footage: Path, target: Path) -> None:
    window = f"crop={view.width}:{view.height}:{view.left}:{view.top}"
    width, height = STREAM_SIZE
    rate = str(CLIP_FRAMES_PER_SECOND)
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(footage), "-an"]
    command += ["-vf", f"{window},scale={width}:{height},setsar=1,fps={rate}", "-pix_fmt", "yuv420p"]
    command += ["-c:v", "libx264", "-preset", "superfast", "-profile:v", "baseline", "-bf", "0", "-b:v", "3M"]
    command += ["-g", rate, "-keyint_min", rate, "-sc_threshold", "0", "-x264-params", "repeat-headers=1"]
    command += ["-f", "h264", str(target)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=600)  # noqa: S603 - our own words
    except FileNotFoundError as error:
        raise FootageError("FFmpeg is missing: install the package ffmpeg and start again.") from error
    if done.returncode != 0:
        complaint = done.stderr.decode(errors="replace").strip()
        raise FootageError(f"FFmpeg could not encode {footage.name}: {complaint}")


def _whole_seconds(stream: bytes, footage: Path) -> bytes:
    """Without the last group when it is a short one, because the footage does not end on a full second."""
    offsets = unit_offsets(stream, SEQUENCE_PARAMETER_SET)
    if len(offsets) < 2:
        raise FootageError(f"FFmpeg made less than two seconds of {footage.name}.")
    last = stream[offsets[-1] :]
    frames = sum(len(unit_offsets(last, kind)) for kind in (PICTURE_SLICE, REFRESH_SLICE))
    return stream if frames == CLIP_FRAMES_PER_SECOND else stream[: offsets[-1]]


@functools.cache
def _second_offsets(encoded: Path) -> tuple[int, ...]:
    stream = encoded.read_bytes()
    return (*unit_offsets(stream, SEQUENCE_PARAMETER_SET), len(stream))


class FrameReader:
    """Frames of a scene by time, round the loop. Not for two threads at once; close it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._capture = self._open()
        self._frames_per_second = float(self._capture.get(cv2.CAP_PROP_FPS)) or 25.0
        self._next_index = 0
        self._last: Picture | None = None

    def _open(self) -> cv2.VideoCapture:
        # One decoder thread: the footage is small, the cores are few.
        parameters: Sequence[int] = [cv2.CAP_PROP_N_THREADS, 1]
        capture = cv2.VideoCapture(str(self._scene.footage), cv2.CAP_FFMPEG, parameters)
        if not capture.isOpened():
            raise FootageError(f"{self._scene.footage} cannot be read: delete it and start again.")
        return capture

    def frame(self, position_seconds: float) -> Picture:
        """The frame shown ``position_seconds`` after the loop first began, in the view's own size."""
        index = int((position_seconds % self._scene.seconds) * self._frames_per_second)
        if index < self._next_index - 1:
            self._capture.release()
            self._capture = self._open()
            self._next_index = 0
            self._last = None
        # Going forward frame by frame is exact and cheap here; seeking is neither in old AVI files.
        while self._next_index <= index:
            if not self._capture.grab():
                break
            self._next_index += 1
            self._last = None
        if self._last is None:
            decoded, picture = self._capture.retrieve()
            if not decoded:
                raise FootageError(f"{self._scene.footage} is damaged: delete it and start again.")
            view = self._scene.view
            self._last = np.ascontiguousarray(
                picture[view.top : view.top + view.height, view.left : view.left + view.width], dtype=np.uint8
            )
        return self._last

    def close(self) -> None:
        """Let go of the file."""
        self._capture.release()


def jpeg(picture: Picture, size: tuple[int, int]) -> bytes:
    """A JPEG of ``size`` (width, height)."""
    shrinks = size[0] < picture.shape[1]
    scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    _, encoded = cv2.imencode(".jpg", scaled, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()
