"""The events of a camera that goes with its footage, and what is left of it at the end."""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from securitycamd.db import events as event_rows
from securitycamd.db import footage
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.event_index import kind_series
from securitycamd.db.statements import Command, Query, one_of
from securitycamd.db.tables import events, jobs, tallies
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.jobs import JobState
from securitycamd.domain.names import Category

_E = events.c
_J = jobs.c
_T = tallies.c
COUNTS_A_STEP: Final = 2000

_RUNNING: Final = (
    select(_J.event_id).where(_J.event_id == _E.id, _J.state == JobState.RUNNING).correlate(events).exists()
)
_NEXT: Final = Query(
    select(_E.id, _E.timestamp)
    .where(_E.camera_id == bindparam("camera"), _E.timestamp > bindparam("after"), ~_RUNNING)
    .order_by(_E.timestamp)
    .limit(bindparam("limit"))
)
_ANY: Final = Query(select(_E.id).where(_E.camera_id == bindparam("camera")).limit(1))
_COUNTS: Final = Command(
    tallies.delete().where(one_of(_T.series, "series")).with_dialect_options(mariadb_limit=COUNTS_A_STEP)
)


async def next_events(
    session: Database | Transaction, camera_id: str, *, after: datetime, limit: int
) -> list[tuple[int, datetime]]:
    """Ids and times of events of the camera that are not being worked on, oldest first; starred and marked ones too."""
    rows = await session.rows(_NEXT, camera=camera_id, after=time_out(after), limit=limit)
    return [(int(event_id), time_in(at)) for event_id, at in rows]


async def has_events(session: Database | Transaction, camera_id: str) -> bool:
    """Whether the camera has any event."""
    return await session.row(_ANY, camera=camera_id) is not None


async def forget_counts(session: Database | Transaction, camera_id: str) -> int:
    """Delete the kept counts of a camera without events, a bounded number; how many."""
    names = [
        event_rows.series(camera_id),
        footage.bytes_series(camera_id),
        footage.protected_series(camera_id),
        footage.saved_series(camera_id),
        footage.starred_series(camera_id),
        *(kind_series(camera_id, category) for category in (None, *Category)),
    ]
    return await session.execute(_COUNTS, series=names)
