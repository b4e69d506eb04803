"""The bytes of events: measured, counted like rows, protected, and let go.

Every change here is made on an event that the same transaction has locked (:func:`securitycamd.db.events.lock`), so that
the kept sums move by what really changed.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import bindparam, func, select

from securitycamd.db import events as event_rows
from securitycamd.db import tallies
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.statements import Command, Query, insert_text, one_of
from securitycamd.db.tables import events, removals
from securitycamd.db.tables import tallies as tally_table
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.models import Event
from securitycamd.domain.retention import DayOfFootage, Reason
from securitycamd.domain.times import LATEST

_E = events.c
_R = removals.c
_T = tally_table.c
LADDER: Final = tallies.EVENT_LADDER


def bytes_series(camera_id: str) -> str:
    """The name under which the bytes of a camera's events are counted."""
    return f"bytes|{camera_id}"


def protected_series(camera_id: str) -> str:
    """The name under which the bytes of a camera's protected events are counted (they are in the other sum too)."""
    return f"protected|{camera_id}"


async def set_size(transaction: Transaction, event: Event, size_bytes: int) -> None:
    """Note what a locked event's files measure."""
    change = size_bytes - event.size_bytes
    if not change:
        return
    await event_rows.update(transaction, event.id, {"size_bytes": size_bytes})
    names = [bytes_series(event.camera_id)]
    if event.protected:
        names.append(protected_series(event.camera_id))
    await tallies.add(transaction, LADDER, [(name, event.timestamp, change) for name in names])


async def set_protected(transaction: Transaction, event: Event, *, protected: bool) -> None:
    """Star a locked event, or take the star away."""
    if protected is event.protected:
        return
    await event_rows.update(transaction, event.id, {"protected": protected})
    change = event.size_bytes if protected else -event.size_bytes
    await tallies.add(transaction, LADDER, [(protected_series(event.camera_id), event.timestamp, change)])


# --- sums ------------------------------------------------------------------------------------------------------------

_USED: Final = Query(
    select(_T.series, func.sum(_T.n))
    .where(one_of(_T.series, "series"), _T.span == LADDER.spans[0])
    .group_by(_T.series)
)
_BY_DAY: Final = Query(
    select(_T.series, _T.start, _T.n)
    .where(one_of(_T.series, "series"), _T.span == "day", _T.start >= bindparam("start"), _T.n != 0)
    .order_by(_T.start)
)


async def used_bytes(session: Database | Transaction, cameras: Sequence[str]) -> dict[str, int]:
    """Bytes of each camera's events, all of them."""
    if not cameras:
        return {}
    names = {bytes_series(camera_id): camera_id for camera_id in cameras}
    found = {series: int(total) for series, total in await session.rows(_USED, series=list(names))}
    return {camera_id: found.get(series, 0) for series, camera_id in names.items()}


async def footage_by_day(
    session: Database | Transaction, cameras: Sequence[str], since: datetime
) -> list[DayOfFootage]:
    """What may go of each camera's days from ``since`` on, oldest first; protected bytes are not in it."""
    if not cameras:
        return []
    names: dict[str, tuple[str, str]] = {}
    for camera_id in cameras:
        names[event_rows.series(camera_id)] = (camera_id, "events")
        names[bytes_series(camera_id)] = (camera_id, "bytes")
        names[protected_series(camera_id)] = (camera_id, "protected")
    sums: dict[tuple[date, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for series, start, count in await session.rows(_BY_DAY, series=list(names), start=time_out(since)):
        camera_id, what = names[series]
        sums[time_in(start).date(), camera_id][what] += int(count)
    return [
        DayOfFootage(camera_id, day, found["events"], found["bytes"] - found["protected"])
        for (day, camera_id), found in sorted(sums.items())
    ]


# --- removal ---------------------------------------------------------------------------------------------------------

_MARK: Final = insert_text("removals", ("event_id", "reason", "marked_at"), suffix="ON DUPLICATE KEY UPDATE event_id = event_id")
_MARKED: Final = Query(select(_R.event_id, _R.reason).order_by(_R.event_id).limit(bindparam("limit")))
_REMOVE: Final = Command(events.delete().where(_E.id == bindparam("key")))
_NOT_MARKED: Final = ~select(_R.event_id).where(_R.event_id == _E.id).exists()
_OLDEST: Final = Query(
    select(_E.id, _E.size_bytes)
    .where(_E.timestamp < bindparam("before"), _E.protected == 0, _NOT_MARKED)
    .order_by(_E.timestamp)
    .limit(bindparam("limit"))
)
_OLDEST_OF: Final = Query(
    select(_E.id, _E.size_bytes)
    .where(_E.camera_id == bindparam("camera"), _E.timestamp < bindparam("before"), _E.protected == 0, _NOT_MARKED)
    .order_by(_E.timestamp)
    .limit(bindparam("limit"))
)


async def oldest(
    session: Database | Transaction, *, camera_id: str | None, before: datetime | None, limit: int
) -> list[tuple[int, int]]:
    """Ids and bytes of the oldest events that may go (unprotected, not marked), oldest first."""
    values: dict[str, Any] = {"before": time_out(before or LATEST), "limit": limit}
    rows = (
        await session.rows(_OLDEST, **values)
        if camera_id is None
        else await session.rows(_OLDEST_OF, camera=camera_id, **values)
    )
    return [(int(event_id), int(size_bytes)) for event_id, size_bytes in rows]


async def mark(transaction: Transaction, event_ids: Sequence[int], reason: Reason | str) -> None:
    """Say that these events are being removed, before the first file goes."""
    now = time_out(datetime.now(UTC))
    await transaction.insert_many(
        _MARK, [{"event_id": event_id, "reason": str(reason), "marked_at": now} for event_id in event_ids]
    )


async def marked(session: Database | Transaction, *, limit: int) -> list[tuple[int, str]]:
    """Ids and reasons of events that are being removed."""
    return [(int(event_id), reason) for event_id, reason in await session.rows(_MARKED, limit=limit)]


async def remove(transaction: Transaction, event: Event) -> None:
    """Delete a locked event's row, its jobs and its mark, and take it out of the counts. Its files must be gone."""
    if not await transaction.execute(_REMOVE, key=event.id):
        return
    changes = [
        (event_rows.series(None), event.timestamp, -1),
        (event_rows.series(event.camera_id), event.timestamp, -1),
        (bytes_series(event.camera_id), event.timestamp, -event.size_bytes),
    ]
    if event.protected:
        changes.append((protected_series(event.camera_id), event.timestamp, -event.size_bytes))
    await tallies.add(transaction, LADDER, changes)
