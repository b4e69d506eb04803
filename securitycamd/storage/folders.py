"""Folders held by descriptor: what is changed is where it was looked at, wherever the name now leads.

Between a look at a path and a deletion by that path somebody may put a link in the place of a folder. So
folders are opened name by name from the root, following no link, and files are made, renamed and removed
relative to the descriptor. All of it blocks.
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

from securitycamd.domain.errors import ConflictError, InvalidError
from securitycamd.domain.names import is_camera_id
from securitycamd.storage.paths import FIELD, check_relative, resolve_parts

P = ParamSpec("P")
T = TypeVar("T")

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Non-blocking: a FIFO with a file's name must not hold the thread.
_FILE: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Agents write as another user of the same group; new folders and files shall belong to that group.
_FOLDER_MODE: Final = 0o2775
_FILE_MODE: Final = 0o664
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})


class Gate(Protocol):
    """Says whether opened folders are the ones that footage belongs in. Blocking; called in file threads."""

    def open_root(self, root: Path) -> int:
        """Open the root and return the descriptor.

        Raises:
            StorageLostError: it is not ours, or not there.
        """

    def verify_camera(self, root: int, folder: int | None, camera_id: str, *, mark: bool) -> None:
        """Look at a camera's folder (``None``: there is none); ``mark`` it when it never was.

        Raises:
            StorageLostError: it was ours once, or is another's.
        """


@dataclass(frozen=True, slots=True)
class Anchor:
    """The storage root as the blocking functions get it: where it is, and what guards it."""

    root: Path
    gate: Gate | None = None

    def resolve(self, relative: str) -> Path:
        """The absolute path of a file below the root; see :meth:`resolve_parts`. It need not exist."""
        root, parts = self.resolve_parts(relative)
        return root.joinpath(*parts)

    def resolve_parts(self, relative: str) -> tuple[Path, tuple[str, ...]]:
        """The root and the names from there to a file, all links followed; but none from one folder in it to another.

        A camera's folder that is a link to another's would have that one's pictures shown, and files sent for this
        camera written there, under the other's marker.

        Raises:
            InvalidError: the path is refused, leads out of the root or into another folder.
            StorageLostError: into another folder, from the place of a camera's that was ours.
        """
        root, parts = resolve_parts(self.root, relative)
        named = check_relative(relative).parts[0]
        if parts[0] != named:
            if self.gate is not None and is_camera_id(named):
                with self.open_root() as opened:
                    self.gate.verify_camera(opened, None, named, mark=False)
            raise InvalidError(FIELD, "leads through a link into another folder")
        return root, parts

    @contextmanager
    def open_root(self) -> Iterator[int]:
        """A descriptor of the root, verified."""
        root = os.open(self.root, _FOLDER) if self.gate is None else self.gate.open_root(self.root)
        try:
            yield root
        finally:
            os.close(root)

    @contextmanager
    def open_folder(self, *names: str, for_change: bool = True, make: bool = False) -> Iterator[int]:
        """A descriptor of the folder that these names lead to from the root; its camera's marker is verified.

        Args:
            names: none of them ``.`` or ``..``.
            for_change: whether a camera's folder that never had a marker gets one.
            make: whether folders that are not there are made.

        Raises:
            InvalidError: one of them is a link.
            FileNotFoundError, NotADirectoryError: there is no such folder.
        """
        with ExitStack() as stack:
            root = folder = stack.enter_context(self.open_root())
            for level, name in enumerate(names):
                gate = self.gate if level == 0 and is_camera_id(name) else None
                if gate is not None and not is_folder_below(root, name):
                    gate.verify_camera(root, None, name, mark=False)
                if make:
                    make_below(folder, name)
                folder = open_below(folder, name)
                stack.callback(os.close, folder)
                if gate is not None:
                    gate.verify_camera(root, folder, name, mark=for_change)
            yield folder

    @contextmanager
    def open_parent(self, relative: str, *, for_change: bool = True, make: bool = False) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder of a file, and the file's name there; see :meth:`open_folder`.

        Raises:
            InvalidError: the path is refused or leads out of the root.
        """
        _, parts = self.resolve_parts(relative)
        with self.open_folder(*parts[:-1], for_change=for_change, make=make) as folder:
            yield folder, parts[-1]


