"""Events that are to be described once more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, not_, select

from securitycamd.db.engine import Transaction
from securitycamd.db.statements import Query, insert_text, one_of
from securitycamd.db.tables import events, jobs
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.names import AnalysisState

_E = events.c
_J = jobs.c
_RUNNING: Final = Query(
    select(_J.event_id, _J.state)
    .where(one_of(_J.event_id, "ids"), _J.kind == JobKind.ANALYSE)
    .order_by(_J.event_id)
    .with_for_update()
)
_NEW: Final = ("state", "priority", "run_after", "created_at", "updated_at")
_QUEUE: Final = insert_text(
    "jobs",
    ("event_id", "kind", *_NEW),
    suffix="ON DUPLICATE KEY UPDATE attempts = 0, crashes = 0, last_error = NULL, "
    + ", ".join(f"{name} = VALUES({name})" for name in _NEW),
)
_AGAIN: Final = insert_text(
    "analyses",
    ("event_id", "state"),
    suffix="ON DUPLICATE KEY UPDATE state = VALUES(state), description = NULL, faults = 0, faulted_at = NULL",
)


def _list(cameras: str, *, only_failed: bool) -> Query:
    query: Select[Any] = (
        select(_E.id, _E.timestamp)
        .where(
            _E.timestamp >= bindparam("start"),
            _E.timestamp < bindparam("end"),
            # What came before this row in the order; the range above does the work.
            not_(and_(_E.timestamp == bindparam("last_time"), _E.id >= bindparam("last_id"))),
            _E.timestamp <= bindparam("last_time"),
            _E.image_a_transferred == 1,
            _E.image_b_transferred == 1,
        )
        .order_by(_E.timestamp.desc(), _E.id.desc())
        .limit(bindparam("limit"))
    )
    if cameras == "many":
        query = query.where(one_of(_E.camera_id, "cameras"))
    if only_failed:
        # From the few jobs that failed: events have no index of their errors, and most of a million have none.
        query = query.prefix_with("STRAIGHT_JOIN").select_from(jobs.join(events, _E.id == _J.event_id))
        query = query.where(_J.kind == JobKind.ANALYSE, _J.state == JobState.FAILED)
    return Query(query)


_LISTS: Final = {
    (cameras, only_failed): _list(cameras, only_failed=only_failed)
    for cameras in ("all", "many")
    for only_failed in (False, True)
}


async def some(
    transaction: Transaction,
    cameras: frozenset[str] | None,
    start: datetime,
    end: datetime,
    last: tuple[datetime, int],
    *,
    only_failed: bool,
    limit: int,
) -> list[tuple[int, datetime]]:
    """Events with both stills in a stretch of time, newest first, that come after ``last``: id and time."""
    values: dict[str, Any] = {} if cameras is None else {"cameras": sorted(cameras)}
    rows = await transaction.rows(
        _LISTS["all" if cameras is None else "many", only_failed],
        start=time_out(start),
        end=time_out(end),
        last_time=time_out(last[0]),
        last_id=last[1],
        limit=limit,
        **values,
    )
    return [(row[0], time_in(row[1])) for row in rows]


async def running(transaction: Transaction, event_ids: Sequence[int]) -> set[int]:
    """Those of some locked events that are being described; until the transaction ends, none of the others will be."""
    rows = await transaction.rows(_RUNNING, ids=list(event_ids)) if event_ids else []
    return {event_id for event_id, state in rows if state == JobState.RUNNING}


async def queue(transaction: Transaction, event_ids: Sequence[int], *, priority: int, now: datetime) -> None:
    """Have locked events described from the beginning, at which nobody works just now (see :func:`running`).

    What is known of them stays until it is replaced. ``now`` is the database's present.
    """
    at = time_out(now)
    await transaction.insert_many(
        _QUEUE,
        [
            {
                "event_id": event_id,
                "kind": JobKind.ANALYSE,
                "state": JobState.QUEUED,
                "priority": priority,
                "run_after": at,
                "created_at": at,
                "updated_at": at,
            }
            for event_id in sorted(event_ids)
        ],
    )
    again = [{"event_id": event_id, "state": AnalysisState.AGAIN} for event_id in sorted(event_ids)]
    await transaction.insert_many(_AGAIN, again)
