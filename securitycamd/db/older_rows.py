"""Rows of the older scripts' tables, read in the order of their ids; and ours, written with everything kept of them."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text, bindparam, func, select
from sqlalchemy.dialects.mysql import DATETIME, insert

from securitycamd.db import event_index, tallies
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.events import series
from securitycamd.db.older_tables import PARTS, PROGRESS, columns, older
from securitycamd.db.statements import Command, Query, insert_text, one_of
from securitycamd.db.tables import cameras, events
from securitycamd.db.values import maybe_time_in, time_in, time_out
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.older import OlderEvent
from securitycamd.domain.times import EARLIEST

_E = events.c
_C = cameras.c
BATCH_ROWS: Final = 1_000
_FAILED_TEXT: Final = "The older system could not convert the clip."

# Kept out of the tables of the schema: it is there only where an older database was adopted.
_progress: Final = Table(
    PROGRESS,
    MetaData(),
    Column("part", String(16), primary_key=True),
    Column("copied_to", BigInteger),
    Column("last_at", DATETIME(fsp=6)),
    Column("found", BigInteger),
    Column("moved", BigInteger),
    Column("mended", Text),
    Column("done_at", DATETIME(fsp=6)),
)
_P = _progress.c
_STATE: Final = (_P.copied_to, _P.last_at, _P.found, _P.moved, _P.mended)
_OF_PART: Final = Query(select(*_STATE).where(_P.part == bindparam("key")).with_for_update())
_DONE: Final = Query(select(_P.part).where(_P.done_at.is_not(None)))
_BEGIN: Final = Command(
    insert(_progress)
    .values(part=bindparam("key"), copied_to=0, found=0, moved=0, mended="{}")
    .on_duplicate_key_update(part=bindparam("key"))
)
_NOTE: Final = Command(
    _progress.update()
    .where(_P.part == bindparam("key"))
    .values({name: bindparam(f"new_{name}") for name in ("copied_to", "last_at", "found", "moved", "mended")})
)
_END: Final = Command(_progress.update().where(_P.part == bindparam("key")).values(done_at=func.utc_timestamp(6)))

_CAMERA_COLUMNS: Final = (
    "id", "camera_id", "name", "location", "ip_address", "last_seen", "created_at", "updated_at",
)  # fmt: skip
_EVENT_COLUMNS: Final = tuple(
    column.name
    for column in events.c
    if column.name not in {"protected", "size_bytes", "saved_bytes", "reviewed", "note"}
)
_WANTED: Final = {
    "cameras": frozenset(_CAMERA_COLUMNS),
    "events": frozenset(_EVENT_COLUMNS) - {"ai_category"},
    "logs": frozenset({"id", "source", "timestamp", "level", "message"}),
}
_ADD_CAMERA: Final = insert_text("cameras", _CAMERA_COLUMNS)
_ADD_EVENT: Final = insert_text("events", _EVENT_COLUMNS)
_ADD_JOB: Final = insert_text(
    "jobs", ("event_id", "kind", "state", "run_after", "last_error", "created_at", "updated_at")
)
_ADD_UNREAD: Final = insert_text("unread_texts", ("event_id",))
_TAKEN: Final = Query(select(_E.timestamp).where(_E.camera_id == bindparam("camera"), one_of(_E.timestamp, "moments")))
_NEAR: Final = Query(
    select(_E.timestamp).where(
        _E.camera_id == bindparam("camera"), _E.timestamp >= bindparam("start"), _E.timestamp < bindparam("end")
    )
)
_of_camera: Final = select(func.count()).where(_E.camera_id == _C.camera_id)
# A camera that only its events tell of was there from the first to the last of them.
_SEEN: Final = Command(
    cameras.update()
    .where(_C.last_seen == time_out(EARLIEST))
    .values(
        created_at=func.coalesce(_of_camera.with_only_columns(func.min(_E.timestamp)).scalar_subquery(), _C.created_at),
        last_seen=func.coalesce(_of_camera.with_only_columns(func.max(_E.timestamp)).scalar_subquery(), _C.last_seen),
    )
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a table is copied."""

    copied_to: int
    last_at: datetime
    found: int
    moved: int
    mended: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Source:
    """What is read of a table."""

    part: str
    names: tuple[str, ...]
    is_utc: frozenset[str]
    total: int


