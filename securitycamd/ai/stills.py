"""Stills made ready for a vision model: decoded whole, scaled down, re-encoded without metadata.

The AI server answers 200, with a confident description, to a JPEG that was cut short while it was copied.
So whether a still is whole is decided here, before it is sent.
"""

from io import BytesIO
from typing import Final

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from securitycamd.domain.errors import AnalysisError

# Half of a 1080p still's width: the JPEG decoder scales by powers of two as it decodes, so these stills come
# out at the right size at a quarter of the work. Vision models scale down further by themselves.
LONGEST_SIDE: Final = 960
QUALITY: Final = 85

MAX_STILL_BYTES: Final = 32 * 1024 * 1024
MAX_STILL_PIXELS: Final = 50_000_000
"""About 8K by 6K: more than any camera here has, and 150 MB when decoded, which a Pi can still afford."""

_UNREADABLE: Final = "A still cannot be decoded: it is damaged or not a JPEG picture."
_CUT_SHORT: Final = "A still is cut short: the file ends before its picture does."
_TOO_LARGE: Final = "A still is too large to be looked at."
_END_OF_IMAGE: Final = b"\xff\xd9"
_PADDING: Final = b"\0"
_START_OF_IMAGE: Final = b"\xff\xd8"
_START_OF_SCAN: Final = 0xDA
# EXIF, colour profiles, further pictures, comments. APP0 (JFIF) and APP14 (Adobe) stay: they say how colours
# are coded.
_METADATA: Final = frozenset({0xFE, *range(0xE1, 0xF0)} - {0xEE})


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
    if len(data) > MAX_STILL_BYTES:
        raise AnalysisError(_TOO_LARGE)
    if _is_zero_filled(data):
        raise AnalysisError(_CUT_SHORT)
    try:
        # The plugin itself rather than Image.open: nothing but JPEG is ever decoded, the other plugins stay
        # unloaded, and the size check below comes without a process-wide warning.
        with JpegImageFile(BytesIO(_without_metadata(data))) as picture:
            if picture.width * picture.height > MAX_STILL_PIXELS:
                raise AnalysisError(_TOO_LARGE)
            picture.draft("RGB", _fitted(picture.size, longest_side))
            picture.load()
            whole = picture.convert("RGB")
        size = _fitted(whole.size, longest_side)
        if size != whole.size:
            whole = whole.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        result = BytesIO()
        whole.save(result, format="JPEG", quality=quality)
    # Pillow tells damaged input by any of these, a picture that ends early by OSError.
    except (OSError, SyntaxError, ValueError) as error:
        cut_short = isinstance(error, OSError) and "truncated" in str(error)
        raise AnalysisError(_CUT_SHORT if cut_short else _UNREADABLE) from error
    return result.getvalue()


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
