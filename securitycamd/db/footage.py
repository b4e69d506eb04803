"""The bytes of events: measured, counted like rows, and protected.

Every change here is made on an event that the same transaction has locked (:func:`securitycamd.db.events.lock`), so
that the kept sums move by what really changed.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from sqlalchemy import bindparam, func, select

from securitycamd.db import events as event_rows
from securitycamd.db import tallies
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.statements import Command, Query, one_of
from securitycamd.db.tables import events
from securitycamd.db.tables import tallies as tally_table
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.changes import Change, What
from securitycamd.domain.models import Event
from securitycamd.domain.retention import Use
from securitycamd.domain.retention_plan import DayOfFootage
from securitycamd.domain.times import LATEST

_E = events.c
_T = tally_table.c
LADDER: Final = tallies.EVENT_LADDER


def bytes_series(camera_id: str) -> str:
    """The name under which the bytes of a camera's events are counted."""
    return f"bytes|{camera_id}"


def protected_series(camera_id: str) -> str:
    """The name under which the bytes of a camera's protected events are counted (they are in the other sum too)."""
    return f"protected|{camera_id}"


def saved_series(camera_id: str) -> str:
    """The name under which the bytes that optimising a camera's events saved are counted."""
    return f"saved|{camera_id}"


def starred_series(camera_id: str) -> str:
    """The name under which a camera's protected events are counted (they are among all its events too)."""
    return f"starred|{camera_id}"


async def set_size(transaction: Transaction, event: Event, size_bytes: int) -> None:
    """Note what a locked event's files measure."""
    await set_sizes(transaction, [(event, size_bytes)])


async def set_sizes(transaction: Transaction, measured: Sequence[tuple[Event, int]]) -> int:
    """Note what the files of locked events measure, each event once; how many differ from what was known."""
    changes = []
    changed = [(event, size_bytes) for event, size_bytes in measured if size_bytes != event.size_bytes]
    for event, size_bytes in changed:
        await event_rows.update(transaction, event.id, {"size_bytes": size_bytes})
        names = [bytes_series(event.camera_id)]
        if event.protected:
            names.append(protected_series(event.camera_id))
        changes += [(name, event.timestamp, size_bytes - event.size_bytes) for name in names]
    await tallies.add(transaction, LADDER, changes)
    return len(changed)


async def set_saved(transaction: Transaction, event: Event, saved_bytes: int) -> None:
    """Note what optimising a locked event's clip saved, all times taken together."""
    change = saved_bytes - event.saved_bytes
    if not change:
        return
    await event_rows.update(transaction, event.id, {"saved_bytes": saved_bytes})
    await tallies.add(transaction, LADDER, [(saved_series(event.camera_id), event.timestamp, change)])


async def set_protected(transaction: Transaction, event: Event, *, protected: bool) -> None:
    """Star a locked event, or take the star away."""
    await set_all_protected(transaction, [event], protected=protected)


_SET_PROTECTED: Final = Command(
    events.update().where(one_of(_E.id, "ids")).values(protected=bindparam("new_protected"))
)


async def set_all_protected(transaction: Transaction, chosen: Sequence[Event], *, protected: bool) -> None:
    """The same for many locked events."""
    changed = [event for event in chosen if event.protected is not protected]
    if not changed:
        return
    await transaction.execute(_SET_PROTECTED, ids=[event.id for event in changed], new_protected=protected)
    sign = 1 if protected else -1
    changes = []
    for event in changed:
        transaction.tell(Change(What.CHANGED, event.id, event.camera_id))
        changes.append((protected_series(event.camera_id), event.timestamp, sign * event.size_bytes))
        changes.append((starred_series(event.camera_id), event.timestamp, sign))
    await tallies.add(transaction, LADDER, changes)


_BEFORE: Final = Query(
    select(_E.id).where(_E.id < bindparam("before")).order_by(_E.id.desc()).limit(bindparam("limit"))
)
LAST_ID: Final = 2**32
"""Before this one are all events."""


async def ids_before(session: Database | Transaction, before: int, *, limit: int) -> list[int]:
    """The ids of events below ``before``, the newest first."""
    return [int(event_id) for (event_id,) in await session.rows(_BEFORE, before=before, limit=limit)]


