"""Files that arrive over HTTP: written as they come, resumable, whole under their name or not there.

What came of a file lies beside its place as a hidden ``.<name>.<digits>.part``, the digits made from its
path, so that any later life of the daemon finds it again. No descriptor is kept between two writes: each
write opens the file anew through the guard, and goes on only if it is the file it was, as long as it should
be. So a mount that vanished is not written to, a write that hung and was given up is noticed, and nothing
leaks.
"""

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

from securitycamd.domain.errors import ConflictError, InvalidError, StorageUnavailableError
from securitycamd.storage.changes import hidden_stem
from securitycamd.storage.errors import (
    StorageFullError,
    UploadDigestError,
    UploadOffsetError,
    UploadTooLargeError,
)
from securitycamd.storage.folders import (
    Anchor,
    FileCalls,
    open_file,
    rename_if_free,
    stat_below,
    sync_folder,
    write_all,
)
from securitycamd.storage.looks import size
from securitycamd.storage.paths import check_relative

PARTIAL: Final = re.compile(r"^\..+\.[0-9a-f]{16}\.part$", re.DOTALL)
PARTIAL_KEPT_SECONDS: Final = 86_400.0
"""How long an upload that nobody goes on with is kept."""

# Chunks of a body come at some 64 KiB; this many bytes are one call of the pool.
WRITE_BYTES: Final = 512 * 1024
# So much may be lost to a power cut, and is the most that the last sync has to write.
SYNC_BYTES: Final = 16 * 1024 * 1024
# One call's share when a file is read back for its digest: a fraction of a second from a memory card.
READ_BYTES: Final = 4 * 1024 * 1024

# broken: its sender broke a rule; uncertain: a write failed or did not end.
_State = Literal["open", "broken", "uncertain", "finished", "suspended", "aborted"]


@dataclass(frozen=True, slots=True)
class Received:
    """A file that arrived whole."""

    size_bytes: int
    sha256: str
    """In hexadecimal digits."""
    is_new: bool
    """Whether it was not there before; the same bytes sent again are no error."""


@dataclass(frozen=True, slots=True)
class _Partial:
    """What came of a file: which it is, so that it is not taken for another of the same name."""

    final: str
    inode: int

    @contextmanager
    def open(self, anchor: Anchor, flags: int, *, size_bytes: int) -> Iterator[tuple[int, str, int]]:
        """Its folder, its name to be, and itself, as descriptors; if it is as it was left. Blocks."""
        try:
            with (
                anchor.open_parent(self.final) as (folder, name),
                open_file(folder, partial_name(self.final, name), flags) as descriptor,
            ):
                found = os.fstat(descriptor)
                if (found.st_ino, found.st_size) != (self.inode, size_bytes):
                    raise UploadOffsetError(found.st_size)
                yield folder, name, descriptor
        except FileNotFoundError:
            raise UploadOffsetError(0) from None


