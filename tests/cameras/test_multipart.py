"""Pictures out of a stream, however it is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.cameras.multipart import BROKEN_IN_A_ROW, HEAD_LIMIT_BYTES, PictureParser, boundary_of
from securitycamd.domain.errors import CameraUnavailableError
from tests.cameras.scripted import part, picture

LIMIT = 10_000


def parse(data: bytes, step: int = 1 << 20, *, boundary: bytes | None = b"FRAME", limit: int = LIMIT) -> list[bytes]:
    parser = PictureParser(boundary, limit)
    return [found for at in range(0, len(data), step) for found in parser.feed(data[at : at + step])]


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/x-mixed-replace; boundary=FRAME", b"FRAME"),
        ("multipart/x-mixed-replace;boundary=--FRAME", b"FRAME"),
        ('multipart/x-mixed-replace; Boundary="a frame"; x=y', b"a frame"),
        ("multipart/x-mixed-replace", None),
        ("multipart/x-mixed-replace; boundary=--", None),
    ],
)
def test_the_boundary(content_type: str, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=6), st.integers(1, 5000))
def test_pieces_of_any_size(sizes: list[int], step: int) -> None:
    pictures = [picture(number, size) for number, size in enumerate(sizes)]
    assert parse(b"".join(part(each) for each in pictures), step) == pictures


@given(st.binary(max_size=400), st.integers(1, 500))
def test_noise_before_and_between_loses_no_whole_picture_after_it(noise: bytes, step: int) -> None:
    noise = noise.replace(b"--", b"")
    data = noise + part(picture(1)) + noise + part(picture(2)) + part(picture(3))
    assert parse(data, step)[-1] == picture(3)


@given(st.binary(max_size=3000), st.integers(1, 700))
def test_whatever_comes_is_pictures_or_an_error(data: bytes, step: int) -> None:
    try:
        found = parse(b"--FRAME\r\n\r\n" + data, step)
    except CameraUnavailableError:
        return
    assert all(each.startswith(b"\xff\xd8") and each.endswith(b"\xff\xd9") for each in found)


def test_a_picture_is_given_without_waiting_for_what_follows_it() -> None:
    assert parse(part(picture(1)).removesuffix(b"\r\n")) == [picture(1)]


def test_parts_without_a_length_end_at_the_next() -> None:
    bare = [b"--FRAME\r\nContent-Type: image/jpeg\r\n\r\n" + picture(number) + b"\r\n" for number in range(3)]
    assert parse(b"".join(bare), 7) == [picture(0), picture(1)]


def test_bare_line_feeds_and_padding() -> None:
    padded = picture(1) + bytes(20)
    data = b"--FRAME\nContent-length:%d\n\n" % len(padded) + padded + b"\n"
    assert parse(data) == [picture(1)]


@pytest.mark.parametrize("lie", [1, 500, 3000, 99_999, 0])
def test_a_length_that_lies_costs_no_other_picture(lie: int) -> None:
    data = part(picture(1), length=lie) + part(picture(2)) + part(picture(3)) + part(picture(4))
    found = parse(data, 100)
    assert found[-1] == picture(4)
    assert picture(3) in found


def test_a_picture_cut_short_is_passed_over() -> None:
    parser = PictureParser(b"FRAME", LIMIT)
    cut = part(picture(1))[:900]
    assert list(parser.feed(cut + part(picture(2)) + part(picture(3)) + part(picture(4)))) == [
        picture(2),
        picture(3),
        picture(4),
    ]
    assert parser.broken == 1


def test_the_boundary_is_learned_where_none_is_named() -> None:
    assert parse(b"\r\n" + part(picture(1)) + part(picture(2)), boundary=None) == [picture(1), picture(2)]


@pytest.mark.parametrize(
    "data",
    [
        b"x" * (LIMIT + HEAD_LIMIT_BYTES + 1),  # no boundary at all
        b"--FRAME\r\nContent-Length: 999999\r\n\r\n" + b"\xff\xd8" + bytes(LIMIT + HEAD_LIMIT_BYTES + 100),  # too large
        part(b"no picture") * (BROKEN_IN_A_ROW + 2),
        (b"--FRAME\r\nX: " + b"y" * (HEAD_LIMIT_BYTES + 10)) * 3,
    ],
    ids=["noise", "too large", "no pictures", "no heads"],
)
@pytest.mark.parametrize("boundary", [b"FRAME", None])
def test_what_is_no_stream_of_pictures_ends_and_is_not_kept(data: bytes, boundary: bytes | None) -> None:
    parser = PictureParser(boundary, LIMIT)
    kept: list[int] = []

    def feed() -> None:
        for at in range(0, len(data) * 4, 300):
            assert not list(parser.feed((data * 4)[at : at + 300]))
            kept.append(len(parser._buffer))

    with pytest.raises(CameraUnavailableError):
        feed()
    assert max(kept) <= LIMIT + HEAD_LIMIT_BYTES + 300
