import asyncio
import contextlib
import errno
import hashlib
import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securitycamd.domain.errors import ConflictError, InvalidError, StorageUnavailableError
from securitycamd.storage import Files, Received, StorageFullError, folders, uploads
from securitycamd.storage.errors import UploadDigestError, UploadOffsetError, UploadTooLargeError
from tests.storage.conftest import Mount, until

VIDEO = "camera_1/videos/42_20251028_143022_video.h264"
LIMIT = 64 * 1024 * 1024


def sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def videos(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "camera_1/videos").iterdir()}


async def send(files: Files, content: bytes, *, offset: int = 0, relative: str = VIDEO) -> Received:
    async with await files.open_upload(relative, offset=offset, total=len(content), limit_bytes=LIMIT) as upload:
        await upload.write(content[offset:])
        return await upload.finish(sha256(content))


async def begin(files: Files, content: bytes, *, total: int | None = None) -> None:
    """Send some of a file and break off."""
    with contextlib.suppress(ConnectionError):
        async with await files.open_upload(VIDEO, total=total, limit_bytes=LIMIT) as upload:
            await upload.write(content)
            raise ConnectionError


async def send_chunks(files: Files, *chunks: bytes, total: int | None = None, digest: bytes | None = None) -> None:
    async with await files.open_upload(VIDEO, total=total, limit_bytes=10) as upload:
        for chunk in chunks:
            await upload.write(chunk)
        await upload.finish(digest)


async def test_a_file_arrives(guarded: Files, root: Path) -> None:
    content = random.Random(1).randbytes(3_000_000)
    async with await guarded.open_upload(VIDEO, total=len(content), limit_bytes=LIMIT) as upload:
        for start in range(0, len(content), 65_536):
            await upload.write(content[start : start + 65_536])
            assert not (root / VIDEO).exists()
        assert upload.received_bytes == len(content)
        received = await upload.finish(sha256(content))
    assert received == Received(len(content), sha256(content).hex(), is_new=True)
    assert videos(root) == {Path(VIDEO).name: content}
    assert (root / VIDEO).stat().st_mode & 0o444 == 0o444 & ~umask()
    with pytest.raises(RuntimeError, match="finished"):
        await upload.write(b"more")


def umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


async def test_chunks_are_written_together_and_not_held_for_long(
    guarded: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = folders.write_all

    def write_all(descriptor: int, content: bytes | bytearray, *, at: int) -> None:
        sizes.append(len(content))
        real(descriptor, content, at=at)

    monkeypatch.setattr(uploads, "write_all", write_all)
    upload = await guarded.open_upload(VIDEO, limit_bytes=LIMIT)
    for _ in range(40):
        await upload.write(bytes(65_536))
        assert len(upload._buffer) < uploads.WRITE_BYTES
    await upload.write(bytes(3 * uploads.WRITE_BYTES + 1))
    await upload.finish()
    assert sum(sizes) == 40 * 65_536 + 3 * uploads.WRITE_BYTES + 1
    assert sizes == [uploads.WRITE_BYTES] * 8 + [1]


async def test_it_is_synced_now_and_then_and_before_it_is_seen(
    guarded: Files, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, bool]] = []

    def note(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path.suffix, (root / VIDEO).exists()))

    monkeypatch.setattr(uploads, "SYNC_BYTES", uploads.WRITE_BYTES * 2)
    upload = await guarded.open_upload(VIDEO, limit_bytes=LIMIT)
    monkeypatch.setattr(os, "fdatasync", note)
    monkeypatch.setattr(os, "fsync", note)
    await upload.write(bytes(uploads.WRITE_BYTES * 5))
    assert synced == [(".part", False)] * 2
    await upload.finish()
    assert synced[2:] == [(".part", False), ("", True)]


async def test_an_empty_file(guarded: Files, root: Path) -> None:
    assert (await send(guarded, b"")).is_new
    assert videos(root) == {Path(VIDEO).name: b""}
    assert not (await send(guarded, b"")).is_new
    with pytest.raises(ConflictError):
        await send(guarded, b"x")


