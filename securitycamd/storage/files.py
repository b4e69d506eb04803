"""The files under the storage root, each call in the bounded pool, each change behind the guard."""

import asyncio
import errno
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

import structlog

from securitycamd.domain.errors import InvalidError, StorageUnavailableError
from securitycamd.domain.names import is_camera_id
from securitycamd.domain.retention import Disk
from securitycamd.storage import changes, looks
from securitycamd.storage.errors import StorageFullError, StorageLostError
from securitycamd.storage.folders import Anchor, make_root
from securitycamd.storage.guard import StorageGuard
from securitycamd.storage.looks import Entry
from securitycamd.storage.markers import CAMERA_MARKER
from securitycamd.storage.reading import FileFacts, Reading, Stretch, open_reading
from securitycamd.storage.threads import FileThreads
from securitycamd.storage.uploads import PARTIAL, PARTIAL_KEPT_SECONDS, Upload, Uploads

_log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

KINDS: Final = ("pictures", "videos", "thumbs")
"""The folders of a camera."""

# One call of the pool looks at this many files: far below its time-out, also over a slow network.
STEP_FILES: Final = 200
# Freeing a large file takes a memory card some hundredth of a second.
REMOVED_A_CALL: Final = 32
QUICK_SECONDS: Final = 1.0
# A rest between the steps of a walk, so that a walk over a million files leaves the disk to the cameras.
PACE_SECONDS: Final = 0.01
_OWNER: Final = re.compile(r"[0-9a-f]{16}")
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
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


