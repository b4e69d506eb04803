"""Pictures out of a ``multipart/x-mixed-replace`` stream, whole or not at all."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from securitycamd.domain.errors import CameraUnavailableError

JPEG_START: Final = b"\xff\xd8"
JPEG_END: Final = b"\xff\xd9"
PADDING_BYTES: Final = 64
"""What some cameras leave behind the end of a picture, inside its announced length."""
HEAD_LIMIT_BYTES: Final = 4096
BROKEN_IN_A_ROW: Final = 50
"""After so many parts without a picture the stream counts as none."""

_BOUNDARY: Final = re.compile(r'boundary\s*=\s*(?:"([^"\r\n]{1,200})"|([^\s;]{1,200}))', re.IGNORECASE)
_FIRST_BOUNDARY: Final = re.compile(rb"--([^\r\n]{1,200})\r?\n")
_LENGTH: Final = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,12})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


def boundary_of(content_type: str) -> bytes | None:
    """The boundary that a ``Content-Type`` names. Some cameras write its leading dashes into it, and others do not."""
    found = _BOUNDARY.search(content_type)
    return (found[1] or found[2]).lstrip("-").encode("latin-1", "replace") or None if found else None


@dataclass(slots=True)
class _Part:
    """The part whose body is being read."""

    body_at: int
    """Where in the buffer it begins."""
    length: int | None
    """As announced; ``None``: it ends where the next part begins."""


class PictureParser:
    """Takes the stream in pieces of any size and gives the pictures in it.

    A part's announced length is believed when what it covers is a picture; else the part ends at the next boundary.
    What is no whole JPEG is passed over and counted.

    Args:
        boundary: what stands between the parts, without leading dashes; ``None`` takes the first line that looks so.
        max_bytes: the largest picture; also bounds what is kept here.
    """

    def __init__(self, boundary: bytes | None, max_bytes: int) -> None:
        self._delimiter = None if boundary is None else b"--" + boundary
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._part: _Part | None = None
        """The present one, once its head is read."""
        self._searched = 0
        """Up to where the buffer holds no delimiter."""
        self._broken_in_a_row = 0
        self._skipped = 0
        self.broken = 0
        """Parts that held no whole picture."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pictures that are whole with this piece.

        Raises:
            CameraUnavailableError: it is no stream of pictures.
        """
        self._buffer += data
        while (found := self._step()) is not None:
            if found:
                self._broken_in_a_row = self._skipped = 0
                yield found
        if len(self._buffer) > self._max_bytes + HEAD_LIMIT_BYTES:
            self._give_up("The camera sends pictures that are too large (live.max_frame_bytes).")

    def _step(self) -> bytes | None:
        """One part: a picture, nothing (``b""``), or ``None`` when more must come first."""
        if self._delimiter is None:
            first = _FIRST_BOUNDARY.search(self._buffer)
            if first is None:
                self._drop(max(0, len(self._buffer) - HEAD_LIMIT_BYTES))
                return None
            self._delimiter = b"--" + first[1].rstrip()
        if self._part is None:
            self._part = self._read_head(self._delimiter)
        return None if self._part is None else self._read_body(self._part, self._delimiter)

    def _read_head(self, delimiter: bytes) -> _Part | None:
        while True:
            at = self._buffer.find(delimiter, self._searched)
            if at < 0:
                self._drop(max(0, len(self._buffer) - len(delimiter)))
                return None
            self._drop(at)
            start = len(delimiter)
            ends = [
                (end, end + len(mark))
                for mark in (b"\r\n\r\n", b"\n\n")
                if (end := self._buffer.find(mark, start)) >= 0
            ]
            if ends and min(ends)[0] <= HEAD_LIMIT_BYTES:
                end, body_at = min(ends)
                announced = _LENGTH.search(self._buffer, start, end)
                length = int(announced[1]) if announced else 0
                self._searched = body_at
                return _Part(body_at, length if 0 < length <= self._max_bytes else None)
            if len(self._buffer) <= HEAD_LIMIT_BYTES:
                return None
            self._count_broken()
            self._drop(start)  # a head without an end is none

    def _read_body(self, part: _Part, delimiter: bytes) -> bytes | None:
        if part.length is not None:
            end = part.body_at + part.length
            if len(self._buffer) < end:
                return None
            picture = _whole_picture(self._buffer, part.body_at, end, PADDING_BYTES)
            if picture:
                return self._finish(end, picture)
            part.length = None  # it is wrong: the part ends where the next begins
        end = self._buffer.find(delimiter, self._searched)
        if end < 0:
            self._searched = max(part.body_at, len(self._buffer) - len(delimiter))
            return None
        picture = _whole_picture(self._buffer, part.body_at, end, PADDING_BYTES)
        if not picture:
            self._count_broken()
        return self._finish(end, picture)

    def _finish(self, end: int, picture: bytes) -> bytes:
        self._drop(end)
        self._part = None
        self._skipped = 0
        return picture

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._searched = 0
        self._skipped += count
        if self._skipped > self._max_bytes + HEAD_LIMIT_BYTES:
            self._give_up("What the camera sends is no stream of pictures.")

    def _count_broken(self) -> None:
        self.broken += 1
        self._broken_in_a_row += 1
        if self._broken_in_a_row >= BROKEN_IN_A_ROW:
            self._give_up("The camera sends broken pictures only.")

    def _give_up(self, sentence: str) -> None:
        self._buffer.clear()
        raise CameraUnavailableError(sentence)


def _whole_picture(buffer: bytearray, start: int, end: int, padding: int) -> bytes:
    """The JPEG between two places, without what stands around it; empty when there is none, or not all of it."""
    if buffer[start : start + 2] != JPEG_START:
        return b""
    last = buffer.rfind(JPEG_END, max(start + 2, end - padding), end)
    return b"" if last < 0 else bytes(memoryview(buffer)[start : last + 2])
