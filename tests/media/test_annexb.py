import subprocess
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securitycamd.domain.clips import ClipFault
from securitycamd.media.annexb import StreamFacts, StreamScanner
from securitycamd.media.bits import BitReader, BitsEndError
from tests.footage import Footage, slice_starts, units


def scan(stream: bytes, *cuts: int) -> StreamFacts:
    """The facts of ``stream``, fed in pieces cut at ``cuts``."""
    scanner = StreamScanner()
    for start, end in pairwise([0, *sorted(cuts), len(stream)]):
        scanner.feed(stream[start:end])
    return scanner.finish()


def golomb(number: int) -> str:
    binary = f"{number + 1:b}"
    return "0" * (len(binary) - 1) + binary


@given(st.lists(st.integers(0, 2**32 - 2), min_size=1, max_size=8))
def test_golomb_numbers_are_read_as_written(numbers: list[int]) -> None:
    text = "".join(map(golomb, numbers)) + "1"
    text += "0" * (-len(text) % 8)
    raw = int(text, 2).to_bytes(len(text) // 8, "big")
    escaped = bytearray()
    for byte in raw:
        if byte <= 3 and escaped.endswith(b"\x00\x00"):
            escaped.append(3)
        escaped.append(byte)
    reader = BitReader(bytes(escaped))
    assert [reader.unsigned() for _ in numbers] == numbers


@given(st.binary(max_size=40))
def test_headers_of_garbage_end(garbage: bytes) -> None:
    reader = BitReader(garbage)

    def read_on() -> None:
        for _ in range(len(garbage) * 8 + 1):
            reader.signed()

    with pytest.raises(BitsEndError):
        read_on()


@pytest.mark.parametrize(("number", "signed"), [(0, 0), (1, 1), (2, -1), (3, 2), (4, -2)])
def test_signed_numbers(number: int, signed: int) -> None:
    assert BitReader(int(golomb(number).ljust(8, "0"), 2).to_bytes(1, "big")).signed() == signed


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_pictures_are_counted(footage: Footage, profile: str, slices: int) -> None:
    facts = scan(footage.clip(profile=profile, slices=slices).read_bytes())  # type: ignore[arg-type]
    assert (facts.fault, facts.pictures, facts.has_tail, facts.shown_at) == (None, 30, False, None)


def test_order_of_showing_is_that_of_the_decoder(footage: Footage) -> None:
    path = footage.clip(profile="high", b_frames=3, seconds=3, extra=":b-pyramid=normal:b-adapt=0")
    facts = scan(path.read_bytes())
    # The decoder's own word: it shows pictures in order and tells where in the stream each one stood.
    command = [
        "ffprobe",
        "-v",
        "error",
        "-f",
        "h264",
        "-show_entries",
        "frame=coded_picture_number",
        "-of",
        "csv=p=0",
    ]
    told = subprocess.run([*command, str(path)], check=True, capture_output=True, text=True).stdout.split()
    coded = [int(line.strip(",")) for line in told]
    assert facts.shown_at is not None
    # The decoder counts anew at each key frame of the kind that clears everything.
    key_frames = [
        index
        for index, (_, kind) in enumerate([unit for unit in units(path.read_bytes()) if unit[1] in {1, 5}])
        if kind == 5
    ]
    expected = [0] * 45
    for place, number in enumerate(coded):
        base = max(k for k in key_frames if k <= place)
        expected[base + number if number < base else number] = place
    assert list(facts.shown_at) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_pieces_do_not_matter(footage: Footage, data: st.DataObject) -> None:
    stream = footage.clip(profile="high", b_frames=2, slices=2, seconds=0.5, size="160x96").read_bytes()
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    assert scan(stream, *cuts) == scan(stream)
    assert scan(stream).pictures == 8


@given(garbage=st.binary(max_size=3000), cut=st.integers(0, 3000))
def test_garbage_is_judged_and_the_same_in_pieces(garbage: bytes, cut: int) -> None:
    facts = scan(garbage)
    assert facts == scan(garbage, min(cut, len(garbage)))
    assert facts.size_bytes == len(garbage)
    assert facts.fault or facts.pictures


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", ClipFault.EMPTY),
        (bytes(100_000), ClipFault.CUT_SHORT),
        (b"\x00\x00\x00\x01", ClipFault.CUT_SHORT),
        (b"\x00\x00\x00\x01\x67\x42\xc0", ClipFault.CUT_SHORT),
        (b"some text\n", ClipFault.NOT_H264),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", ClipFault.NOT_H264),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00", ClipFault.NOT_H264),
        (b"\x00\x00\x01\xba\x44\x00\x04\x00", ClipFault.NOT_H264),  # MPEG program stream
        (b"\x00\x00\x00\x01\x40\x01\x0c\x01\xff\xff", ClipFault.NOT_H264),  # H.265
        (b"\x47\x40\x00\x10\x00", ClipFault.NOT_H264),  # MPEG transport stream
        (b"\x00\x00\x00\x01\x65\x88\x84\x00\x10", ClipFault.NOT_H264),  # a picture that nothing describes
    ],
)
def test_what_is_no_clip(content: bytes, fault: ClipFault) -> None:
    assert scan(content).fault == fault


def test_an_mp4_is_no_raw_stream_although_lengths_in_it_look_like_start_codes() -> None:
    assert scan(b"\x00\x00\x00\x18ftypmp42" + b"\x00\x00\x01\x67\x42\xc0\x1e" * 1000).fault == ClipFault.NOT_H264


def test_reading_on_is_not_worth_it_when_it_is_something_else() -> None:
    assert not StreamScanner().feed(b"x" * 5000)


def test_headers_after_the_last_picture(footage: Footage) -> None:
    stream = footage.clip().read_bytes()
    headers = stream[: slice_starts(stream)[0]]
    facts = scan(stream + headers)
    assert (facts.pictures, facts.has_tail) == (30, True)


def test_damaged_order_numbers_fall_back_to_the_order_of_the_stream(footage: Footage) -> None:
    path = footage.clip(profile="high", b_frames=2, seconds=4, frames_per_second=30)
    stream = path.read_bytes()
    assert scan(stream).shown_at is not None
    # Without the second key frame's mark its numbers start anew in the middle of a sequence.
    starts = [place for place, kind in units(stream) if kind == 5]
    broken = bytearray(stream)
    for place in starts[1:]:
        broken[place + 3] = broken[place + 3] & 0xE0 | 1
    facts = scan(bytes(broken))
    assert facts.pictures == 120
    assert facts.shown_at is None
