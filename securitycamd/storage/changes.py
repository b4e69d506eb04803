"""Changes to files under the storage root. All of it blocks and is called by ``Files`` in its threads."""

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from securitycamd.domain.errors import InvalidError
from securitycamd.storage.folders import (
    Anchor,
    open_file,
    rename_if_free,
    stat_below,
    sync_folder,
)
from securitycamd.storage.looks import Entry
from securitycamd.storage.paths import FIELD

# Ours are hidden and carry digits of their owner and random ones. Agents write <name>.tmp, which is theirs.
TEMPORARY: Final = re.compile(r"^\..+\.([0-9a-f]{16})[0-9a-f]{8}\.tmp$", re.DOTALL)
TEMPORARY_STEM_BYTES: Final = 200


def hidden_stem(name: str) -> str:
    """The start of a hidden name made from a file's; short enough for more to follow."""
    return f".{os.fsdecode(os.fsencode(name)[:TEMPORARY_STEM_BYTES])}"


def make_camera_folders(anchor: Anchor, camera_id: str, kinds: Sequence[str]) -> None:
    """Make a camera's folder and those in it."""
    for relative in (camera_id, *(f"{camera_id}/{kind}" for kind in kinds)):
        _, names = anchor.resolve_parts(relative)
        with anchor.open_folder(*names, make=True):
            pass


def prepare_temporary(anchor: Anchor, relative: str) -> Path:
    """The path of a file to be, in a storage that is the right one."""
    if anchor.gate is not None:
        with anchor.open_parent(relative):
            pass
    return anchor.resolve(relative)


def publish(anchor: Anchor, temporary: Path, final_relative: str, *, replace: bool) -> None:
    """Sync a temporary, give it its name in the same folder, sync the folder."""
    final = anchor.resolve(final_relative)
    if temporary.resolve().parent != final.parent or not TEMPORARY.match(temporary.name):
        raise InvalidError(FIELD, "is published from a temporary in the same folder")
    with anchor.open_parent(final_relative) as (folder, name):
        with open_file(folder, temporary.name, os.O_RDONLY) as descriptor:
            os.fsync(descriptor)
        if replace:
            os.rename(temporary.name, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            rename_if_free(folder, temporary.name, name)
        sync_folder(folder)


def remove(anchor: Anchor, relative: str) -> bool:
    """Remove the file, for good; whether it was there."""
    try:
        with anchor.open_parent(relative) as (folder, name):
            os.unlink(name, dir_fd=folder)
            sync_folder(folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except IsADirectoryError:
        raise InvalidError(FIELD, "names a folder") from None
    return True


def remove_some(anchor: Anchor, relatives: Sequence[str], removed: set[str]) -> set[str]:
    """Remove files, for good, each folder opened and synced once; those that are refused.

    Refused are folders, and what lies behind a link.

    Args:
        anchor: where.
        relatives: which.
        removed: gets those that were there and are gone; also when an error ends it.

    Raises:
        StorageLostError: the root, or a camera's folder, is not what it should be; some may be gone.
    """
    refused: set[str] = set()
    folders: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for relative in relatives:
        try:
            _, parts = anchor.resolve_parts(relative)
        except InvalidError:
            refused.add(relative)
        else:
            folders.setdefault(parts[:-1], []).append((parts[-1], relative))
    for names, files in folders.items():
        try:
            with anchor.open_folder(*names) as folder:
                refused |= _unlink_each(folder, files, removed)
                sync_folder(folder)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except InvalidError:
            refused |= {relative for _, relative in files}
    return refused


def _unlink_each(folder: int, files: Sequence[tuple[str, str]], removed: set[str]) -> set[str]:
    refused = set()
    for name, relative in files:
        try:
            os.unlink(name, dir_fd=folder)
            removed.add(relative)
        except FileNotFoundError:
            continue
        except IsADirectoryError:
            refused.add(relative)
    return refused


def remove_unchanged(anchor: Anchor, names: Sequence[str], files: Sequence[Entry]) -> int:
    """Remove those of a folder's files that were not written to since they were looked at; how many."""
    seen = {file.name: file.modified_at for file in files}

    def is_unchanged(folder: int, name: str) -> bool:
        found = stat_below(folder, name, regular=True)
        return found is not None and found.st_mtime == seen[name]

    return _remove_those(anchor, names, list(seen), is_unchanged)


def remove_unless_beside(anchor: Anchor, names: Sequence[str], files: Sequence[str], suffix: str) -> int:
    """Remove those of a folder's files beside which none has their name without the suffix; how many."""

    def is_alone(folder: int, name: str) -> bool:
        return stat_below(folder, name.removesuffix(suffix)) is None

    return _remove_those(anchor, names, files, is_alone)


def _remove_those(anchor: Anchor, names: Sequence[str], files: Sequence[str], which: Callable[[int, str], bool]) -> int:
    removed = 0
    no_folder = (FileNotFoundError, NotADirectoryError, PermissionError, InvalidError)
    with suppress(*no_folder), anchor.open_folder(*names) as folder:
        for name in files:
            if which(folder, name):
                # Another daemon sweeps, too; and what may not be removed must not keep the rest.
                with suppress(FileNotFoundError, PermissionError):
                    os.unlink(name, dir_fd=folder)
                    removed += 1
    return removed
