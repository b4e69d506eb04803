"""Raw H.264 streams (ITU-T H.264, Annex B): how many pictures are in one, and in which order are they shown.

A raw stream carries no time stamps, and FFmpeg (before 6.0 without, later with a filter of its own) does not
work out in which order the pictures of a stream with B-frames are shown. One pass over the stream's headers
gives that, and a count of its pictures that does not depend on FFmpeg, to hold its result against. Nothing is
decoded: the pass costs about a millisecond a megabyte.
"""

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from securitycamd.domain.clips import ClipFault
from securitycamd.media.bits import BitReader, BitsEndError

_START_CODE: Final = re.compile(b"\x00\x00\x01")
# Enough for any header we read: a parameter set with scaling lists is the longest.
LOOKAHEAD_BYTES: Final = 1024
SLICE_HEADER_BYTES: Final = 48
# Profiles whose parameter set has the chroma fields (clause 7.3.2.1.1), and those that have not.
_PROFILES_WITH_CHROMA: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_PROFILES: Final = _PROFILES_WITH_CHROMA | {66, 77, 88}
_MAX_SIDE_MACROBLOCKS: Final = 1024
_MAX_REORDERED_PICTURES: Final = 16


class Unit(IntEnum):
    """The kinds of NAL unit that matter here (table 7-1)."""

    SLICE = 1
    PARTITION_A = 2
    IDR_SLICE = 5
    SEI = 6
    SEQUENCE_PARAMETERS = 7
    PICTURE_PARAMETERS = 8
    DELIMITER = 9
    FILLER = 12


_SLICES: Final = frozenset({Unit.SLICE, Unit.PARTITION_A, Unit.IDR_SLICE})
_BETWEEN_PICTURES: Final = frozenset(
    {Unit.SEI, Unit.SEQUENCE_PARAMETERS, Unit.PICTURE_PARAMETERS, Unit.DELIMITER},
)


@dataclass(frozen=True, slots=True)
class SequenceParameters:
    """What of a sequence parameter set is needed to read slice headers."""

    frame_number_bits: int
    order_type: int
    order_bits: int
    separate_planes: bool
    frames_only: bool

    @classmethod
    def read(cls, payload: bytes) -> tuple[int, "SequenceParameters"]:
        """The set's id and content from a NAL unit without its header byte.

        Raises:
            BitsEndError: cut short.
            ValueError: no encoder writes such a set.
        """
        reader = BitReader(payload)
        profile = reader.bits(8)
        reader.bits(16)  # constraint flags, level
        number = reader.unsigned()
        separate_planes = False
        if profile in _PROFILES_WITH_CHROMA:
            chroma = reader.unsigned()
            separate_planes = chroma == 3 and reader.flag()
            reader.unsigned(), reader.unsigned()  # bit depths
            reader.flag()
            if reader.flag():
                _skip_scaling_lists(reader, 12 if chroma == 3 else 8)
        frame_number_bits = reader.unsigned() + 4
        order_type = reader.unsigned()
        order_bits = 0
        if order_type == 0:
            order_bits = reader.unsigned() + 4
        elif order_type == 1:
            reader.flag()
            reader.signed(), reader.signed()
            for _ in range(min(reader.unsigned(), 256)):
                reader.signed()
        reader.unsigned()  # reference frames
        reader.flag()
        width, height = reader.unsigned() + 1, reader.unsigned() + 1
        if (
            profile not in _PROFILES
            or number > 31
            or max(frame_number_bits, order_bits) > 16
            or order_type > 2
            or max(width, height) > _MAX_SIDE_MACROBLOCKS
        ):
            raise ValueError("not a sequence parameter set")
        return number, cls(frame_number_bits, order_type, order_bits, separate_planes, reader.flag())


