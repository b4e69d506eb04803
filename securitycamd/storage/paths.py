"""The one way from a path that came from outside to a path inside the storage root."""

import errno
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from securitycamd.domain.errors import InvalidError

FIELD: Final = "file_path"
MAX_CHARACTERS: Final = 500
MAX_COMPONENT_BYTES: Final = 255
# What Python makes of bytes in a name that are no UTF-8, and JSON of half a character.
_UNDECODED: Final = re.compile("[\ud800-\udfff]")
_PERCENT_ENCODED: Final = re.compile(r"%[0-9A-Fa-f]{2}")


def _parts(relative: str) -> list[str]:
    return [part for part in relative.split("/") if part]


# In the order in which they are told.
_RULES: Final[tuple[tuple[Callable[[str], object], str], ...]] = (
    (lambda path: not path, "must not be empty"),
    (lambda path: len(path) > MAX_CHARACTERS, f"must have at most {MAX_CHARACTERS} characters"),
    (_UNDECODED.search, "must be valid UTF-8"),
    (lambda path: not path.isprintable(), "must not hold control characters"),
    (lambda path: path.startswith("/"), "must be relative to the storage root"),
    (lambda path: path.endswith("/"), "must name a file"),
    (lambda path: "\\" in path, "must not hold backslashes"),
    (lambda path: ":" in path, "must not hold colons"),
    (_PERCENT_ENCODED.search, "must not be percent-encoded"),
    (
        lambda path: any(part.startswith(".") for part in _parts(path)),
        "must not hold '.', '..' or hidden names",
    ),
    (
        lambda path: any(part.startswith("-") for part in _parts(path)),
        "must not hold names that start with a dash",
    ),
    (
        lambda path: any(len(part.encode()) > MAX_COMPONENT_BYTES for part in _parts(path)),
        f"must not hold names over {MAX_COMPONENT_BYTES} bytes",
    ),
)


def check_relative(relative: str) -> PurePosixPath:
    """Judge a path by its letters alone; touches no disk.

    Refused are: an empty or too long path, an absolute one, ``.`` and ``..``, any other hidden name (the
    daemon's own marker and temporaries are), backslashes, percent-encoding, what cannot be printed or
    encoded, and names that FFmpeg would read as an option (``-y``) or a protocol (``concat:``). Nothing is
    normalised, but that doubled slashes count as one.

    Raises:
        InvalidError: with the reason, for ``file_path``.
    """
    for is_broken, reason in _RULES:
        if is_broken(relative):
            raise InvalidError(FIELD, reason)
    return PurePosixPath(*_parts(relative))


def printable(path: str) -> str:
    """A path from the disk as it can be shown: what no terminal or page should get as it is, is spelled out."""
    return "".join(letter if letter.isprintable() else _spelled(letter) for letter in path)


def _spelled(letter: str) -> str:
    # A lone surrogate stands for the byte that was no UTF-8.
    letter = _UNDECODED.sub(lambda found: chr(ord(found[0]) & 0xFF), letter)
    return letter.encode("unicode_escape").decode()


def resolve_inside(root: Path, relative: str) -> Path:
    """The absolute path of ``relative`` inside ``root``, with all symbolic links followed. Blocking.

    Neither needs to exist. ``root`` itself may be a link.

    Raises:
        InvalidError: ``relative`` is refused by :func:`check_relative`, or leads out of the root by a link.
    """
    real_root, parts = resolve_parts(root, relative)
    return real_root.joinpath(*parts)


def resolve_parts(root: Path, relative: str) -> tuple[Path, tuple[str, ...]]:
    """Like :func:`resolve_inside`: the root with its links followed, and the names from there to the file."""
    path = check_relative(relative)
    try:
        real_root = root.resolve()
        real = (real_root / path).resolve()
    except (OSError, RuntimeError) as error:  # a loop of links; RuntimeError up to Python 3.12
        # EINVAL: a link became something else while it was followed.
        if isinstance(error, OSError) and error.errno not in {errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL}:
            raise
        raise InvalidError(FIELD, "leads nowhere") from error
    if real_root not in real.parents:
        raise InvalidError(FIELD, "leads out of the storage root")
    return real_root, real.relative_to(real_root).parts
