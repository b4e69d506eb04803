"""No wait without an end: for room in the pool when its connections break, for a server that says nothing at all."""

import asyncio
import time

import pytest

from securitycamd.db.engine import Database, DatabaseAddress
from securitycamd.domain.errors import DatabaseUnavailableError
from tests.db.conftest import MakeDatabase


async def test_the_room_that_a_broken_connection_leaves_is_given_to_who_waits(
    make_database: MakeDatabase, database: Database
) -> None:
    """The driver's pool tells nobody of it: those who waited would wait for their time-out, here ten seconds."""
    pool = await make_database(pool_size=1, wait_seconds=10)
    held, broken = asyncio.Event(), asyncio.Event()
    connection: list[int] = []

    async def holder() -> None:
        async with pool.session() as session:
            connection.append(int((await session.script("SELECT CONNECTION_ID()"))[0][0]))
            held.set()
            await broken.wait()
            await session.script("SELECT 1")

    holding = asyncio.create_task(holder())
    await held.wait()
    waiting = asyncio.create_task(pool.ping())
    await asyncio.sleep(0)
    async with database.session() as session:
        await session.script(f"KILL {connection[0]}")
    broken.set()
    with pytest.raises(DatabaseUnavailableError):
        await holding
    started = time.monotonic()
    assert await waiting
    assert time.monotonic() - started < 5


class Silent:
    """A server that accepts connections and never says a word, as one whose machine hangs."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _accept(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)

    def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()


async def test_a_server_that_never_greets_is_away(make_database: MakeDatabase) -> None:
    silent = Silent()
    try:
        address = DatabaseAddress("root", "", "name", host="127.0.0.1", port=await silent.start())
        pool = await make_database(address, pool_size=2, wait_seconds=0.3)
        async with asyncio.timeout(5):
            assert [await pool.ping() for _ in range(3)] == [False] * 3
        assert not pool.connected
    finally:
        silent.stop()


async def test_a_session_ends_when_the_server_falls_silent(make_database: MakeDatabase, database: Database) -> None:
    """Longer than a statement may take, no statement is waited for; and the connection is not used again."""
    pool = await make_database(pool_size=1, wait_seconds=0.2, statement_seconds=0.3)

    async def read() -> None:
        async with pool.session() as session:
            # The server itself would end what comes next; so that it is our bound that shows, it may not.
            await session.script("SET max_statement_time = 0")
            await session.script("SELECT COUNT(*) FROM cameras")

    async with database.session() as other:
        await other.script("LOCK TABLES cameras WRITE")
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            await read()
        assert time.monotonic() - started < 5
        assert not pool.connected
        await other.script("UNLOCK TABLES")
    assert await pool.ping()


def test_a_socket_in_the_address() -> None:
    address = DatabaseAddress.from_url("mysql://root@localhost/name?unix_socket=/run/mysqld/mysqld.sock")
    assert (address.socket, address.name, address.user) == ("/run/mysqld/mysqld.sock", "name", "root")
    assert str(address) == "/run/mysqld/mysqld.sock/name"
    assert DatabaseAddress.from_url("mysql://u:secret@h:3307/n").socket is None
    assert "secret" not in str(DatabaseAddress.from_url("mysql://u:secret@h:3307/n"))


@pytest.mark.parametrize("option", ["ssl=true", "unix_sockets=/x", "charset="])
def test_an_option_that_is_not_known_is_an_error(option: str) -> None:
    with pytest.raises(ValueError, match=option.split("=", maxsplit=1)[0]):
        DatabaseAddress.from_url(f"mysql://root@localhost/name?{option}")
