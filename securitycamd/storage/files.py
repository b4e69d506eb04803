"""The files under the storage root, each call in the bounded pool."""

import asyncio
import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import structlog

from securitycamd.domain.errors import ConflictError, InvalidError, StorageUnavailableError
from securitycamd.domain.names import CAMERA_ID_PATTERN
from securitycamd.storage.paths import FIELD, resolve_inside
from securitycamd.storage.threads import FileThreads

_log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

KINDS: Final = ("pictures", "videos", "thumbs")
"""The folders of a camera."""

# One call of the pool looks at this many files: far below its time-out, also over a slow network.
STEP_FILES: Final = 200
# A rest between the steps of a walk, so that a walk over a million files leaves the disk to the cameras.
PACE_SECONDS: Final = 0.01
_CAMERA_ID: Final = re.compile(CAMERA_ID_PATTERN)
# Ours are hidden and carry digits of their owner and random ones. Agents write <name>.tmp, which is theirs.
_TEMPORARY: Final = re.compile(r"^\..+\.([0-9a-f]{16})[0-9a-f]{8}\.tmp$", re.DOTALL)
_TEMPORARY_STEM_BYTES: Final = 200
# Agents write as another user of the same group; new files shall belong to that group.
_FOLDER_MODE: Final = 0o2775
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
# What says something of one file; all other failures say something of the storage.
_ABOUT_ONE_FILE: Final = (
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)


