import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pymysql.err import MySQLError

from securitycamd.db import migrate
from securitycamd.db.engine import Database, DatabaseAddress, Transaction
from securitycamd.db.migrate import Migration, MigrationError, read_migrations
from securitycamd.domain.errors import DatabaseUnavailableError
from tests.db.conftest import until
from tests.db.described import DOCUMENT, of_database, of_document, of_tables

STEPS = read_migrations()


@asynccontextmanager
async def connected(address: DatabaseAddress) -> AsyncIterator[Transaction]:
    database = Database(address, pool_size=1, wait_seconds=5, statement_seconds=30)
    await database.open()
    try:
        async with database.session() as session:
            yield session
    finally:
        await database.close()


def following(*statements: str, name: str = "more") -> Migration:
    """A migration after all there are."""
    return Migration(len(STEPS) + 1, name, hashlib.sha256(name.encode()).hexdigest(), statements)


# --- the schema ---------------------------------------------------------------------------------------------


async def test_the_migrations_build_what_the_statements_expect(fresh_database: DatabaseAddress) -> None:
    assert await migrate.migrate(fresh_database, STEPS) == len(STEPS)
    async with connected(fresh_database) as session:
        built = await of_database(session)
    expected = of_tables()
    assert built.keys() == expected.keys()
    for name, table in expected.items():
        assert built[name] == table, name


async def test_the_document_says_what_the_migrations_build(fresh_database: DatabaseAddress) -> None:
    await migrate.migrate(fresh_database, STEPS)
    async with connected(fresh_database) as session:
        built = await of_database(session)
    documented = of_document()
    assert documented.keys() == built.keys()
    for name, table in built.items():
        said = documented[name]
        assert said.columns == {key: (each.type, each.nullable) for key, each in table.columns.items()}, name
        assert said.keys == {key: each.columns for key, each in table.keys.items()}, name
        assert said.references == {
            key: (each.columns[0], f"{each.target}.{each.target_columns[0]}") for key, each in table.references.items()
        }, name


def test_every_column_and_key_is_explained_and_every_file_named_exists() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for heading in ("Goals", "Non-goals", "Tables", "Invariants", "The queue", "Partitions", "Migrations"):
        assert f"\n## {heading}\n" in text
    unexplained = re.findall(r"^\| `(\w+)` \|[^|]+\| (?:yes|no) \|  ?\|$", text, re.MULTILINE)
    assert unexplained == []
    root = DOCUMENT.parents[1]
    named = re.findall(r"`((?:tests|securitycamd)/[\w./]*)`", text)
    assert named
    assert [name for name in named if not (root / name).exists()] == []


async def test_a_crash_between_any_two_statements_is_made_up_for(fresh_database: DatabaseAddress) -> None:
    """Every statement of every migration may run twice."""
    for step in STEPS:
        for done in range(len(step.statements) + 1):
            async with connected(fresh_database) as session:
                await empty(session)
                await migrate._migrate(session, STEPS[: step.version - 1])
                for statement in step.statements[:done]:
                    await session.script(statement)
            assert await migrate.migrate(fresh_database, STEPS) == len(STEPS) - step.version + 1
            async with connected(fresh_database) as session:
                assert await of_database(session) == of_tables(), (step.name, done)


async def empty(session: Transaction) -> None:
    await session.script("SET foreign_key_checks = 0")
    for (name,) in await session.script("SHOW TABLES"):
        await session.script(f"DROP TABLE {name}")
    await session.script("SET foreign_key_checks = 1")


# --- applying -----------------------------------------------------------------------------------------------


async def test_what_was_applied_is_not_applied_again(fresh_database: DatabaseAddress) -> None:
    assert await migrate.migrate(fresh_database, STEPS) == len(STEPS)
    assert await migrate.migrate(fresh_database, STEPS) == 0
    step = following("CREATE TABLE more (id INT PRIMARY KEY)")  # would fail the second time
    assert await migrate.migrate(fresh_database, [*STEPS, step]) == 1
    assert await migrate.migrate(fresh_database, [*STEPS, step]) == 0
    async with connected(fresh_database) as session:
        recorded = await session.script("SELECT version, name, checksum FROM schema_migrations ORDER BY 1")
    assert recorded == [(each.version, each.name, each.checksum) for each in [*STEPS, step]]


