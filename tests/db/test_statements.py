from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BindParameter, ColumnElement, String, bindparam, column, func, literal, select, table, tuple_

from securitycamd.db.engine import Database
from securitycamd.db.statements import Command, Query, expanded, insert_text, listed, one_of

_T = table("things", column("id"), column("word"), column("at"))
_C = _T.c


def test_a_select_comes_packed_into_one_json_array_a_row() -> None:
    query = Query(select(_C.id, func.max(_C.at)).where(_C.word == bindparam("word")).group_by(_C.id))
    assert query.text == (
        "SELECT json_array(things.id, max(things.at)) AS json_array_1 \nFROM things"
        " \nWHERE things.word = %(word)s GROUP BY things.id"
    )
    assert query.fixed == {}


def test_what_is_fixed_in_a_statement_is_bound_and_not_written_into_it() -> None:
    command = Command(_T.update().where(_C.word == "it's 100%").values(at=None, id=bindparam("id")))
    assert "it's" not in command.text
    assert "it's 100%" in command.fixed.values()
    assert "id" not in command.fixed


def test_a_list_is_written_out_as_one_parameter_for_each() -> None:
    query = Query(select(_C.id).where(one_of(_C.id, "ids")))
    text, values = expanded(query.text, {"ids": [3, 4], "other": 5})
    assert text.endswith("WHERE things.id IN (%(ids_0_0)s, %(ids_1_0)s)")
    assert values == {"ids_0_0": 3, "ids_1_0": 4, "other": 5}


def test_a_list_of_tuples_is_written_out_row_by_row() -> None:
    query = Query(select(_C.id).where(tuple_(_C.id, _C.at).op("IN", is_comparison=True)(listed("keys"))))
    text, values = expanded(query.text, {"keys": [(1, "a"), (2, "b")]})
    assert text.endswith("IN ((%(keys_0_0)s, %(keys_0_1)s), (%(keys_1_0)s, %(keys_1_1)s))")
    assert values == {"keys_0_0": 1, "keys_0_1": "a", "keys_1_0": 2, "keys_1_1": "b"}


def test_one_name_within_another_is_not_mistaken_for_it() -> None:
    query = Query(select(_C.id).where(one_of(_C.id, "ids"), _C.word == bindparam("ids_more")))
    text, values = expanded(query.text, {"ids": [1], "ids_more": "x"})
    assert text.endswith("(things.id IN (%(ids_0_0)s)) AND things.word = %(ids_more)s")
    assert values == {"ids_0_0": 1, "ids_more": "x"}


def test_without_a_list_nothing_is_copied() -> None:
    values = {"id": 1}
    assert expanded("SELECT 1", values) == ("SELECT 1", values)


def test_an_insert_names_its_columns_and_its_marks() -> None:
    assert insert_text("t", ("a", "b")) == "INSERT INTO t (a, b) VALUES (%(a)s, %(b)s)"
    assert insert_text("t", ("a",), suffix="ON DUPLICATE KEY UPDATE a = 1").endswith(") ON DUPLICATE KEY UPDATE a = 1")


@given(st.lists(st.integers() | st.text(), min_size=1, max_size=30), st.text())
def test_values_stay_values(items: list[int | str], word: str) -> None:
    """Whatever the values are, the text has a mark for each and nothing else."""
    query = Query(select(_C.id).where(one_of(_C.id, "ids"), _C.word == bindparam("word")))
    text, values = expanded(query.text, {"ids": items, "word": word})
    marked = text % dict.fromkeys(values, "?")
    assert marked.count("?") == len(items) + 1
    assert "%" not in marked
    assert [values[f"ids_{index}_0"] for index in range(len(items))] == items


@pytest.mark.parametrize("text", ["%", "%s", "%(one)s", "'", '"', "\\", "\\'", "--", "\x00", "\x1a", "\u2028", "😀"])
async def test_signs_that_mean_something_to_the_driver_or_the_server(database: Database, text: str) -> None:
    columns: list[ColumnElement[Any]] = [bindparam("one", type_=String), func.concat(bindparam("two"), "|")]
    echo = select(*columns)
    assert await database.row(Query(echo), one=text, two=text) == [text, f"{text}|"]
    count = select(func.count()).where(bindparam("word").op("IN", is_comparison=True)(listed("words")))
    assert await database.row(Query(count), word=text, words=[text, "other"]) == [1]


async def test_several_selects_are_asked_at_once(database: Database) -> None:
    mark: BindParameter[str] = bindparam("mark", type_=String)
    query = Query(select(func.concat(mark, "%é")), select(func.length(mark), literal(7)))
    async with database.session() as session:
        assert sorted(await session.rows(query, mark="ab"), key=len) == [["ab%é"], [2, 7]]
