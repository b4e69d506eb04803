"""The server as a child process: started so that it cannot outlive its parent, watched, stopped in time."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import aiohttp

POLL_SECONDS: Final = 0.1
ANSWER_SECONDS: Final = 3.0
TAIL_BYTES: Final = 64 * 1024


class ServerFailedError(Exception):
    """The server ended, or did not become healthy in time."""


class ServerProcess:
    """One run of a server.

    Args:
        command: its words.
        environment: all of its environment.
        log: the file that takes what it prints.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._command = list(command)
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it. It gets TERM should this process die, where the system can do that."""
        guard = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        output = await asyncio.to_thread(self.log.open, "ab")
        try:
            # A session of its own: the terminal's Ctrl-C is for the parent, which stops things in order.
            self._process = await asyncio.create_subprocess_exec(
                *guard,
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,
            )
        finally:
            output.close()

    async def wait_until_healthy(self, url: str, timeout_seconds: float) -> None:
        """Return when ``GET /api/v1/health`` says ``healthy``.

        Raises:
            ServerFailedError: the process ended, or it took too long.
        """
        process = self._started()
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        try:
            async with asyncio.timeout(timeout_seconds), aiohttp.ClientSession(timeout=timeout) as session:
                while not await _is_healthy(session, url):
                    if process.returncode is not None:
                        raise ServerFailedError(f"the server ended with code {process.returncode}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            raise ServerFailedError(f"the server was not healthy within {timeout_seconds:.0f} s") from error

    async def wait(self) -> int:
        """Return the exit code once it has ended."""
        return await self._started().wait()

    async def stop(self, seconds: float) -> None:
        """Ask it to stop; end its whole process group when it takes longer than ``seconds``."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(seconds):
                await process.wait()
        except TimeoutError:
            pass
        finally:
            # Also when this wait is cancelled: no process may be left.
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    async def log_tail(self, lines: int = 30) -> str:
        """The last lines it printed."""
        return await asyncio.to_thread(_tail, self.log, lines)

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ServerFailedError("the server was not started")
        return self._process


async def _is_healthy(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/api/v1/health") as response:
            answer = await response.json()
            return response.status == 200 and isinstance(answer, dict) and answer.get("status") == "healthy"
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False


def _tail(log: Path, lines: int) -> str:
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])