async def test_a_file_that_was_changed_after_it_had_been_applied_is_refused(
    fresh_database: DatabaseAddress,
) -> None:
    await migrate.migrate(fresh_database, STEPS)
    changed = replace(STEPS[0], checksum="0" * 64)
    with pytest.raises(MigrationError, match=r"migration 0001_initial was changed after it had been applied"):
        await migrate.migrate(fresh_database, [changed, *STEPS[1:], following("CREATE TABLE more (id INT)")])
    async with connected(fresh_database) as session:
        assert await session.script("SHOW TABLES LIKE 'more'") == []


async def test_the_database_of_a_newer_version_is_refused(fresh_database: DatabaseAddress) -> None:
    await migrate.migrate(fresh_database, [*STEPS, following("CREATE TABLE more (id INT)")])
    with pytest.raises(MigrationError, match="made by a newer securitycamd"):
        await migrate.migrate(fresh_database, STEPS)


@pytest.mark.parametrize("table", ["cameras", "events", "logs"])
async def test_tables_of_another_program_are_refused_and_left_alone(
    fresh_database: DatabaseAddress, table: str
) -> None:
    async with connected(fresh_database) as session:
        await session.script(f"CREATE TABLE {table} (word VARCHAR(10))")
        await session.script(f"INSERT INTO {table} VALUES ('theirs')")
    with pytest.raises(MigrationError, match="tables of another program"):
        await migrate.migrate(fresh_database, STEPS)
    async with connected(fresh_database) as session:
        assert await session.script("SHOW TABLES") == [(table,)]
        assert await session.script(f"SELECT word FROM {table}") == [("theirs",)]


async def test_a_statement_that_fails_stops_there_and_is_tried_again(fresh_database: DatabaseAddress) -> None:
    step = following(
        "CREATE TABLE IF NOT EXISTS first (id INT PRIMARY KEY)",
        "INSERT INTO missing VALUES (1)",
        "CREATE TABLE IF NOT EXISTS last (id INT PRIMARY KEY)",
    )
    for _ in range(2):
        with pytest.raises(MySQLError, match="missing"):
            await migrate.migrate(fresh_database, [*STEPS, step])
        async with connected(fresh_database) as session:
            assert await session.script("SHOW TABLES LIKE 'last'") == []
            assert await session.script("SELECT COUNT(*) FROM schema_migrations") == [(len(STEPS),)]
    async with connected(fresh_database) as session:
        await session.script("CREATE TABLE missing (id INT)")
    assert await migrate.migrate(fresh_database, [*STEPS, step]) == 1


async def test_a_crash_in_the_middle_of_a_migration_is_made_up_for(fresh_database: DatabaseAddress) -> None:
    first = "CREATE TABLE IF NOT EXISTS first (id INT PRIMARY KEY)"
    last = "CREATE TABLE IF NOT EXISTS last (id INT PRIMARY KEY)"
    crashing = following(first, "DO SLEEP(60)", last)
    under_way = asyncio.create_task(migrate.migrate(fresh_database, [*STEPS, crashing]))
    async with connected(fresh_database) as session:
        await cut(session, fresh_database.name, "DO SLEEP(60)")
        with pytest.raises(DatabaseUnavailableError):
            await under_way
        assert await session.script("SHOW TABLES LIKE 'first'")
        assert await session.script("SHOW TABLES LIKE 'last'") == []
        whole = replace(crashing, statements=(first, last))
        assert await migrate.migrate(fresh_database, [*STEPS, whole]) == 1
        assert await session.script("SHOW TABLES LIKE 'last'")


async def cut(session: Transaction, database: str, statement: str) -> None:
    """End the connection that is at ``statement``, as a crash does."""
    find = f"SELECT id FROM information_schema.processlist WHERE db = '{database}' AND info = '{statement}'"
    [(connection,)] = await until(lambda: session.script(find))
    await session.script(f"KILL CONNECTION {connection}")


# --- several daemons ----------------------------------------------------------------------------------------


