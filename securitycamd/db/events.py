"""Rows of events: added in batches, changed under their lock, listed newest first at any depth."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, func, select, tuple_

from securitycamd.db import event_index, tallies
from securitycamd.db.cameras import KNOWN
from securitycamd.db.engine import Database, Row, Transaction
from securitycamd.db.statements import Command, Insert, Query, listed, one_of
from securitycamd.db.tables import events
from securitycamd.db.values import maybe_time_in, time_in, time_out
from securitycamd.domain.changes import Change, What
from securitycamd.domain.models import Event, EventFilter, NewEvent
from securitycamd.domain.names import Category, ConversionStatus, EventStatus
from securitycamd.domain.times import EARLIEST, LATEST

_E = events.c
_LARGEST_ID: Final = 2**32 - 1
ALL_CAMERAS: Final = "events"
SEEK_FROM: Final = 500
"""From this offset on, kept counts find the place; before it, skipping rows of the index is as quick."""

_INSERT: Final = Insert(
    events,
    (
        "camera_id",
        "timestamp",
        "motion_score",
        "confidence_score",
        "status",
        "mp4_conversion_status",
        "created_at",
    ),
)
_BY_IDS: Final = Query(select(*_E).where(one_of(_E.id, "ids")))
_LOCK_IDS: Final = Query(select(*_E).where(one_of(_E.id, "ids")).order_by(_E.id).with_for_update())
_BY_KEYS: Final = Query(
    select(*_E).where(tuple_(_E.camera_id, _E.timestamp).op("IN", is_comparison=True)(listed("keys"))),
    KNOWN,
)


def series(camera_id: str | None) -> str:
    """The name under which a camera's events (``None``: all events) are counted."""
    return ALL_CAMERAS if camera_id is None else f"{ALL_CAMERAS}|{camera_id}"


def _maybe_float(value: float | None) -> float | None:
    # The database writes 62.0 as 62.
    return None if value is None else float(value)


def _event(row: Row) -> Event:
    # By position, in the order of the columns: this runs for every event of every page.
    return Event(
        row[0],
        row[1],
        time_in(row[2]),
        float(row[3]),
        _maybe_float(row[4]),
        EventStatus(row[5]),
        row[6],
        row[7],
        row[8],
        row[9],
        row[10],
        _maybe_float(row[11]),
        bool(row[12]),
        bool(row[13]),
        bool(row[14]),
        bool(row[15]),
        ConversionStatus(row[16]),
        maybe_time_in(row[17]),
        bool(row[18]),
        maybe_time_in(row[19]),
        None if row[20] is None else bool(row[20]),
        _maybe_float(row[21]),
        row[22],
        row[23],
        row[24],
        row[25],
        time_in(row[26]),
        bool(row[27]),
        row[28],
        row[29],
        None if row[30] is None else Category(row[30]),
        bool(row[31]),
        row[32],
    )


async def by_ids(session: Database | Transaction, ids: Sequence[int]) -> dict[int, Event]:
    """The events with these ids that exist."""
    ids = _storable(ids)
    return {row[0]: _event(row) for row in await session.rows(_BY_IDS, ids=ids)} if ids else {}


async def lock(transaction: Transaction, ids: Sequence[int]) -> dict[int, Event]:
    """The same, locked until the transaction ends; in the order of ids, so that two batches cannot deadlock."""
    ids = sorted(_storable(ids))
    return {row[0]: _event(row) for row in await transaction.rows(_LOCK_IDS, ids=ids)} if ids else {}


def is_storable(event_id: int) -> bool:
    """Whether the column can hold the number: the server refuses a whole statement for one of hundreds of digits."""
    return 0 < event_id <= _LARGEST_ID


def _storable(ids: Sequence[int]) -> list[int]:
    return [event_id for event_id in ids if is_storable(event_id)]


