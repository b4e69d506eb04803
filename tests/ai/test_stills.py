from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from securitycamd.ai import stills
from securitycamd.ai.stills import LONGEST_SIDE, prepare_still, prepare_stills
from securitycamd.domain.errors import AnalysisError
from securitycamd.domain.names import StillNote
from tests.ai.conftest import black, jpeg

SMALL = jpeg(64, 48)
PROGRESSIVE = jpeg(64, 48, progressive=True)


def opened(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data)) as picture:
        picture.load()
        return picture


def test_a_large_still_is_scaled_to_the_longest_side() -> None:
    picture = opened(prepare_still(jpeg(1920, 1080)))
    assert picture.size == (LONGEST_SIDE, 540)
    assert picture.format == "JPEG"


@pytest.mark.parametrize(
    ("size", "expected"), [((1080, 1920), (180, 320)), ((1000, 10), (320, 3)), ((40, 30), (40, 30))]
)
def test_shape_is_kept_and_nothing_is_enlarged(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert opened(prepare_still(jpeg(*size), longest_side=320)).size == expected


def test_a_lower_quality_gives_a_smaller_file() -> None:
    assert len(prepare_still(SMALL, quality=20)) < len(prepare_still(SMALL, quality=90))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_colour_spaces_become_rgb(mode: str) -> None:
    assert opened(prepare_still(jpeg(mode=mode))).mode == "RGB"


def test_no_metadata_survives() -> None:
    exif = Image.Exif()
    exif[0x010E] = "front door of 12 Elm Street"
    data = jpeg(64, 48, exif=exif, comment=b"serial 4711", icc_profile=b"profile 4711")
    assert b"Elm Street" in data
    result = prepare_still(data)
    assert not opened(result).getexif()
    assert b"Elm Street" not in result
    assert b"4711" not in result


@pytest.mark.filterwarnings("error")
def test_damaged_exif_in_a_sound_picture_is_no_matter() -> None:
    damaged = SMALL[:2] + b"\xff\xe1\x00\x10Exif\x00\x00MM\x00*\x00\x00\x00\x00" + SMALL[2:]
    assert opened(prepare_still(damaged)).size == (64, 48)


@pytest.mark.parametrize("data", [SMALL, PROGRESSIVE], ids=["baseline", "progressive"])
@given(missing=st.integers(min_value=1))
def test_a_still_cut_short_anywhere_is_an_error(data: bytes, missing: int) -> None:
    with pytest.raises(AnalysisError):
        prepare_still(data[: -min(missing, len(data))])


def test_a_still_cut_short_is_said_to_be() -> None:
    with pytest.raises(AnalysisError, match="cut short"):
        prepare_still(SMALL[: len(SMALL) // 2])


@given(zeros=st.integers(min_value=1, max_value=len(SMALL)))
def test_a_still_whose_end_is_still_zeros_is_an_error(zeros: int) -> None:
    with pytest.raises(AnalysisError):
        prepare_still(SMALL[:-zeros] + bytes(zeros))


def test_padding_after_a_whole_still_is_no_matter() -> None:
    assert prepare_still(SMALL + bytes(100)) == prepare_still(SMALL)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"no picture at all", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_what_is_no_jpeg_is_an_error(data: bytes) -> None:
    with pytest.raises(AnalysisError, match=r"cannot be decoded|cut short"):
        prepare_still(data)


def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    # The size in the header is a lie of two bytes each; decoding it would take gigabytes.
    at = SMALL.index(b"\xff\xc0") + 5
    with pytest.raises(AnalysisError, match="too large"):
        prepare_still(SMALL[:at] + b"\xff\xff\xff\xff" + SMALL[at + 4 :])
    monkeypatch.setattr(stills, "MAX_STILL_BYTES", 100)
    with pytest.raises(AnalysisError, match="too large"):
        prepare_still(SMALL)


@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_damage_gives_a_picture_or_our_error(damage: list[tuple[int, int]]) -> None:
    data = bytearray(SMALL)
    for position, value in damage:
        data[position] = value
    # Any other exception fails the test.
    with suppress(AnalysisError):
        assert opened(prepare_still(bytes(data))).format == "JPEG"


def scene(*boxes: tuple[int, int, int, int], noise: float = 4, size: tuple[int, int] = (1920, 1080)) -> bytes:
    """A grey yard with a sensor's noise, which is another one each time, and bright boxes in it."""
    picture = ImageChops.add(Image.linear_gradient("L").resize(size), Image.effect_noise(size, noise), offset=-128)
    for box in boxes:
        picture.paste(230, box)
    result = BytesIO()
    picture.convert("RGB").save(result, format="JPEG", quality=85)
    return result.getvalue()


def test_two_views_of_a_still_yard_are_the_same_but_for_the_noise() -> None:
    prepared = prepare_stills([scene(), scene()])
    assert prepared.notes == (StillNote.IDENTICAL,)
    assert prepared.are_identical
    assert len(prepared.pictures) == 1


def test_something_small_that_moved_makes_them_differ() -> None:
    prepared = prepare_stills([scene((900, 500, 924, 540)), scene((960, 500, 984, 540))])
    assert prepared.notes == ()
    assert len(prepared.pictures) == 2


def test_stills_of_two_sizes_are_not_the_same() -> None:
    assert prepare_stills([jpeg(64, 48), jpeg(128, 96)]).notes == ()


def test_a_lamp_in_the_night_is_not_black() -> None:
    night = black()
    assert prepare_stills([night, night]).pictures == ()
    picture = opened(night)
    picture.paste((240, 240, 200), (100, 100, 115, 115))
    result = BytesIO()
    picture.save(result, format="JPEG")
    assert StillNote.BLACK_A not in prepare_stills([result.getvalue()]).notes


def test_a_damaged_still_is_an_error_beside_a_good_one() -> None:
    with pytest.raises(AnalysisError, match="cut short"):
        prepare_stills([SMALL, SMALL[: len(SMALL) // 2]])
