"""Raw H.264 clips as cameras write them, whole and broken, made with the real FFmpeg.

x264 writes the frame rate into its streams; cameras' encoders may not, and then a remux without a given rate
plays at the wrong speed. So clips have it removed unless asked for: see :func:`without_timing`.
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

START_CODE: Final = b"\x00\x00\x01"
Profile = Literal["baseline", "main", "high"]


class Footage:
    """Makes clips in ``folder``; asking for the same clip again gives the same file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def clip(
        self,
        *,
        seconds: float = 2.0,
        frames_per_second: int = 15,
        profile: Profile = "baseline",
        b_frames: int = 0,
        slices: int = 1,
        timing: bool = False,
        size: str = "320x180",
        extra: str = "",
    ) -> Path:
        """A whole clip of a moving test picture, with a key frame each second."""
        what = (profile, seconds, frames_per_second, b_frames, slices, timing, size, extra)
        name = "_".join(map(str, what)) + ".h264"
        path = self.folder / re.sub(r"[^A-Za-z0-9_.]", "-", name)
        if not path.exists():
            source = f"testsrc2=s={size}:r={frames_per_second}:d={seconds}"
            command = [
                "ffmpeg",
                "-v",
                "error",
                "-f",
                "lavfi",
                "-i",
                source,
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
            ]
            command += ["-profile:v", profile, "-bf", str(b_frames), "-g", str(frames_per_second)]
            command += ["-slices", str(slices), "-pix_fmt", "yuv420p", "-threads", "1"]
            command += ["-x264-params", "repeat-headers=1" + extra, "-f", "h264", "pipe:1"]
            stream = subprocess.run(command, check=True, capture_output=True).stdout
            path.write_bytes(stream if timing else without_timing(stream))
        return path

    def mp4(self, *, audio: bool = False, filters: str = "null", tags: Mapping[str, str] | None = None) -> Path:
        """Two seconds of an MP4 that somebody else's program made, nearly lossless."""
        tag_options = [f"{name}={value}" for name, value in (tags or {}).items()]
        name = "_".join(["mp4", str(audio), filters, *tag_options])
        path = self.folder / (re.sub(r"[^A-Za-z0-9_.]", "-", name) + ".mp4")
        if not path.exists():
            command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=15:d=2"]
            if audio:
                command += ["-f", "lavfi", "-i", "sine=frequency=440:duration=2", "-c:a", "aac"]
            command += [
                "-vf",
                filters,
                "-fps_mode",
                "vfr",
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
                "-crf",
                "6",
            ]
            command += ["-pix_fmt", "yuv420p", "-threads", "1", "-movflags", "+use_metadata_tags"]
            for tag in tag_options:
                command += ["-metadata", tag]
            subprocess.run([*command, str(path)], check=True)
        return path

    def write(self, name: str, content: bytes) -> Path:
        """A file of ours."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    def empty(self) -> Path:
        """A clip of which nothing arrived."""
        return self.write("empty.h264", b"")

    def jpeg(self) -> Path:
        """A picture under the name of a clip."""
        path = self.folder / "jpeg.h264"
        if not path.exists():
            command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:d=1"]
            subprocess.run([*command, "-frames:v", "1", "-f", "mjpeg", f"file:{path}"], check=True)
        return path

    def cut_mid_frame(self, **options: Profile | float | str) -> tuple[Path, int]:
        """A clip that ends in the middle of its last frame, and how many whole frames it has."""
        stream = self.clip(**options).read_bytes()  # type: ignore[arg-type]  # passed on as they are
        last = slice_starts(stream)[-1]
        cut = stream[: last + (len(stream) - last) // 2]
        return self.write("cut_mid_frame.h264", cut), len(slice_starts(stream)) - 1

    def cut_in_first_frame(self, **options: Profile | float) -> Path:
        """A clip that ends in the middle of its first frame."""
        stream = self.clip(**options).read_bytes()  # type: ignore[arg-type]  # passed on as they are
        first, second = slice_starts(stream)[:2]
        return self.write("cut_in_first_frame.h264", stream[: first + (second - first) // 2])

    def corrupt_middle(self, **options: Profile | float | str) -> Path:
        """A clip with a stretch of noise over several frames in its middle."""
        stream = bytearray(self.clip(**options).read_bytes())  # type: ignore[arg-type]  # passed on as they are
        middle = len(stream) // 2
        # No zeros, so no start codes in it.
        noise = bytes((7 * i * i + 31 * i + 5) % 251 + 1 for i in range(len(stream) // 20))
        stream[middle : middle + len(noise)] = noise
        return self.write("corrupt_middle.h264", bytes(stream))


def units(stream: bytes) -> list[tuple[int, int]]:
    """(place of the start code, kind) of every NAL unit."""
    return [(m.start(), stream[m.end()] & 0x1F) for m in re.finditer(START_CODE + b"(?=.)", stream, re.DOTALL)]


def slice_starts(stream: bytes) -> list[int]:
    """The places of all slices: of all frames, when a frame is one slice."""
    return [place for place, kind in units(stream) if kind in {1, 5}]


def without_timing(stream: bytes) -> bytes:
    """The stream with the frame rate taken out of its parameter sets (``timing_info_present_flag`` 0).

    FFmpeg's ``h264_metadata`` can change the rate but not remove it.
    """
    parts = stream.split(START_CODE)
    for index, part in enumerate(parts):
        if part and part[0] & 0x1F == 7:
            body = part.rstrip(b"\x00")  # the first zero of a four-byte start code
            parts[index] = body[:1] + _set_without_timing(body[1:]) + part[len(body) :]
    return START_CODE.join(parts)


class _Bits:
    def __init__(self, payload: bytes) -> None:
        self.text = "".join(f"{byte:08b}" for byte in payload.replace(b"\x00\x00\x03", b"\x00\x00"))
        self.place = 0

    def read(self, count: int) -> int:
        self.place += count
        return int(self.text[self.place - count : self.place], 2)

    def golomb(self) -> int:
        zeros = self.text.index("1", self.place) - self.place
        self.place += zeros
        return self.read(zeros + 1) - 1


def _set_without_timing(payload: bytes) -> bytes:
    """ITU-T H.264, 7.3.2.1.1 and E.1.1, as far as x264 uses them (no scaling lists, no order type 1)."""
    bits = _Bits(payload)
    profile = bits.read(8)
    bits.read(16)
    bits.golomb()
    if profile == 100:
        assert bits.golomb() == 1  # 4:2:0
        bits.golomb(), bits.golomb()
        assert bits.read(2) == 0
    bits.golomb()
    if bits.golomb() == 0:
        bits.golomb()
    bits.golomb()
    bits.read(1)
    bits.golomb(), bits.golomb()
    if not bits.read(1):
        bits.read(1)
    bits.read(1)
    if bits.read(1):
        [bits.golomb() for _ in range(4)]
    assert bits.read(1)  # the usability information is there
    if bits.read(1) and bits.read(8) == 255:
        bits.read(32)
    if bits.read(1):
        bits.read(1)
    if bits.read(1):
        bits.read(4)
        if bits.read(1):
            bits.read(24)
    if bits.read(1):
        bits.golomb(), bits.golomb()
    assert bits.read(1)  # timing is there: 32 bits of units, 32 of scale, 1 for a fixed rate
    kept = bits.text[: bits.place - 1] + "0" + bits.text[bits.place + 65 :]
    kept = kept[: kept.rindex("1") + 1]  # the stop bit
    kept += "0" * (-len(kept) % 8)
    raw = int(kept, 2).to_bytes(len(kept) // 8, "big")
    return re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", raw)
