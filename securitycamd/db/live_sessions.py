"""Rows of live sessions: when a camera streamed, and so did not look for motion."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, case, func, select

from securitycamd.db.engine import Database, Row, Transaction
from securitycamd.db.statements import Command, Query, insert_text, one_of
from securitycamd.db.tables import live_sessions
from securitycamd.db.values import maybe_time_in, time_in, time_out
from securitycamd.domain.live import LiveSession

_S = live_sessions.c
_NOW: Final = func.utc_timestamp(6)
_COLUMNS: Final = select(_S.id, _S.camera_id, _S.started_at, _S.seen_at, _S.ended_at)
_OPEN: Final = Query(_COLUMNS.where(_S.ended_at.is_(None), _S.instance == bindparam("owner")))
_SINCE: Final = Query(
    _COLUMNS.where(one_of(_S.camera_id, "camera_ids"), _S.started_at >= bindparam("earliest"))
    .order_by(_S.camera_id, _S.started_at)
    .limit(bindparam("most"))
)
_INSERT: Final = insert_text("live_sessions", ("camera_id", "instance", "started_at", "seen_at"))
_SEEN: Final = Command(
    live_sessions.update()
    .where(_S.ended_at.is_(None), _S.instance == bindparam("owner"), one_of(_S.camera_id, "camera_ids"))
    .values(seen_at=_NOW)
)
_OPEN_OF: Final = (_S.ended_at.is_(None), _S.instance == bindparam("owner"), _S.camera_id == bindparam("key"))
_DELETE_UNSEEN: Final = Command(live_sessions.delete().where(*_OPEN_OF, _S.seen_at == _S.started_at))
_END: Final = Command(
    live_sessions.update().where(*_OPEN_OF).values(ended_at=case((bindparam("was_on"), _NOW), else_=_S.seen_at))
)
_EXPIRE: Final = Command(live_sessions.delete().where(_S.ended_at < bindparam("earliest")))


def _session(row: Row) -> LiveSession:
    return LiveSession(row[0], row[1], time_in(row[2]), time_in(row[3]), maybe_time_in(row[4]))


async def opened(session: Database | Transaction, owner: str) -> list[LiveSession]:
    """The sessions of this daemon that have not ended."""
    return [_session(row) for row in await session.rows(_OPEN, owner=owner)]


async def begin(transaction: Transaction, camera_id: str, owner: str, now: datetime) -> None:
    """A camera is about to be told to stream; nothing changes where its session is open already."""
    if any(each.camera_id == camera_id for each in await opened(transaction, owner)):
        return
    at = time_out(now)
    row = {"camera_id": camera_id, "instance": owner, "started_at": at, "seen_at": at}
    await transaction.insert_many(_INSERT, [row])


async def note_seen(database: Database, camera_ids: set[str], owner: str) -> None:
    """These cameras stream now."""
    if camera_ids:
        await database.execute(_SEEN, camera_ids=sorted(camera_ids), owner=owner)


async def end(transaction: Transaction, camera_id: str, owner: str, *, was_on: bool) -> None:
    """A camera was told to stop. Had it stopped before by itself, its session ends where it was last seen."""
    if not was_on:
        await transaction.execute(_DELETE_UNSEEN, key=camera_id, owner=owner)
    await transaction.execute(_END, key=camera_id, owner=owner, was_on=was_on)


async def since(database: Database, camera_ids: Sequence[str], earliest: datetime, most: int) -> list[LiveSession]:
    """Sessions of these cameras that began since then, by camera and time, at most so many."""
    if not camera_ids:
        return []
    rows = await database.rows(_SINCE, camera_ids=list(camera_ids), earliest=time_out(earliest), most=most)
    return [_session(row) for row in rows]


async def expire(database: Database, earliest: datetime) -> int:
    """Forget sessions that ended before; how many."""
    return await database.execute(_EXPIRE, earliest=time_out(earliest))
