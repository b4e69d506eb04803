"""Jobs as an operator sees and retries them; the claims and their ends stand in :mod:`securitycamd.db.jobs`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, func, select

from securitycamd.db.engine import Database, Row, Transaction
from securitycamd.db.statements import Command, Query, one_of
from securitycamd.db.tables import events, jobs
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.jobs import JobKind, JobState

_J = jobs.c
_E = events.c
_NOW: Final = func.utc_timestamp(6)
_LARGEST_ID: Final = 2**32 - 1

_LOCK: Final = Query(
    select(_J.id, _J.state, _J.last_error)
    .where(_J.event_id == bindparam("event_id"), _J.kind == bindparam("kind"))
    .with_for_update()
)
_QUEUE_AGAIN: Final = Command(
    jobs.update()
    .where(one_of(_J.id, "ids"))
    .values(
        state=JobState.QUEUED,
        priority=bindparam("new_priority"),
        attempts=0,
        crashes=0,
        run_after=_NOW,
        created_at=_NOW,
        updated_at=_NOW,
        lease_owner=None,
        lease_until=None,
    )
)


def _list(cameras: str) -> Query:
    # The index of claims begins with kind and state, and within a priority goes by event.
    query = (
        select(_J.event_id, _E.camera_id, _J.attempts, _J.last_error, _J.updated_at, _J.lease_owner)
        .join_from(jobs, events, _E.id == _J.event_id)
        .where(_J.kind == bindparam("kind"), _J.state == bindparam("state"))
        .order_by(_J.priority.desc(), _J.event_id.desc())
        .limit(bindparam("limit"))
    )
    return Query(query if cameras == "all" else query.where(one_of(_E.camera_id, "cameras")))


def _failed(cameras: str) -> Query:
    query = (
        select(_J.id, _J.event_id)
        .where(
            _J.kind == bindparam("kind"),
            _J.state == JobState.FAILED,
            _J.updated_at <= bindparam("before"),
        )
        .order_by(_J.priority.desc(), _J.event_id.desc())
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
    )
    if cameras == "all":
        return Query(query)
    # Not a join: that would lock the events, too, and pass by those that somebody else holds for a moment.
    theirs = select(_E.id).where(_E.id == _J.event_id, one_of(_E.camera_id, "cameras"))
    return Query(query.where(theirs.exists()))


_LISTS: Final = {cameras: _list(cameras) for cameras in ("all", "many")}
_FAILED: Final = {cameras: _failed(cameras) for cameras in ("all", "many")}
_CLOCK: Final = Query(select(_NOW))


async def clock(session: Database | Transaction) -> datetime:
    """The database's present."""
    row = await session.row(_CLOCK)
    assert row is not None  # noqa: S101 - a select without a table has one row
    return time_in(row[0])


async def lock(transaction: Transaction, event_id: int, kind: JobKind) -> tuple[int, JobState, str | None] | None:
    """Id, state and last error of an event's job, locked; ``None`` when there is none."""
    if not 0 < event_id <= _LARGEST_ID:
        return None
    row = await transaction.row(_LOCK, event_id=event_id, kind=kind)
    return None if row is None else (row[0], JobState(row[1]), row[2])


async def queue_again(transaction: Transaction, job_ids: Sequence[int], *, priority: int) -> None:
    """Queue jobs that the transaction has locked as if they were new, before others of a lower priority."""
    await transaction.execute(_QUEUE_AGAIN, ids=list(job_ids), new_priority=priority)


async def lock_failed(
    transaction: Transaction, kind: JobKind, cameras: frozenset[str] | None, *, before: datetime, limit: int
) -> list[tuple[int, int]]:
    """Job ids and event ids of jobs of a kind that failed before then, locked, newest event first."""
    shape, values = _cameras(cameras)
    rows = await transaction.rows(_FAILED[shape], kind=kind, before=time_out(before), limit=limit, **values)
    return [(row[0], row[1]) for row in rows]


async def newest(
    session: Database | Transaction,
    kind: JobKind,
    state: JobState,
    cameras: frozenset[str] | None,
    *,
    limit: int,
) -> list[Row]:
    """Rows of event id, camera id, attempts, last error, time of change (text), lease owner."""
    shape, values = _cameras(cameras)
    return await session.rows(_LISTS[shape], kind=kind, state=state, limit=limit, **values)


def _cameras(cameras: frozenset[str] | None) -> tuple[str, dict[str, list[str]]]:
    return ("all", {}) if cameras is None else ("many", {"cameras": sorted(cameras)})
