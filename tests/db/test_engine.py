import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymysql.err import DataError, IntegrityError, MySQLError
from sqlalchemy import bindparam, column, select, table

from securitycamd.db import engine
from securitycamd.db.engine import Database, DatabaseAddress, Transaction
from securitycamd.db.statements import Command, Query
from securitycamd.domain.errors import DatabaseUnavailableError
from tests.db.conftest import Line, MakeDatabase, until

_T = table("engine_test", column("id"), column("n"), column("word"))
ADD = Command(_T.insert().values(id=bindparam("id"), n=bindparam("n"), word=bindparam("word")))
BUMP = Command(_T.update().where(_T.c.id == bindparam("key")).values(n=_T.c.n + 1))
ALL = Query(select(_T.c.id, _T.c.n, _T.c.word).order_by(_T.c.id))
ONE = Query(select(_T.c.n).where(_T.c.id == bindparam("id")))
SLEEPERS = "SELECT id FROM information_schema.processlist WHERE info LIKE 'DO SLEEP(50%'"


@pytest.fixture(autouse=True)
async def engine_test(database: Database) -> AsyncIterator[None]:
    """A table with the rows 1 and 2."""
    async with database.session() as session:
        await session.script(
            "CREATE OR REPLACE TABLE engine_test (id INT PRIMARY KEY, n INT NOT NULL, word VARCHAR(10))"
        )
    for number in (1, 2):
        await database.execute(ADD, id=number, n=0, word=None)
    yield
    async with database.session() as session:
        await session.script("DROP TABLE engine_test")


# --- addresses ----------------------------------------------------------------------------------------------


def test_the_address_in_a_url() -> None:
    assert DatabaseAddress.from_url("mysql://me:secret@db.example:3307/cams") == DatabaseAddress(
        "me", "secret", "cams", host="db.example", port=3307
    )
    assert DatabaseAddress.from_url("mysql://db/cams") == DatabaseAddress("root", "", "cams", host="db")
    assert DatabaseAddress.from_url("mysql://me@[::1]/cams").host == "::1"


@given(st.text(min_size=1), st.text(), st.text(min_size=1).filter(lambda name: name.strip("/")))
def test_any_user_password_and_name_fit_into_a_url(user: str, password: str, name: str) -> None:
    url = f"mysql://{quote(user, safe='')}:{quote(password, safe='')}@host/{quote(name, safe='')}"
    address = DatabaseAddress.from_url(url)
    assert (address.user, address.password, address.name) == (user, password, name)


# --- sessions -----------------------------------------------------------------------------------------------


async def test_each_statement_of_a_session_commits_by_itself(database: Database) -> None:
    async with database.session() as session:
        await session.execute(BUMP, key=1)
        assert await database.row(ONE, id=1) == [1]  # another connection sees it


async def test_the_connection_speaks_utc_strictly_and_read_committed(make_database: MakeDatabase) -> None:
    database = await make_database(statement_seconds=7)
    async with database.session() as session:
        [row] = await session.script(
            "SELECT @@time_zone, @@tx_isolation, @@max_statement_time, @@character_set_client, @@autocommit"
        )
    assert row == ("+00:00", "READ-COMMITTED", 7.0, "utf8mb4", 1)


async def test_a_value_that_does_not_fit_is_an_error_and_not_cut(database: Database) -> None:
    with pytest.raises(DataError, match="word"):
        await database.execute(ADD, id=3, n=0, word="x" * 11)
    assert len(await database.rows(ALL)) == 2
    assert database.connected


async def test_rows_one_row_and_no_row(database: Database) -> None:
    assert await database.rows(ALL) == [[1, 0, None], [2, 0, None]]
    assert await database.row(ALL) == [1, 0, None]
    assert await database.row(ONE, id=3) is None
    assert await database.execute(BUMP, key=3) == 0
    assert await database.execute(BUMP, key=2) == 1


