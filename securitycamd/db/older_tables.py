"""The tables of the older Security-Camera-Central scripts: recognised, and put aside under other names.

``cameras``, ``events`` and ``logs`` become ``older_cameras``, ``older_events`` and ``older_logs`` in one step, with all
they hold. ``older_adoption`` is there from just before that step on: it says how far the rows are copied.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from securitycamd.db import migrate
from securitycamd.db.engine import Database, DatabaseAddress, Transaction
from securitycamd.db.tables import metadata, migrations

log = structlog.get_logger(__name__)

PARTS: Final = ("cameras", "events", "logs")
PROGRESS: Final = "older_adoption"
_LARGEST_ID: Final = 2**32 - 1

_IDENTIFYING: Final[Mapping[str, tuple[str, ...]]] = {
    "cameras": ("camera_id", "name", "ip_address"),
    "events": ("id", "camera_id", "timestamp", "motion_score", "image_a_path", "video_h264_path"),
    "logs": ("id", "source", "timestamp", "level", "message"),
}
_TIMES: Final = frozenset({"datetime", "timestamp"})
_TEXTS: Final = frozenset({"char", "varchar", "tinytext", "text", "enum"})
_NUMBERED: Final = frozenset({"int", "bigint", "mediumint"})
_TYPES: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    ("cameras", "camera_id"): _TEXTS,
    ("events", "id"): _NUMBERED,
    ("events", "camera_id"): _TEXTS,
    ("events", "timestamp"): _TIMES,
    ("logs", "id"): _NUMBERED,
    ("logs", "timestamp"): _TIMES,
}
_CREATE: Final = f"""
CREATE TABLE IF NOT EXISTS {PROGRESS} (
  part VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  copied_to BIGINT NOT NULL,
  last_at DATETIME(6) NULL,
  found BIGINT NOT NULL,
  moved BIGINT NOT NULL,
  mended TEXT NOT NULL,
  done_at DATETIME(6) NULL,
  PRIMARY KEY (part)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table that may be an older one."""

    type: str
    key: str


Tables = dict[str, dict[str, Column]]


async def columns(session: Transaction, tables: Sequence[str]) -> Tables:
    """The columns of those of the tables that are there."""
    names = ", ".join(f"'{name}'" for name in tables)
    rows = await session.script(
        "SELECT table_name, column_name, data_type, column_key FROM information_schema.columns"
        f" WHERE table_schema = DATABASE() AND table_name IN ({names}) ORDER BY ordinal_position"
    )
    found: Tables = {}
    for table, column, kind, key in rows:
        found.setdefault(str(table), {})[str(column).lower()] = Column(str(kind).lower(), str(key))
    return found


async def put_aside(address: DatabaseAddress) -> bool:
    """Put the older scripts' tables aside, if this is their database; whether they are, now or since earlier.

    Raises:
        MigrationError: the database is neither empty, ours nor theirs; nothing was changed.
    """
    database = Database(address, pool_size=1, wait_seconds=10, statement_seconds=0)
    await database.open()
    try:
        async with database.session() as session:
            await migrate.lock(session)
            return await _put_aside(session)
    finally:
        await database.close()


async def _put_aside(session: Transaction) -> bool:
    there = {str(name) for (name,) in await session.script("SHOW TABLES")}
    if not there & set(PARTS) or migrations.name in there:
        if (is_adopted := PROGRESS in there) and older(PARTS[0]) in there:
            await _free_names(session)
        return is_adopted
    found = await columns(session, PARTS)
    problem = _problem(found, there) or await _range_problem(session)
    if problem is not None:
        raise migrate.MigrationError(
            f"the database holds tables of another program; name an empty one with database.url ({problem})"
        )
    log.info("the database is that of the older scripts: its tables are renamed to older_..., nothing in them changes")
    await session.script(_CREATE)
    # One statement renames all or nothing.
    await session.script("RENAME TABLE " + ", ".join(f"{part} TO {older(part)}" for part in PARTS))
    await _free_names(session)
    return True


def older(part: str) -> str:
    """What a table of the older scripts is called once it is put aside."""
    return f"older_{part}"


def _problem(found: Tables, there: set[str]) -> str | None:
    """Why these are not the older scripts' tables, as the end of a sentence; ``None``: they are."""
    if missing := [part for part in PARTS if part not in found]:
        return f"it is not that of the older scripts, which has a table {missing[0]}"
    for part in PARTS:
        if missing := [name for name in _IDENTIFYING[part] if name not in found[part]]:
            return f"it is not that of the older scripts, whose table {part} has a column {missing[0]}"
    for (part, name), types in _TYPES.items():
        if (kind := found[part][name].type) not in types:
            return f"it is not that of the older scripts: its {part}.{name} is of type {kind}"
        if name == "id" and found[part][name].key not in {"PRI", "UNI"}:
            return f"it is not that of the older scripts: its {part}.id is no key"
    ours = set(metadata.tables) - set(PARTS) | {older(part) for part in PARTS}
    if in_the_way := sorted(ours & there):
        return f"beside the older scripts' tables it has one that is called {in_the_way[0]}"
    return None


async def _range_problem(session: Transaction) -> str | None:
    [(first, last)] = await session.script("SELECT MIN(id), MAX(id) FROM events")
    if first is not None and not 0 < int(first) <= int(last) < _LARGEST_ID:
        return f"its events are numbered from {first} to {last}, which is more than there is room for"
    return None


async def _free_names(session: Transaction) -> None:
    """Have no foreign key of an older table called as one of ours: such a name is there once in a database."""
    ours = {str(key.name) for table in metadata.tables.values() for key in table.foreign_key_constraints}
    names = ", ".join(f"'{older(part)}'" for part in PARTS)
    rows = await session.script(
        "SELECT k.constraint_name, k.table_name, k.column_name, k.referenced_table_name, k.referenced_column_name,"
        " r.delete_rule, r.update_rule FROM information_schema.key_column_usage k"
        " JOIN information_schema.referential_constraints r ON r.constraint_schema = k.table_schema"
        " AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name"
        f" WHERE k.table_schema = DATABASE() AND k.table_name IN ({names})"
    )
    for name, table, column, target, target_column, on_delete, on_update in rows:
        if name in ours:
            # Unchecked, as it stood: what it forbids was forbidden before.
            await session.script("SET foreign_key_checks = 0")
            await session.script(
                f"ALTER TABLE `{table}` DROP FOREIGN KEY `{name}`, ADD CONSTRAINT `older_{name}`"
                f" FOREIGN KEY (`{column}`) REFERENCES `{target}` (`{target_column}`)"
                f" ON DELETE {on_delete} ON UPDATE {on_update}"
            )
            await session.script("SET foreign_key_checks = 1")