async def by_keys(
    session: Transaction, keys: set[tuple[str, datetime]]
) -> tuple[dict[tuple[str, datetime], Event], set[str]]:
    """Events by camera and time; and which of the cameras have a record and take events."""
    if not keys:
        return {}, set()
    rows = await session.rows(
        _BY_KEYS,
        keys=[(camera_id, time_out(moment)) for camera_id, moment in sorted(keys)],
        camera_ids=sorted({camera_id for camera_id, _ in keys}),
    )
    found = [_event(row) for row in rows if len(row) > 1]
    return {(event.camera_id, event.timestamp): event for event in found}, {row[0] for row in rows if len(row) == 1}


async def add(
    transaction: Transaction, new: Sequence[NewEvent], created_at: datetime
) -> dict[tuple[str, datetime], Event]:
    """Insert events that are not there yet, and count them; what became of them, by camera and time.

    One plain insert: ids of one batch, and of one batch after another, are consecutive.
    """
    if not new:
        return {}
    at = time_out(created_at)
    given = [
        (
            event.camera_id,
            time_out(event.timestamp),
            event.motion_score,
            event.confidence_score,
            EventStatus.PROCESSING,
            ConversionStatus.PENDING,
            at,
        )
        for event in new
    ]
    made = [_event(row) for row in await transaction.rows(_INSERT, rows=given)]
    await tallies.add(
        transaction,
        tallies.EVENT_LADDER,
        [
            change
            for event in new
            for change in (
                (series(None), event.timestamp, 1),
                (series(event.camera_id), event.timestamp, 1),
                *event_index.kind_changes(event.camera_id, None, event.timestamp, 1),
            )
        ],
    )
    return {(event.camera_id, event.timestamp): event for event in made}


_UPDATES: dict[tuple[str, ...], Command] = {}
# Measuring all footage is no news to those who watch.
_UNSEEN: Final = frozenset({("size_bytes",), ("saved_bytes",)})


async def update(session: Database | Transaction, event_id: int, values: Mapping[str, Any]) -> int:
    """Change columns of one event; the number of rows matched. Times must be aware.

    What events are counted and found by is kept up in the same transaction (:mod:`securitycamd.db.event_index`).
    """
    names = tuple(sorted(values))
    if not names:
        return 1
    command = _UPDATES.get(names)
    if command is None:
        changes: dict[str, BindParameter[Any]] = {name: bindparam(name) for name in names}
        command = _UPDATES[names] = Command(events.update().where(_E.id == bindparam("key")).values(changes))
    written = {name: time_out(value) if isinstance(value, datetime) else value for name, value in values.items()}
    if event_index.INDEXED & values.keys():
        if isinstance(session, Database):
            return await session.transact(lambda transaction: update(transaction, event_id, values))
        async with event_index.kept_up(session, event_id):
            matched = await session.execute(command, key=event_id, **written)
    else:
        matched = await session.execute(command, key=event_id, **written)
    if names not in _UNSEEN:
        session.tell(Change(What.CHANGED, event_id))
    return matched


_SET_REVIEWED: Final = Command(events.update().where(one_of(_E.id, "ids")).values(reviewed=bindparam("new_reviewed")))


async def set_reviewed(transaction: Transaction, ids: Sequence[int], *, reviewed: bool) -> None:
    """Say of events whether an operator has seen them."""
    if ids:
        await transaction.execute(_SET_REVIEWED, ids=list(ids), new_reviewed=reviewed)
        for event_id in ids:
            transaction.tell(Change(What.CHANGED, event_id))


# --- lists -----------------------------------------------------------------------------------------------------------


def _cameras_are(shape: str) -> list[ColumnElement[bool]]:
    match shape:
        case "all":
            return []
        case "one":
            return [_E.camera_id == bindparam("camera")]
        case _:
            return [one_of(_E.camera_id, "cameras")]


def _in_span() -> list[ColumnElement[bool]]:
    return [_E.timestamp >= bindparam("start"), _E.timestamp < bindparam("end")]


def _list(shape: str) -> Query:
    # Two events of one camera never share a time; and only without the id does MariaDB see that the index of one
    # camera's times is in the wanted order.
    order = [_E.timestamp.desc()] if shape == "one" else [_E.timestamp.desc(), _E.id.desc()]
    # The rows to skip are skipped in the index alone; only the page itself is read whole.
    ids = (
        select(_E.id)
        .where(*_cameras_are(shape), *_in_span())
        .order_by(*order)
        .limit(bindparam("limit"))
        .offset(bindparam("offset"))
        .subquery("page")
    )
    whole: Select[Any] = select(*_E).join_from(ids, events, ids.c.id == _E.id)
    return Query(whole.order_by(_E.timestamp.desc(), _E.id.desc()))