async def test_the_folder_is_made(guarded: Files, root: Path) -> None:
    await send(guarded, b"clip", relative="camera_7/pictures/1.jpg")
    assert (root / "camera_7/pictures/1.jpg").read_bytes() == b"clip"


async def test_resumed_by_another_life_of_the_daemon(guarded: Files, root: Path) -> None:
    content = random.Random(2).randbytes(9_000_000)
    assert await guarded.received_bytes(VIDEO) == 0
    await begin(guarded, content[:7_000_001], total=len(content))
    other = Files(root, threads=1, timeout_seconds=10)
    assert await other.received_bytes(VIDEO) == 7_000_001
    received = await send(other, content, offset=7_000_001)
    assert received == Received(len(content), sha256(content).hex(), is_new=True)
    assert videos(root) == {Path(VIDEO).name: content}
    assert await other.received_bytes(VIDEO) == 0
    other.close()


@pytest.mark.parametrize("offset", [1, 4, 6])
async def test_resumed_elsewhere_than_where_it_ended(guarded: Files, offset: int) -> None:
    await begin(guarded, b"12345")
    with pytest.raises(UploadOffsetError, match="5 bytes") as caught:
        await send(guarded, b"1234567", offset=offset)
    assert caught.value.received_bytes == 5
    assert (await send(guarded, b"1234567", offset=5)).size_bytes == 7


async def test_begun_anew(guarded: Files, root: Path) -> None:
    await begin(guarded, b"something else")
    await send(guarded, b"clip")
    assert videos(root) == {Path(VIDEO).name: b"clip"}


async def test_nothing_to_resume(guarded: Files) -> None:
    with pytest.raises(UploadOffsetError) as caught:
        await send(guarded, b"1234567", offset=5)
    assert caught.value.received_bytes == 0


async def test_the_same_again_is_no_error(guarded: Files, root: Path) -> None:
    """A reply was lost on the way."""
    content = random.Random(3).randbytes(5_000_000)
    assert (await send(guarded, content)).is_new
    again = await send(guarded, content)
    assert again == Received(len(content), sha256(content).hex(), is_new=False)
    assert videos(root) == {Path(VIDEO).name: content}


async def test_another_file_of_that_name(guarded: Files, root: Path) -> None:
    await send(guarded, b"first")
    with pytest.raises(ConflictError):
        await send(guarded, b"other")
    with pytest.raises(ConflictError):
        await send(guarded, b"of another length")
    assert videos(root) == {Path(VIDEO).name: b"first"}
    async with await guarded.open_upload(VIDEO, limit_bytes=9) as upload:
        await upload.write(b"other")
        await upload.finish(replace=True)
    assert videos(root) == {Path(VIDEO).name: b"other"}


async def test_another_digest(guarded: Files, root: Path) -> None:
    with pytest.raises(UploadDigestError):
        await send_chunks(guarded, b"clip", digest=sha256(b"clap"))
    assert videos(root) == {}


async def test_too_large(guarded: Files, root: Path) -> None:
    for offset, total in ((0, 11), (11, None)):
        with pytest.raises(UploadTooLargeError) as caught:
            await guarded.open_upload(VIDEO, offset=offset, total=total, limit_bytes=10)
        assert (caught.value.status, caught.value.limit_bytes) == (413, 10)
    with pytest.raises(UploadTooLargeError):
        await send_chunks(guarded, b"1234567890", b"1")
    assert videos(root) == {}


@pytest.mark.parametrize(("offset", "total"), [(-1, 5), (6, 5), (1, -1)])
async def test_ranges_that_make_no_sense(guarded: Files, offset: int, total: int) -> None:
    with pytest.raises(InvalidError):
        await guarded.open_upload(VIDEO, offset=offset, total=total, limit_bytes=10)


