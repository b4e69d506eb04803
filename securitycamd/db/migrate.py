"""Brings the database to the schema of this version: ``sql/NNNN_name.sql`` in order, once each, under a lock."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import bindparam, func, insert, select

from securitycamd.db.engine import Database, DatabaseAddress, Transaction
from securitycamd.db.statements import Command, Query
from securitycamd.db.tables import migrations
from securitycamd.resources import resource

log = structlog.get_logger(__name__)

LOCK_NAME: Final = "securitycamd.migrate"
LOCK_TIMEOUT_SECONDS: Final = 60
_FILE_NAME: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

_APPLIED: Final = Query(
    select(migrations.c.version, migrations.c.name, migrations.c.checksum).order_by(migrations.c.version)
)
_RECORD: Final = Command(
    insert(migrations).values(
        version=bindparam("version"),
        name=bindparam("name"),
        checksum=bindparam("checksum"),
        applied_at=func.utc_timestamp(6),
    )
)

_CREATE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
  version INT UNSIGNED NOT NULL,
  name VARCHAR(100) NOT NULL,
  checksum VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  applied_at DATETIME(6) NOT NULL,
  PRIMARY KEY (version)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci
"""


class MigrationError(Exception):
    """The database cannot be brought to this version's schema; nothing further was applied."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its statements and a checksum of its text."""

    version: int
    name: str
    checksum: str
    statements: tuple[str, ...]


def read_migrations(folder: Path | None = None) -> list[Migration]:
    """All migrations in order.

    Raises:
        MigrationError: a file is misnamed, or a number is missing or twice there.
    """
    found = []
    for path in sorted((folder or resource("sql")).glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: migrations are named NNNN_name.sql")
        text = path.read_text(encoding="utf-8")
        found.append(Migration(int(match[1]), match[2], hashlib.sha256(text.encode()).hexdigest(), _statements(text)))
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError("migrations must be numbered 0001, 0002, ... without a gap")
    return found


def _statements(text: str) -> tuple[str, ...]:
    # Our own files: a statement ends with ";" at the end of a line, and comments stand on lines of their own.
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    parts = re.split(r";[ \t]*$", "\n".join(lines), flags=re.MULTILINE)
    return tuple(part.strip() for part in parts if part.strip())


async def create_database(address: DatabaseAddress) -> None:
    """Make the embedded server's database where it is missing."""
    server = Database(
        DatabaseAddress(address.user, address.password, "mysql", socket=address.socket),
        pool_size=1,
        wait_seconds=10,
        statement_seconds=60,
    )
    await server.open()
    try:
        async with server.session() as session:
            await session.script(f"CREATE DATABASE IF NOT EXISTS `{address.name}` CHARACTER SET utf8mb4")
    finally:
        await server.close()


async def migrate(address: DatabaseAddress, steps: list[Migration]) -> int:
    """Apply what is missing; the number of migrations applied.

    Raises:
        MigrationError: the database is newer than this version, is not ours, or an applied file was changed.
    """
    # A connection of its own: schema changes may take longer than any statement of the daemon may.
    database = Database(address, pool_size=1, wait_seconds=10, statement_seconds=0)
    await database.open()
    try:
        async with database.session() as session:
            return await _migrate(session, steps)
    finally:
        await database.close()


async def lock(session: Transaction) -> None:
    """Be the only one that changes the schema, for as long as the connection lasts.

    Raises:
        MigrationError: another daemon has been at it for too long.
    """
    [(held,)] = await session.script(f"SELECT GET_LOCK('{LOCK_NAME}', {LOCK_TIMEOUT_SECONDS})")
    if held != 1:
        raise MigrationError("another daemon has been changing the schema for a minute; try again later")


async def _migrate(session: Transaction, steps: list[Migration]) -> int:
    await lock(session)
    there = {name for (name,) in await session.script("SHOW TABLES")}
    if there & {"cameras", "events", "logs"} and migrations.name not in there:
        raise MigrationError("the database holds tables of another program; name an empty one with database.url")
    await session.script(_CREATE_TABLE)
    applied = {row[0]: row for row in await session.rows(_APPLIED)}
    if len(applied) > len(steps):
        raise MigrationError("the database was made by a newer securitycamd; install that version, or restore a backup")
    for step in steps:
        if (known := applied.get(step.version)) is not None:
            if known[2] != step.checksum:
                raise MigrationError(f"migration {step.version:04d}_{step.name} was changed after it had been applied")
            continue
        log.info("changing the database schema", version=step.version, name=step.name)
        for statement in step.statements:
            await session.script(statement)
        await session.execute(_RECORD, version=step.version, name=step.name, checksum=step.checksum)
    return len(steps) - len(applied)