async def test_of_daemons_that_start_together_one_migrates_and_the_others_wait(
    fresh_database: DatabaseAddress,
) -> None:
    once = following("CREATE TABLE more (id INT PRIMARY KEY)")  # fails when it runs twice
    steps = [*STEPS, once]
    applied = await asyncio.gather(*(migrate.migrate(fresh_database, steps) for _ in range(4)))
    assert sorted(applied) == [0, 0, 0, len(steps)]


async def test_a_lock_that_is_held_for_too_long_is_told(
    fresh_database: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_SECONDS", 0)
    monkeypatch.setattr(migrate, "LOCK_NAME", "securitycamd.test")  # other tests migrate meanwhile
    async with connected(fresh_database) as session:
        assert await session.script("SELECT GET_LOCK('securitycamd.test', 5)") == [(1,)]
        with pytest.raises(MigrationError, match="another daemon has been changing the schema"):
            await migrate.migrate(fresh_database, STEPS)
        assert await session.script("SHOW TABLES") == []


async def test_the_lock_is_given_back(fresh_database: DatabaseAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "LOCK_NAME", "securitycamd.test")
    await migrate.migrate(fresh_database, STEPS)
    async with connected(fresh_database) as session:
        # The connection is closed without waiting for the server to notice.
        assert await session.script("SELECT GET_LOCK('securitycamd.test', 5)") == [(1,)]


async def test_the_embedded_servers_database_is_made_once(fresh_database: DatabaseAddress) -> None:
    address = replace(fresh_database, name=f"{fresh_database.name}-made")  # a name that must be quoted
    try:
        for _ in range(2):
            await migrate.create_database(address)
            async with connected(address) as session:
                assert await session.script("SELECT DATABASE(), @@character_set_database") == [
                    (address.name, "utf8mb4")
                ]
    finally:
        async with connected(fresh_database) as session:
            await session.script(f"DROP DATABASE IF EXISTS `{address.name}`")


# --- files --------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE one (id INT);\n", encoding="utf-8")
    (tmp_path / "0002_second_step.sql").write_text("CREATE TABLE two (id INT);\n", encoding="utf-8")
    return tmp_path


def test_files_are_read_in_order_with_the_checksum_of_their_text(folder: Path) -> None:
    first, second = read_migrations(folder)
    assert (first.version, first.name, second.version, second.name) == (1, "first", 2, "second_step")
    assert first.checksum == hashlib.sha256(b"CREATE TABLE one (id INT);\n").hexdigest()
    assert second.statements == ("CREATE TABLE two (id INT)",)


def test_any_change_of_a_file_changes_its_checksum(folder: Path) -> None:
    before = read_migrations(folder)[0].checksum
    with (folder / "0001_first.sql").open("a", encoding="utf-8") as file:
        file.write("-- a remark\n")
    assert read_migrations(folder)[0].checksum != before


@pytest.mark.parametrize("name", ["3_third.sql", "0003-third.sql", "0003_Third.sql", "third.sql"])
def test_a_misnamed_file_is_an_error(folder: Path, name: str) -> None:
    (folder / name).touch()
    with pytest.raises(MigrationError, match=r"migrations are named NNNN_name\.sql"):
        read_migrations(folder)


@pytest.mark.parametrize("name", ["0004_gap.sql", "0002_again.sql", "0000_zero.sql"])
def test_a_number_that_is_missing_or_twice_there_is_an_error(folder: Path, name: str) -> None:
    (folder / name).touch()
    with pytest.raises(MigrationError, match="without a gap"):
        read_migrations(folder)


def test_statements_end_at_the_end_of_a_line_and_comments_are_left_out(folder: Path) -> None:
    (folder / "0001_first.sql").write_text(
        "-- a remark; with a semicolon\nCREATE TABLE one (\n  -- of a column\n  id INT\n);  \n\n"
        "INSERT INTO one VALUES (';');\n;\nDROP TABLE one",
        encoding="utf-8",
    )
    assert read_migrations(folder)[0].statements == (
        "CREATE TABLE one (\n  id INT\n)",
        "INSERT INTO one VALUES (';')",
        "DROP TABLE one",
    )


def test_the_files_that_are_shipped_are_in_order() -> None:
    assert [step.version for step in STEPS] == list(range(1, len(STEPS) + 1))
    assert all(step.statements for step in STEPS)
