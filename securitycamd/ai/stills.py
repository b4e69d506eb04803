"""Stills made ready for a vision model: decoded whole, scaled down, re-encoded without metadata.

The AI server answers 200, with a confident description, to a JPEG that was cut short while it was copied.
So whether a still is whole is decided here, before it is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile

from securitycamd.domain.errors import AnalysisError
from securitycamd.domain.names import StillNote

# Half of a 1080p still's width: the JPEG decoder scales by powers of two as it decodes, so these stills come
# out at the right size at a quarter of the work. Vision models scale down further by themselves.
LONGEST_SIDE: Final = 960
QUALITY: Final = 85

MAX_STILL_BYTES: Final = 32 * 1024 * 1024
MAX_STILL_PIXELS: Final = 50_000_000
"""About 8K by 6K: more than any camera here has, and 150 MB when decoded, which a Pi can still afford."""

# A picture is black when hardly a pixel is brighter than a sensor's noise in the dark; a lamp far away is more.
_DARK_LEVEL: Final = 24
_BRIGHT_SHARE: Final = 0.002
# Pictures are the same when no field of this grid differs by more than noise and compression leave of it. A field is
# 16 pixels of a half-size 1080p still: what moves is larger, or darkens its field by more.
_GRID: Final = (60, 34)
_SAME_LEVELS: Final = 2

_SOME: Final = "A still"
_UNREADABLE: Final = "cannot be decoded: it is damaged or not a JPEG picture."
_CUT_SHORT: Final = "is cut short: the file ends before its picture does."
_TOO_LARGE: Final = "is too large to be looked at."
_END_OF_IMAGE: Final = b"\xff\xd9"
_PADDING: Final = b"\0"
_START_OF_IMAGE: Final = b"\xff\xd8"
_START_OF_SCAN: Final = 0xDA
# EXIF, colour profiles, further pictures, comments. APP0 (JFIF) and APP14 (Adobe) stay: they say how colours
# are coded.
_METADATA: Final = frozenset({0xFE, *range(0xE1, 0xF0)} - {0xEE})


@dataclass(frozen=True, slots=True)
class PreparedStills:
    """What is sent to the vision model, and what is odd about the stills it was made from."""

    pictures: tuple[bytes, ...]
    """JPEG files, in order; none when nothing can be seen in any still."""
    notes: tuple[StillNote, ...]

    @property
    def are_identical(self) -> bool:
        """Whether two stills showed the same, so that one is sent."""
        return StillNote.IDENTICAL in self.notes


def prepare_stills(
    stills: Sequence[bytes], *, longest_side: int = LONGEST_SIDE, quality: int = QUALITY
) -> PreparedStills:
    """Make an event's one or two stills ready. Black ones are not sent, nor the second of two that are the same.

    Raises:
        AnalysisError: as :func:`prepare_still`, of any of them.
    """
    # Of one alone nobody here knows which it is.
    names = ("Still A", "Still B") if len(stills) > 1 else (_SOME,)
    decoded = [_decoded(still, longest_side, name) for name, still in zip(names, stills, strict=True)]
    grey = [picture.convert("L") for picture in decoded]
    black = [_is_black(picture) for picture in grey]
    notes = [] if len(stills) > 1 else [StillNote.SINGLE]
    notes += [note for note, is_black in zip((StillNote.BLACK_A, StillNote.BLACK_B), black, strict=False) if is_black]
    sent = [picture for picture, is_black in zip(decoded, black, strict=True) if not is_black]
    # Of two black ones the noise says nothing.
    if len(sent) > 1 and _are_same(*grey[:2]):
        notes.append(StillNote.IDENTICAL)
        sent = sent[:1]
    return PreparedStills(tuple(_encoded(picture, quality) for picture in sent), tuple(notes))


def prepare_still(data: bytes, *, longest_side: int = LONGEST_SIDE, quality: int = QUALITY) -> bytes:
    """Decode a JPEG still whole and encode it anew, smaller and without EXIF.

    Takes some 20 ms for a 1080p still and blocks: call it in a thread.

    Args:
        data: the file's content.
        longest_side: pixels that neither side of the result exceeds; a smaller picture is not enlarged.
        quality: JPEG quality of the result, 1 to 95.

    Raises:
        AnalysisError: not a JPEG, damaged, cut short, or too large.
    """
    return _encoded(_decoded(data, longest_side), quality)


def _decoded(data: bytes, longest_side: int, name: str = _SOME) -> Image.Image:
    if len(data) > MAX_STILL_BYTES:
        raise AnalysisError(f"{name} {_TOO_LARGE}")
    if _is_zero_filled(data):
        raise AnalysisError(f"{name} {_CUT_SHORT}")
    try:
        # The plugin itself rather than Image.open: nothing but JPEG is ever decoded, the other plugins stay
        # unloaded, and the size check below comes without a process-wide warning.
        with JpegImageFile(BytesIO(_without_metadata(data))) as picture:
            if picture.width * picture.height > MAX_STILL_PIXELS:
                raise AnalysisError(f"{name} {_TOO_LARGE}")
            picture.draft("RGB", _fitted(picture.size, longest_side))
            picture.load()
            whole = picture.convert("RGB")
        size = _fitted(whole.size, longest_side)
        if size != whole.size:
            whole = whole.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    # Pillow tells damaged input by any of these, a picture that ends early by OSError.
    except (OSError, SyntaxError, ValueError) as error:
        cut_short = isinstance(error, OSError) and "truncated" in str(error)
        raise AnalysisError(f"{name} {_CUT_SHORT if cut_short else _UNREADABLE}") from error
    return whole


def _encoded(picture: Image.Image, quality: int) -> bytes:
    result = BytesIO()
    picture.save(result, format="JPEG", quality=quality)
    return result.getvalue()


def _is_black(grey: Image.Image) -> bool:
    return sum(grey.histogram()[_DARK_LEVEL:]) < _BRIGHT_SHARE * grey.width * grey.height


def _are_same(first: Image.Image, second: Image.Image) -> bool:
    if first.size != second.size:
        return False
    fields = [picture.resize(_GRID, Image.Resampling.BOX) for picture in (first, second)]
    extremes = ImageChops.difference(*fields).getextrema()
    return max(level for level in extremes if isinstance(level, int | float)) <= _SAME_LEVELS


def _is_zero_filled(data: bytes) -> bool:
    # A file that a share allocated in full but filled in part ends in zeros, which decode without complaint.
    content = data.rstrip(_PADDING)
    return len(content) < len(data) and not content.endswith(_END_OF_IMAGE)


def _without_metadata(data: bytes) -> bytes:
    # Dropped before the decoder sees it: EXIF holds places and serial numbers, and damaged EXIF in a sound
    # picture makes Pillow warn. What is not laid out as expected stays as it is, for the decoder to judge.
    kept = [data[:2]]
    position = len(_START_OF_IMAGE)
    while data.startswith(b"\xff", position) and len(data) >= position + 4:
        marker = data[position + 1]
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        if marker == _START_OF_SCAN or end > len(data):
            break
        if marker not in _METADATA:
            kept.append(data[position:end])
        position = end
    kept.append(data[position:])
    return b"".join(kept)


def _fitted(size: tuple[int, int], longest_side: int) -> tuple[int, int]:
    width, height = size
    if max(size) <= longest_side:
        return size
    scale = longest_side / max(size)
    return max(1, round(width * scale)), max(1, round(height * scale))
