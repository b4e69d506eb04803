"""The one connection pool: bounded waits, short transactions, deadlocks retried, faults in the domain's words."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import aiomysql
import structlog
from pydantic_core import from_json
from pymysql import err
from pymysql.constants import CLIENT, CR, ER

from securitycamd.db.statements import Command, Query, expanded
from securitycamd.domain.changes import Change
from securitycamd.domain.errors import DatabaseUnavailableError

log = structlog.get_logger(__name__)
Result = TypeVar("Result")
Row = list[Any]

MAX_TRIES: Final = 6
# Another transaction won: a deadlock, a lock wait, a Galera certification failure, a row someone else just inserted,
# or the one that a new row belongs to just deleted.
RETRIED: Final = frozenset({
    ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT, ER.CHECKREAD, ER.DUP_ENTRY, ER.NO_REFERENCED_ROW_2,
})  # fmt: skip
# The server is away, going, coming, overloaded, read-only, out of disk, or gave up on a statement.
_STATEMENT_TIMEOUT: Final = 1969
_CONNECTION_KILLED: Final = 1927
_WSREP_NOT_READY: Final = 1047
AWAY: Final = frozenset({
    CR.CR_CONNECTION_ERROR, CR.CR_CONN_HOST_ERROR, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST,
    CR.CR_SERVER_HANDSHAKE_ERR, ER.SERVER_SHUTDOWN, ER.CON_COUNT_ERROR, ER.DISK_FULL, ER.RECORD_FILE_FULL,
    ER.OPTION_PREVENTS_STATEMENT, ER.QUERY_INTERRUPTED, ER.NORMAL_SHUTDOWN, ER.CANT_OPEN_FILE,
    _STATEMENT_TIMEOUT, _CONNECTION_KILLED, _WSREP_NOT_READY,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where the server listens; ``socket`` wins over host and port."""

    user: str
    password: str
    name: str
    host: str = "localhost"
    port: int = 3306
    socket: str | None = None

    @classmethod
    def from_url(cls, url: str) -> "DatabaseAddress":
        """Read ``mysql://user:password@host:port/name`` (percent-encoded parts).

        ``mysql://user@localhost/name?unix_socket=/run/mysqld/mysqld.sock`` goes through a Unix socket.

        Raises:
            ValueError: the address has an option that is not known here; better said than passed over.
        """
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        socket = options.pop("unix_socket", None)
        if options:
            raise ValueError(f"no such option: {', '.join(options)} (there is unix_socket)")
        return cls(
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            name=unquote(parts.path.strip("/")),
            host=parts.hostname or "localhost",
            port=parts.port or 3306,
            socket=socket or None,
        )

    def __str__(self) -> str:
        """Where it is, without user and password."""
        return f"{self.socket or f'{self.host}:{self.port}'}/{self.name}"


