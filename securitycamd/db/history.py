"""What happened to events, written down in the transaction that made it true."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, func, select, tuple_

from securitycamd.db.engine import Database, Transaction
from securitycamd.db.statements import Command, Query, insert_text, listed, one_of
from securitycamd.db.tables import event_history, events
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.history import DETAIL_LIMIT, ENTRIES_KEPT, Entry, What

_H = event_history.c
_WORDS: Final = frozenset(What)

_INSERT: Final = insert_text("event_history", ("event_id", "at", "what", "who", "detail"))
# In the order of ids, so that two transactions cannot deadlock. Without it each of two that write about one event
# would share its row (for the foreign key) and then wait for the other to let go of it.
_LOCK: Final = Query(select(events.c.id).where(one_of(events.c.id, "ids")).order_by(events.c.id).with_for_update())
_ranked = (
    select(
        _H.event_id,
        _H.id,
        func.row_number().over(partition_by=_H.event_id, order_by=_H.id.desc()).label("rank"),
    )
    .where(one_of(_H.event_id, "ids"))
    .subquery("ranked")
)
_TOO_OLD: Final = Query(select(_ranked.c.event_id, _ranked.c.id).where(_ranked.c.rank > ENTRIES_KEPT))
_DROP: Final = Command(
    event_history.delete().where(tuple_(_H.event_id, _H.id).op("IN", is_comparison=True)(listed("keys")))
)
_OF_EVENT: Final = Query(
    select(_H.event_id, _H.at, _H.what, _H.who, _H.detail).where(_H.event_id == bindparam("event_id")).order_by(_H.id)
)


async def add(transaction: Transaction, entries: Sequence[Entry]) -> None:
    """Write down what the transaction does to events; of events that are gone nothing is kept."""
    if not entries:
        return
    ids = sorted({entry.event_id for entry in entries})
    there = {int(event_id) for (event_id,) in await transaction.rows(_LOCK, ids=ids)}
    rows = [
        {
            "event_id": entry.event_id,
            "at": time_out(entry.at),
            "what": str(entry.what),
            "who": entry.who[:80],
            "detail": entry.detail[:DETAIL_LIMIT],
        }
        for entry in entries
        if entry.event_id in there
    ]
    if not rows:
        return
    await transaction.insert_many(_INSERT, rows)
    if old := await transaction.rows(_TOO_OLD, ids=sorted(there)):
        await transaction.execute(_DROP, keys=[(int(event_id), int(key)) for event_id, key in old])


async def of_event(session: Database | Transaction, event_id: int) -> list[Entry]:
    """What is kept of an event, in the order in which it was written."""
    return [
        Entry(int(of), time_in(at), What(what), who, detail)
        for of, at, what, who, detail in await session.rows(_OF_EVENT, event_id=event_id)
        if what in _WORDS  # a newer daemon beside us may know more
    ]
