"""Which events the optimiser has not looked at yet. Bounded reads: its work must not grow with the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, func, select

from securitycamd.db.engine import Database, Transaction
from securitycamd.db.statements import Query, one_of
from securitycamd.db.tables import events, jobs, removals
from securitycamd.db.values import maybe_time_in
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.names import ConversionStatus

_E = events.c
_J = jobs.c
_R = removals.c

# Newest first, along the index, which must be named: where few clips are left, a look at the newest events of any state
# seems as cheap to MariaDB, and then it reads the whole table for want of enough.
_PLAYABLE: Final = Query(
    select(_E.id, _E.mp4_converted_at)
    .with_hint(events, "FORCE INDEX (ix_events_conversion)")
    .where(_E.mp4_conversion_status == ConversionStatus.COMPLETE, _E.id < bindparam("below"))
    .order_by(_E.id.desc())
    .limit(bindparam("limit"))
)
_SEEN: Final = Query(select(_J.event_id).where(one_of(_J.event_id, "ids"), _J.kind == JobKind.OPTIMISE))
_GOING: Final = Query(select(_R.event_id).where(one_of(_R.event_id, "ids")))
_DUE: Final = Query(
    select(_J.event_id)
    .where(
        _J.kind == JobKind.OPTIMISE,
        _J.state == JobState.QUEUED,
        _J.event_id <= bindparam("newest"),
        _J.run_after <= func.utc_timestamp(6),
    )
    .limit(bindparam("limit"))
)
_WAITING: Final = Query(
    select(_J.event_id).where(_J.kind == JobKind.OPTIMISE, _J.state == JobState.QUEUED).limit(bindparam("limit"))
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a look at some of the playable events found."""

    unseen: list[int]
    """Events without a job, newest first."""
    last_id: int | None
    """The oldest that was looked at; ``None``: there were none any more."""


async def unseen(session: Database | Transaction, *, below: int, converted_before: datetime, limit: int) -> Stretch:
    """Of the ``limit`` newest playable events below an id those that no optimisation was ever queued for."""
    rows = await session.rows(_PLAYABLE, below=below, limit=limit)
    if not rows:
        return Stretch([], None)
    old = []
    for event_id, converted in rows:
        at = maybe_time_in(converted)
        if at is None or at <= converted_before:
            old.append(int(event_id))
    known = await _among(session, _SEEN, old) | await _among(session, _GOING, old)
    return Stretch([event_id for event_id in old if event_id not in known], int(rows[-1][0]))


async def _among(session: Database | Transaction, query: Query, ids: Sequence[int]) -> set[int]:
    return {int(found) for (found,) in await session.rows(query, ids=list(ids))} if ids else set()


async def waiting(session: Database | Transaction, *, limit: int) -> int:
    """How many optimisations wait, counted up to ``limit``."""
    return len(await session.rows(_WAITING, limit=limit))


async def is_due(session: Database | Transaction, *, newest: int) -> bool:
    """Whether an optimisation of an event up to ``newest`` waits and may begin."""
    return bool(await session.rows(_DUE, newest=newest, limit=1))
