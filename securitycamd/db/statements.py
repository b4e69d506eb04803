"""SQLAlchemy Core statements, compiled once for MariaDB.

The engine of SQLAlchemy stays out of the hot path: a statement is compiled to text when its module is imported and
goes straight to the driver. A select is *packed*: its columns arrive as one JSON array a row, because the driver
spends most of its time on column headers and cells (one event of 27 columns costs 30 packets unpacked, 4 packed).
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, Table, bindparam, func, literal_column, union_all
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect
from sqlalchemy.sql import ClauseElement, Select
from sqlalchemy.sql.compiler import SQLCompiler

DIALECT: Final = MariaDBDialect(paramstyle="pyformat")


def render(clause: ClauseElement) -> tuple[str, dict[str, Any]]:
    """The text of a statement and the values that are fixed in it."""
    compiled = clause.compile(dialect=DIALECT)
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 - a statement, not DDL
    fixed = {name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required}
    return str(compiled), fixed


class Query:
    """A select whose rows come back as lists of JSON values (times as text, see :mod:`securitycamd.db.values`).

    Several selects are asked in one round trip; their rows come together, in no order.
    """

    __slots__ = ("fixed", "text")

    def __init__(self, *selects: Select[Any]) -> None:
        packed = [
            select.with_only_columns(func.json_array(*select.selected_columns), maintain_column_froms=True)
            for select in selects
        ]
        self.text, self.fixed = render(packed[0] if len(packed) == 1 else union_all(*packed))


class Insert(Query):
    """An insert of the rows in the parameter ``rows`` (a list of tuples) that answers with them, whole, as they became.

    Asking for them again would be one more round trip, of which a busy machine makes a wait each.
    """

    __slots__ = ()

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        whole, _ = render(func.json_array(*(literal_column(column.name) for column in table.c)))
        self.text = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES %(rows)s RETURNING {whole}"
        self.fixed: dict[str, Any] = {}


class Command:
    """A statement that changes rows."""

    __slots__ = ("fixed", "text")

    def __init__(self, clause: ClauseElement) -> None:
        self.text, self.fixed = render(clause)


def expanded(text: str, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Write out parameters that hold a list (of scalars, or of tuples) as one parameter for each scalar."""
    lists = [name for name, value in values.items() if type(value) is list]
    if not lists:
        return text, values
    flat = dict(values)
    for name in lists:
        items = flat.pop(name)
        marks = []
        for index, item in enumerate(items):
            parts = item if type(item) is tuple else (item,)
            names = [f"{name}_{index}_{part}" for part in range(len(parts))]
            flat.update(zip(names, parts, strict=True))
            row = ", ".join(f"%({key})s" for key in names)
            marks.append(f"({row})" if type(item) is tuple else row)
        together = ", ".join(marks)
        # The rows of an insert stand side by side, what a column is compared with in brackets.
        text = text.replace(f"VALUES %({name})s", f"VALUES {together}").replace(f"%({name})s", f"({together})")
    return text, flat


def one_of(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """``column IN (...)`` over a parameter that holds a non-empty list; the text stays the same for any length."""
    return column.op("IN", is_comparison=True)(listed(name))


def listed(name: str) -> BindParameter[Any]:
    """A parameter that holds a non-empty list, see :func:`expanded`."""
    return bindparam(name, type_=None)


def insert_text(table: str, columns: Sequence[str], *, suffix: str = "") -> str:
    """A one-row insert that the driver widens to many rows."""
    names = ", ".join(columns)
    marks = ", ".join(f"%({name})s" for name in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({marks}){' ' + suffix if suffix else ''}"
