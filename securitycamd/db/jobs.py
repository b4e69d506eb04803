"""The one queue of background work. Only the database's clock counts."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, func, select, text
from sqlalchemy.dialects.mysql import insert

from securitycamd.db.engine import Database, Row, Transaction
from securitycamd.db.statements import Command, Query, one_of
from securitycamd.db.tables import jobs
from securitycamd.db.values import time_in
from securitycamd.domain.jobs import Job, JobKind, JobState

_J = jobs.c
_NOW: Final = func.utc_timestamp(6)
ERROR_LIMIT: Final = 500


def _in(name: str) -> ColumnElement[Any]:
    return func.timestampadd(text("MICROSECOND"), bindparam(name), _NOW)


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)


_new = insert(jobs).values(
    event_id=bindparam("event_id"),
    kind=bindparam("kind"),
    state=JobState.QUEUED,
    priority=0,
    attempts=0,
    run_after=_in("delay"),
    created_at=_NOW,
    updated_at=_NOW,
)
# A job that failed is tried again when what it lacked is reported anew; one that waits, runs or is done stays as it is.
# MariaDB assigns from left to right: the state, which the conditions read, comes last.
_ENQUEUE: Final = Command(
    _new.on_duplicate_key_update(
        [
            ("attempts", func.if_(_J.state == JobState.FAILED, 0, _J.attempts)),
            ("crashes", func.if_(_J.state == JobState.FAILED, 0, _J.crashes)),
            ("run_after", func.if_(_J.state == JobState.FAILED, _in("delay"), _J.run_after)),
            ("created_at", func.if_(_J.state == JobState.FAILED, _NOW, _J.created_at)),
            ("priority", func.if_(_J.state == JobState.FAILED, 0, _J.priority)),
            ("updated_at", _NOW),
            ("state", func.if_(_J.state == JobState.FAILED, JobState.QUEUED.value, _J.state)),
        ]
    )
)

# Newest event first, of the highest priority; a row that another claimer holds is skipped, not waited for.
_NEXT: Final = Query(
    select(_J.id, _J.event_id, _J.kind, _J.attempts, _J.created_at, _J.crashes)
    .where(_J.kind == bindparam("kind"), _J.state == JobState.QUEUED, _J.run_after <= _NOW)
    .order_by(_J.priority.desc(), _J.event_id.desc())
    .limit(1)
    .with_for_update(skip_locked=True)
)
# The oldest event of the priority that is due: the same index, read forwards. Priority goes before both.
_DUE_PRIORITY: Final = Query(
    select(_J.priority)
    .where(_J.kind == bindparam("kind"), _J.state == JobState.QUEUED, _J.run_after <= _NOW)
    .order_by(_J.priority.desc(), _J.event_id.desc())
    .limit(1)
)
_OLDEST: Final = Query(
    select(_J.id, _J.event_id, _J.kind, _J.attempts, _J.created_at, _J.crashes)
    .where(
        _J.kind == bindparam("kind"),
        _J.state == JobState.QUEUED,
        _J.priority == bindparam("priority"),
        _J.run_after <= _NOW,
    )
    .order_by(_J.event_id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_TAKE: Final = Command(
    jobs.update()
    .where(_J.id == bindparam("key"))
    .values(
        state=JobState.RUNNING,
        attempts=_J.attempts + 1,
        lease_owner=bindparam("owner"),
        lease_until=_in("lease"),
        updated_at=_NOW,
    )
)
_held = (_J.id == bindparam("key"), _J.lease_owner == bindparam("owner"), _J.state == JobState.RUNNING)
_RENEW: Final = Command(jobs.update().where(*_held).values(lease_until=_in("lease")))
_NOTE: Final = Command(jobs.update().where(*_held).values(lease_until=_in("lease"), last_error=bindparam("note")))
_NOTE_OF: Final = Query(select(_J.last_error).where(_J.id == bindparam("key")))
_FINISH: Final = Command(
    jobs.update()
    .where(*_held)
    .values(
        state=bindparam("next"),
        attempts=_J.attempts - bindparam("given_back"),
        # That it was tried again holds for the trying; lists of what ended are by event.
        priority=_J.priority * bindparam("goes_on"),
        crashes=0,
        run_after=_in("delay"),
        lease_owner=None,
        lease_until=None,
        last_error=bindparam("error"),
        updated_at=_NOW,
    )
)
_GIVE_BACK: Final = Command(
    jobs.update()
    .where(_J.state == JobState.RUNNING, _J.lease_owner.like(bindparam("owners")))
    .values(
        state=JobState.QUEUED,
        attempts=_J.attempts - 1,
        crashes=_J.crashes + bindparam("more_crashes"),
        run_after=_NOW,
        lease_owner=None,
        lease_until=None,
        updated_at=_NOW,
    )
)
_OWNERS: Final = Query(
    select(_J.lease_owner).where(_J.state == JobState.RUNNING, _J.lease_owner.like(bindparam("owners")))
)
_RECOVER: Final = Command(
    jobs.update()
    .where(_J.state == JobState.RUNNING, _J.lease_until < _NOW)
    .values(
        state=JobState.QUEUED,
        crashes=_J.crashes + 1,
        run_after=_NOW,
        lease_owner=None,
        lease_until=None,
        updated_at=_NOW,
    )
)
_WAITING: Final = (JobState.QUEUED.value, JobState.RUNNING.value, JobState.FAILED.value)
_DEPTHS: Final = Query(
    select(_J.kind, _J.state, func.count(), func.min(_J.created_at))
    .where(one_of(_J.kind, "kinds"), one_of(_J.state, "states"))
    .group_by(_J.kind, _J.state)
)
_OF_EVENT: Final = Query(
    select(_J.kind, _J.state, _J.attempts, _J.last_error, _J.updated_at, _J.lease_owner, _J.created_at)
    .where(_J.event_id == bindparam("event_id"))
    .order_by(_J.id)
)
_ERRORS: Final = Query(
    select(_J.event_id, _J.last_error).where(
        one_of(_J.event_id, "event_ids"), _J.kind == bindparam("kind"), _J.last_error.is_not(None)
    )
)


async def enqueue(transaction: Transaction, event_id: int, kind: JobKind, *, delay_seconds: float = 0.0) -> None:
    """Have the job there, due after a while: new, or once more when it had failed."""
    await transaction.execute(_ENQUEUE, event_id=event_id, kind=kind, delay=_microseconds(delay_seconds))


async def claim(
    transaction: Transaction, kind: JobKind, *, owner: str, lease_seconds: float, oldest: bool = False
) -> Job | None:
    """Take the next job that is due under a lease; ``owner`` must be unique to this claim.

    Of those of the highest priority it is that of the newest event, or with ``oldest`` that of the oldest.
    """
    row = None
    if oldest and (found := await transaction.row(_DUE_PRIORITY, kind=kind)) is not None:
        row = await transaction.row(_OLDEST, kind=kind, priority=found[0])
    if row is None:
        row = await transaction.row(_NEXT, kind=kind)
    if row is None:
        return None
    job_id, event_id, _, attempts, created_at, crashes = row
    await transaction.execute(_TAKE, key=job_id, owner=owner, lease=_microseconds(lease_seconds))
    return Job(job_id, event_id, kind, attempts + 1, owner, time_in(created_at), crashes)


async def renew(session: Database | Transaction, job: Job, *, lease_seconds: float) -> bool:
    """Prolong the lease; whether the job is still ours."""
    return await session.execute(_RENEW, key=job.id, owner=job.owner, lease=_microseconds(lease_seconds)) == 1


async def note(transaction: Transaction, job: Job, text: str, *, lease_seconds: float) -> bool:
    """Prolong the lease and leave word in the job of what is about to be done; whether the job is still ours.

    The word stays until the job ends or another replaces it, also over a crash.
    """
    changed = await transaction.execute(
        _NOTE, key=job.id, owner=job.owner, note=text, lease=_microseconds(lease_seconds)
    )
    return changed == 1


async def note_of(session: Database | Transaction, job: Job) -> str | None:
    """What :func:`note` left, or why an earlier attempt ended."""
    row = await session.row(_NOTE_OF, key=job.id)
    return None if row is None else row[0]


async def finish(
    transaction: Transaction,
    job: Job,
    state: JobState,
    *,
    delay_seconds: float,
    error: str | None,
    costs_attempt: bool,
) -> bool:
    """End the claim; whether the job was still ours (if not, another has taken over and this result is void)."""
    changed = await transaction.execute(
        _FINISH,
        key=job.id,
        owner=job.owner,
        next=state,
        given_back=0 if costs_attempt else 1,
        goes_on=state is JobState.QUEUED,
        delay=_microseconds(delay_seconds),
        error=error[:ERROR_LIMIT] if error else None,
    )
    return changed == 1


async def give_back(session: Database | Transaction, instance: str, *, crashed: bool = False) -> int:
    """Queue again what this instance holds; how many. Costs no attempt: the job was not at fault, as far as is known.

    Args:
        session: where.
        instance: whose.
        crashed: whether the daemon ended without a word, which the jobs remember: one of them may have caused it.
    """
    return await session.execute(_GIVE_BACK, owners=f"{instance}:%", more_crashes=int(crashed))


async def give_back_lost(transaction: Transaction, instance: str, held: Collection[str]) -> int:
    """Queue again what runs in this instance's name but under no owner of ``held``; how many. Costs no attempt."""
    # Asked of ``held`` only after the read: what is claimed meanwhile is in it before its row says so.
    owners = [owner for (owner,) in await transaction.rows(_OWNERS, owners=f"{instance}:%")]
    return sum(
        [await transaction.execute(_GIVE_BACK, owners=owner, more_crashes=0) for owner in owners if owner not in held]
    )


async def recover(session: Database | Transaction) -> int:
    """Queue again what is held under a lease that ran out; how many."""
    return await session.execute(_RECOVER)


async def depths(session: Database | Transaction, kinds: Sequence[JobKind]) -> list[Row]:
    """Rows of kind, state, count, oldest creation (text) of jobs that are not done."""
    return await session.rows(_DEPTHS, kinds=list(kinds), states=list(_WAITING))


async def of_event(session: Database | Transaction, event_id: int) -> list[Row]:
    """Rows of kind, state, attempts, last error, time of change, lease owner, time of making: an event's jobs."""
    return await session.rows(_OF_EVENT, event_id=event_id)


async def errors(session: Database | Transaction, event_ids: Sequence[int], kind: JobKind) -> list[Row]:
    """Rows of event id and last error of these events' jobs of a kind."""
    return await session.rows(_ERRORS, event_ids=list(event_ids), kind=kind)
