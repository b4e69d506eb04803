"""Child processes that are always reaped, never outlive us and never flood us.

Every tool leads a process group of its own, so that what it starts can be ended with it, and is started
through ``setpriv --pdeathsig`` where that exists, so that the kernel ends it when this process is killed.
"""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar, cast

import structlog

from securitycamd.config import ENV_PREFIX

_log = structlog.get_logger(__name__)

T = TypeVar("T")

# Looked up once, on import: a search of PATH is file-system work and has no place on the event loop.
SETPRIV: Final = shutil.which("setpriv")
STDERR_TAIL_BYTES: Final = 8192
STDOUT_LIMIT_BYTES: Final = 4 * 1024 * 1024
# How long a killed child may take to vanish. Longer only in an uninterruptible wait on a dead mount.
REAP_SECONDS: Final = 5.0


class ToolTimeoutError(Exception):
    """The tool made no end within its time; its whole group was ended."""

    def __init__(self, stderr_tail: str) -> None:
        super().__init__("the tool was stopped after its time-out")
        self.stderr_tail = stderr_tail


class ToolStartError(Exception):
    """The tool could not be started: not installed, or no process or memory left for it."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """How a tool ended. ``return_code`` is negative after a signal, as in ``subprocess``."""

    return_code: int
    stdout: bytes
    """All it wrote (up to 4 MB), unless a callback took the output."""
    stderr_tail: str
    """The last 8 kB of its messages: for logs, never for people."""
    elapsed_seconds: float


async def settle(work: Awaitable[T]) -> tuple[T, bool]:
    """Wait for ``work`` to its end even if cancelled meanwhile; ``work`` must be bounded in time.

    Returns:
        what came of it, and whether a cancellation arrived, which the caller must raise again.
    """
    future = asyncio.ensure_future(work)
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled and (error := future.exception()):
        raise asyncio.CancelledError from error
    return future.result(), cancelled


class Child(asyncio.SubprocessProtocol):
    """A running tool and what it says."""

    def __init__(self, on_stdout: Callable[[bytes], None] | None) -> None:
        self._on_stdout = on_stdout
        self._stderr = bytearray()
        self.stdout = bytearray()
        self._exited = asyncio.Event()
        self._closed = asyncio.Event()
        self._transport: asyncio.SubprocessTransport | None = None
        self.pid = 0

    @classmethod
    async def start(
        cls, command: Sequence[str], *, niceness: int, on_stdout: Callable[[bytes], None] | None
    ) -> "Child":
        """Start ``command`` in a session of its own.

        Raises:
            ToolStartError: it cannot be started.
        """
        # Secrets of ours, such as the database's address, are no business of a tool's.
        environment = {k: v for k, v in os.environ.items() if not k.upper().startswith(ENV_PREFIX)}
        loop = asyncio.get_running_loop()
        try:
            _, protocol = await loop.subprocess_exec(
                lambda: cls(on_stdout),
                *_wrapped(command, niceness),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                env=environment,
            )
        except OSError as error:
            raise ToolStartError(f"{command[0]}: {error.strerror}") from error
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop once the process runs."""
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self.pid = self._transport.get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Called by the loop with output. Both pipes are always drained: the tool never blocks on us."""
        if fd != 1:
            self._stderr += data
            del self._stderr[:-STDERR_TAIL_BYTES]
        elif self._on_stdout is not None:
            self._on_stdout(data)
        else:
            self.stdout += data[: STDOUT_LIMIT_BYTES - len(self.stdout)]

    def process_exited(self) -> None:
        """Called by the loop when the process was reaped."""
        self._exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop when the process was reaped and its output is at its end."""
        del exc
        self._closed.set()

    @property
    def stderr_tail(self) -> str:
        """The last of its messages."""
        return self._stderr.decode(errors="replace")

    @property
    def return_code(self) -> int | None:
        """How it ended; ``None`` while it runs."""
        return self._transport.get_returncode() if self._transport else None

    async def wait(self) -> None:
        """Wait until it has ended. All that it wrote is here only after :meth:`end`.

        What the tool left running holds its output open (under uvloop even when it redirected its own: the
        loop hands down the pipes' ends twice), so the end of the output is not waited for here.
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
        if not await _within(REAP_SECONDS, self._exited):
            _log.error("A killed child does not vanish; the loop reaps it when it does.", pid=self.pid)
        elif not await _within(REAP_SECONDS, self._closed):
            _log.warning("Something outside the tool's group holds its output open.", pid=self.pid)
        if self._transport:
            self._transport.close()

    def _signal(self, number: signal.Signals) -> bool:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:  # only a zombie of another user's is left, or a set-uid child
            return False
        return True


async def _within(seconds: float, event: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True


def _wrapped(command: Sequence[str], niceness: int) -> list[str]:
    wrapped = list(command)
    if niceness:
        wrapped = ["nice", "-n", str(niceness), *wrapped]
    if SETPRIV:
        wrapped = [SETPRIV, "--pdeathsig", "KILL", "--", *wrapped]
    return wrapped


class Tools:
    """Runs tools, knows those that run, and can end them all."""

    def __init__(self, *, niceness: int = 0, grace_seconds: float = 2.0) -> None:
        self.niceness = niceness
        self.grace_seconds = grace_seconds
        self.closed = False
        self._children: dict[Child, None] = {}

    @property
    def running(self) -> int:
        """How many children there are, the ones being ended included."""
        return len(self._children)

    async def run(
        self,
        command: Sequence[str],
        *,
        timeout_seconds: float,
        on_stdout: Callable[[bytes], None] | None = None,
        niceness: int | None = None,
    ) -> ToolResult:
        """Run ``command`` to its end; also after a failure or a cancellation nothing of it is left.

        Args:
            command: the tool and its arguments; searched in PATH.
            timeout_seconds: after it the whole group is ended.
            on_stdout: takes the output in pieces of any size, on the loop; must not raise.
            niceness: of this tool, instead of that of all.

        Raises:
            ToolTimeoutError: it took too long.
            ToolStartError: it could not be started.
        """
        if self.closed:
            raise ToolStartError(f"{command[0]}: we are closed")
        started = time.monotonic()
        child, cancelled = await settle(
            Child.start(command, niceness=self.niceness if niceness is None else niceness, on_stdout=on_stdout),
        )
        self._children[child] = None
        try:
            if cancelled:
                raise asyncio.CancelledError
            if self.closed:  # while it was being started
                raise ToolStartError(f"{command[0]}: we are closed")
            async with asyncio.timeout(timeout_seconds):
                await child.wait()
        except TimeoutError:
            raise ToolTimeoutError(child.stderr_tail) from None
        finally:
            _, cancelled = await settle(child.end(self.grace_seconds))
            del self._children[child]
            if cancelled:
                raise asyncio.CancelledError
        code = child.return_code
        if code in {126, 127}:  # what setpriv and nice end with when there is no such tool
            raise ToolStartError(f"{command[0]}: {child.stderr_tail.strip()}")
        return ToolResult(
            return_code=-signal.SIGKILL if code is None else code,
            stdout=bytes(child.stdout),
            stderr_tail=child.stderr_tail,
            elapsed_seconds=time.monotonic() - started,
        )

    async def close(self, grace_seconds: float) -> None:
        """End every running process group, all at once, and take no new ones."""
        self.closed = True
        await asyncio.gather(*(child.end(grace_seconds) for child in list(self._children)))
