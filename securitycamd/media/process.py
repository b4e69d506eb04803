"""Child processes that are always reaped, never outlive us and never flood us.

Every tool leads a process group of its own, so that what it starts can be ended with it, and is started
through ``setpriv --pdeathsig`` where that exists, so that the kernel ends it when this process is killed.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from securitycamd.config import ENV_PREFIX
from securitycamd.media.child import Child, ToolStartError

T = TypeVar("T")


class ToolTimeoutError(Exception):
    """The tool made no end within its time; its whole group was ended."""

    def __init__(self, stderr_tail: str) -> None:
        super().__init__("the tool was stopped after its time-out")
        self.stderr_tail = stderr_tail


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


class Tools:
    """Runs tools, knows those that run, and can end them all."""

    def __init__(self, *, niceness: int = 0, grace_seconds: float = 2.0) -> None:
        self.niceness = niceness
        self.grace_seconds = grace_seconds
        self.closed = False
        self._children: dict[Child, None] = {}
        # One thread, for as long as we are there: with it the kernel would end what it started.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="start of tools")

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
            Child.start(
                command,
                niceness=self.niceness if niceness is None else niceness,
                # Secrets of ours, such as the database's address, are no business of a tool's.
                environment={k: v for k, v in os.environ.items() if not k.upper().startswith(ENV_PREFIX)},
                starter=self._starter,
                on_stdout=on_stdout,
            ),
        )
        self._children[child] = None
        try:
            if cancelled:
                raise asyncio.CancelledError
            if self.closed:  # while it was being started
                raise ToolStartError(f"{command[0]}: we are closed")
            async with asyncio.timeout(timeout_seconds):
                child.hear()
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
