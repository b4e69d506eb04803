"""Looks at files under the storage root. All of it blocks and is called by ``Files`` in its threads.

That a file is not there is only said of the right storage: an empty mount point proves nothing.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.names import is_camera_id
from securitycamd.storage.folders import Anchor

# Not there, a file, a link.
_NO_FOLDER: Final = (FileNotFoundError, NotADirectoryError, InvalidError)


class Entry(NamedTuple):
    """A regular file in a folder; ``modified_at`` in seconds of the epoch."""

    name: str
    size_bytes: int
    modified_at: float


def size(anchor: Anchor, relative: str) -> int | None:
    """The length in bytes; ``None`` when there is no such file."""
    found = _size(anchor, relative)
    if found is None:
        confirm_absence(anchor, [relative])
    return found


def _size(anchor: Anchor, relative: str) -> int | None:
    path = anchor.resolve(relative)
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def locate(anchor: Anchor, relative: str) -> Path | None:
    """Where the file is; ``None`` when there is no such file."""
    path = anchor.resolve(relative)
    if path.is_file():
        return path
    confirm_absence(anchor, [relative])
    return None


def read(anchor: Anchor, relative: str, limit_bytes: int) -> bytes | None:
    """At most so much of the file's content; ``None`` when there is no such file."""
    try:
        with anchor.resolve(relative).open("rb") as file:
            return file.read(limit_bytes)
    except (FileNotFoundError, NotADirectoryError):
        confirm_absence(anchor, [relative])
        return None


def each_size(anchor: Anchor, relatives: Sequence[str]) -> dict[str, int]:
    """The lengths of those that are there; a path that is refused counts as not there."""
    sizes, absent = {}, []
    for relative in relatives:
        with suppress(InvalidError):
            found = _size(anchor, relative)
            if found is None:
                absent.append(relative)
            else:
                sizes[relative] = found
    confirm_absence(anchor, absent)
    return sizes


def confirm_absence(anchor: Anchor, relatives: Sequence[str]) -> None:
    """Look whether the folders in which these are not are those in which they would be.

    Raises:
        StorageLostError: they are not.
    """
    if anchor.gate is None or not relatives:
        return
    cameras = {parts[:1] for _, parts in (anchor.resolve_parts(one) for one in relatives) if parts[1:]}
    for names in cameras or {()}:
        with suppress(*_NO_FOLDER), anchor.open_folder(*names, for_change=False):
            pass


def camera_folders(anchor: Anchor) -> list[str]:
    """The cameras that have a folder; those reached by a link do not count."""
    with anchor.open_root() as root:
        return [name for name in _subfolders(root) if is_camera_id(name)]


def subfolders(anchor: Anchor, *names: str) -> list[str]:
    """The folders in a folder; none when it is not there, or may not be read."""
    with suppress(PermissionError, *_NO_FOLDER), anchor.open_folder(*names, for_change=False) as folder:
        return _subfolders(folder)
    return []


def _subfolders(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))


def entries(anchor: Anchor, names: Sequence[str], wanted: Callable[[str], bool]) -> Iterator[Entry | None]:
    """The files with a wanted name in a folder, ``None`` for whatever else is there; blocks at each step.

    A folder that is not there, or a link, is empty.
    """
    with (
        suppress(*_NO_FOLDER),
        anchor.open_folder(*names, for_change=False) as folder,
        os.scandir(folder) as found,
    ):
        for entry in found:
            yield _entry(entry) if wanted(entry.name) else None


def _entry(entry: os.DirEntry[str]) -> Entry | None:
    if not entry.is_file(follow_symlinks=False):
        return None
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # removed while we walk
        return None
    return Entry(entry.name, found.st_size, found.st_mtime)
