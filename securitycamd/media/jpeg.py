"""Reading the outline of a JPEG file (ITU-T T.81, annex B): is it all there, and how large is the picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE_LIMIT_BYTES: Final = 64 * 1024 * 1024
_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_SCAN: Final = 0xDA
# The frame headers: C0 to CF without the tables (C4, CC) and a reserved code (C8) among them.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class JpegError(Exception):
    """The file is not a whole JPEG."""


@dataclass(frozen=True, slots=True)
class JpegFacts:
    """What the headers say."""

    width: int
    height: int
    size_bytes: int


def read_jpeg(path: Path) -> JpegFacts:
    """Look whether the file is a JPEG from its start to its end mark. Blocking.

    Nothing is decoded. Something may follow the end mark: some cameras pad their files.

    Raises:
        JpegError: it is not, or it is cut.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(FILE_LIMIT_BYTES + 1)
    if len(content) > FILE_LIMIT_BYTES:
        raise JpegError("it is too large")
    if not content.startswith(_START):
        raise JpegError("it does not start like one")
    width = height = 0
    for kind, start, end in _segments(content):
        if kind in _FRAMES and end - start >= 6:
            height = int.from_bytes(content[start + 1 : start + 3], "big")
            width = int.from_bytes(content[start + 3 : start + 5], "big")
        elif kind == _SCAN:
            # In what was coded no FF is followed by D9, so this is the end of the picture itself and not of a
            # small one in the headers.
            if content.find(_END, end) < 0:
                raise JpegError("it is cut")
            if not width or not height:
                raise JpegError("its size is not told")
            return JpegFacts(width, height, len(content))
    raise JpegError("it has no picture")


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """(kind, start, end) of the content of each header segment, up to the first scan."""
    at = len(_START)
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            raise JpegError("its headers are damaged")
        kind = content[at + 1]
        if kind == 0xFF:  # a fill byte
            at += 1
            continue
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        end = at + 2 + length
        if length < 2 or end > len(content):
            raise JpegError("it is cut")
        yield kind, at + 4, end
        at = end
