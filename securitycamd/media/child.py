"""One child process: started beside the loop, heard, waited for, and ended with all that it started."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import IO, Final

import structlog

_log = structlog.get_logger(__name__)

# Looked up once, on import: a search of PATH is file-system work and has no place on the event loop.
SETPRIV: Final = shutil.which("setpriv")
STDERR_TAIL_BYTES: Final = 8192
STDOUT_LIMIT_BYTES: Final = 4 * 1024 * 1024
READ_BYTES: Final = 64 * 1024
# How long a killed child may take to vanish. Longer only in an uninterruptible wait on a dead mount.
REAP_SECONDS: Final = 5.0


class ToolStartError(Exception):
    """The tool could not be started: not installed, or no process or memory left for it."""


class _Output:
    """Our end of a pipe. It is always drained: the tool never blocks on us.

    Read by the number and not by a transport: uvloop closes a transport's descriptor twice, and the second time it may
    be a file that another thread has just opened.
    """

    def __init__(self, pipe: IO[bytes], take: Callable[[bytes], None]) -> None:
        self._pipe = pipe
        self._take = take
        self.ended = asyncio.Event()

    def hear(self) -> None:
        """Take what comes from now on."""
        if not self._pipe.closed:
            os.set_blocking(self._pipe.fileno(), False)
            asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._pipe.fileno(), READ_BYTES)
        except BlockingIOError:  # woken for nothing
            return
        if data:
            self._take(data)
        else:
            self.close()

    def close(self) -> None:
        """Take no more."""
        if not self._pipe.closed:
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            self._pipe.close()
        self.ended.set()


class Child:
    """A running tool and what it says."""

    def __init__(self, process: subprocess.Popen[bytes], pidfd: int, on_stdout: Callable[[bytes], None] | None) -> None:
        self.pid = process.pid
        self.stdout = bytearray()
        self._process = process
        self._pidfd = pidfd
        self._stderr = bytearray()
        self._exited = asyncio.Event()
        takers = ((process.stdout, on_stdout or self._keep), (process.stderr, self._keep_tail))
        self._outputs = [_Output(pipe, take) for pipe, take in takers if pipe is not None]
        asyncio.get_running_loop().add_reader(pidfd, self._reap)

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        niceness: int,
        environment: Mapping[str, str],
        starter: Executor,
        on_stdout: Callable[[bytes], None] | None,
    ) -> "Child":
        """Start ``command`` in a session of its own; :meth:`hear` it next, and :meth:`end` it in any case.

        In a thread of ``starter``, which must outlive the child: until the new process has become the tool its parent
        waits, 10 to 40 ms on a busy machine, and the loop has callers who do not wait for that.

        Raises:
            ToolStartError: it cannot be started.
        """
        loop = asyncio.get_running_loop()
        try:
            process, pidfd = await loop.run_in_executor(starter, _spawn, _wrapped(command, niceness), environment)
        except OSError as error:
            raise ToolStartError(f"{command[0]}: {error.strerror}") from error
        return cls(process, pidfd, on_stdout)

    def hear(self) -> None:
        """Begin to listen to it: before, it may have to wait for somebody who reads what it writes."""
        for output in self._outputs:
            output.hear()

    def _keep(self, data: bytes) -> None:
        self.stdout += data[: STDOUT_LIMIT_BYTES - len(self.stdout)]

    def _keep_tail(self, data: bytes) -> None:
        self._stderr += data
        del self._stderr[:-STDERR_TAIL_BYTES]

    def _reap(self) -> None:
        if self._process.poll() is None:  # woken for nothing
            return
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._exited.set()

    @property
    def stderr_tail(self) -> str:
        """The last of its messages."""
        return self._stderr.decode(errors="replace")

    @property
    def return_code(self) -> int | None:
        """How it ended; ``None`` while it runs."""
        return self._process.returncode

    async def wait(self) -> None:
        """Wait until it has ended. All that it wrote is here only after :meth:`end`.

        What the tool left running may hold its output open, so the end of the output is not waited for here.
        """
        await self._exited.wait()

    async def end(self, grace_seconds: float) -> None:
        """End the whole group: TERM, KILL after ``grace_seconds``, reap; read what is left of its output.

        Bounded in time.
        """
        if not self._exited.is_set() and self._signal(signal.SIGTERM):
            await _within(grace_seconds, self._exited)
        # Always, for what the tool started may be deaf to TERM, or may have outlived it. A group number is
        # not given out anew while a member lives, and a number freed a moment ago is the last the kernel
        # reuses.
        self._signal(signal.SIGKILL)
        self.hear()
        if not await _within(REAP_SECONDS, self._exited):
            _log.error("A killed child does not vanish; the loop reaps it when it does.", pid=self.pid)
        elif not await _within(REAP_SECONDS, *(output.ended for output in self._outputs)):
            _log.warning("Something outside the tool's group holds its output open.", pid=self.pid)
        for output in self._outputs:
            output.close()

    def _signal(self, number: signal.Signals) -> bool:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:  # only a zombie of another user's is left, or a set-uid child
            return False
        return True


def _spawn(command: Sequence[str], environment: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start it, and have a descriptor that tells of its end; in a thread."""
    process = subprocess.Popen(  # noqa: S603 - our own words; names of files are told apart from options by each tool
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
        env=environment,
    )
    try:
        return process, os.pidfd_open(process.pid)
    except OSError:
        process.kill()
        process.communicate()
        raise


async def _within(seconds: float, *events: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(seconds):
            for event in events:
                await event.wait()
    except TimeoutError:
        pass
    return all(event.is_set() for event in events)


def _wrapped(command: Sequence[str], niceness: int) -> list[str]:
    wrapped = list(command)
    if niceness:
        wrapped = ["nice", "-n", str(niceness), *wrapped]
    if SETPRIV:
        wrapped = [SETPRIV, "--pdeathsig", "KILL", "--", *wrapped]
    return wrapped
