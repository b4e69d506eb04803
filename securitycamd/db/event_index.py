"""What events are found by besides their own columns: counts by camera and category, and the words of their texts.

All of it moves in the transaction that changes the event. Each word is kept with its month (``ladder_2511``), so that a
search takes from the full-text index no more than a month's hits at a time, and words are counted by month.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from securitycamd.db import tallies
from securitycamd.db.engine import Database, Row, Transaction
from securitycamd.db.statements import Command, Query, insert_text, one_of
from securitycamd.db.tables import event_texts, events, unread_texts
from securitycamd.db.values import time_in
from securitycamd.domain.models import Event
from securitycamd.domain.names import Category
from securitycamd.domain.snippets import object_labels
from securitycamd.domain.words import index_text

_E = events.c
PENDING: Final = "pending"
"""Counted in place of a category: nobody has looked at the event yet."""
_TEXTS: Final = ("ai_phrase", "ai_description", "ai_objects", "note")
INDEXED: Final = frozenset({"ai_category", *_TEXTS})
"""Columns of an event whose change moves something here."""
WORD_LADDER: Final = tallies.Ladder(("month",))

_FACTS: Final = Query(
    select(_E.camera_id, _E.timestamp, _E.ai_category, *(_E[name] for name in _TEXTS))
    .where(_E.id == bindparam("key"))
    .with_for_update()
)
_WORDS: Final = Query(select(event_texts.c.words).where(event_texts.c.event_id == bindparam("key")))
_PUT: Final = insert_text("event_texts", ("event_id", "words"), suffix="ON DUPLICATE KEY UPDATE words = VALUES(words)")
_DROP: Final = Command(event_texts.delete().where(event_texts.c.event_id == bindparam("key")))
_UNREAD: Final = Query(
    select(unread_texts.c.event_id).order_by(unread_texts.c.event_id.desc()).limit(bindparam("limit"))
)
_READ: Final = Command(unread_texts.delete().where(one_of(unread_texts.c.event_id, "ids")))


def kind_series(camera_id: str, category: Category | str | None) -> str:
    """The name under which a camera's events of a category (``None``: not looked at yet) are counted; ``""``: all."""
    return f"kind|{camera_id}|{category or PENDING}"


def kind_changes(
    camera_id: str, category: Category | str | None, moment: datetime, rows: int
) -> list[tuple[str, datetime, int]]:
    """What changes when an event of a category comes (or goes): its camera's count, and that of all cameras."""
    return [(kind_series(camera, category), moment, rows) for camera in (camera_id, "")]


def word_series(spelling: str) -> str:
    """The name under which the events whose texts have a word are counted, by month."""
    return f"word|{spelling}"


def month_of(moment: datetime) -> str:
    """The month of UTC as words carry it."""
    return f"{moment:%y%m}"


@asynccontextmanager
async def kept_up(transaction: Transaction, event_id: int) -> AsyncIterator[None]:
    """Bring what an event is found by in line with what is done to its row inside."""
    before = await transaction.row(_FACTS, key=event_id)
    yield
    after = await transaction.row(_FACTS, key=event_id)
    if before is None or after is None:
        return
    moment = time_in(after[1])
    if before[2] != after[2]:
        gone, come = kind_changes(before[0], before[2], moment, -1), kind_changes(after[0], after[2], moment, 1)
        await tallies.add(transaction, tallies.EVENT_LADDER, gone + come)
    if before[3:] != after[3:]:
        changes = await _put_words(transaction, event_id, moment, _texts(after))
        await tallies.add(transaction, WORD_LADDER, changes)


async def forget(transaction: Transaction, going: Sequence[Event]) -> None:
    """Forget the words of events that go; their rows are locked, or gone by now."""
    changes: list[tuple[str, datetime, int]] = []
    for event in going:
        changes += await _put_words(transaction, event.id, event.timestamp, [])
    await tallies.add(transaction, WORD_LADDER, changes)


async def read_some(database: Database, *, limit: int) -> int:
    """Take in some of the texts that are older than their index, the newest first; how many."""

    async def work(transaction: Transaction) -> int:
        ids = [int(event_id) for (event_id,) in await transaction.rows(_UNREAD, limit=limit)]
        changes: list[tuple[str, datetime, int]] = []
        for event_id in sorted(ids):
            row = await transaction.row(_FACTS, key=event_id)
            if row is not None:
                changes += await _put_words(transaction, event_id, time_in(row[1]), _texts(row))
        await tallies.add(transaction, WORD_LADDER, changes)
        if ids:
            await transaction.execute(_READ, ids=ids)
        return len(ids)

    return await database.transact(work)


def _texts(row: Row) -> list[str]:
    phrase, description, objects, note = row[3:7]
    return [text for text in (phrase, description, ", ".join(object_labels(objects)), note) if text]


def _spellings(words: str) -> set[str]:
    return {word.rpartition("_")[0] for word in words.split() if word != "."}


async def _put_words(
    transaction: Transaction, event_id: int, moment: datetime, texts: Sequence[str]
) -> list[tuple[str, datetime, int]]:
    """Keep the words of an event's texts; the changes of their counts."""
    row = await transaction.row(_WORDS, key=event_id)
    before = row[0] if row else ""
    after = index_text(texts, month_of(moment)) if texts else ""
    if before == after:
        return []
    if after:
        await transaction.insert_many(_PUT, [{"event_id": event_id, "words": after}])
    else:
        await transaction.execute(_DROP, key=event_id)
    gone, come = _spellings(before), _spellings(after)
    changes = [(word_series(word), moment, 1) for word in come - gone]
    return changes + [(word_series(word), moment, -1) for word in gone - come]