async def test_many_rows_are_inserted_and_no_rows_are_no_statement(database: Database) -> None:
    text = "INSERT INTO engine_test (id, n, word) VALUES (%(id)s, %(n)s, %(word)s)"
    async with database.transaction() as transaction:
        await transaction.insert_many(text, [])
        await transaction.insert_many(text, [{"id": n, "n": n, "word": "%s')"} for n in range(3, 500)])
    assert len(await database.rows(ALL)) == 499
    assert await database.row(ONE, id=499) == [499]


# --- transactions -------------------------------------------------------------------------------------------


async def test_a_transaction_is_whole_or_not_at_all(database: Database) -> None:
    async def fail(transaction: Transaction) -> None:
        await transaction.execute(BUMP, key=1)
        assert await transaction.row(ONE, id=1) == [1]
        assert await database.row(ONE, id=1) == [0]  # not for others, before the commit
        raise KeyError("half way")

    with pytest.raises(KeyError, match="half way"):
        await database.transact(fail)
    assert await database.row(ONE, id=1) == [0]


async def test_after_a_roll_back_the_connection_serves_on(make_database: MakeDatabase) -> None:
    database = await make_database(pool_size=1, wait_seconds=1)
    async with database.session() as session:
        before = await session.script("SELECT CONNECTION_ID()")

    async def fail(transaction: Transaction) -> None:
        await transaction.execute(BUMP, key=1)
        raise KeyError

    with pytest.raises(KeyError):
        await database.transact(fail)
    async with database.session() as session:
        assert await session.script("SELECT CONNECTION_ID()") == before
        assert await session.script("SELECT @@in_transaction") == [(0,)]


async def test_a_deadlock_runs_the_loser_again(database: Database) -> None:
    """Each of two transactions holds a row that the other wants next."""
    both_hold_one = asyncio.Barrier(2)
    runs: list[tuple[int, int]] = []

    async def bump_both(first: int, second: int) -> None:
        async def work(transaction: Transaction) -> None:
            runs.append((first, second))
            await transaction.execute(BUMP, key=first)
            if runs.count((first, second)) == 1:
                await both_hold_one.wait()
            await transaction.execute(BUMP, key=second)

        await database.transact(work)

    await asyncio.gather(bump_both(1, 2), bump_both(2, 1))
    assert len(runs) >= 3
    assert await database.rows(ALL) == [[1, 2, None], [2, 2, None]]


async def test_a_row_that_another_inserts_first_is_found_the_second_time(database: Database) -> None:
    both_saw_none = asyncio.Barrier(2)
    runs = 0

    async def work(transaction: Transaction) -> None:
        nonlocal runs
        runs += 1
        if await transaction.execute(BUMP, key=9) == 0:
            await both_saw_none.wait()
            await transaction.execute(ADD, id=9, n=1, word=None)

    await asyncio.gather(database.transact(work), database.transact(work))
    assert runs == 3
    assert await database.row(ONE, id=9) == [2]


async def test_what_always_fails_is_given_up(database: Database) -> None:
    runs = 0

    async def work(transaction: Transaction) -> None:
        nonlocal runs
        runs += 1
        await transaction.execute(ADD, id=1, n=0, word=None)

    with pytest.raises(IntegrityError):
        await database.transact(work)
    assert runs == engine.MAX_TRIES
    assert database.connected


async def test_a_wrong_statement_is_not_run_again(database: Database) -> None:
    runs = 0

    async def work(transaction: Transaction) -> None:
        nonlocal runs
        runs += 1
        await transaction.script("SELECT * FROM nowhere")

    with pytest.raises(MySQLError, match="nowhere"):
        await database.transact(work)
    assert runs == 1


# --- the pool -----------------------------------------------------------------------------------------------


async def test_the_wait_for_a_connection_is_bounded(make_database: MakeDatabase) -> None:
    database = await make_database(pool_size=1, wait_seconds=0.2)
    async with database.session():
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            await database.row(ONE, id=1)
        assert 0.15 < time.monotonic() - started < 3
        assert database.connected  # it is busy, not away
    assert await database.row(ONE, id=1) == [0]


