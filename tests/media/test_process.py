import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from securitycamd.media.child import SETPRIV, ToolStartError
from securitycamd.media.process import Tools, ToolTimeoutError, settle
from tests.media.conftest import DEAF, is_gone, until, write_script


class Pids:
    """Collects the process numbers that a script prints, one a line."""

    def __init__(self, expected: int) -> None:
        self._text = b""
        self._expected = expected
        self.all_known = asyncio.Event()

    def feed(self, piece: bytes) -> None:
        self._text += piece
        if self._text.count(b"\n") >= self._expected:
            self.all_known.set()

    @property
    def numbers(self) -> list[int]:
        return [int(line) for line in self._text.split()]


async def test_output_code_and_messages_arrive() -> None:
    result = await Tools().run(["sh", "-c", "echo out; echo oops >&2; exit 3"], timeout_seconds=10)
    assert (result.return_code, result.stdout, result.stderr_tail) == (3, b"out\n", "oops\n")
    assert 0 < result.elapsed_seconds < 10


async def test_endless_messages_are_drained_and_only_their_end_kept() -> None:
    script = "yes 0123456789 | head -c 3000000 >&2; echo the end >&2"
    result = await Tools().run(["sh", "-c", script], timeout_seconds=30)
    assert result.return_code == 0
    assert len(result.stderr_tail) == 8192
    assert result.stderr_tail.endswith("the end\n")


async def test_output_is_bounded() -> None:
    result = await Tools().run(["head", "-c", "9000000", "/dev/zero"], timeout_seconds=30)
    assert result.return_code == 0
    assert len(result.stdout) == 4 * 1024 * 1024


async def test_input_is_empty() -> None:
    result = await Tools().run(["cat"], timeout_seconds=10)
    assert (result.return_code, result.stdout) == (0, b"")


async def test_secrets_in_the_environment_stay_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURITYCAMD_DATABASE__URL", "mysql://u:secret@h/d")
    monkeypatch.setenv("OTHER", "shown")
    result = await Tools().run(["env"], timeout_seconds=10)
    assert b"u:secret@" not in result.stdout
    assert b"OTHER=shown" in result.stdout


async def test_niceness() -> None:
    here = os.nice(0)
    result = await Tools(niceness=5).run(["nice"], timeout_seconds=10)
    assert int(result.stdout) == here + 5


async def test_missing_tool() -> None:
    with pytest.raises(ToolStartError, match="no-such-tool"):
        await Tools().run(["no-such-tool"], timeout_seconds=10)


async def test_timeout_ends_a_deaf_tool_and_its_child(tmp_path: Path) -> None:
    pids = Pids(2)
    started = time.monotonic()
    tools = Tools(grace_seconds=0.3)
    with pytest.raises(ToolTimeoutError):
        await tools.run([write_script(tmp_path / "deaf", DEAF)], timeout_seconds=1, on_stdout=pids.feed)
    assert 1.3 <= time.monotonic() - started < 5, "the time-out and the grace, no more"
    assert len(pids.numbers) == 2
    await until(lambda: all(map(is_gone, pids.numbers)))
    assert tools.running == 0


async def test_a_tool_that_hears_term_is_not_waited_for(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f"trap 'echo heard > {mark}; exit' TERM; echo $$; while :; do sleep 0.05; done"
    pids = Pids(1)
    started = time.monotonic()
    with pytest.raises(ToolTimeoutError):
        await Tools(grace_seconds=60).run(["sh", "-c", script], timeout_seconds=1, on_stdout=pids.feed)
    assert time.monotonic() - started < 30
    assert mark.read_text() == "heard\n"


@pytest.mark.parametrize("times", [1, 3])
async def test_cancellation_ends_the_group(tmp_path: Path, times: int) -> None:
    pids = Pids(2)
    tools = Tools(grace_seconds=0.2)
    command = [write_script(tmp_path / "deaf", DEAF)]
    task = asyncio.create_task(tools.run(command, timeout_seconds=60, on_stdout=pids.feed))
    await asyncio.wait_for(pids.all_known.wait(), 10)
    for _ in range(times):  # impatience must not leave a child behind
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: all(map(is_gone, pids.numbers)))
    assert tools.running == 0


async def test_cancellation_while_starting() -> None:
    task = asyncio.create_task(Tools(grace_seconds=0.2).run(["sleep", "300"], timeout_seconds=60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task  # the fixture looks for children left


async def test_what_a_tool_leaves_in_its_group_is_ended() -> None:
    result = await Tools().run(["sh", "-c", "sleep 300 >/dev/null 2>&1 & echo $!"], timeout_seconds=10)
    await until(lambda: is_gone(int(result.stdout)))


async def test_close_ends_all_and_takes_no_more(tmp_path: Path) -> None:
    tools = Tools(grace_seconds=60)
    command = [write_script(tmp_path / "deaf", DEAF)]
    pids = [Pids(2), Pids(2)]
    tasks = [asyncio.create_task(tools.run(command, timeout_seconds=60, on_stdout=p.feed)) for p in pids]
    for p in pids:
        await asyncio.wait_for(p.all_known.wait(), 10)
    assert tools.running == 2
    await tools.close(0.2)
    assert [(await task).return_code for task in tasks] == [-signal.SIGKILL] * 2
    await until(lambda: all(is_gone(n) for p in pids for n in p.numbers))
    with pytest.raises(ToolStartError):
        await tools.run(["true"], timeout_seconds=10)


@pytest.mark.skipif(SETPRIV is None, reason="without setpriv a killed daemon cannot take its children along")
async def test_a_killed_daemon_leaves_no_tool_behind() -> None:
    program = """
import asyncio, uvloop
from securitycamd.media.process import Tools
def say(piece): print(piece.decode(), end="", flush=True)
uvloop.run(Tools().run(["sh", "-c", "echo $$; exec sleep 300"], timeout_seconds=300, on_stdout=say))
"""
    daemon = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    tool = int(await daemon.stdout.readline())
    assert not is_gone(tool)
    daemon.kill()
    await daemon.wait()
    await until(lambda: is_gone(tool))


async def test_settle_waits_out_cancellations() -> None:
    ended = asyncio.Event()

    async def work() -> str:
        await ended.wait()
        return "done"

    task = asyncio.create_task(settle(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    ended.set()
    assert await task == ("done", True)


async def test_settle_passes_errors_on() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        await settle(work())
    task = asyncio.create_task(settle(work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
