"""A schema as plain values: of a database, of ``db/tables.py`` and of ``docs/schema.md``, to be compared."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import DefaultClause, Table, UniqueConstraint

from securitycamd.db.engine import Transaction
from securitycamd.db.statements import DIALECT
from securitycamd.db.tables import metadata

DOCUMENT = Path(__file__).parents[2] / "docs" / "schema.md"
TEXT_COLLATION = "utf8mb4_unicode_ci"
_OTHER_NAMES = {"BOOL": "TINYINT(1)", "INTEGER": "INT", "INTEGER UNSIGNED": "INT UNSIGNED"}


@dataclass(frozen=True)
class ColumnFacts:
    type: str
    nullable: bool
    default: str | None = None
    collation: str | None = None
    counted_up: bool = False


@dataclass(frozen=True)
class KeyFacts:
    columns: tuple[str, ...]
    unique: bool


@dataclass(frozen=True)
class ReferenceFacts:
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    on_delete: str


@dataclass
class TableFacts:
    columns: dict[str, ColumnFacts] = field(default_factory=dict)
    keys: dict[str, KeyFacts] = field(default_factory=dict)
    references: dict[str, ReferenceFacts] = field(default_factory=dict)
    collation: str = TEXT_COLLATION
    engine: str = "InnoDB"


# --- a database ---------------------------------------------------------------------------------------------


async def of_database(session: Transaction) -> dict[str, TableFacts]:
    """What ``information_schema`` says of the connection's database."""
    schema = "table_schema = DATABASE()"
    tables = {
        name: TableFacts(collation=collation, engine=engine)
        for name, collation, engine in await session.script(
            f"SELECT table_name, table_collation, engine FROM information_schema.tables WHERE {schema}"
        )
    }
    for table, name, kind, nullable, default, collation, extra in await session.script(
        "SELECT table_name, column_name, column_type, is_nullable, column_default, collation_name, extra"
        f" FROM information_schema.columns WHERE {schema} ORDER BY table_name, ordinal_position"
    ):
        tables[table].columns[name] = ColumnFacts(
            _type(kind),
            nullable == "YES",
            None if default in {None, "NULL"} else default,
            collation,
            extra == "auto_increment",
        )
    for table, name, not_unique, columns in await session.script(
        "SELECT table_name, index_name, MIN(non_unique), GROUP_CONCAT(column_name ORDER BY seq_in_index)"
        f" FROM information_schema.statistics WHERE {schema} GROUP BY table_name, index_name"
    ):
        tables[table].keys[name] = KeyFacts(tuple(columns.split(",")), not not_unique)
    for table, name, columns, target, target_columns, on_delete in await session.script(
        "SELECT k.table_name, k.constraint_name, GROUP_CONCAT(k.column_name ORDER BY k.ordinal_position),"
        " k.referenced_table_name, GROUP_CONCAT(k.referenced_column_name ORDER BY k.ordinal_position),"
        " MIN(r.delete_rule)"
        " FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r"
        " ON r.constraint_schema = k.table_schema AND r.constraint_name = k.constraint_name"
        " WHERE k.table_schema = DATABASE() AND k.referenced_table_name IS NOT NULL"
        " GROUP BY k.table_name, k.constraint_name, k.referenced_table_name"
    ):
        tables[table].references[name] = ReferenceFacts(
            tuple(columns.split(",")), target, tuple(target_columns.split(",")), on_delete
        )
    return tables


def _type(text: str) -> str:
    # The display width of a whole number means nothing, but for the one that says "boolean".
    text = text.upper()
    return text if text == "TINYINT(1)" else re.sub(r"^(\w*INT)\(\d+\)", r"\1", text)


# --- db/tables.py -------------------------------------------------------------------------------------------


def of_tables() -> dict[str, TableFacts]:
    """What the definitions in ``db/tables.py`` say."""
    return {name: _table(table) for name, table in metadata.tables.items()}


def _table(table: Table) -> TableFacts:
    facts = TableFacts()
    for column in table.columns:
        kind, _, collation = column.type.compile(dialect=DIALECT).partition(" COLLATE ")
        is_text = kind.startswith(("VARCHAR", "TEXT"))
        default = column.server_default
        facts.columns[column.name] = ColumnFacts(
            _OTHER_NAMES.get(kind, kind),
            bool(column.nullable),
            str(default.arg) if isinstance(default, DefaultClause) else None,
            (collation or TEXT_COLLATION) if is_text else None,
            column is table.autoincrement_column,
        )
    facts.keys["PRIMARY"] = KeyFacts(tuple(column.name for column in table.primary_key), unique=True)
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            names = tuple(column.name for column in constraint.columns)
            facts.keys[str(constraint.name)] = KeyFacts(names, unique=True)
    for index in table.indexes:
        names = tuple(column.name for column in index.columns)
        facts.keys[str(index.name)] = KeyFacts(names, bool(index.unique))
    for reference in table.foreign_key_constraints:
        facts.references[str(reference.name)] = ReferenceFacts(
            tuple(reference.column_keys),
            reference.referred_table.name,
            tuple(element.column.name for element in reference.elements),
            reference.ondelete or "RESTRICT",
        )
    return facts


# --- docs/schema.md -----------------------------------------------------------------------------------------


@dataclass
class Documented:
    columns: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Type, and whether it may be NULL."""
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    references: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Column, and ``table.column`` of the target."""


def of_document() -> dict[str, Documented]:
    """What the tables under ``### `name` `` headings in ``docs/schema.md`` say."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"^#+ ", text, flags=re.MULTILINE):
        heading = re.match(r"`(\w+)`\n", part)
        if heading is None:
            continue
        documented = found[heading[1]] = Documented()
        for name, kind, nullable in re.findall(r"^\| `(\w+)` \| ([^|]+) \| (yes|no) \|", part, re.MULTILINE):
            documented.columns[name] = (kind, nullable == "yes")
        for name, columns in re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|", part, re.MULTILINE):
            documented.keys[name] = tuple(re.findall(r"`(\w+)`", columns))
        for name, column, target in re.findall(r"^\| `(\w+)` \| `(\w+)` → `([\w.]+)` \|", part, re.MULTILINE):
            documented.references[name] = (column, target)
    return found
