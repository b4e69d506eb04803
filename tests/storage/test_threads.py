import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest
import structlog

from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.storage.threads import FileThreads
from tests.storage.conftest import Mount, until


async def test_results_errors_and_arguments() -> None:
    threads = FileThreads(2, timeout_seconds=10)
    assert await threads.run(divmod, 7, 2) == (3, 1)
    assert await threads.run(sorted, [1, 2], reverse=True) == [2, 1]
    assert await threads.run(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)
    threads.close()


async def test_no_more_threads_than_asked_for(mount: Mount) -> None:
    def ours() -> set[int | None]:
        return {thread.ident for thread in threading.enumerate() if thread.name.startswith("files-")}

    threads = FileThreads(3, timeout_seconds=10)
    before = ours()  # of earlier tests, on their way out
    tasks = [asyncio.create_task(threads.run(mount.ask)) for _ in range(20)]
    await until(lambda: mount.calls == 3)
    assert len(ours() - before) == 3
    mount.answer()
    assert await asyncio.gather(*tasks) == ["answer"] * 20
    threads.close()


async def test_too_much_waiting_fails_at_once(mount: Mount) -> None:
    threads = FileThreads(1, timeout_seconds=10, waiting=2)
    tasks = [asyncio.create_task(threads.run(mount.ask)) for _ in range(3)]
    await asyncio.sleep(0)
    started = time.monotonic()
    with pytest.raises(StorageUnavailableError):
        await threads.run(mount.ask)
    assert time.monotonic() - started < 1
    mount.answer()
    assert await asyncio.gather(*tasks) == ["answer"] * 3
    assert await threads.run(mount.ask) == "answer"
    threads.close()


async def test_a_hung_mount_costs_one_timeout_then_nothing_and_recovers(mount: Mount) -> None:
    threads = FileThreads(2, timeout_seconds=0.2)
    started = time.monotonic()
    outcomes = await asyncio.gather(*(threads.run(mount.ask) for _ in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailableError] * 5
    assert 0.2 <= time.monotonic() - started < 5
    assert threads.hung == 2

    started = time.monotonic()
    with pytest.raises(StorageUnavailableError):
        await threads.run(mount.ask)
    assert time.monotonic() - started < 0.15, "known to hang: not tried, not waited for"

    mount.answer()
    await until(lambda: not threads.hung)
    assert mount.calls == 2, "what was given up before it began never began"
    assert await threads.run(mount.ask) == "answer"
    threads.close()


async def test_one_hung_call_leaves_the_other_threads_to_others(mount: Mount) -> None:
    threads = FileThreads(2, timeout_seconds=0.2)
    with pytest.raises(StorageUnavailableError):
        await threads.run(mount.ask)
    assert threads.hung == 1
    assert await threads.run(divmod, 7, 2) == (3, 1)
    threads.close()


async def test_the_loop_goes_on_while_a_fifo_hangs(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    threads = FileThreads(1, timeout_seconds=0.3)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    counting = asyncio.create_task(count())
    with pytest.raises(StorageUnavailableError):
        await threads.run(fifo.read_bytes)
    counting.cancel()
    assert turns >= 5
    os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))  # the reader opens, reads nothing, returns
    await until(lambda: not threads.hung)
    assert await threads.run(divmod, 7, 2) == (3, 1)
    threads.close()


async def test_what_hangs_is_logged_by_name_only(mount: Mount) -> None:
    def write(content: bytes) -> None:
        assert content
        mount.ask()

    threads = FileThreads(1, timeout_seconds=0.05)
    with structlog.testing.capture_logs() as lines, pytest.raises(StorageUnavailableError):
        await threads.run(write, b"large" * 100_000)
    assert [line["call"].rpartition(".")[2] for line in lines] == ["write"]
    assert len(str(lines)) < 500
    mount.answer()
    await until(lambda: not threads.hung)
    threads.close()


async def test_a_cancelled_call_that_hangs_still_counts(mount: Mount) -> None:
    threads = FileThreads(1, timeout_seconds=0.1)
    task = asyncio.create_task(threads.run(mount.ask))
    await until(lambda: mount.calls == 1)
    task.cancel()
    await until(lambda: threads.hung == 1)
    with pytest.raises(asyncio.CancelledError):
        await task
    mount.answer()
    await until(lambda: not threads.hung)
    threads.close()


async def test_a_call_cancelled_before_it_began_never_begins(mount: Mount) -> None:
    threads = FileThreads(1, timeout_seconds=10)
    first = asyncio.create_task(threads.run(mount.ask))
    done: list[int] = []
    second = asyncio.create_task(threads.run(done.append, 1))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    mount.answer()
    assert await first == "answer"
    await threads.run(done.append, 2)
    assert done == [2]
    threads.close()


async def test_closed() -> None:
    threads = FileThreads(1, timeout_seconds=10)
    await threads.run(divmod, 1, 1)
    threads.close()
    with pytest.raises(StorageUnavailableError):
        await threads.run(divmod, 1, 1)


async def test_an_idle_thread_keeps_nothing_alive() -> None:
    class Large:
        def touch(self) -> None:
            pass

    threads = FileThreads(1, timeout_seconds=10)
    large = Large()
    reference = weakref.ref(large)
    await threads.run(large.touch)
    del large

    def is_collected() -> bool:
        gc.collect()
        return reference() is None

    await until(is_collected)
    threads.close()


def test_a_hung_thread_does_not_keep_the_process() -> None:
    program = """
import asyncio, threading
from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.storage.threads import FileThreads
async def main():
    try:
        await FileThreads(1, timeout_seconds=0.1).run(threading.Event().wait)
    except StorageUnavailableError:
        print("given up")
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=30)
    assert done.stdout.splitlines()[-1] == "given up"


def test_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least one"):
        FileThreads(0, timeout_seconds=1)