class FileCalls(Protocol):
    """What the parts of the room need of :class:`~securitycamd.storage.files.Files`."""

    root: Path

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in the bounded pool."""

    async def look(self, function: Callable[Concatenate[Anchor, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that reads."""

    async def change(self, function: Callable[Concatenate[Anchor, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that writes, if the storage is the right one."""


def open_below(folder: int, name: str) -> int:
    """Open a folder in another, if it is no link.

    Raises:
        InvalidError: it is a link, or changes while it is looked at.
        FileNotFoundError, NotADirectoryError: there is no such folder.
    """
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
            raise
    if stat_below(folder, name, regular=True) is not None:
        raise NotADirectoryError(errno.ENOTDIR, "a file is in the place of a folder")
    raise InvalidError(FIELD, "leads through a link")


@contextmanager
def folder_below(folder: int, name: str) -> Iterator[int]:
    """Like :func:`open_below`, and closed in the end."""
    descriptor = open_below(folder, name)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_folder_below(folder: int, name: str) -> bool:
    """Whether there is a folder of that name in another; a link to one is none."""
    found = stat_below(folder, name)
    return found is not None and stat.S_ISDIR(found.st_mode)


def stat_below(folder: int, name: str, *, regular: bool = False) -> os.stat_result | None:
    """What is there of that name, links not followed; ``None`` for nothing or, if asked, no regular file."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return None if regular and not stat.S_ISREG(found.st_mode) else found


@contextmanager
def open_file(folder: int, name: str, flags: int) -> Iterator[int]:
    """A descriptor of a file in the folder, opened with ``flags`` (an access mode, perhaps ``O_CREAT``).

    Raises:
        InvalidError: it is a link or no regular file.
        FileNotFoundError, FileExistsError: as the flags say.
    """
    try:
        descriptor = os.open(name, flags | _FILE, _FILE_MODE, dir_fd=folder)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.ENXIO, errno.EISDIR}:
            raise
        raise InvalidError(FIELD, "names no regular file") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidError(FIELD, "names no regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def make_root(root: Path) -> None:
    """Make the storage root, unless it is there, for the group to write to.

    Raises:
        NotADirectoryError: a file is in its place.
    """
    with suppress(FileExistsError):
        root.mkdir(parents=True)
        # See below.
        with suppress(OSError):
            root.chmod(_FOLDER_MODE)
    if not root.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "a file is in the place of a folder")


def make_below(folder: int, name: str) -> None:
    """Make a folder in another, unless it is there, for the group to write to."""
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
        # Not through mkdir, whose mode the umask cuts. Some network shares have no modes to change.
        with folder_below(folder, name) as made, suppress(OSError):
            os.fchmod(made, _FOLDER_MODE)


def sync_folder(folder: int) -> None:
    """Make the names in a folder last."""
    try:
        os.fsync(folder)
    except OSError as error:
        # Some network shares cannot sync a folder; their server does it, or nobody can.
        if error.errno not in {errno.EINVAL, errno.EBADF}:
            raise


def rename_if_free(folder: int, old: str, new: str) -> None:
    """Rename within a folder, but never over another file. A hard link is how POSIX does that in one step.

    Raises:
        ConflictError: there is one; ``old`` stays.
    """
    try:
        os.link(old, new, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        raise ConflictError("A file of that name is there already.") from None
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # vfat, some network shares: the next best, with a gap that only another writer of the same name could
        # use.
        if stat_below(folder, new) is not None:
            raise ConflictError("A file of that name is there already.") from None
        os.rename(old, new, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        os.unlink(old, dir_fd=folder)


def write_whole(folder: int, name: str, content: bytes, *, replace: bool) -> None:
    """Write a small file that is there whole and for good, or not at all.

    Raises:
        ConflictError: there is one, and it may not be replaced.
    """
    fresh = f"{name}.{secrets.token_hex(8)}.new"
    try:
        with open_file(folder, fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
            write_all(descriptor, content, at=0)
            os.fsync(descriptor)
        if replace:
            os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            rename_if_free(folder, fresh, name)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=folder)
    sync_folder(folder)


def write_all(descriptor: int, content: bytes | bytearray, *, at: int) -> None:
    """Write all of ``content`` at the offset ``at``."""
    left = memoryview(content)
    while left:
        written = os.pwrite(descriptor, left, at)
        left, at = left[written:], at + written