async def test_no_more_connections_than_the_pool_has(make_database: MakeDatabase) -> None:
    database = await make_database(pool_size=3)
    seen: set[int] = set()

    async def ask() -> None:
        async with database.session() as session:
            [(connection,)] = await session.script("SELECT CONNECTION_ID()")
            seen.add(connection)

    await asyncio.gather(*(ask() for _ in range(50)))
    assert len(seen) <= 3


@pytest.mark.parametrize("in_transaction", [False, True])
async def test_a_cancelled_querys_connection_is_dropped_and_the_pool_recovers(
    make_database: MakeDatabase, database: Database, *, in_transaction: bool
) -> None:
    pool = await make_database(pool_size=1, wait_seconds=5)
    opened = pool.transaction if in_transaction else pool.session
    connections: list[Any] = []

    async def sleep() -> None:
        async with opened() as session:
            connections.extend(await session.script("SELECT CONNECTION_ID()"))
            await session.script("DO SLEEP(50 + 0.5)")

    async with database.session() as watcher:
        sleeper = asyncio.create_task(sleep())
        running = await until(lambda: watcher.script(SLEEPERS))
        sleeper.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeper
        # Its answer would come on the old connection some day; the next query must not wait for it.
        async with asyncio.timeout(10), pool.session() as session:
            connections += await session.script("SELECT CONNECTION_ID()")
        assert connections[0] != connections[1]
        assert pool.connected
        for (number,) in running:
            await watcher.script(f"KILL {number}")


