"""How many events match a filter, where kept counts can tell."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from securitycamd.db import cameras as camera_rows
from securitycamd.db import events as event_rows
from securitycamd.db import finding, tallies
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.event_index import kind_series
from securitycamd.db.finding import TIME, Path, Window
from securitycamd.db.footage import starred_series
from securitycamd.domain.models import EventFilter, Place

Session = Database | Transaction
_BY_TIME: Final = Path(TIME)
_NO_LIMIT: Final = 2**31
"""Less than an hour's events are counted for real."""


async def kept_series(session: Session, wanted: EventFilter) -> list[str] | None:
    """The series whose sum counts what matches; ``None``: what is asked for is not counted."""
    asked = finding.asked(wanted).keys() - {"cameras"}
    if wanted.text.strip():
        return None
    if not asked:
        return (
            [event_rows.series(None)] if wanted.cameras is None else [*map(event_rows.series, sorted(wanted.cameras))]
        )
    if asked == {"categories"}:
        categories = sorted(wanted.categories or ())
        names = [""] if wanted.cameras is None else sorted(wanted.cameras)
        return [kind_series(camera_id, category) for category in categories for camera_id in names]
    if asked == {"protected"} and wanted.protected:
        return [starred_series(camera_id) for camera_id in sorted(await cameras_of(session, wanted))]
    return None


async def cameras_of(session: Session, wanted: EventFilter) -> Collection[str]:
    """The filter's cameras; all there are when it asks for none."""
    if wanted.cameras is not None:
        return wanted.cameras
    return [camera.camera_id for camera in await camera_rows.everything(session)]


async def kept_count(session: Session, series: Sequence[str], wanted: EventFilter) -> int:
    """How many events match, exactly."""
    if not series or wanted.span.is_empty:
        return 0
    total = await _since(session, series, wanted, wanted.span.start)
    if wanted.span.end is not None:
        total -= await _since(session, series, wanted, wanted.span.end)
    return total


async def kept_newer(session: Session, series: Sequence[str], wanted: EventFilter, place: Place) -> int:
    """How many of the events that match are newer than the one at ``place``, exactly."""
    newer = await _since(session, series, wanted, place.timestamp)
    at_once = Window(Place(place.timestamp, place.event_id + 1), Place(place.timestamp, 0))
    newer -= await finding.count(session, _BY_TIME, wanted, at_once, limit=_NO_LIMIT)
    if wanted.span.end is not None:
        newer -= await _since(session, series, wanted, wanted.span.end)
    return newer


async def _since(session: Session, series: Sequence[str], wanted: EventFilter, moment: datetime | None) -> int:
    rows, edge = await tallies.since(session, tallies.EVENT_LADDER, series, moment)
    if moment is not None and edge > moment:
        part = Window(Place(edge, 0), Place(moment, 0))
        rows += await finding.count(session, _BY_TIME, wanted, part, limit=_NO_LIMIT)
    return rows