def _skip_scaling_lists(reader: BitReader, count: int) -> None:
    for index in range(count):
        if not reader.flag():
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + reader.signed()) % 256
            last = following or last


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What one pass over a stream found."""

    size_bytes: int
    fault: ClipFault | None
    """``EMPTY``, ``NOT_H264`` or ``CUT_SHORT``, when nothing in it can be played."""
    pictures: int
    """Access units with a picture. A field of interlaced video counts as one, as FFmpeg counts it."""
    has_tail: bool
    """Headers without a picture follow the last one; FFmpeg makes a packet of them."""
    shown_at: tuple[int, ...] | None
    """For each picture of the stream its place in the order of showing; ``None`` when both orders are one."""


@dataclass(slots=True)
class StreamScanner:
    """Finds the pictures of a stream that is fed to it piece by piece."""

    _rest: bytes = b""
    _size_bytes: int = 0
    _begun: bool = False
    _foreign: bool = False
    _sequences: dict[int, SequenceParameters] = field(default_factory=dict)
    _sequence_of_picture_set: dict[int, int] = field(default_factory=dict)
    _last_macroblock: int = 0
    _in_picture: bool = False
    _pictures: int = 0
    _order: list[tuple[int, int]] = field(default_factory=list)
    """(number of the coded video sequence, picture order count) of each picture."""
    _sequence_number: int = 0
    _reference_msb: int = 0
    _reference_lsb: int = 0

    def feed(self, piece: bytes) -> bool:
        """Take the next piece; whether more is worth feeding."""
        self._size_bytes += len(piece)
        self._scan(self._rest + piece if self._rest else piece, LOOKAHEAD_BYTES)
        return not self._foreign

    def finish(self) -> StreamFacts:
        """The end of the stream: what was found."""
        self._scan(self._rest, 0)
        fault = None
        if not self._size_bytes:
            fault = ClipFault.EMPTY
        elif self._foreign:
            fault = ClipFault.NOT_H264
        elif not self._pictures:
            fault = ClipFault.CUT_SHORT
        elif not self._sequences:
            fault = ClipFault.NOT_H264
        return StreamFacts(
            size_bytes=self._size_bytes,
            fault=fault,
            pictures=self._pictures,
            has_tail=bool(self._pictures) and not self._in_picture,
            shown_at=self._shown_at(),
        )

    def _scan(self, data: bytes, lookahead: int) -> None:
        """Read the units that start at least ``lookahead`` bytes before the end; keep what is left."""
        if not self._begun and not self._begin(data, lookahead):
            return
        limit = len(data) - lookahead
        # The expression takes half the time that bytes.find() takes, and most of a scan is this search.
        for found in _START_CODE.finditer(data):
            if found.start() >= limit or self._foreign:
                self._rest = data[found.start() :]
                return
            self._unit(data, found.end())
        # Two bytes may be the head of a start code whose rest is to come.
        self._rest = data[-2:]

    def _begin(self, data: bytes, lookahead: int) -> bool:
        """Judge the first bytes: nothing but zeros before the first start code, and a known unit after it."""
        body = data.lstrip(b"\x00")
        if lookahead and len(body) < LOOKAHEAD_BYTES:
            self._rest = data if body else data[-3:]
            return False
        self._begun = True
        zeros = len(data) - len(body)
        if not body:
            return False  # nothing at all, or nothing but zeros
        known = len(body) < 2 or (not body[1] & 0x80 and 1 <= body[1] & 0x1F <= Unit.FILLER)
        self._foreign = zeros < 2 or body[0] != 1 or not known
        return not self._foreign

    def _unit(self, data: bytes, start: int) -> None:
        """Read the unit whose header byte is at ``start``; splits pictures where FFmpeg's parser does."""
        if start >= len(data):
            return
        kind = data[start] & 0x1F
        if kind in _SLICES:
            self._slice(data[start], data[start + 1 : start + SLICE_HEADER_BYTES])
        elif kind in _BETWEEN_PICTURES:
            self._in_picture = False
            try:
                self._parameters(kind, data[start + 1 : start + LOOKAHEAD_BYTES])
            except (BitsEndError, ValueError):
                return  # damaged; an earlier set of the same id, if any, stays in use

    def _parameters(self, kind: int, payload: bytes) -> None:
        if kind == Unit.SEQUENCE_PARAMETERS:
            number, parameters = SequenceParameters.read(payload)
            self._sequences[number] = parameters
        elif kind == Unit.PICTURE_PARAMETERS:
            reader = BitReader(payload[:16])
            number = reader.unsigned()
            self._sequence_of_picture_set[number] = reader.unsigned()

    def _slice(self, header: int, payload: bytes) -> None:
        reader = BitReader(payload)
        try:
            macroblock = reader.unsigned()
        except BitsEndError:
            return
        is_next = not self._in_picture or macroblock <= self._last_macroblock
        self._last_macroblock = macroblock
        self._in_picture = True
        if is_next:
            self._pictures += 1
            self._order.append(self._place(header, reader))

    def _place(self, header: int, reader: BitReader) -> tuple[int, int]:
        """The coded video sequence and the picture order count (clause 8.2.1.1) of a picture.

        Type 2 is the stream's order by definition. Type 1, which no camera's encoder is known to use, is
        taken for it; and a picture whose header is damaged is taken to follow the reference picture before
        it.
        """
        is_idr = header & 0x1F == Unit.IDR_SLICE
        if is_idr:
            self._sequence_number += 1
            self._reference_msb = self._reference_lsb = 0
        in_stream_order = (self._sequence_number, self._reference_msb + self._reference_lsb)
        try:
            reader.unsigned()  # slice type
            picture_set = reader.unsigned()
            sequence = self._sequences.get(self._sequence_of_picture_set.get(picture_set, -1))
            if sequence is None or sequence.order_type != 0:
                return in_stream_order
            reader.bits(2 * sequence.separate_planes + sequence.frame_number_bits)
            if not sequence.frames_only and reader.flag():
                reader.flag()  # bottom field
            if is_idr:
                reader.unsigned()
            lsb = reader.bits(sequence.order_bits)
        except BitsEndError:
            return in_stream_order
        half = 1 << (sequence.order_bits - 1)
        msb = self._reference_msb
        if lsb < self._reference_lsb and self._reference_lsb - lsb >= half:
            msb += 2 * half
        elif lsb > self._reference_lsb and lsb - self._reference_lsb > half:
            msb -= 2 * half
        if header & 0x60:  # a reference picture
            self._reference_msb, self._reference_lsb = msb, lsb
        return self._sequence_number, msb + lsb

    def _shown_at(self) -> tuple[int, ...] | None:
        by_showing = sorted(range(len(self._order)), key=self._order.__getitem__)  # stable: ties keep their order
        farthest = max((index - place for place, index in enumerate(by_showing)), default=0)
        # Farther than the standard lets a picture move, the numbers are damaged or of a kind not followed
        # here.
        if not 0 < farthest <= _MAX_REORDERED_PICTURES:
            return None
        shown_at = [0] * len(by_showing)
        for place, index in enumerate(by_showing):
            shown_at[index] = place
        return tuple(shown_at)