async def test_a_wait_that_is_cancelled_takes_no_connection(make_database: MakeDatabase) -> None:
    database = await make_database(pool_size=1)
    async with database.session():
        waiting = [asyncio.create_task(database.row(ONE, id=1)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(5):
        assert await asyncio.gather(*(database.row(ONE, id=1) for _ in range(5))) == [[0]] * 5


async def test_a_statement_that_takes_too_long_is_given_up(make_database: MakeDatabase) -> None:
    database = await make_database(pool_size=1, statement_seconds=0.2)
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailableError):
        async with database.session() as session:
            await session.script("SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b")
    assert time.monotonic() - started < 10
    assert database.connected  # it answered, if only to say so
    assert await database.row(ONE, id=1) == [0]


async def test_closing_waits_for_what_is_under_way_and_refuses_what_comes_after(
    make_database: MakeDatabase,
) -> None:
    database = await make_database()
    async with database.session() as session:
        closing = asyncio.create_task(database.close(timeout_seconds=0.5))
        await asyncio.sleep(0)
        with pytest.raises(DatabaseUnavailableError):
            await database.row(ONE, id=1)
        await session.execute(BUMP, key=1)
    await closing
    with pytest.raises(DatabaseUnavailableError):
        await database.row(ONE, id=1)
    assert not await database.ping()
    await database.close()  # again does no harm


async def test_closing_ends_with_what_was_under_way(make_database: MakeDatabase) -> None:
    database = await make_database()
    async with database.session() as session:
        closing = asyncio.create_task(database.close(timeout_seconds=60))
        await asyncio.sleep(0)
        await session.execute(BUMP, key=1)
    async with asyncio.timeout(2):
        await closing


async def test_closing_cuts_what_does_not_end(make_database: MakeDatabase) -> None:
    database = await make_database()
    async with database.session():
        async with asyncio.timeout(10):
            await database.close(timeout_seconds=0.1)


async def test_a_pool_that_was_never_opened_is_away(worker_database: DatabaseAddress) -> None:
    database = Database(worker_database, pool_size=1, wait_seconds=1, statement_seconds=1)
    assert not await database.ping()
    with pytest.raises(DatabaseUnavailableError):
        await database.row(ONE, id=1)
    await database.close()


# --- a server that goes away --------------------------------------------------------------------------------


async def test_a_server_that_goes_and_comes(make_database: MakeDatabase, line: Line) -> None:
    database = await make_database(line.address)
    states = [database.connected]
    assert await database.ping()
    states.append(database.connected)
    await line.cut()
    for _ in range(2):
        with pytest.raises(DatabaseUnavailableError):
            await database.row(ONE, id=1)
        states.append(database.connected)
        assert not await database.ping()
    await line.mend()
    assert await database.ping()
    states.append(database.connected)
    assert states == [False, True, False, False, True]
    assert await database.row(ONE, id=1) == [0]


@pytest.mark.parametrize("in_transaction", [False, True])
async def test_a_server_that_goes_in_the_middle_of_a_statement(
    make_database: MakeDatabase, database: Database, line: Line, *, in_transaction: bool
) -> None:
    pool = await make_database(line.address, pool_size=1)

    async def sleep() -> None:
        async with (pool.transaction if in_transaction else pool.session)() as session:
            await session.execute(BUMP, key=1)
            await session.script("DO SLEEP(50 + 0.25)")

    sleeper = asyncio.create_task(sleep())
    async with database.session() as watcher:
        running = await until(lambda: watcher.script(SLEEPERS))
        await line.cut()
        with pytest.raises(DatabaseUnavailableError):
            await sleeper
        assert not pool.connected
        for (number,) in running:
            await watcher.script(f"KILL {number}")
        await line.mend()
        assert await pool.ping()

        async def count() -> list[int] | None:
            row = await database.row(ONE, id=1)
            return row if row == [0 if in_transaction else 1] else None

        await until(count)


async def test_a_server_that_goes_while_connections_are_idle_costs_no_request(
    make_database: MakeDatabase, line: Line
) -> None:
    """A restart between two requests: the pool finds its connections dead before it gives them out."""
    database = await make_database(line.address, pool_size=3)
    await asyncio.gather(*(database.ping() for _ in range(3)))
    await line.cut()
    await line.mend()
    await asyncio.sleep(0)  # the loop learns of the ends
    assert await asyncio.gather(*(database.row(ONE, id=1) for _ in range(6))) == [[0]] * 6


async def test_idle_connections_can_be_forgotten(make_database: MakeDatabase) -> None:
    database = await make_database(pool_size=1)
    async with database.session() as session:
        before = await session.script("SELECT CONNECTION_ID()")
    database.drop_idle()
    async with database.session() as session:
        assert await session.script("SELECT CONNECTION_ID()") != before


@pytest.mark.parametrize(
    "message",
    [
        "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1053, MESSAGE_TEXT = 'Server shutdown in progress'",
        "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1021, MESSAGE_TEXT = 'Disk full'",
        "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290, MESSAGE_TEXT = 'The server is read-only'",
        "SIGNAL SQLSTATE '08S01' SET MYSQL_ERRNO = 1047, MESSAGE_TEXT = 'WSREP has not yet prepared node'",
    ],
)
async def test_a_server_that_cannot_serve_now_is_away(make_database: MakeDatabase, message: str) -> None:
    database = await make_database()
    await database.ping()
    with pytest.raises(DatabaseUnavailableError):
        async with database.session() as session:
            await session.script(message)
    assert not database.connected
    assert await database.ping()


async def test_a_certification_failure_of_a_cluster_runs_the_transaction_again(database: Database) -> None:
    runs = 0

    async def work(transaction: Transaction) -> None:
        nonlocal runs
        runs += 1
        await transaction.execute(BUMP, key=1)
        if runs < 3:
            await transaction.script("SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'WSREP'")

    await database.transact(work)
    assert runs == 3
    assert await database.row(ONE, id=1) == [1]


async def test_a_wrong_password_is_told_as_away(make_database: MakeDatabase, worker_database: DatabaseAddress) -> None:
    address = DatabaseAddress("nobody", "wrong", worker_database.name, socket=worker_database.socket)
    database = await make_database(address)
    assert not await database.ping()
    assert not database.connected
