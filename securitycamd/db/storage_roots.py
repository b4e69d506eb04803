"""Which storage root belongs to this database."""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from securitycamd.db.engine import Database, Transaction
from securitycamd.db.statements import Query, insert_text
from securitycamd.db.tables import storage_roots
from securitycamd.db.values import time_out

_ONLY: Final = 1
_SELECT: Final = Query(select(storage_roots.c.identity).where(storage_roots.c.id == bindparam("key")))
_INSERT: Final = insert_text(
    "storage_roots", ("id", "identity", "created_at"), suffix="ON DUPLICATE KEY UPDATE id = storage_roots.id"
)


async def identity(session: Database | Transaction) -> str | None:
    """What the root's marker must say; ``None`` before the first start."""
    row = await session.row(_SELECT, key=_ONLY)
    return None if row is None else str(row[0])


async def remember(transaction: Transaction, new: str, now: datetime) -> str:
    """Note the identity, unless another daemon was quicker; the one that counts."""
    await transaction.insert_many(_INSERT, [{"id": _ONLY, "identity": new, "created_at": time_out(now)}])
    kept = await identity(transaction)
    if kept is None:
        raise AssertionError("the row just written is gone inside its own transaction")
    return kept
