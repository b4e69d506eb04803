"""What events are found by besides their own columns: counts by camera and category, kept in their transactions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import bindparam, select

from securitycamd.db import tallies
from securitycamd.db.engine import Row, Transaction
from securitycamd.db.statements import Query
from securitycamd.db.tables import events
from securitycamd.db.values import time_in
from securitycamd.domain.names import Category

_E = events.c
PENDING: Final = "pending"
"""Counted in place of a category: nobody has looked at the event yet."""
INDEXED: Final = frozenset({"ai_category"})
"""Columns of an event whose change moves something here."""

_FACTS: Final = Query(
    select(_E.camera_id, _E.timestamp, _E.ai_category).where(_E.id == bindparam("key")).with_for_update()
)


def kind_series(camera_id: str, category: Category | str | None) -> str:
    """The name under which a camera's events of a category (``None``: not looked at yet) are counted."""
    return f"kind|{camera_id}|{category or PENDING}"


@asynccontextmanager
async def kept_up(transaction: Transaction, event_id: int) -> AsyncIterator[None]:
    """Bring what an event is found by in line with what is done to its row inside."""
    before = await transaction.row(_FACTS, key=event_id)
    yield
    after = await transaction.row(_FACTS, key=event_id)
    if before is not None and after is not None:
        await _move(transaction, before, after)


async def _move(transaction: Transaction, before: Row, after: Row) -> None:
    if before[2] == after[2]:
        return
    moment = time_in(after[1])
    await tallies.add(
        transaction,
        tallies.EVENT_LADDER,
        [(kind_series(before[0], before[2]), moment, -1), (kind_series(after[0], after[2]), moment, 1)],
    )