class Files:
    """File calls under ``root``, at most ``threads`` at a time.

    Every method raises :class:`StorageUnavailableError` when the storage gives no answer within
    ``timeout_seconds``, fails, or is known not to answer, and :class:`InvalidError` for a path that does not
    stay inside the root. A call that was given up may still take effect when the storage comes back.

    With a guard attached (``files.guard = guard``) nothing is changed in a storage that is not known to be
    the right one, nor in a camera's folder that is not, and only of the right one is it said that a file is
    not there; else the methods raise :class:`StorageLostError`, which is a :class:`StorageUnavailableError`.
    """

    def __init__(self, root: Path, threads: int, timeout_seconds: float, *, owner: str | None = None) -> None:
        self.root = root
        self.guard: StorageGuard | None = None
        self._owner = owner or secrets.token_hex(8)
        if not _OWNER.fullmatch(self._owner):
            raise ValueError("an owner is 16 hexadecimal digits")
        self._threads = FileThreads(threads, timeout_seconds=timeout_seconds)
        self._uploads = Uploads(self)

    @property
    def hung(self) -> int:
        """How many threads are stuck in a call past its time-out."""
        return self._threads.hung

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that touches the storage; see :meth:`FileThreads.run`. No guard is asked.

        Raises:
            OSError: about one file (missing, there already, no permission, a folder); of other kinds it
                becomes :class:`StorageUnavailableError`, for want of room :class:`StorageFullError`.
        """
        try:
            return await self._threads.run(function, *args, **kwargs)
        except _ABOUT_ONE_FILE:
            raise
        except OSError as error:
            _log.warning("The storage fails.", call=getattr(function, "__name__", ""), reason=error.strerror)
            if error.errno in _NO_ROOM:
                raise StorageFullError from error
            raise StorageUnavailableError from error

    async def look(self, function: Callable[Concatenate[Anchor, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that reads under the root, which it gets as an :class:`Anchor`; see :meth:`run`.

        While the guard gets no answer, nobody else waits for one.
        """
        self._require_answers()
        with self._noting():
            return await self.run(function, self._anchor, *args, **kwargs)

    async def change(self, function: Callable[Concatenate[Anchor, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that writes under the root, if it is the right one; see :meth:`look`."""
        if self.guard is not None:
            self.guard.require()
        return await self.look(function, *args, **kwargs)

    def later(self, function: Callable[[], None]) -> None:
        """Run a function in a thread when there is time for it; see :meth:`FileThreads.later`."""
        self._threads.later(function)

    def close(self) -> None:
        """Take no more calls; waits for nothing, least of all a hung mount."""
        self._threads.close()

    async def prepare(self) -> None:
        """Make the root, if it is not there. With a guard that is its own matter, and only asked here."""
        if self.guard is not None:
            self.guard.require()
            return
        with self._about_the_root():
            await self.run(make_root, self.root)

    async def make_camera_folders(self, camera_id: str) -> None:
        """Make ``<root>/<camera_id>/{pictures,videos,thumbs}`` for the agent to write to.

        Raises:
            InvalidError: that is no camera id.
        """
        if not is_camera_id(camera_id):
            raise InvalidError("camera_id", "must be 1 to 50 letters, digits and underscores")
        with self._about_the_root():
            await self.change(changes.make_camera_folders, camera_id, KINDS)

    async def exists(self, relative: str) -> bool:
        """Whether the file is there."""
        return await self.size(relative) is not None

    async def size(self, relative: str) -> int | None:
        """The file's length in bytes; ``None`` when there is no such file."""
        return await self.look(looks.size, relative)

    async def locate(self, relative: str) -> Path | None:
        """Where the file is; ``None`` when there is no such file."""
        return await self.look(looks.locate, relative)

    async def read(self, relative: str, *, limit_bytes: int) -> bytes | None:
        """The file's content, at most ``limit_bytes`` of it; ``None`` when there is no such file."""
        return await self.look(looks.read, relative, limit_bytes)

    async def each_size(self, relatives: Sequence[str]) -> dict[str, int]:
        """The lengths in bytes of those of the files that are there."""
        return await self.look(looks.each_size, relatives)

    async def sizes(self, relatives: Sequence[str]) -> Usage:
        """How many of the files are there, and their bytes. A path that is refused counts as not there."""
        files = size_bytes = 0
        for start in range(0, len(relatives), STEP_FILES):
            step = await self.look(looks.each_size, relatives[start : start + STEP_FILES])
            files += len(step)
            size_bytes += sum(step.values())
        return Usage(files, size_bytes)

    async def open_reading(self, relative: str, wanted: Callable[[FileFacts], Stretch]) -> Reading | None:
        """Open a file to send some of it; see :func:`securitycamd.storage.reading.open_reading`."""
        return await open_reading(self, relative, wanted)

    async def temporary_for(self, relative: str) -> Path:
        """A new hidden name in the folder of ``relative``, to write to and then :meth:`publish`."""
        final = await self.change(changes.prepare_temporary, relative)
        return final.with_name(f"{changes.hidden_stem(final.name)}.{self._owner}{secrets.token_hex(4)}.tmp")

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
        await self.change(changes.publish, temporary, final_relative, replace=replace)

    async def remove(self, relative: str) -> bool:
        """Remove the file, for good; whether it was there."""
        return await self.change(changes.remove, relative)

    async def remove_some(self, relatives: Sequence[str], removed: set[str]) -> set[str]:
        """Remove files, for good; ``removed`` gets those that were there: see :func:`changes.remove_some`."""
        refused: set[str] = set()
        for start in range(0, len(relatives), REMOVED_A_CALL):
            some = relatives[start : start + REMOVED_A_CALL]
            refused |= await self.change(changes.remove_some, some, removed)
        return refused

    async def open_upload(
        self, final_relative: str, *, limit_bytes: int, offset: int = 0, total: int | None = None
    ) -> Upload:
        """Receive a file; its folder is made when it is not there.

        Args:
            final_relative: its name to be.
            limit_bytes: more than this it may not have.
            offset: from where its bytes will come; 0 starts anew, anything else must be what came so far.
            total: how long it is to be, if known.

        Raises:
            UploadOffsetError: another number of bytes came so far.
            UploadTooLargeError: ``total`` is more than it may have.
            ConflictError: it is being received already.
            StorageFullError: the rest of ``total`` bytes does not fit on the disk.
        """
        return await self._uploads.open(final_relative, offset=offset, total=total, limit_bytes=limit_bytes)

    async def received_bytes(self, final_relative: str) -> int:
        """How much of an unfinished upload is here, to go on from there."""
        return await self._uploads.received_bytes(final_relative)

    async def discard_upload(self, final_relative: str) -> None:
        """Remove what came of an upload that nobody goes on with."""
        await self._uploads.discard(final_relative)

    async def sweep_temporaries(self, older_than_seconds: float, *, owner: str | None = None) -> int:
        """Remove the temporaries that a crash of ours left behind; how many. Agents' ``<name>.tmp`` stay.

        Several daemons may share the root: those of one ``owner``, or of all of them (``None``). Uploads that
        nobody went on with for a day go, too.
        """
        now = time.time()

        def kept_seconds(name: str) -> float | None:
            ours = changes.TEMPORARY.match(name)
            if ours is not None and owner in {None, ours[1]}:
                return older_than_seconds
            return PARTIAL_KEPT_SECONDS if PARTIAL.match(name) else None

        removed = 0
        for camera_id in await self.cameras():
            for kind in KINDS:
                async for step in self.walk(camera_id, kind, wanted=lambda name: kept_seconds(name) is not None):
                    old = [one for one in step if one.modified_at <= now - (kept_seconds(one.name) or 0)]
                    if old:
                        removed += await self.change(changes.remove_unchanged, (camera_id, kind), old)
        return removed

    async def usage(self) -> dict[str, Usage]:
        """Files and bytes of each camera that has a folder. Walks slowly: the disk is the cameras'."""
        found = {}
        for camera_id in await self.cameras():
            files = size_bytes = 0
            # In its folder, and in the folders there. Nobody writes deeper ones.
            for below in ((), *((name,) for name in await self.look(looks.subfolders, camera_id))):
                async for step in self.walk(camera_id, *below, wanted=lambda name: name != CAMERA_MARKER):
                    files += len(step)
                    size_bytes += sum(entry.size_bytes for entry in step)
            found[camera_id] = Usage(files, size_bytes)
        return found

    async def disk(self) -> Disk:
        """The size of the file system and what is free on it."""
        self._require_answers()
        with self._about_the_root():
            return await self.run(_disk, self.root)

    async def disk_if_there(self) -> Disk | None:
        """The same for who can do without: ``None`` when there is no quick answer."""
        try:
            async with asyncio.timeout(QUICK_SECONDS):
                return await self.disk()
        except (StorageUnavailableError, TimeoutError):
            return None

    async def cameras(self) -> list[str]:
        """The cameras that have a folder."""
        with self._about_the_root():
            return await self.look(looks.camera_folders)

    async def walk(self, *names: str, wanted: Callable[[str], bool]) -> AsyncIterator[list[Entry]]:
        """Look at the files of the folder that these names lead to, some at a time, with a rest in between.

        Links are not followed; a folder that is not there is empty. So is a camera's folder that is not the
        right one (the guard remembers that), or that may not be read (the log says so): the others are
        looked at all the same.
        """
        entries = looks.entries(self._anchor, names, wanted)
        try:
            while step := await self._step(entries):
                yield [entry for entry in step if entry is not None]
                await asyncio.sleep(PACE_SECONDS)
        except StorageLostError as error:
            if error.camera_id is None:
                raise
        except PermissionError:
            _log.warning("A folder may not be read.", folder="/".join(names))

    async def _step(self, entries: Iterator[Entry | None]) -> list[Entry | None]:
        with self._noting():
            return await self.run(_take, entries)

    def _require_answers(self) -> None:
        if self.guard is not None and self.guard.is_silent:
            raise StorageLostError(self.guard.state)

    @property
    def _anchor(self) -> Anchor:
        return Anchor(self.root, None if self.guard is None else self.guard.gate)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Let the guard remember what a call found."""
        try:
            yield
        except StorageLostError as error:
            if self.guard is not None:
                self.guard.note(error)
            raise

    @contextmanager
    def _about_the_root(self) -> Iterator[None]:
        """For calls in which a missing or forbidden folder is the storage's trouble."""
        try:
            yield
        except OSError as error:
            _log.warning("The storage root cannot be used.", root=str(self.root), reason=error.strerror)
            raise StorageUnavailableError from error


def _take(entries: Iterator[Entry | None]) -> list[Entry | None]:
    return list(islice(entries, STEP_FILES))


def _disk(root: Path) -> Disk:
    numbers = os.statvfs(root)
    return Disk(numbers.f_blocks * numbers.f_frsize, numbers.f_bavail * numbers.f_frsize)
