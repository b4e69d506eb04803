"""What pages show of many cameras at once: their newest pictures and how much happened, in a few statements."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from securitycamd.db import events as event_rows
from securitycamd.db.engine import Database, Row, Transaction
from securitycamd.db.statements import Query, one_of
from securitycamd.db.tables import cameras, events
from securitycamd.db.tables import tallies as tally_table
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.pictures import NewestEvent, Poster

_E = events.c
_T = tally_table.c
LOOKED_AT: Final = 20
"""So many of a camera's newest events are looked at for a picture: those of the newest may still be on their way."""
_PICTURES: Final = (
    _E.id,
    _E.timestamp,
    _E.thumbnail_path,
    _E.thumbnail_transferred,
    _E.image_a_path,
    _E.image_a_transferred,
)
_NEWEST_ID: Final = (
    select(_E.id)
    .where(_E.camera_id == cameras.c.camera_id)
    .order_by(_E.timestamp.desc())
    .limit(1)
    .correlate(cameras)
    .scalar_subquery()
)
_NEWEST: Final = Query(
    select(*_PICTURES, cameras.c.camera_id)
    .select_from(cameras.join(events, _E.id == _NEWEST_ID))
    .where(one_of(cameras.c.camera_id, "cameras"))
)
_LATEST: Final = Query(
    select(*_PICTURES).where(_E.camera_id == bindparam("camera")).order_by(_E.timestamp.desc()).limit(LOOKED_AT)
)
_HOURS: Final = Query(
    select(_T.series, _T.start, _T.n)
    .where(one_of(_T.series, "series"), _T.span == "hour", _T.start >= bindparam("start"), _T.n > 0)
    .order_by(_T.series, _T.start)
)


async def newest(session: Database | Transaction, camera_ids: Sequence[str]) -> dict[str, NewestEvent]:
    """The newest event of each of these cameras that has one, with the newest picture that is there."""
    found: dict[str, NewestEvent] = {}
    if not camera_ids:
        return found
    for row in await session.rows(_NEWEST, cameras=list(camera_ids)):
        camera_id, poster = row[6], _poster(row)
        if poster is None:
            posters = map(_poster, await session.rows(_LATEST, camera=camera_id))
            poster = next((each for each in posters if each is not None), None)
        found[camera_id] = NewestEvent(int(row[0]), time_in(row[1]), poster)
    return found


def _poster(row: Row) -> Poster | None:
    event_id, at, thumbnail, has_thumbnail, still, has_still = row[:6]
    paths = [path for path, is_there in ((thumbnail, has_thumbnail), (still, has_still)) if path and is_there]
    return Poster(int(event_id), time_in(at), paths[0], paths[-1]) if paths else None


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