class Upload:
    """One file on its way in; from :meth:`Uploads.open`. Used by one task.

    As a context manager it ends as it must: what is not finished is kept to go on with, but for what broke
    a rule.
    """

    def __init__(
        self, files: FileCalls, partial: _Partial, active: set[str], *, total: int | None, limit_bytes: int
    ) -> None:
        self._files = files
        self._partial = partial
        self._active = active
        self._total = total
        self._limit_bytes = limit_bytes
        self._digest = hashlib.sha256()
        self._buffer = bytearray()
        self._written = 0
        self._state: _State = "open"

    @property
    def received_bytes(self) -> int:
        """How much of the file came so far, what earlier requests brought included."""
        return self._written + len(self._buffer)

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes; returns when the next ones are welcome.

        Raises:
            UploadTooLargeError, InvalidError: that is more than may be, or than was announced.
            StorageFullError: no room; what came before is kept.
            StorageUnavailableError, UploadOffsetError: as of all file calls; or the partial was changed by
                another.
        """
        self._require_open()
        came = self.received_bytes + len(chunk)
        if came > self._limit_bytes:
            self._state = "broken"
            raise UploadTooLargeError(self._limit_bytes)
        if self._total is not None and came > self._total:
            self._state = "broken"
            raise InvalidError("body", "is longer than was announced")
        for start in range(0, len(chunk), WRITE_BYTES):
            self._buffer += chunk[start : start + WRITE_BYTES]
            if len(self._buffer) >= WRITE_BYTES:
                await self._flush()

    async def finish(self, expected_digest: bytes | None = None, *, replace: bool = False) -> Received:
        """Make it last and give it its name.

        Args:
            expected_digest: the SHA-256 it must have (32 bytes).
            replace: whether another file of that name may be replaced.

        Raises:
            InvalidError: it is shorter than was announced; it can be gone on with.
            UploadDigestError: it has another digest; nothing of it is kept.
            ConflictError: there is another file of that name; nothing of this one is kept.
            StorageUnavailableError: as of all file calls; it can be gone on with.
        """
        self._require_open()
        await self._flush()
        if self._total is not None and self._written < self._total:
            raise InvalidError("body", "is shorter than was announced")
        digest = self._digest.digest()
        if expected_digest is not None and expected_digest != digest:
            await self.abort()
            raise UploadDigestError
        is_new = True
        try:
            await self._files.change(_publish, self._partial, self._written, replace=replace)
        except ConflictError as error:
            if isinstance(error, UploadOffsetError):
                raise
            same = await self._is_there(digest)
            await self.abort()
            if not same:
                raise
            is_new = False
        self._end("finished")
        return Received(self._written, digest.hex(), is_new)

    async def suspend(self) -> None:
        """Write and sync what came, to be gone on with by another request.

        Raises:
            StorageUnavailableError: as of all file calls; what was written before is there.
        """
        try:
            if self._state == "open":
                await self._flush()
                await self._files.change(_sync, self._partial, self._written)
        finally:
            self._end("suspended")

    async def abort(self) -> None:
        """Remove what came of it.

        Raises:
            StorageUnavailableError: as of all file calls; it is swept within a day.
        """
        if self._state in {"open", "broken", "uncertain"}:
            try:
                await self._files.change(_discard, self._partial.final)
            finally:
                self._end("aborted")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What went wrong before is what the caller hears of.
        with suppress(StorageUnavailableError, ConflictError, OSError):
            await (self.abort() if self._state == "broken" else self.suspend())

    async def resume(self, offset: int) -> None:
        """Read back what is there, for the digest; called once, by who opens it."""
        while self._written < offset:
            self._written += await self._files.look(_digest_some, self._partial, self._digest, self._written, offset)

    async def _flush(self) -> None:
        if not self._buffer:
            return
        content, self._buffer = self._buffer, bytearray()
        # Should this fail or be given up, only the file itself knows how long it is; another request goes on
        # there.
        self._state = "uncertain"
        await self._files.change(_write, self._partial, content, self._written, self._digest)
        self._written += len(content)
        self._state = "open"

    async def _is_there(self, digest: bytes) -> bool:
        if await self._files.look(size, self._partial.final) != self._written:
            return False
        found = hashlib.sha256()
        at = 0
        while at < self._written:
            step = await self._files.look(_read_some, self._partial.final, found, at, self._written)
            if not step:
                return False
            at += step
        return found.digest() == digest

    def _require_open(self) -> None:
        if self._state != "open":
            raise RuntimeError(f"the upload is {self._state}")

    def _end(self, state: _State) -> None:
        if self._state not in {"finished", "aborted", "suspended"}:
            self._state = state
            self._active.discard(self._partial.final)


class Uploads:
    """Opens uploads; each file is received once at a time."""

    def __init__(self, files: FileCalls) -> None:
        self._files = files
        self._active: set[str] = set()

    async def open(self, final_relative: str, *, offset: int, total: int | None, limit_bytes: int) -> Upload:
        """See :meth:`securitycamd.storage.files.Files.open_upload`."""
        final = str(check_relative(final_relative))
        if max(offset, total or 0) > limit_bytes:
            raise UploadTooLargeError(limit_bytes)
        if offset < 0 or (total is not None and not offset <= total):
            raise InvalidError("Content-Range", "must lie within the file")
        if final in self._active:
            raise ConflictError("This file is being received already.")
        self._active.add(final)
        try:
            expected = None if total is None else total - offset
            inode = await self._files.change(_begin, final, offset, expected)
            upload = Upload(self._files, _Partial(final, inode), self._active, total=total, limit_bytes=limit_bytes)
            await upload.resume(offset)
        except BaseException:
            self._active.discard(final)
            raise
        return upload

    async def received_bytes(self, final_relative: str) -> int:
        """How much of a file came so far, from where it can be gone on with."""
        return await self._files.look(_received, str(check_relative(final_relative)))

    async def discard(self, final_relative: str) -> None:
        """Remove what came of a file that nobody goes on with."""
        await self._files.change(_discard, str(check_relative(final_relative)))


def partial_name(final: str, name: str) -> str:
    """The hidden name of what came so far of the file ``final``, whose own name is ``name``."""
    return f"{hidden_stem(name)}.{hashlib.sha256(final.encode()).hexdigest()[:16]}.part"


def _begin(anchor: Anchor, final: str, offset: int, expected_bytes: int | None) -> int:
    with anchor.open_parent(final, make=True) as (folder, name):
        partial = partial_name(final, name)
        numbers = os.fstatvfs(folder)
        if expected_bytes is not None and numbers.f_bavail * numbers.f_frsize < expected_bytes:
            raise StorageFullError
        if offset == 0:
            # A new file instead of an emptied one: a write that hung and was given up goes to the old.
            with suppress(FileNotFoundError):
                os.unlink(partial, dir_fd=folder)
            with open_file(folder, partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
                return os.fstat(descriptor).st_ino
        found = stat_below(folder, partial, regular=True)
        if found is None or found.st_size != offset:
            raise UploadOffsetError(0 if found is None else found.st_size)
        return found.st_ino


def _received(anchor: Anchor, final: str) -> int:
    try:
        with anchor.open_parent(final, for_change=False) as (folder, name):
            found = stat_below(folder, partial_name(final, name), regular=True)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return 0 if found is None else found.st_size


def _write(anchor: Anchor, partial: _Partial, content: bytearray, at: int, digest: "hashlib._Hash") -> None:
    with partial.open(anchor, os.O_WRONLY, size_bytes=at) as (_, _, descriptor):
        try:
            write_all(descriptor, content, at=at)
            if at // SYNC_BYTES != (at + len(content)) // SYNC_BYTES:
                os.fdatasync(descriptor)
        except OSError as error:
            # Back to the last byte that the digest knows, so that it can be gone on with.
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                os.ftruncate(descriptor, at)
            raise
    digest.update(content)


def _digest_some(anchor: Anchor, partial: _Partial, digest: "hashlib._Hash", at: int, size_bytes: int) -> int:
    with partial.open(anchor, os.O_RDONLY, size_bytes=size_bytes) as (_, _, descriptor):
        content = os.pread(descriptor, READ_BYTES, at)
    digest.update(content)
    return len(content)


def _read_some(anchor: Anchor, final: str, digest: "hashlib._Hash", at: int, size_bytes: int) -> int:
    """Some of a file that should have so many bytes; none when it has another number of them."""
    with (
        anchor.open_parent(final, for_change=False) as (folder, name),
        open_file(folder, name, os.O_RDONLY) as descriptor,
    ):
        if os.fstat(descriptor).st_size != size_bytes:
            return 0
        content = os.pread(descriptor, READ_BYTES, at)
    digest.update(content)
    return len(content)


def _sync(anchor: Anchor, partial: _Partial, size_bytes: int) -> None:
    with partial.open(anchor, os.O_RDONLY, size_bytes=size_bytes) as (_, _, descriptor):
        os.fsync(descriptor)


def _publish(anchor: Anchor, partial: _Partial, size_bytes: int, *, replace: bool) -> None:
    with partial.open(anchor, os.O_RDONLY, size_bytes=size_bytes) as (folder, name, descriptor):
        os.fsync(descriptor)
        hidden = partial_name(partial.final, name)
        # The sync may have hung, and been given up, and the upload begun anew since.
        now = stat_below(folder, hidden)
        if now is None or now.st_ino != partial.inode:
            raise UploadOffsetError(0)
        if replace:
            os.rename(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            rename_if_free(folder, hidden, name)
        sync_folder(folder)


def _discard(anchor: Anchor, final: str) -> None:
    with suppress(FileNotFoundError, NotADirectoryError), anchor.open_parent(final) as (folder, name):
        os.unlink(partial_name(final, name), dir_fd=folder)
