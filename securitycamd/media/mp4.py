"""Reading, and in one place mending, the index of an MP4 file (ISO/IEC 14496-12, 14496-14).

Spawning ffprobe to look at a result costs 60 ms of CPU, half of what a whole remux does; the index has it in
a few numbers.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

INDEX_LIMIT_BYTES: Final = 256 * 1024 * 1024
_FOLDERS: Final = frozenset({b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl"})


class Mp4Error(Exception):
    """The file is not a whole MP4 with one H.264 track."""


@dataclass(frozen=True, slots=True)
class Mp4Facts:
    """What the index says."""

    size_bytes: int
    frames: int
    duration_ticks: int
    """The sum of all frames' durations."""
    ticks_per_second: int
    index_first: bool
    """The index stands before the pictures, so that playing starts while the file still loads."""

    @property
    def duration_seconds(self) -> float:
        """How long it plays."""
        return self.duration_ticks / self.ticks_per_second


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    """Of its content, within the file or the buffer that was read."""
    end: int


def read_facts(path: Path) -> Mp4Facts:
    """Read the index of the file at ``path`` and check that the file is all there. Blocking.

    Raises:
        Mp4Error: it is not a whole MP4 with one H.264 track and one time table.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size_bytes, top = _top_level(file)
        index = _Index(file, top)
    places = [box.kind for box in top]
    ticks_per_second = index.media_header()
    entries = index.table(b"stts", ">II")
    frames = index.sample_count()
    if sum(count for count, _ in entries) != frames or not frames:
        _refuse("its time table does not match its frames")
    if index.format() not in {b"avc1", b"avc3"}:
        _refuse("it is not H.264")
    return Mp4Facts(
        size_bytes=size_bytes,
        frames=frames,
        duration_ticks=sum(count * delta for count, delta in entries),
        ticks_per_second=ticks_per_second,
        index_first=places.index(b"moov") < places.index(b"mdat"),
    )


def is_index_first(path: Path) -> bool:
    """Whether the index stands before the pictures, in an MP4 with any tracks that is all there. Blocking.

    Raises:
        Mp4Error: it is not a whole MP4.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        _, top = _top_level(file)
    places = [box.kind for box in top]
    if not {b"moov", b"mdat"} <= set(places):
        _refuse("it has no index or no pictures")
    return places.index(b"moov") < places.index(b"mdat")


def set_display_order(path: Path, shown_at: Sequence[int], frame_ticks: float) -> None:
    """Write into the index when each frame is shown. Blocking; changes the file in place, not its length.

    The index must have a composition table (``ctts``) with one entry a frame, to be overwritten, and an edit
    list.

    Args:
        path: the file.
        shown_at: for each frame in the file's order its place in the order of showing.
        frame_ticks: how long a frame is shown, in the track's ticks.

    Raises:
        Mp4Error: the index has no room for it.
        OSError: the file cannot be read or written.
    """
    with path.open("r+b") as file:
        _, top = _top_level(file)
        index = _Index(file, top)
        composition, edits = index.box(b"ctts"), index.box(b"elst")
        if composition.end - composition.start != 8 + 8 * len(shown_at):
            _refuse("its composition table has another length")
        version, edit_count = index.unpack(">B3xI", edits.start)
        if edit_count != 1:
            _refuse("its edit list is not one edit")
        # No frame can be shown before it was read: all are shown late by the farthest that one comes too late
        # in the file, and the edit list starts the playing there.
        delay = max(place - shown for place, shown in enumerate(shown_at))
        ticks = [round(place * frame_ticks) for place in range(len(shown_at) + delay)]
        offsets = [ticks[shown + delay] - ticks[place] for place, shown in enumerate(shown_at)]
        file.seek(index.in_file(composition.start + 8))
        file.write(b"".join(struct.pack(">II", 1, offset) for offset in offsets))
        media_time = ">q" if version else ">i"
        file.seek(index.in_file(edits.start + 8 + struct.calcsize(media_time)))
        file.write(struct.pack(media_time, ticks[delay]))


class _Index:
    """The ``moov`` box, in memory."""

    def __init__(self, file: BinaryIO, top: list[_Box]) -> None:
        moov = next((box for box in top if box.kind == b"moov"), None)
        if moov is None or not any(box.kind == b"mdat" for box in top):
            _refuse("it has no index or no pictures")
        if moov.end - moov.start > INDEX_LIMIT_BYTES:
            _refuse("its index is too large")
        file.seek(moov.start)
        self._data = file.read(moov.end - moov.start)
        self._offset = moov.start
        self._boxes: dict[bytes, _Box] = {}
        for box in self._walk(0, len(self._data)):
            if box.kind in self._boxes and box.kind == b"trak":
                _refuse("it has more than one track")
            self._boxes.setdefault(box.kind, box)

    def _walk(self, start: int, end: int) -> Iterator[_Box]:
        while start < end:
            size, _ = self.unpack(">II", start)
            kind = self._data[start + 4 : start + 8]
            if not 8 <= size <= end - start:
                _refuse("a box of its index is cut")
            box = _Box(kind, start + 8, start + size)
            yield box
            if kind in _FOLDERS:
                yield from self._walk(box.start, box.end)
            start = box.end

    def in_file(self, position: int) -> int:
        """Where in the file a place of the index is."""
        return self._offset + position

    def box(self, kind: bytes) -> _Box:
        if kind not in self._boxes:
            _refuse(f"its index has no {kind.decode(errors='replace')}")
        return self._boxes[kind]

    # What the numbers are follows from the layout, which a type checker cannot see.
    def unpack(self, layout: str, position: int) -> tuple[int, int]:
        try:
            first, second = struct.unpack_from(layout, self._data, position)
        except struct.error:
            _refuse("its index is cut")
        return first, second

    def media_header(self) -> int:
        """Ticks a second of the track."""
        start = self.box(b"mdhd").start
        version, _ = self.unpack(">B3xI", start)
        ticks_per_second, _ = self.unpack(">II", start + (20 if version else 12))
        if not ticks_per_second:
            _refuse("its clock stands still")
        return ticks_per_second

    def table(self, kind: bytes, layout: str) -> list[tuple[int, int]]:
        box = self.box(kind)
        _, count = self.unpack(">II", box.start)
        content = self._data[box.start + 8 : box.end]
        if len(content) != count * struct.calcsize(layout):
            _refuse("a table of its index is cut")
        return list(struct.iter_unpack(layout, content))

    def sample_count(self) -> int:
        box = self.box(b"stsz")
        one_size, count = self.unpack(">II", box.start + 4)
        if not one_size and box.end - box.start != 12 + 4 * count:
            _refuse("its table of sizes is cut")
        return count

    def format(self) -> bytes:
        start = self.box(b"stsd").start
        return self._data[start + 12 : start + 16]


def _top_level(file: BinaryIO) -> tuple[int, list[_Box]]:
    """The file's length and boxes, which must fill it to the byte."""
    size_bytes = file.seek(0, 2)
    boxes = []
    at = 0
    while at < size_bytes:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            _refuse("it is cut")
        size, kind = struct.unpack(">I4s", head[:8])
        content = at + 8
        if size == 1 and len(head) == 16:
            size, content = struct.unpack(">Q", head[8:])[0], at + 16
        if size < content - at or at + size > size_bytes:
            _refuse("it is cut")
        boxes.append(_Box(kind, content, at + size))
        at += size
    return size_bytes, boxes


def _refuse(reason: str) -> NoReturn:
    raise Mp4Error(reason)
