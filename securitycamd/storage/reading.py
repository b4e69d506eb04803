"""Files on their way out: opened, read and closed in the bounded pool, piece by piece.

The descriptor is kept from the first piece to the last, so that a clip that is optimised or removed meanwhile is sent
to its end as it was. Who closes it is settled under a lock: a read that hangs still needs it, and then closes it itself
when it returns, if ever.
"""

import errno
import os
import stat
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from securitycamd.domain.errors import InvalidError, StorageUnavailableError
from securitycamd.storage.folders import Anchor, FileCalls
from securitycamd.storage.looks import confirm_absence
from securitycamd.storage.paths import FIELD

PIECE_BYTES: Final = 256 * 1024
"""One call of the pool reads so much: a fraction of a second also from a memory card or over a slow network."""
_NO_FILE: Final = frozenset({errno.ELOOP, errno.ENXIO})
"""What opening says of a link that was not there at the look, and of a socket."""
# Non-blocking: a FIFO with a file's name must not hold the thread.
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class PoolCalls(FileCalls, Protocol):
    """What is needed of :class:`~securitycamd.storage.files.Files`."""

    def later(self, function: Callable[[], None]) -> None:
        """Run a function in the pool when there is time, and wait for nothing."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What tells one state of a file from another."""

    size_bytes: int
    modified_ns: int
    """When it was last changed, in nanoseconds of the epoch."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """``count`` bytes from ``offset`` on; none of them: the file's facts are all that is wanted."""

    offset: int = 0
    count: int = 0


class _Descriptor:
    """An open file that a thread may be stuck in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = -1
        self._busy = False
        self._closed = False

    def open(self, path: Path) -> os.stat_result:
        """Open the file; in a thread."""
        number = os.open(path, _FLAGS)
        with self._lock:
            if not self._closed:
                self._number = number
        if self._number != number:  # nobody waits for it any more
            os.close(number)
            raise StorageUnavailableError
        return os.fstat(number)

    def leads_out_of(self, root: Path) -> bool:
        """Whether what was opened lies elsewhere: a link took a folder's place after the look at the path."""
        where = Path(f"/proc/self/fd/{self._number}").readlink()
        return not where.is_relative_to(root)

    def read(self, count: int, at: int) -> bytes:
        """Read from the file; in a thread.

        Raises:
            StorageUnavailableError: it was closed.
        """
        with self._lock:
            if self._closed:
                raise StorageUnavailableError
            self._busy = True
        try:
            return os.pread(self._number, count, at)
        finally:
            if self._closed_meanwhile():
                os.close(self._number)

    def _closed_meanwhile(self) -> bool:
        with self._lock:
            self._busy = False
            return self._closed

    def close(self) -> Callable[[], None] | None:
        """Let nobody use it any more; what is then left to be done in a thread."""
        with self._lock:
            if self._closed:
                return None
            self._closed = True
            if self._busy or self._number < 0:
                return None
            number = self._number
        return partial(os.close, number)


@dataclass
class Reading:
    """A file that is being sent; from :func:`open_reading`. Used by one task, and closed by it."""

    files: PoolCalls
    facts: FileFacts
    stretch: Stretch
    _first: bytes
    _descriptor: _Descriptor = field(repr=False)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The stretch, piece by piece.

        Raises:
            StorageUnavailableError: no answer within the time of a file call, or the file is shorter now.
        """
        at, end = self.stretch.offset, self.stretch.offset + self.stretch.count
        piece, self._first = self._first, b""
        while at < end:
            if not piece:
                piece = await self.files.run(self._descriptor.read, min(PIECE_BYTES, end - at), at)
            if not piece:
                raise StorageUnavailableError("The file became shorter while it was read.")
            yield piece
            at += len(piece)
            piece = b""

    def close(self) -> None:
        """Have the file closed. Waits for nothing."""
        if (work := self._descriptor.close()) is not None:
            self.files.later(work)

    def __del__(self) -> None:
        """A response that was never sent leaks nothing either; in whatever thread this happens."""
        if (work := self._descriptor.close()) is not None:
            work()


async def open_reading(files: PoolCalls, relative: str, wanted: Callable[[FileFacts], Stretch]) -> Reading | None:
    """Open a file and read the first piece of what is wanted of it, all in one call; ``None``: there is no such file.

    Args:
        files: where.
        relative: which.
        wanted: told the file's facts in a thread, says which bytes.

    Raises:
        InvalidError: the path is refused, or leads out of the storage.
        StorageUnavailableError: as of all file calls.
    """
    descriptor = _Descriptor()
    reading: Reading | None = None
    try:
        found = await files.look(_open, relative, wanted, descriptor)
        if found is not None:
            facts, stretch, first = found
            reading = Reading(files, facts, stretch, first, descriptor)
            if len(first) >= stretch.count:
                reading.close()
        return reading
    finally:
        if reading is None and (work := descriptor.close()) is not None:
            files.later(work)


def _open(
    anchor: Anchor, relative: str, wanted: Callable[[FileFacts], Stretch], descriptor: _Descriptor
) -> tuple[FileFacts, Stretch, bytes] | None:
    root, parts = anchor.resolve_parts(relative)
    try:
        found = descriptor.open(root.joinpath(*parts))
    except (FileNotFoundError, NotADirectoryError):
        confirm_absence(anchor, [relative])
        return None
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    if descriptor.leads_out_of(root):
        raise InvalidError(FIELD, "leads out of the storage root")
    facts = FileFacts(found.st_size, found.st_mtime_ns)
    stretch = wanted(facts)
    first = descriptor.read(min(PIECE_BYTES, stretch.count), stretch.offset) if stretch.count else b""
    return facts, stretch, first
