"""Events that go: found oldest first, marked before their first file goes, their rows gone after the last.

Marking and removing are done on events that the same transaction has locked (:func:`securitycamd.db.events.lock`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, select

from securitycamd.db import event_index, tallies
from securitycamd.db import events as event_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.footage import LADDER, bytes_series, protected_series, saved_series, starred_series
from securitycamd.db.statements import Command, Query, insert_text, one_of
from securitycamd.db.tables import events, jobs, removals
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.changes import Change, What
from securitycamd.domain.jobs import JobState
from securitycamd.domain.models import Event
from securitycamd.domain.retention import Reason
from securitycamd.domain.times import LATEST

_E = events.c
_J = jobs.c
_R = removals.c

OPERATOR: Final = "operator"
"""The reason of a removal that a person asked for."""

_MARK: Final = insert_text(
    "removals", ("event_id", "reason", "marked_at"), suffix="ON DUPLICATE KEY UPDATE event_id = event_id"
)
_MARKED: Final = Query(
    select(_R.event_id, _R.reason)
    .where(_R.event_id > bindparam("after"))
    .order_by(_R.event_id)
    .limit(bindparam("limit"))
)
_WHICH_MARKED: Final = Query(select(_R.event_id).where(one_of(_R.event_id, "ids")))
_REMOVE: Final = Command(events.delete().where(_E.id == bindparam("key")))
_RUNNING: Final = (
    select(_J.event_id).where(_J.event_id == _E.id, _J.state == JobState.RUNNING).correlate(events).exists()
)
_NOT_MARKED: Final = ~select(_R.event_id).where(_R.event_id == _E.id).correlate(events).exists()
_OLDEST: Final = Query(
    select(_E.id, _E.timestamp, _E.size_bytes)
    .where(
        _E.camera_id == bindparam("camera"),
        _E.timestamp < bindparam("before"),
        _E.protected == 0,
        _NOT_MARKED,
        ~_RUNNING,
    )
    .order_by(_E.timestamp)
    .limit(bindparam("limit"))
)
# Locked, so that no worker claims one of them before they are gone with the mark, or the event is left alone.
_JOBS: Final = Query(select(_J.event_id, _J.state).where(one_of(_J.event_id, "ids")).order_by(_J.id).with_for_update())
_UNMARK: Final = Command(removals.delete().where(_R.event_id == bindparam("key")))
_DROP_JOBS: Final = Command(jobs.delete().where(_J.event_id == bindparam("key")))


class Candidate(NamedTuple):
    """An event that may go; in the order of going."""

    timestamp: datetime
    event_id: int
    size_bytes: int


async def oldest(
    session: Database | Transaction, cameras: Sequence[str], *, before: datetime | None, limit: int
) -> list[Candidate]:
    """The oldest events of these cameras that may go: unprotected, unmarked, not worked on; oldest first."""
    found: list[Candidate] = []
    for camera_id in cameras:
        rows = await session.rows(_OLDEST, camera=camera_id, before=time_out(before or LATEST), limit=limit)
        found += [Candidate(time_in(at), int(event_id), int(size_bytes)) for event_id, at, size_bytes in rows]
    return sorted(found)[:limit]


async def busy(transaction: Transaction, event_ids: Sequence[int]) -> set[int]:
    """Those of the events that are being worked on; until the transaction ends, none of the others will be."""
    rows = await transaction.rows(_JOBS, ids=list(event_ids)) if event_ids else []
    return {int(event_id) for event_id, state in rows if state == JobState.RUNNING}


async def mark(transaction: Transaction, event_ids: Sequence[int], reason: Reason | str) -> None:
    """Say that these events are being removed, before the first file goes; the work that waits on them is dropped."""
    now = time_out(datetime.now(UTC))
    await transaction.insert_many(
        _MARK, [{"event_id": event_id, "reason": str(reason), "marked_at": now} for event_id in event_ids]
    )
    for event_id in event_ids:
        await transaction.execute(_DROP_JOBS, key=event_id)


async def unmark(transaction: Transaction, event_id: int) -> None:
    """Let an event stay after all; none of its files may be gone yet."""
    await transaction.execute(_UNMARK, key=event_id)


async def marked(session: Database | Transaction, *, after: int = 0, limit: int) -> list[tuple[int, str]]:
    """Ids and reasons of events that are being removed, by id."""
    rows = await session.rows(_MARKED, after=after, limit=limit)
    return [(int(event_id), reason) for event_id, reason in rows]


async def which_marked(session: Database | Transaction, event_ids: Sequence[int]) -> set[int]:
    """Those of the events that are being removed."""
    rows = await session.rows(_WHICH_MARKED, ids=list(event_ids)) if event_ids else []
    return {int(event_id) for (event_id,) in rows}


async def remove(transaction: Transaction, event: Event) -> None:
    """Delete a locked event's row, its jobs and its mark, and take it out of the counts. Its files must be gone."""
    await remove_some(transaction, [event])


async def remove_some(transaction: Transaction, going: Sequence[Event]) -> None:
    """Like :func:`remove`, for several events."""
    changes: list[tuple[str, Any, int]] = []
    gone: list[Event] = []
    for event in going:
        if not await transaction.execute(_REMOVE, key=event.id):
            continue
        transaction.tell(Change(What.GONE, event.id, event.camera_id))
        changes += _out_of_the_counts(event)
        gone.append(event)
    await tallies.add(transaction, LADDER, changes)
    await event_index.forget(transaction, gone)


def _out_of_the_counts(event: Event) -> list[tuple[str, Any, int]]:
    changes: list[tuple[str, Any, int]] = [
        (event_rows.series(None), event.timestamp, -1),
        (event_rows.series(event.camera_id), event.timestamp, -1),
        *event_index.kind_changes(event.camera_id, event.ai_category, event.timestamp, -1),
        (bytes_series(event.camera_id), event.timestamp, -event.size_bytes),
    ]
    if event.saved_bytes:
        changes.append((saved_series(event.camera_id), event.timestamp, -event.saved_bytes))
    if event.protected:
        changes.append((protected_series(event.camera_id), event.timestamp, -event.size_bytes))
        changes.append((starred_series(event.camera_id), event.timestamp, -1))
    return changes