class Transaction:
    """Statements on one connection. Outside :meth:`Database.transaction` each commits by itself."""

    __slots__ = ("_connection", "changes")

    def __init__(self, connection: aiomysql.Connection) -> None:
        self._connection = connection
        self.changes: list[Change] = []
        """What those who watch are told once it is committed."""

    def tell(self, change: Change) -> None:
        """Have a change told after the commit; not at all if there is none."""
        self.changes.append(change)

    async def rows(self, query: Query, **values: Any) -> list[Row]:
        """The rows of a packed select, each a list of JSON values in the order of its columns."""
        cursor = await self._connection.cursor()
        await cursor.execute(*expanded(query.text, query.fixed | values))
        return [from_json(row[0]) for row in cursor._rows]  # noqa: SLF001 - fetchall makes a future for what is here

    async def row(self, query: Query, **values: Any) -> Row | None:
        """The first row, if there is one."""
        found = await self.rows(query, **values)
        return found[0] if found else None

    async def execute(self, command: Command, **values: Any) -> int:
        """Run a statement; the number of rows it matched."""
        cursor = await self._connection.cursor()
        return int(await cursor.execute(*expanded(command.text, command.fixed | values)))

    async def insert_many(self, text: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert all ``rows`` with as few statements as fit; ``text`` is a one-row insert."""
        if rows:
            cursor = await self._connection.cursor()
            await cursor.executemany(text, rows)

    async def script(self, text: str) -> list[tuple[Any, ...]]:
        """Run one statement given as text, without parameters; its raw rows. For what has no other form."""
        cursor = await self._connection.cursor()
        await cursor.execute(text)
        return list(await cursor.fetchall())

    async def try_script(self, text: str) -> bool:
        """The same for a statement that waits for a lock; whether it got it."""
        try:
            await self.script(text)
        except err.OperationalError as error:
            if _code(error) != ER.LOCK_WAIT_TIMEOUT:
                raise
            return False
        return True


class Database:
    """The pool. Every method raises :class:`DatabaseUnavailableError` when the server is away or too busy."""

    def __init__(
        self, address: DatabaseAddress, *, pool_size: int, wait_seconds: float, statement_seconds: float
    ) -> None:
        self._address = address
        self._pool_size = pool_size
        self._wait_seconds = wait_seconds
        self._statement_seconds = statement_seconds
        # The server ends a statement that takes too long; this is for a server that does not answer at all.
        self._session_seconds = statement_seconds + wait_seconds if statement_seconds else None
        self._tellers: set[asyncio.Task[None]] = set()
        self._pool: aiomysql.Pool | None = None
        self._closing = False
        self.connected = False
        """Whether the last contact succeeded; what health says without asking the server again."""
        self.on_commit: Callable[[Sequence[Change]], None] = lambda _: None
        """Called with what a transaction changed, after its commit."""

    @property
    def address(self) -> DatabaseAddress:
        """Where the server listens."""
        return self._address

    @property
    def connections(self) -> tuple[int, int, int]:
        """How many connections there are, how many of them are in use, and how many there may be."""
        if self._pool is None:
            return (0, 0, self._pool_size)
        return (self._pool.size, self._pool.size - self._pool.freesize, self._pool_size)

    async def open(self) -> None:
        """Make the pool; connections come as they are needed."""
        address = self._address
        self._pool = await aiomysql.create_pool(
            minsize=0,
            maxsize=self._pool_size,
            pool_recycle=3600,
            host=address.host,
            port=address.port,
            unix_socket=address.socket,
            user=address.user,
            password=address.password,
            db=address.name,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=self._wait_seconds,
            program_name="securitycamd",
            client_flag=CLIENT.FOUND_ROWS,  # an update counts the rows that it matched, changed or not
            init_command=(
                "SET time_zone = '+00:00', tx_isolation = 'READ-COMMITTED',"
                f" max_statement_time = {self._statement_seconds}, innodb_lock_wait_timeout = 5,"
                " sql_notes = 0,"  # notes such as "exists already" would each cost a round trip and a warning
                " sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"
            ),
        )

    async def close(self, timeout_seconds: float = 3.0) -> None:
        """Wait for what is under way, then end every connection."""
        self._closing = True
        if self._pool is None:
            return
        # It refuses newcomers from here on, and stays known, so that those inside can still give back what they hold.
        pool = self._pool
        pool.close()
        try:
            async with asyncio.timeout(timeout_seconds):
                await pool.wait_closed()
        except TimeoutError:
            log.warning("database connections did not end in time and were cut")
            pool.terminate()
        self._pool = None

    def drop_idle(self) -> None:
        """Forget idle connections, for a server that was restarted."""
        if self._pool is not None:
            for connection in self._pool._free:  # noqa: SLF001 - clear() of the pool is a coroutine that waits
                connection.close()
            self._pool._free.clear()  # noqa: SLF001

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Transaction]:
        """A connection in which each statement commits by itself."""
        async with self._answering():
            connection = await self._acquire()
            try:
                yield (session := Transaction(connection))
                self.on_commit(session.changes)
            except BaseException as error:
                self._failed(connection, error)
                raise
            finally:
                self._release(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction: committed at the end, rolled back on an error. READ COMMITTED."""
        async with self._answering():
            connection = await self._acquire()
            try:
                await connection.begin()
                yield (transaction := Transaction(connection))
                await connection.commit()
                self.on_commit(transaction.changes)
            except BaseException as error:
                if isinstance(error, err.MySQLError | OSError) or not isinstance(error, Exception):
                    # Closing rolls back on the server; a rollback could hang on a connection that is lost.
                    connection.close()
                else:
                    await self._roll_back(connection)
                self._failed(connection, error)
                raise
            finally:
                self._release(connection)

    async def transact(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run ``work`` in a transaction, and again when another transaction got in the way.

        ``work`` must have no effect outside the transaction.
        """
        for turn in range(1, MAX_TRIES + 1):
            try:
                async with self.transaction() as transaction:
                    return await work(transaction)
            except err.MySQLError as error:
                if _code(error) not in RETRIED or turn == MAX_TRIES:
                    raise
                log.debug("transaction runs again", code=_code(error), turn=turn)
            await asyncio.sleep(random.uniform(0, 0.01 * 2**turn))  # noqa: S311 - spreads load, guards nothing
        raise AssertionError("unreachable")

    async def rows(self, query: Query, **values: Any) -> list[Row]:
        """The rows of one packed select."""
        async with self.session() as session:
            return await session.rows(query, **values)

    async def row(self, query: Query, **values: Any) -> Row | None:
        """The first row of one packed select, if there is one."""
        async with self.session() as session:
            return await session.row(query, **values)

    async def execute(self, command: Command, **values: Any) -> int:
        """Run one statement, committed; the number of rows it matched."""
        async with self.session() as session:
            return await session.execute(command, **values)

    def tell(self, change: Change) -> None:
        """Tell of a change that a single statement has just committed."""
        self.on_commit([change])

    async def ping(self) -> bool:
        """Ask the server whether it is there; also what :attr:`connected` says from now on."""
        try:
            async with self.session() as session:
                await session.script("SELECT 1")
        except DatabaseUnavailableError:
            return False
        return True

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """Bound what is inside: a server that hangs, or whose machine lost its power, says nothing at all."""
        limit = asyncio.timeout(self._session_seconds)
        try:
            async with limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            self._lost(error)
            raise DatabaseUnavailableError from error

    async def _acquire(self) -> aiomysql.Connection:
        if self._pool is None:
            raise DatabaseUnavailableError
        try:
            async with asyncio.timeout(self._wait_seconds):
                connection = await self._pool.acquire()
        except (TimeoutError, OSError, err.MySQLError) as error:
            if isinstance(error, TimeoutError):
                log.warning("no database connection became free", wait_seconds=self._wait_seconds)
            else:
                self._lost(error)
            raise DatabaseUnavailableError from error
        except RuntimeError as error:  # the pool was closed under us
            raise DatabaseUnavailableError from error
        self.connected = True
        return connection

    async def _roll_back(self, connection: aiomysql.Connection) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await connection.rollback()
        except (TimeoutError, OSError, err.MySQLError):
            connection.close()

    def _release(self, connection: aiomysql.Connection) -> None:
        if self._pool is None:
            connection.close()
            return
        self._pool.release(connection)
        if connection.closed:
            # The driver's pool tells those who wait of a connection that came back, but not of the room that a
            # closed one leaves; they would wait until the next comes back, or for ever.
            teller = asyncio.create_task(self._pool._wakeup(), name="database room")  # noqa: SLF001
            self._tellers.add(teller)
            teller.add_done_callback(self._tellers.discard)

    def _failed(self, connection: aiomysql.Connection, error: BaseException) -> None:
        """Turn what the driver says of a server that is away into the domain's word for it."""
        if isinstance(error, err.MySQLError):
            if _code(error) in AWAY or (connection.closed and isinstance(error, err.InterfaceError)):
                connection.close()
                if _code(error) != _STATEMENT_TIMEOUT:
                    self._lost(error)
                raise DatabaseUnavailableError from error
        elif not isinstance(error, Exception) or isinstance(error, (OSError, asyncio.IncompleteReadError)):
            connection.close()
            if isinstance(error, Exception):
                self._lost(error)
                raise DatabaseUnavailableError from error

    def _lost(self, error: Exception) -> None:
        if self.connected and not self._closing:
            log.error("the database is away", code=_code(error) if isinstance(error, err.MySQLError) else None)
        self.connected = False


def _code(error: err.MySQLError) -> int | None:
    return error.args[0] if error.args and isinstance(error.args[0], int) else None
