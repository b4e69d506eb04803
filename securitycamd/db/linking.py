"""What self-linking and the storage check ask of events: in batches, along an index, whatever the table's size."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import and_, bindparam, func, or_, select

from securitycamd.db import jobs as job_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.statements import Command, Query, one_of
from securitycamd.db.tables import events, jobs, removals
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.names import ConversionStatus

_E = events.c
_J = jobs.c
_R = removals.c
LARGEST_ID: Final = 2**32 - 1

_PATH_COLUMNS: Final = (
    _E.image_a_path,
    _E.image_b_path,
    _E.thumbnail_path,
    _E.video_h264_path,
    _E.video_mp4_path,
)
_SETTLED: Final = Query(
    select(
        *_PATH_COLUMNS,
        _E.image_a_transferred,
        _E.image_b_transferred,
        _E.thumbnail_transferred,
        # What became of a source that could not be converted is another question, see given_up().
        and_(_E.video_transferred == 1, _E.mp4_conversion_status != ConversionStatus.FAILED.value),
    ).where(one_of(_E.id, "ids"))
)
_CONVERSIONS: Final = Query(
    select(_J.event_id, _J.state, _J.last_error).where(one_of(_J.event_id, "ids"), _J.kind == JobKind.REMUX.value)
)
_NEWEST_ID: Final = Query(select(func.max(_E.id)))
# A range of the primary key, newest first: a camera with a wrong clock is in it like any other.
_OVERDUE: Final = Query(
    select(_E.id, _E.camera_id, _E.created_at)
    .where(
        _E.id > bindparam("after"),
        _E.created_at >= bindparam("since"),
        _E.created_at <= bindparam("before"),
        or_(
            _E.image_a_transferred == 0,
            _E.image_b_transferred == 0,
            _E.thumbnail_transferred == 0,
            _E.video_transferred == 0,
        ),
    )
    .order_by(_E.id.desc())
)
_NEXT_IDS: Final = Query(select(_E.id).where(_E.id > bindparam("after")).order_by(_E.id).limit(bindparam("limit")))
_REMOVED: Final = Query(select(_R.event_id).where(one_of(_R.event_id, "ids")))
_NEAR: Final = Query(
    select(*_PATH_COLUMNS)
    .where(
        _E.camera_id == bindparam("camera"),
        _E.timestamp >= bindparam("start"),
        _E.timestamp < bindparam("end"),
    )
    .order_by(_E.timestamp)
    .limit(bindparam("limit"))
)
_now: Final = func.utc_timestamp(6)
_REQUEUE: Final = Command(
    jobs.update()
    .where(
        _J.event_id == bindparam("event"),
        _J.kind == bindparam("of_kind"),
        one_of(_J.state, "states"),
    )
    .values(
        state=JobState.QUEUED,
        attempts=0,
        crashes=0,
        run_after=_now,
        created_at=_now,
        updated_at=_now,
        last_error=None,
    )
)
_FAIL: Final = Command(
    jobs.update()
    .where(
        _J.event_id == bindparam("event"),
        _J.kind == bindparam("of_kind"),
        one_of(_J.state, "states"),
    )
    .values(state=JobState.FAILED, priority=0, last_error=bindparam("error"), updated_at=_now)
)
_SETTLE: Final = Command(
    jobs.update()
    .where(
        _J.event_id == bindparam("event"),
        _J.kind == bindparam("of_kind"),
        _J.state == JobState.FAILED.value,
    )
    .values(state=JobState.DONE, priority=0, last_error=None, updated_at=_now)
)


def _storable(ids: Sequence[int]) -> list[int]:
    return [event_id for event_id in ids if 0 < event_id <= LARGEST_ID]


async def settled_paths(session: Database | Transaction, ids: Sequence[int]) -> set[str]:
    """The paths that these events name and whose files were said to be there: nothing is to be done about those."""
    ids = _storable(ids)
    if not ids:
        return set()
    found: set[str] = set()
    for a, b, thumbnail, source, clip, *there in await session.rows(_SETTLED, ids=ids):
        has_a, has_b, has_thumbnail, has_video = there
        named = ((a, has_a), (b, has_b), (thumbnail, has_thumbnail), (source, has_video), (clip, True))
        found.update(path for path, is_there in named if path and is_there)
    return found


async def given_up(session: Database | Transaction, ids: Sequence[int], errors: Sequence[str]) -> set[int]:
    """Those of the events whose conversion ended for good with one of these sentences."""
    ids = _storable(ids)
    rows = await session.rows(_CONVERSIONS, ids=ids) if ids else []
    return {int(event_id) for event_id, state, error in rows if state == JobState.FAILED and error in errors}


async def newest_id(session: Database | Transaction) -> int:
    """The id of the newest event; 0 when there is none."""
    row = await session.row(_NEWEST_ID)
    return int(row[0]) if row and row[0] is not None else 0


async def overdue(
    session: Database | Transaction, *, after_id: int, since: datetime, before: datetime
) -> list[tuple[int, str, datetime]]:
    """Id, camera and time of arrival of events with missing files, newest first.

    Args:
        session: where to ask.
        after_id: no older ids; what bounds the work.
        since: they arrived then or later.
        before: they arrived then or earlier.
    """
    rows = await session.rows(_OVERDUE, after=after_id, since=time_out(since), before=time_out(before))
    return [(int(event_id), camera_id, time_in(created)) for event_id, camera_id, created in rows]


async def ids_after(session: Database | Transaction, event_id: int, *, limit: int) -> list[int]:
    """The next ids in their order."""
    return [int(found) for (found,) in await session.rows(_NEXT_IDS, after=event_id, limit=limit)]


async def being_removed(session: Database | Transaction, ids: Sequence[int]) -> set[int]:
    """Those of the events that are marked for removal."""
    ids = _storable(ids)
    return {int(found) for (found,) in await session.rows(_REMOVED, ids=ids)} if ids else set()


async def paths_near(
    session: Database | Transaction, camera_id: str, start: datetime, end: datetime, *, limit: int
) -> set[str]:
    """The files of a camera's events in a stretch of time, of at most ``limit`` events."""
    rows = await session.rows(_NEAR, camera=camera_id, start=time_out(start), end=time_out(end), limit=limit)
    return {path for row in rows for path in row if path}


async def requeue(transaction: Transaction, event_id: int, kind: JobKind) -> None:
    """Have a job done once more that had ended, if there is one."""
    ended = [JobState.DONE.value, JobState.FAILED.value]
    await transaction.execute(_REQUEUE, event=event_id, of_kind=kind, states=ended)


async def note_failure(transaction: Transaction, event_id: int, kind: JobKind, error: str) -> None:
    """Say why there is nothing of a job, unless it is being done: that finds out by itself."""
    await job_rows.enqueue(transaction, event_id, kind)
    resting = [JobState.QUEUED.value, JobState.DONE.value, JobState.FAILED.value]
    await transaction.execute(_FAIL, event=event_id, of_kind=kind, states=resting, error=error)


async def settle_failure(transaction: Transaction, event_id: int, kind: JobKind) -> None:
    """Take back that a job failed, if it did: what it was to make is there."""
    await transaction.execute(_SETTLE, event=event_id, of_kind=kind)