_SHAPES: Final = ("all", "one", "many")
_LISTS: Final = {shape: _list(shape) for shape in _SHAPES}
_COUNTS: Final = {
    shape: Query(select(func.count()).select_from(events).where(*_cameras_are(shape), *_in_span())) for shape in _SHAPES
}


def _shape(cameras: frozenset[str] | None) -> tuple[str, dict[str, Any]]:
    if cameras is None:
        return "all", {}
    if len(cameras) == 1:
        return "one", {"camera": next(iter(cameras))}
    return "many", {"cameras": sorted(cameras)}


def _all_series(cameras: frozenset[str] | None) -> list[str]:
    return [series(None)] if cameras is None else [series(camera_id) for camera_id in sorted(cameras)]


async def count(session: Database | Transaction, wanted: EventFilter) -> int:
    """How many events match, exactly."""
    if wanted.cameras == frozenset() or wanted.span.is_empty:
        return 0
    total = await _count_since(session, wanted, wanted.span.start)
    if wanted.span.end is not None:
        total -= await _count_since(session, wanted, wanted.span.end)
    return total


async def _count_since(session: Database | Transaction, wanted: EventFilter, moment: datetime | None) -> int:
    rows, edge = await tallies.since(session, tallies.EVENT_LADDER, _all_series(wanted.cameras), moment)
    if moment is not None and edge > moment:
        shape, values = _shape(wanted.cameras)
        row = await session.row(_COUNTS[shape], **values, start=time_out(moment), end=time_out(edge))
        rows += int(row[0]) if row else 0
    return rows


async def newest(session: Database | Transaction, wanted: EventFilter, *, limit: int, offset: int) -> list[Event]:
    """A page of the events that match, newest first."""
    if wanted.cameras == frozenset() or wanted.span.is_empty:
        return []
    end = wanted.span.end or LATEST
    if offset >= SEEK_FROM:
        newer = 0 if wanted.span.end is None else await _count_since(session, wanted, wanted.span.end)
        found = await tallies.place(session, tallies.EVENT_LADDER, _all_series(wanted.cameras), newer + offset)
        if found is None:
            return []
        end, offset = found
    shape, values = _shape(wanted.cameras)
    rows = await session.rows(
        _LISTS[shape],
        **values,
        start=time_out(wanted.span.start or EARLIEST),
        end=time_out(end),
        limit=limit,
        offset=offset,
    )
    return [_event(row) for row in rows]


_LATEST_OF: Final = Query(
    select(_E.timestamp).where(_E.camera_id == bindparam("camera")).order_by(_E.timestamp.desc()).limit(1)
)
_PATHS: Final = Query(
    select(
        _E.id,
        _E.image_a_path,
        _E.image_b_path,
        _E.thumbnail_path,
        _E.video_h264_path,
        _E.video_mp4_path,
        _E.timestamp,
    )
    .where(
        _E.camera_id == bindparam("camera"),
        _E.timestamp >= bindparam("start"),
        _E.timestamp < bindparam("end"),
    )
    .order_by(_E.timestamp.desc())
    .limit(bindparam("limit"))
)


async def latest_time(session: Database | Transaction, camera_id: str) -> datetime | None:
    """When the camera's newest event was."""
    row = await session.row(_LATEST_OF, camera=camera_id)
    return None if row is None else time_in(row[0])


async def paths(
    session: Database | Transaction, camera_id: str, start: datetime, end: datetime, *, limit: int
) -> tuple[list[str], datetime | None]:
    """Files of at most ``limit`` events of a camera, newest first; and where to go on (``None``: all read)."""
    rows = await session.rows(_PATHS, camera=camera_id, start=time_out(start), end=time_out(end), limit=limit)
    files = [path for row in rows for path in row[1:6] if path]
    more = time_in(rows[-1][6]) if len(rows) == limit else None
    return files, more
