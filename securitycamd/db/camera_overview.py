"""What pages show of many cameras at once: their newest pictures and how much happened, in a few statements."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, bindparam, func, select

from securitycamd.db import events as event_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.statements import Query, one_of
from securitycamd.db.tables import cameras, events
from securitycamd.db.tables import tallies as tally_table
from securitycamd.db.values import time_in, time_out

_E = events.c
_T = tally_table.c
LOOKED_AT: Final = 3
"""Newest events that are looked at for a picture: those of an event arrive within seconds."""


def _newest(place: int) -> Query:
    nth = (
        select(_E.id)
        .where(_E.camera_id == cameras.c.camera_id)
        .order_by(_E.timestamp.desc())
        .limit(1)
        .offset(place)
        .correlate(cameras)
        .scalar_subquery()
    )
    found: Select[Any] = (
        select(cameras.c.camera_id, _E.id, _E.timestamp, _E.thumbnail_path, _E.image_a_path, _E.thumbnail_transferred)
        .select_from(cameras.join(events, _E.id == nth))
        .where(one_of(cameras.c.camera_id, "cameras"))
    )
    return Query(found)


_NEWEST: Final = [_newest(place) for place in range(LOOKED_AT)]
_HOURS: Final = Query(
    select(_T.series, _T.start, _T.n)
    .where(one_of(_T.series, "series"), _T.span == "hour", _T.start >= bindparam("start"), _T.n > 0)
    .order_by(_T.series, _T.start)
)
_SUMS: Final = Query(
    select(_T.series, func.sum(_T.n)).where(one_of(_T.series, "series"), _T.span == "month").group_by(_T.series)
)


class NewestEvent:
    """A camera's newest event, and the newest of its last events that has a picture."""

    __slots__ = ("at", "event_id", "picture_path")

    def __init__(self, event_id: int, at: datetime, picture_path: str | None) -> None:
        self.event_id = event_id
        self.at = at
        self.picture_path = picture_path


async def newest(session: Database | Transaction, camera_ids: Sequence[str]) -> dict[str, NewestEvent]:
    """The newest event of each of these cameras that has one, with a picture of its last few events."""
    found: dict[str, NewestEvent] = {}
    missing = list(camera_ids)
    for query in _NEWEST:
        if not missing:
            break
        for camera_id, event_id, at, thumbnail, still, has_thumbnail in await session.rows(query, cameras=missing):
            event = found.setdefault(camera_id, NewestEvent(int(event_id), time_in(at), None))
            event.picture_path = thumbnail if has_thumbnail and thumbnail else still
        missing = [camera_id for camera_id, event in found.items() if event.picture_path is None]
    return found


async def by_hour(
    session: Database | Transaction, camera_ids: Sequence[str], start: datetime
) -> dict[str, dict[datetime, int]]:
    """Events of each of these cameras by hour of UTC, from the hour ``start`` on; hours without any are left out."""
    names = {event_rows.series(camera_id): camera_id for camera_id in camera_ids}
    found: dict[str, dict[datetime, int]] = {camera_id: {} for camera_id in camera_ids}
    if names:
        for series, hour, count in await session.rows(_HOURS, series=list(names), start=time_out(start)):
            found[names[series]][time_in(hour)] = int(count)
    return found


async def totals(session: Database | Transaction, camera_ids: Sequence[str]) -> dict[str, int]:
    """How many events each of these cameras has."""
    names = {event_rows.series(camera_id): camera_id for camera_id in camera_ids}
    found = dict.fromkeys(camera_ids, 0)
    if names:
        for series, count in await session.rows(_SUMS, series=list(names)):
            found[names[series]] = int(count)
    return found