async def done(session: Database | Transaction) -> set[str]:
    """The tables that are copied whole."""
    return {part for (part,) in await session.rows(_DONE)}


async def source(session: Transaction, part: str) -> Source:
    """The columns of a table that we have a place for."""
    found = (await columns(session, [older(part)]))[older(part)]
    names = tuple(sorted(_WANTED[part] & found.keys()))
    [(total,)] = await session.script(f"SELECT COUNT(*) FROM {older(part)}")
    return Source(part, names, frozenset(name for name in names if found[name].type == "timestamp"), int(total))


async def progress(transaction: Transaction, part: str) -> Progress:
    """How far a table is copied; no other daemon goes on with it until the transaction ends."""
    if (row := await transaction.row(_OF_PART, key=part)) is None:
        await transaction.execute(_BEGIN, key=part)
        return Progress(0, EARLIEST, 0, 0)
    copied_to, last_at, found, moved, mended = row
    return Progress(copied_to, maybe_time_in(last_at) or EARLIEST, found, moved, Counter(json.loads(mended)))


async def note(transaction: Transaction, part: str, state: Progress) -> None:
    """Note how far it is, in the transaction that copied so far."""
    await transaction.execute(
        _NOTE,
        key=part,
        new_copied_to=state.copied_to,
        new_last_at=time_out(state.last_at),
        new_found=state.found,
        new_moved=state.moved,
        new_mended=json.dumps(state.mended),
    )


async def read(
    transaction: Transaction, asked: Source, after: int, *, limit: int = BATCH_ROWS, since: datetime | None = None
) -> list[dict[str, Any]]:
    """The next rows behind an id."""
    names = ", ".join(f"`{name}`" for name in asked.names)
    newer = "" if since is None else f" AND `timestamp` >= '{time_out(since):%Y-%m-%d}'"
    rows = await transaction.script(
        f"SELECT {names} FROM {older(asked.part)} WHERE id > {after}{newer} ORDER BY id LIMIT {limit}"
    )
    return [dict(zip(asked.names, row, strict=True)) for row in rows]


async def all_cameras(transaction: Transaction, asked: Source) -> list[dict[str, Any]]:
    """The rows of all cameras; there are not many."""
    names = ", ".join(f"`{name}`" for name in asked.names)
    rows = await transaction.script(f"SELECT {names} FROM {older('cameras')} ORDER BY camera_id")
    return [dict(zip(asked.names, row, strict=True)) for row in rows]


async def named_cameras(session: Transaction) -> tuple[list[str | None], list[str | None]]:
    """What cameras are called in their own table, and in that of events: letter by letter, in a fixed order."""
    found: list[list[str | None]] = []
    for part in ("cameras", "events"):
        rows = await session.script(
            f"SELECT DISTINCT CONVERT(camera_id USING utf8mb4) COLLATE utf8mb4_bin AS name FROM {older(part)}"
            " ORDER BY name"
        )
        found.append([name for (name,) in rows])
    return found[0], found[1]


