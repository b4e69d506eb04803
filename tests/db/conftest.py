"""What the tests of the database room share."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from securitycamd.db.engine import Database, DatabaseAddress

Found = TypeVar("Found")


async def until(ask: Callable[[], Awaitable[Found]], *, seconds: float = 30) -> Found:
    """The first true answer to what is asked again and again; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := await ask()):
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.01)
    return found


class MakeDatabase(Protocol):
    """Opens a pool; what is not given is as small and quick as a test wants it."""

    async def __call__(
        self,
        address: DatabaseAddress | None = None,
        *,
        pool_size: int = 2,
        wait_seconds: float = 5,
        statement_seconds: float = 15,
    ) -> Database: ...


@pytest.fixture
async def make_database(worker_database: DatabaseAddress) -> AsyncIterator[MakeDatabase]:
    async with AsyncExitStack() as stack:

        async def make(address: DatabaseAddress | None = None, **options: Any) -> Database:
            database = Database(address or worker_database, **options)
            await database.open()
            stack.push_async_callback(database.close)
            return database

        async def make_with_defaults(
            address: DatabaseAddress | None = None,
            *,
            pool_size: int = 2,
            wait_seconds: float = 5,
            statement_seconds: float = 15,
        ) -> Database:
            return await make(
                address,
                pool_size=pool_size,
                wait_seconds=wait_seconds,
                statement_seconds=statement_seconds,
            )

        yield make_with_defaults


class Line:
    """A socket between pool and server that can be cut and mended: a server that goes away and comes back."""

    def __init__(self, server: DatabaseAddress, folder: Path) -> None:
        assert server.socket is not None
        self._target = server.socket
        self._socket = folder / "line.sock"
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.address = replace(server, socket=str(self._socket))

    async def mend(self) -> None:
        self._server = await asyncio.start_unix_server(self._connect, str(self._socket))

    async def cut(self) -> None:
        """End every connection and accept none."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._socket.unlink(missing_ok=True)
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._target)
        self._writers |= {writer, server_writer}
        await asyncio.gather(_pass_on(reader, server_writer), _pass_on(server_reader, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except OSError:
        pass
    writer.close()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a name so short that sockets fit."""
    with tempfile.TemporaryDirectory(prefix="scd-") as name:
        yield Path(name)


@pytest.fixture
async def line(worker_database: DatabaseAddress, short_folder: Path) -> AsyncIterator[Line]:
    line = Line(worker_database, short_folder)
    await line.mend()
    yield line
    await line.cut()