async def test_longer_or_shorter_than_announced(guarded: Files, root: Path) -> None:
    with pytest.raises(InvalidError, match="longer"):
        await send_chunks(guarded, b"12", b"34", total=3)
    assert videos(root) == {}
    with pytest.raises(InvalidError, match="shorter"):
        await send_chunks(guarded, b"12", total=3)
    assert await guarded.received_bytes(VIDEO) == 2
    assert (await send(guarded, b"123", offset=2)).size_bytes == 3


async def test_aborted(guarded: Files, root: Path) -> None:
    upload = await guarded.open_upload(VIDEO, limit_bytes=10)
    await upload.write(b"12")
    await upload.abort()
    await upload.abort()
    assert videos(root) == {}
    with pytest.raises(RuntimeError, match="aborted"):
        await upload.finish()
    await send(guarded, b"clip")


async def test_one_at_a_time(guarded: Files) -> None:
    async with await guarded.open_upload(VIDEO, limit_bytes=10):
        with pytest.raises(ConflictError, match="already"):
            await guarded.open_upload("camera_1//" + VIDEO.removeprefix("camera_1/"), limit_bytes=10)
        await send(guarded, b"another", relative="camera_1/videos/43.h264")
    await send(guarded, b"clip")


async def test_changed_by_another_daemon(guarded: Files, root: Path) -> None:
    other = Files(root, threads=1, timeout_seconds=10)
    upload = await guarded.open_upload(VIDEO, limit_bytes=10)
    await upload.write(b"12")
    await send(other, b"clip")
    with pytest.raises(UploadOffsetError):
        await upload.finish()
    await send(other, b"clip")
    assert videos(root) == {Path(VIDEO).name: b"clip"}
    other.close()


async def test_paths_out(guarded: Files) -> None:
    for relative in ("../x", "/etc/passwd", "camera_1/videos/.hidden", "-y"):
        with pytest.raises(InvalidError):
            await guarded.open_upload(relative, limit_bytes=10)
        with pytest.raises(InvalidError):
            await guarded.received_bytes(relative)


async def test_a_name_with_no_room_for_more(guarded: Files) -> None:
    await send(guarded, b"clip", relative="camera_1/videos/" + "ä" * 127)
    await send(guarded, b"clip", relative="camera_1/videos/" + "ä" * 126)


async def test_partials_go_after_a_day(guarded: Files, root: Path) -> None:
    await begin(guarded, b"12345")
    (name,) = videos(root)
    assert uploads.PARTIAL.match(name)
    assert await guarded.sweep_temporaries(0) == 0
    then = time.time() - 86_000
    os.utime(root / "camera_1/videos" / name, (then, then))
    assert await guarded.sweep_temporaries(0, owner="0" * 16) == 0
    then = time.time() - 86_401
    os.utime(root / "camera_1/videos" / name, (then, then))
    assert await guarded.sweep_temporaries(10**9, owner="0" * 16) == 1
    assert videos(root) == {}