async def add_cameras(transaction: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    """Insert cameras: those with an ``id`` keep it, the others get one behind them."""
    written = [{name: _out(row.get(name)) for name in _CAMERA_COLUMNS} for row in rows]
    await transaction.insert_many(_ADD_CAMERA, [row for row in written if row["id"] is not None])
    await transaction.insert_many(_ADD_CAMERA, [row for row in written if row["id"] is None])


async def add_events(transaction: Transaction, batch: Sequence[OlderEvent]) -> int:
    """Insert events under their ids, count them, and queue what is left to do; how many got another time."""
    placed, moved = await _placed(transaction, batch)
    rows = [event.columns for event in placed]
    await transaction.insert_many(_ADD_EVENT, [{name: _out(row[name]) for name in _EVENT_COLUMNS} for row in rows])
    counts: Counter[tuple[str, datetime]] = Counter()
    for row in rows:
        camera_id, at = row["camera_id"], tallies.floor(row["timestamp"], "hour")
        kinds = event_index.kind_changes(camera_id, row["ai_category"], at, 1)
        counts.update([(series(None), at), (series(camera_id), at), *((name, at) for name, at, _ in kinds)])
    await tallies.add(transaction, tallies.EVENT_LADDER, [(name, at, n) for (name, at), n in counts.items()])
    [(now,)] = await transaction.script("SELECT UTC_TIMESTAMP(6)")
    await transaction.insert_many(_ADD_JOB, [job | _at(now) for event in placed for job in _jobs(event)])
    unread = [{"event_id": row["id"]} for row in rows if row["ai_description"] or row["ai_phrase"] or row["ai_objects"]]
    await transaction.insert_many(_ADD_UNREAD, unread)
    return moved


def _out(value: Any) -> Any:
    return time_out(value) if isinstance(value, datetime) else value


def _at(now: datetime) -> dict[str, Any]:
    return {"run_after": now, "created_at": now, "updated_at": now}


def _jobs(event: OlderEvent) -> Iterable[dict[str, Any]]:
    new = {"event_id": event.columns["id"], "state": JobState.QUEUED, "last_error": None}
    if event.remux:
        yield new | {"kind": JobKind.REMUX}
    if event.analyse:
        yield new | {"kind": JobKind.ANALYSE}
    if event.failed:
        yield new | {"kind": JobKind.REMUX, "state": JobState.FAILED, "last_error": _FAILED_TEXT}


async def _placed(transaction: Transaction, batch: Sequence[OlderEvent]) -> tuple[list[OlderEvent], int]:
    """The events at times that are free: of two of a camera at one time the later one moves on, as little as can be."""
    moments: dict[str, set[datetime]] = {}
    for event in batch:
        moments.setdefault(event.columns["camera_id"], set()).add(event.columns["timestamp"])
    taken: dict[str, set[datetime]] = {}
    for camera_id, asked in moments.items():
        rows = await transaction.rows(_TAKEN, camera=camera_id, moments=[time_out(moment) for moment in sorted(asked)])
        taken[camera_id] = {time_in(moment) for (moment,) in rows}
    placed, moved = [], 0
    for event in batch:
        camera_id, at = event.columns["camera_id"], event.columns["timestamp"]
        used = taken[camera_id]
        if at in used:
            at = await _free(transaction, camera_id, at, used)
            moved += 1
        used.add(at)
        placed.append(replace(event, columns=event.columns | {"timestamp": at}))
    return placed, moved


async def _free(transaction: Transaction, camera_id: str, at: datetime, used: set[datetime]) -> datetime:
    step, one = timedelta(milliseconds=1), timedelta(microseconds=1)
    while True:
        end = at + step
        rows = await transaction.rows(_NEAR, camera=camera_id, start=time_out(at), end=time_out(end))
        there = {time_in(moment) for (moment,) in rows} | used
        while at < end:
            if at not in there:
                return at
            at += one


async def end(session: Transaction, part: str) -> None:
    """All rows are copied: count on behind the older counter, and note it."""
    assert part in PARTS  # noqa: S101 - it becomes part of a statement
    if part == "events":
        await session.execute(_SEEN)
    if part != "logs":
        rows = await session.script(
            "SELECT auto_increment FROM information_schema.tables"
            f" WHERE table_schema = DATABASE() AND table_name = '{older(part)}'"
        )
        if rows and rows[0][0]:
            # A number of an event that is gone by now may still be in the name of a file.
            await session.script(f"ALTER TABLE {part} AUTO_INCREMENT = {int(rows[0][0])}")
    await session.execute(_END, key=part)