@dataclass(frozen=True, slots=True)
class Usage:
    """How much there is."""

    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system that holds the storage root; ``free_bytes`` is what we may write."""

    total_bytes: int
    free_bytes: int


class Files:
    """File calls under ``root``, at most ``threads`` at a time.

    Every method raises :class:`StorageUnavailableError` when the storage gives no answer within
    ``timeout_seconds``, fails, or is known not to answer, and :class:`InvalidError` for a path that does not
    stay inside the root. A call that was given up may still take effect when the storage comes back.
    """

    def __init__(self, root: Path, threads: int, timeout_seconds: float, *, owner: str | None = None) -> None:
        self.root = root
        self._owner = owner or secrets.token_hex(8)
        self._threads = FileThreads(threads, timeout_seconds=timeout_seconds)

    @property
    def hung(self) -> int:
        """How many threads are stuck in a call past its time-out."""
        return self._threads.hung

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that touches the storage; see :meth:`FileThreads.run`.

        Raises:
            OSError: about one file (missing, there already, no permission, a folder); of other kinds it
                becomes :class:`StorageUnavailableError`.
        """
        try:
            return await self._threads.run(function, *args, **kwargs)
        except _ABOUT_ONE_FILE:
            raise
        except OSError as error:
            _log.warning("The storage fails.", call=getattr(function, "__name__", ""), reason=error.strerror)
            raise StorageUnavailableError from error

    def close(self) -> None:
        """Take no more calls; waits for nothing, least of all a hung mount."""
        self._threads.close()

    async def prepare(self) -> None:
        """Make the root, if it is not there."""
        await self._run_on_root(_make_folder, self.root, parents=True)

    async def make_camera_folders(self, camera_id: str) -> None:
        """Make ``<root>/<camera_id>/{pictures,videos,thumbs}`` for the agent to write to.

        Raises:
            InvalidError: that is no camera id.
        """
        if not _CAMERA_ID.fullmatch(camera_id):
            raise InvalidError("camera_id", "must be 1 to 50 letters, digits and underscores")
        await self._run_on_root(_make_camera_folders, self.root, camera_id)

    async def exists(self, relative: str) -> bool:
        """Whether the file is there."""
        return await self.size(relative) is not None

    async def size(self, relative: str) -> int | None:
        """The file's length in bytes; ``None`` when there is no such file."""
        return await self.run(_size, self.root, relative)

    async def locate(self, relative: str) -> Path | None:
        """Where the file is; ``None`` when there is no such file."""
        return await self.run(_locate, self.root, relative)

    async def read(self, relative: str, *, limit_bytes: int) -> bytes | None:
        """The file's content, at most ``limit_bytes`` of it; ``None`` when there is no such file."""
        return await self.run(_read, self.root, relative, limit_bytes)

    async def each_size(self, relatives: Sequence[str]) -> dict[str, int]:
        """The lengths in bytes of those of the files that are there."""
        return await self.run(_each_size, self.root, relatives)

    async def sizes(self, relatives: Sequence[str]) -> Usage:
        """How many of the files are there, and their bytes. A path that is refused counts as not there."""
        total = Usage(0, 0)
        for start in range(0, len(relatives), STEP_FILES):
            step = await self.run(_sizes, self.root, relatives[start : start + STEP_FILES])
            total = Usage(total.files + step.files, total.size_bytes + step.size_bytes)
        return total

    async def temporary_for(self, relative: str) -> Path:
        """A new hidden name in the folder of ``relative``, to write to and then :meth:`publish`."""
        final = await self.run(resolve_inside, self.root, relative)
        stem = os.fsdecode(os.fsencode(final.name)[:_TEMPORARY_STEM_BYTES])
        return final.with_name(f".{stem}.{self._owner}{secrets.token_hex(4)}.tmp")

    async def publish(self, temporary: Path, final_relative: str, *, replace: bool = False) -> None:
        """Give a finished file its name, so that it is there whole and for good, or not at all.

        The file, and after the renaming its folder, are synced to the disk.

        Args:
            temporary: from :meth:`temporary_for`.
            final_relative: its name to be.
            replace: whether a file of that name may be replaced.

        Raises:
            ConflictError: it may not, and there is one; ``temporary`` stays.
            FileNotFoundError: ``temporary`` is not there.
        """
        await self.run(_publish, temporary, self.root, final_relative, replace=replace)

    async def remove(self, relative: str) -> bool:
        """Remove the file, for good; whether it was there."""
        return await self.run(_remove, self.root, relative)

    async def sweep_temporaries(self, older_than_seconds: float, *, owner: str | None = None) -> int:
        """Remove the temporaries that a crash of ours left behind; how many. Agents' ``<name>.tmp`` stay.

        Several daemons may share the root: those of one ``owner``, or of all of them (``None``).
        """
        before = time.time() - older_than_seconds
        removed = 0
        for camera_id in await self._cameras():
            for kind in KINDS:
                walk = _entries(self.root / camera_id / kind)
                while step := await self.run(_step, walk):
                    removed += await self.run(_remove_old_temporaries, step, before, owner)
                    await asyncio.sleep(PACE_SECONDS)
        return removed

    async def usage(self) -> dict[str, Usage]:
        """Files and bytes of each camera that has a folder. Walks slowly: the disk is the cameras'."""
        found = {}
        for camera_id in await self._cameras():
            files = size_bytes = 0
            walk = _files_below(self.root / camera_id)
            while step := await self.run(_step, walk):
                files += len(step)
                size_bytes += await self.run(_bytes_of, step)
                await asyncio.sleep(PACE_SECONDS)
            found[camera_id] = Usage(files, size_bytes)
        return found

    async def disk(self) -> Disk:
        """The size of the file system and what is free on it."""
        return await self._run_on_root(_disk, self.root)

    async def _cameras(self) -> list[str]:
        return await self._run_on_root(_camera_folders, self.root)

    async def _run_on_root(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Like :meth:`run`, for calls in which a missing or forbidden folder is the storage's trouble."""
        try:
            return await self.run(function, *args, **kwargs)
        except OSError as error:
            _log.warning("The storage root cannot be used.", root=str(self.root), reason=error.strerror)
            raise StorageUnavailableError from error


def _make_folder(folder: Path, *, parents: bool = False) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=parents)
        # Not through mkdir, whose mode the umask cuts. Some network shares have no modes to change.
        with contextlib.suppress(OSError):
            folder.chmod(_FOLDER_MODE)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "a file is in the place of a folder")