# --- a disk that is full, a storage that hangs ---


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_a_disk_that_fills_up(guarded: Files, root: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    content = random.Random(4).randbytes(3 * uploads.WRITE_BYTES)
    real = os.pwrite
    room = uploads.WRITE_BYTES + 1000

    def pwrite(descriptor: int, data: memoryview, offset: int) -> int:
        if offset >= room:
            raise OSError(number, os.strerror(number))
        return real(descriptor, data[: room - offset], offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(StorageFullError) as caught:
        await send(guarded, content)
    assert (caught.value.status, caught.value.title) == (503, "Storage full")
    assert await guarded.received_bytes(VIDEO) == uploads.WRITE_BYTES, "as far as the digest goes"
    monkeypatch.undo()
    await send(guarded, content, offset=uploads.WRITE_BYTES)
    assert videos(root) == {Path(VIDEO).name: content}


async def test_no_room_for_the_rest(guarded: Files, root: Path) -> None:
    numbers = os.statvfs(root)
    size_bytes = numbers.f_blocks * numbers.f_frsize
    with pytest.raises(StorageFullError):
        await guarded.open_upload(VIDEO, total=size_bytes, limit_bytes=size_bytes)
    assert videos(root) == {}
    await send(guarded, b"clip")


async def test_a_write_that_hangs(root: Path, mount: Mount) -> None:
    """It takes effect when nobody waits for it any more: the upload goes on where the file says."""
    content = random.Random(5).randbytes(2 * uploads.WRITE_BYTES)
    files = Files(root, threads=2, timeout_seconds=0.3)
    mount.holds("pwrite", lambda _descriptor, _data, offset: offset > 0)
    with pytest.raises(StorageUnavailableError):
        await send(files, content)
    assert files.hung == 1
    assert await files.received_bytes(VIDEO) == uploads.WRITE_BYTES
    mount.answer()
    await until(lambda: not files.hung)
    assert await files.received_bytes(VIDEO) == len(content)
    assert (await send(files, content, offset=len(content))).is_new
    assert videos(root) == {Path(VIDEO).name: content}
    files.close()


async def test_a_publication_that_hangs_does_not_publish_what_came_since(root: Path, mount: Mount) -> None:
    files = Files(root, threads=2, timeout_seconds=0.3)
    upload = await files.open_upload(VIDEO, limit_bytes=LIMIT)
    await upload.write(b"first")
    mount.holds("fsync", lambda _: not mount.calls)
    with pytest.raises(StorageUnavailableError):
        await upload.finish()
    await upload.suspend()
    await begin(files, b"sec")
    mount.answer()
    await until(lambda: not files.hung)
    assert list(videos(root).values()) == [b"sec"]
    assert not (root / VIDEO).exists()
    await send(files, b"second", offset=3)
    assert videos(root) == {Path(VIDEO).name: b"second"}
    files.close()


async def test_a_request_that_is_cancelled_leaves_something_to_go_on_with(root: Path, mount: Mount) -> None:
    content = random.Random(6).randbytes(3 * uploads.WRITE_BYTES)
    files = Files(root, threads=2, timeout_seconds=10)
    mount.holds("pwrite", lambda _descriptor, _data, offset: offset > 0)
    task = asyncio.create_task(send(files, content))
    await until(lambda: mount.calls == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    mount.answer()
    (partial,) = (root / "camera_1/videos").iterdir()
    await until(lambda: partial.stat().st_size == 2 * uploads.WRITE_BYTES)
    assert await files.received_bytes(VIDEO) == 2 * uploads.WRITE_BYTES
    await send(files, content, offset=2 * uploads.WRITE_BYTES)
    assert videos(root) == {Path(VIDEO).name: content}
    files.close()


# --- any way of cutting it ---


@given(
    content=st.binary(max_size=300),
    cuts=st.lists(st.integers(0, 300), max_size=6).map(sorted),
    chunk=st.integers(1, 64),
    write_bytes=st.integers(1, 128),
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_however_it_is_cut_it_arrives_as_it_was(
    root: Path, content: bytes, cuts: list[int], chunk: int, write_bytes: int
) -> None:
    async def upload() -> None:
        files = Files(root, threads=1, timeout_seconds=10)
        await files.remove(VIDEO)
        ends = [min(cut, len(content)) for cut in cuts] + [len(content)]
        offset = 0
        for end in ends:
            async with await files.open_upload(VIDEO, offset=offset, total=len(content), limit_bytes=300) as upload:
                for start in range(offset, end, chunk):
                    await upload.write(content[start : min(end, start + chunk)])
                if end < len(content):
                    await upload.suspend()
                else:
                    await upload.finish(sha256(content))
                    break
            offset = await files.received_bytes(VIDEO)
            assert offset == end
        files.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploads, "WRITE_BYTES", write_bytes)
        patch.setattr(uploads, "READ_BYTES", write_bytes)
        asyncio.run(upload())
    assert videos(root) == {Path(VIDEO).name: content}
