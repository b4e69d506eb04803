"""What was found out about events, and how: models, prompts, times, and descriptions that are half done."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.mysql import insert

from securitycamd.db import events
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.statements import Command, Query
from securitycamd.db.tables import analyses
from securitycamd.db.values import maybe_time_in, time_out
from securitycamd.domain.models import AnalysisRecord, Event
from securitycamd.domain.names import AnalysisState, ReadBy, StillNote

_A = analyses.c
RECENT: Final = 20
"""So many of the last analyses say how long one takes."""

_COLUMNS: Final = (
    _A.state,
    _A.vision_model,
    _A.vision_seconds,
    _A.text_model,
    _A.text_seconds,
    _A.prompt_version,
    _A.read_by,
    _A.still_notes,
    _A.description,
    _A.runs,
    _A.faults,
    _A.faulted_at,
    _A.finished_at,
)
_OF_EVENT: Final = Query(select(*_COLUMNS).where(_A.event_id == bindparam("event_id")))
_WRITTEN: Final = tuple(column.name for column in _COLUMNS)
_new = insert(analyses).values({"event_id": bindparam("event_id")} | {name: bindparam(name) for name in _WRITTEN})
_PUT: Final = Command(_new.on_duplicate_key_update({name: _new.inserted[name] for name in _WRITTEN}))
_recent = (
    select((func.coalesce(_A.vision_seconds, 0) + func.coalesce(_A.text_seconds, 0)).label("seconds"))
    .where(_A.finished_at.is_not(None))
    .order_by(_A.finished_at.desc())
    .limit(RECENT)
    .subquery("recent")
)
_SECONDS_EACH: Final = Query(select(func.avg(_recent.c.seconds)))


async def write(transaction: Transaction, event_id: int, columns: Mapping[str, Any]) -> tuple[Event, Event] | None:
    """Change what was found out about an event (its ``ai_`` columns); the event before and after.

    Every such change goes through here, with the event locked, so that whatever is counted by these columns moves in
    the same transaction. ``None`` when there is no such event any more.
    """
    before = (await events.lock(transaction, [event_id])).get(event_id)
    if before is None:
        return None
    await events.update(transaction, event_id, columns)
    return before, replace(before, **columns)


async def of_event(session: Database | Transaction, event_id: int) -> AnalysisRecord | None:
    """How an event's description came about; ``None`` when none was begun."""
    if not events.is_storable(event_id):
        return None
    row = await session.row(_OF_EVENT, event_id=event_id)
    if row is None:
        return None
    state, vision, vision_seconds, text, text_seconds, version, read_by, notes, description = row[:9]
    runs, faults, faulted_at, finished_at = row[9:]
    return AnalysisRecord(
        AnalysisState(state),
        vision,
        None if vision_seconds is None else float(vision_seconds),
        text,
        None if text_seconds is None else float(text_seconds),
        version,
        None if read_by is None else ReadBy(read_by),
        tuple(StillNote(note) for note in notes.split(",") if note),
        description,
        runs,
        faults,
        maybe_time_in(faulted_at),
        maybe_time_in(finished_at),
    )


async def put(transaction: Transaction, event_id: int, record: AnalysisRecord) -> None:
    """Write a record, new or in place of what was there; the event must exist."""
    values = {name: getattr(record, name) for name in _WRITTEN}
    values["still_notes"] = ",".join(record.still_notes)
    for name in ("faulted_at", "finished_at"):
        moment: datetime | None = values[name]
        values[name] = None if moment is None else time_out(moment)
    await transaction.execute(_PUT, event_id=event_id, **values)


async def seconds_each(session: Database | Transaction) -> float | None:
    """How long the models took for one of the last analyses, on average; ``None`` before the first."""
    row = await session.row(_SECONDS_EACH)
    return None if row is None or row[0] is None else float(row[0])