# --- sums ------------------------------------------------------------------------------------------------------------

_USED: Final = Query(
    select(_T.series, func.sum(_T.n)).where(one_of(_T.series, "series"), _T.span == LADDER.spans[0]).group_by(_T.series)
)
_BY_DAY: Final = Query(
    select(_T.series, _T.start, _T.n)
    .where(
        one_of(_T.series, "series"),
        _T.span == "day",
        _T.start >= bindparam("start"),
        _T.start < bindparam("end"),
        _T.n != 0,
    )
    .order_by(_T.start)
)
_FIRST_MONTH: Final = Query(
    select(func.min(_T.start)).where(one_of(_T.series, "series"), _T.span == LADDER.spans[0], _T.n != 0)
)


async def used_bytes(session: Database | Transaction, cameras: Sequence[str]) -> dict[str, int]:
    """Bytes of each camera's events, all of them."""
    if not cameras:
        return {}
    return {camera_id: use.size_bytes for camera_id, use in (await uses(session, cameras)).items()}


async def uses(session: Database | Transaction, cameras: Sequence[str]) -> dict[str, Use]:
    """Bytes of each camera's events: all of them, and the protected ones."""
    if not cameras:
        return {}
    names = [name for camera_id in cameras for name in (bytes_series(camera_id), protected_series(camera_id))]
    found = {series: int(total) for series, total in await session.rows(_USED, series=names)}
    return {
        camera_id: Use(found.get(bytes_series(camera_id), 0), found.get(protected_series(camera_id), 0))
        for camera_id in cameras
    }


async def bytes_by_day(
    session: Database | Transaction, cameras: Sequence[str], since: datetime
) -> dict[str, dict[date, int]]:
    """Bytes of each camera's events, protected ones too, by day from ``since`` on."""
    found: dict[str, dict[date, int]] = {camera_id: {} for camera_id in cameras}
    names = {bytes_series(camera_id): camera_id for camera_id in cameras}
    if names:
        limits = {"start": time_out(since), "end": time_out(LATEST)}
        for series, start, size_bytes in await session.rows(_BY_DAY, series=list(names), **limits):
            found[names[series]][time_in(start).date()] = int(size_bytes)
    return found


async def saved_bytes(session: Database | Transaction, cameras: Sequence[str]) -> int:
    """Bytes that optimising saved of the events of these cameras that are here."""
    if not cameras:
        return 0
    names = [saved_series(camera_id) for camera_id in cameras]
    return sum(int(total) for _, total in await session.rows(_USED, series=names))


async def starred_events(session: Database | Transaction, camera_id: str) -> int:
    """How many of a camera's events are protected."""
    return sum(int(total) for _, total in await session.rows(_USED, series=[starred_series(camera_id)]))


async def first_month(session: Database | Transaction, cameras: Sequence[str]) -> datetime | None:
    """The start of the month in which the earliest event of these cameras was; ``None``: they have none."""
    if not cameras:
        return None
    row = await session.row(_FIRST_MONTH, series=[event_rows.series(camera_id) for camera_id in cameras])
    return None if row is None or row[0] is None else time_in(row[0])


async def footage_by_day(
    session: Database | Transaction, cameras: Sequence[str], since: datetime, until: datetime
) -> list[DayOfFootage]:
    """What may go of each camera's days from ``since`` to before ``until``, oldest first, without protected bytes."""
    if not cameras:
        return []
    names: dict[str, tuple[str, str]] = {}
    for camera_id in cameras:
        names[event_rows.series(camera_id)] = (camera_id, "events")
        names[bytes_series(camera_id)] = (camera_id, "bytes")
        names[protected_series(camera_id)] = (camera_id, "protected")
        names[starred_series(camera_id)] = (camera_id, "starred")
    sums: dict[tuple[date, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    limits = {"start": time_out(since), "end": time_out(until)}
    for series, start, count in await session.rows(_BY_DAY, series=list(names), **limits):
        camera_id, what = names[series]
        sums[time_in(start).date(), camera_id][what] += int(count)
    days = [
        DayOfFootage(camera_id, day, found["events"] - found["starred"], found["bytes"] - found["protected"])
        for (day, camera_id), found in sorted(sums.items())
    ]
    return [day for day in days if day.events]