def _make_camera_folders(root: Path, camera_id: str) -> None:
    for relative in (camera_id, *(f"{camera_id}/{kind}" for kind in KINDS)):
        _make_folder(resolve_inside(root, relative))


def _size(root: Path, relative: str) -> int | None:
    path = resolve_inside(root, relative)
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _locate(root: Path, relative: str) -> Path | None:
    path = resolve_inside(root, relative)
    return path if path.is_file() else None


def _read(root: Path, relative: str, limit_bytes: int) -> bytes | None:
    try:
        with resolve_inside(root, relative).open("rb") as file:
            return file.read(limit_bytes)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _each_size(root: Path, relatives: Sequence[str]) -> dict[str, int]:
    sizes = {}
    for relative in relatives:
        try:
            size = _size(root, relative)
        except InvalidError:
            continue
        if size is not None:
            sizes[relative] = size
    return sizes


def _sizes(root: Path, relatives: Sequence[str]) -> Usage:
    sizes = []
    for relative in relatives:
        with contextlib.suppress(InvalidError):
            sizes.append(_size(root, relative))
    there = [size for size in sizes if size is not None]
    return Usage(len(there), sum(there))


def _publish(temporary: Path, root: Path, final_relative: str, *, replace: bool) -> None:
    final = resolve_inside(root, final_relative)
    if temporary.resolve().parent != final.parent or not _TEMPORARY.match(temporary.name):
        raise InvalidError(FIELD, "is published from a temporary in the same folder")
    _sync(temporary)
    if replace:
        temporary.replace(final)
    else:
        _rename_if_free(temporary, final)
    _sync(final.parent)


def _rename_if_free(temporary: Path, final: Path) -> None:
    """Rename, but never over another file. A hard link is how POSIX does that in one step."""
    try:
        final.hardlink_to(temporary)
    except FileExistsError:
        raise ConflictError("A file of that name is there already.") from None
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # vfat, some network shares: the next best, with a gap that only another writer of the same name could
        # use.
        if final.exists():
            raise ConflictError("A file of that name is there already.") from None
        temporary.rename(final)
    else:
        temporary.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network shares cannot sync a folder; their server does it, or nobody can.
        if error.errno not in {errno.EINVAL, errno.EBADF} or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def _remove(root: Path, relative: str) -> bool:
    path = resolve_inside(root, relative)
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except IsADirectoryError:
        raise InvalidError(FIELD, "names a folder") from None
    _sync(path.parent)
    return True


def _camera_folders(root: Path) -> list[str]:
    with os.scandir(root) as entries:
        return sorted(
            entry.name
            for entry in entries
            if _CAMERA_ID.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        )


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The files in ``folder``; none when it is not there. Blocking at each step."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return  # removed while we walk


def _files_below(camera_folder: Path) -> Iterator[os.DirEntry[str]]:
    """The files of a camera: in its folder, and in the folders there. Nobody writes deeper ones."""
    yield from _entries(camera_folder)
    folders = []
    with contextlib.suppress(FileNotFoundError), os.scandir(camera_folder) as entries:
        folders = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    for folder in folders:
        yield from _entries(folder)


def _step(walk: Iterator[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
    return list(islice(walk, STEP_FILES))


def _bytes_of(entries: Sequence[os.DirEntry[str]]) -> int:
    total = 0
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):
            total += entry.stat(follow_symlinks=False).st_size
    return total


def _remove_old_temporaries(entries: Sequence[os.DirEntry[str]], before: float, owner: str | None) -> int:
    removed = 0
    for entry in entries:
        name = _TEMPORARY.match(entry.name)
        if name is not None and owner in {None, name[1]}:
            with contextlib.suppress(FileNotFoundError):
                if entry.stat(follow_symlinks=False).st_mtime <= before:
                    Path(entry.path).unlink()
                    removed += 1
    return removed


def _disk(root: Path) -> Disk:
    numbers = os.statvfs(root)
    return Disk(numbers.f_blocks * numbers.f_frsize, numbers.f_bavail * numbers.f_frsize)
