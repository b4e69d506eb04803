"""The embedded MariaDB: a child of the daemon with its data in the state folder, a Unix socket and no network."""

import asyncio
import hashlib
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from securitycamd.db.engine import DatabaseAddress

log = structlog.get_logger(__name__)

DATABASE_NAME: Final = "securitycam"
SOCKET_PATH_LIMIT_BYTES: Final = 107
"""``sun_path`` of Linux has 108 bytes, one of them the closing NUL."""
INSTALL_TIMEOUT_SECONDS: Final = 120.0
READY_TIMEOUT_SECONDS: Final = 60.0
STOP_TIMEOUT_SECONDS: Final = 30.0
LEFTOVER_TIMEOUT_SECONDS: Final = 5.0
"""A server that is told to end while it starts may hang for ever; killed, it recovers from its log as after a crash."""


class EmbeddedServerError(Exception):
    """The embedded MariaDB cannot run; the message says what to do."""


class EmbeddedServer:
    """Installs, starts, watches and stops one ``mariadbd``.

    Durable: every commit is on disk before it is acknowledged. Should the daemon be killed, the kernel tells the
    child to shut down; a start that finds a left-over child waits for its end.
    """

    def __init__(self, folder: Path, *, buffer_pool_mb: int, max_connections: int) -> None:
        self._folder = folder.resolve()
        self._data = self._folder / "data"
        self._pid_file = self._folder / "mariadbd.pid"
        self._buffer_pool_mb = buffer_pool_mb
        self._max_connections = max_connections
        self._process: asyncio.subprocess.Process | None = None
        self._socket = _socket_path(self._folder)

    @property
    def address(self) -> DatabaseAddress:
        """Where it listens."""
        return DatabaseAddress(user="root", password="", name=DATABASE_NAME, socket=str(self._socket))

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Have it run and answer; installs its tables the first time.

        Raises:
            EmbeddedServerError: MariaDB is not installed, or does not come up.
        """
        await asyncio.to_thread(self._prepare_folders)
        await self._end_leftover()
        if not await asyncio.to_thread((self._data / "mysql").is_dir):
            await self._install()
        self._process = await asyncio.create_subprocess_exec(
            *_with_death_signal(),
            _program("mariadbd", "mysqld"),
            "--no-defaults",
            f"--datadir={self._data}",
            f"--socket={self._socket}",
            # Its own: a starting server clears the temporary folder of tables, also those of other servers.
            f"--tmpdir={self._folder / 'tmp'}",
            f"--pid-file={self._pid_file}",
            f"--log-error={self._folder / 'mariadbd.log'}",
            "--skip-networking",
            "--skip-log-bin",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
            "--performance-schema=OFF",
            f"--max-connections={self._max_connections}",
            f"--innodb-buffer-pool-size={self._buffer_pool_mb}M",
            "--innodb-flush-method=fsync",
            "--innodb-log-file-size=48M",
            "--innodb-flush-log-at-trx-commit=1",
            "--innodb-autoinc-lock-mode=1",
            "--key-buffer-size=1M",
            "--aria-pagecache-buffer-size=8M",
            *_as_user(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C at the terminal is for the daemon, which stops it last
        )
        await self._until_ready()
        log.info("embedded database runs", pid=self._process.pid)

    async def wait(self) -> int:
        """Wait until the child ends; its exit code."""
        if self._process is None:
            raise EmbeddedServerError("the embedded database was not started")
        return await self._process.wait()

    async def stop(self, timeout_seconds: float = STOP_TIMEOUT_SECONDS) -> None:
        """Shut it down; killed when it takes longer than ``timeout_seconds``."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
        try:
            async with asyncio.timeout(timeout_seconds):
                await process.wait()
        except TimeoutError:
            log.warning("embedded database did not stop in time and was killed")
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        self._process = None

    def _prepare_folders(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # The root account has no password: the folder's permissions are its lock.
        self._folder.chmod(0o700)
        (self._folder / "tmp").mkdir(exist_ok=True)
        self._socket.parent.mkdir(mode=0o700, exist_ok=True)
        self._socket.parent.chmod(0o700)

    async def _install(self) -> None:
        log.info("setting up the embedded database, this takes some seconds once")
        fresh = self._folder / "data.new"
        await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
        process = await asyncio.create_subprocess_exec(
            _program("mariadb-install-db", "mysql_install_db"),
            "--no-defaults",
            f"--datadir={fresh}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *_as_user(),
            # As the server itself: what shares a temporary folder clears each other's tables away.
            env=os.environ | {"TMPDIR": str(self._folder / "tmp")},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(INSTALL_TIMEOUT_SECONDS):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            log.error("mariadb-install-db failed", output=output.decode(errors="replace")[-2000:])
            raise EmbeddedServerError(f"mariadb-install-db could not set up {self._data}; its output is in the log")
        # Whole or not at all: a crash in the middle leaves data.new, which the next start throws away.
        await asyncio.to_thread(fresh.rename, self._data)

    async def _until_ready(self) -> None:
        process = self._process
        assert process is not None  # noqa: S101 - start() has just made it
        try:
            async with asyncio.timeout(READY_TIMEOUT_SECONDS):
                while process.returncode is None:
                    with suppress(OSError, asyncio.IncompleteReadError):
                        reader, writer = await asyncio.open_unix_connection(str(self._socket))
                        # The greeting of a server that accepts connections begins with its length.
                        await reader.readexactly(4)
                        writer.close()
                        return
                    await asyncio.sleep(0.02)
        except TimeoutError:
            await self.stop(timeout_seconds=5)
            raise EmbeddedServerError(f"mariadbd did not answer within {READY_TIMEOUT_SECONDS:.0f} s") from None
        tail = await asyncio.to_thread(_tail, self._folder / "mariadbd.log")
        log.error("mariadbd ended at once", exit_code=process.returncode, log_tail=tail)
        raise EmbeddedServerError(f"mariadbd ended with code {process.returncode}; see {self._folder / 'mariadbd.log'}")

    async def _end_leftover(self) -> None:
        """Wait for, or end, the child of a daemon that was killed: it still holds the data files."""
        pids = await asyncio.to_thread(self._leftovers)
        if not pids:
            return
        log.warning("ending the database process of an earlier run", pids=pids)
        deadline = asyncio.get_running_loop().time() + LEFTOVER_TIMEOUT_SECONDS
        number = int(signal.SIGTERM)
        while pids:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            # Once: a second SIGTERM would interrupt the shutting down.
            number = int(signal.SIGKILL) if asyncio.get_running_loop().time() > deadline else 0
            await asyncio.sleep(0.02)
            pids = await asyncio.to_thread(self._leftovers)

    def _leftovers(self) -> list[int]:
        """Processes that work on our data. By their commands: one that has just begun has no pid file yet."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if f"--datadir={self._data}".encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
        return found


async def keep_running(server: EmbeddedServer, *, beat: Callable[[], None], on_start: Callable[[], None]) -> None:
    """Watch the child until it ends, which is an error; its supervisor calls again, and it is started anew."""
    if server.pid is None:
        await server.start()
        on_start()
    beat()
    code = await server.wait()
    raise EmbeddedServerError(f"the embedded database ended unexpectedly with code {code}")


def _socket_path(folder: Path) -> Path:
    inside = folder / "mariadbd.sock"
    if len(os.fsencode(inside)) <= SOCKET_PATH_LIMIT_BYTES:
        return inside
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"securitycamd-{os.getuid()}-{name}" / "mariadbd.sock"


def _program(*names: str) -> str:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise EmbeddedServerError(
        f"{names[0]} is not installed: run `sudo apt install mariadb-server-core`,"
        " or name a server of your own with database.url"
    )


def _with_death_signal() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _as_user() -> list[str]:
    # mariadbd refuses to run as root unless told so.
    return ["--user=root"] if os.getuid() == 0 else []


def _tail(path: Path, size_bytes: int = 2000) -> str:
    try:
        return path.read_bytes()[-size_bytes:].decode(errors="replace")
    except OSError:
        return ""
