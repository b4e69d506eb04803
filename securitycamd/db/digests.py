"""Rows of the days' reports."""

from datetime import date, datetime
from typing import Any, Final

from pydantic_core import from_json, to_json
from sqlalchemy import bindparam, select

from securitycamd.db.engine import Database, Row, Transaction
from securitycamd.db.statements import Command, Query, insert_text
from securitycamd.db.tables import digests
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.digests import DayFacts, Digest, DigestState

_D = digests.c
Session = Database | Transaction
_COLUMNS: Final = (
    _D.day,
    _D.state,
    _D.facts,
    _D.text,
    _D.model,
    _D.prompt_version,
    _D.error,
    _D.attempts,
    _D.updated_at,
)
_ONE: Final = Query(select(*_COLUMNS).where(_D.day == bindparam("key")))
_LIST: Final = Query(
    select(*_COLUMNS).where(_D.day < bindparam("before")).order_by(_D.day.desc()).limit(bindparam("limit"))
)
_WAITING: Final = Query(
    select(*_COLUMNS)
    .where(_D.updated_at >= bindparam("since"), _D.state == DigestState.WAITING)
    .order_by(_D.day.desc())
    .limit(bindparam("limit"))
)
_ADD: Final = insert_text(
    "digests",
    ("day", "state", "events", "facts", "text", "updated_at"),
    suffix="ON DUPLICATE KEY UPDATE day = day",
)
_CLAIM: Final = Command(
    digests.update()
    .where(_D.day == bindparam("key"), _D.state == DigestState.WAITING, _D.attempts == bindparam("known"))
    .values(attempts=_D.attempts + 1, error=None, updated_at=bindparam("now"))
)
_FINISH: Final = Command(
    digests.update()
    .where(_D.day == bindparam("key"))
    .values(
        {
            "state": bindparam("new_state"),
            "events": bindparam("new_events"),
            "facts": bindparam("new_facts"),
            "text": bindparam("new_text"),
            "model": bindparam("new_model"),
            "prompt_version": bindparam("new_prompt_version"),
            "error": None,
            "updated_at": bindparam("now"),
        }
    )
)
_FAIL: Final = Command(
    digests.update()
    .where(_D.day == bindparam("key"))
    .values(
        {
            "state": bindparam("new_state"),
            "events": bindparam("new_events"),
            "facts": bindparam("new_facts"),
            "error": bindparam("new_error"),
            "updated_at": bindparam("now"),
        }
    )
)
_AGAIN: Final = Command(
    digests.update()
    .where(_D.day == bindparam("key"))
    .values({"state": DigestState.WAITING.value, "attempts": 0, "error": None, "updated_at": bindparam("now")})
)


def _facts(text: str) -> DayFacts:
    found = from_json(text)
    lists = {name: tuple(found.get(name, ())) for name in ("sayings", "saying_events")}
    return DayFacts(**{**found, **lists})


def _digest(row: Row) -> Digest:
    return Digest(
        date.fromisoformat(row[0]),
        DigestState(row[1]),
        _facts(row[2]),
        row[3],
        row[4],
        row[5],
        row[6],
        int(row[7]),
        time_in(row[8]),
    )


async def one(session: Session, day: date) -> Digest | None:
    """The report of a day, if it was begun."""
    row = await session.row(_ONE, key=day)
    return None if row is None else _digest(row)


async def newest(session: Session, *, before: date, limit: int) -> list[Digest]:
    """The reports of days before ``before``, newest first."""
    return [_digest(row) for row in await session.rows(_LIST, before=before, limit=limit)]


async def waiting(session: Session, since: datetime, *, limit: int) -> list[Digest]:
    """Those that are to be written, and were asked for or tried since ``since``, newest first."""
    return [_digest(row) for row in await session.rows(_WAITING, since=time_out(since), limit=limit)]


async def begin(transaction: Transaction, day: date, now: datetime) -> None:
    """Have a report of this day, unless there is one."""
    row: dict[str, Any] = {
        "day": day,
        "state": DigestState.WAITING,
        "events": 0,
        "facts": to_json(DayFacts(0)).decode(),
        "text": "",
        "updated_at": time_out(now),
    }
    await transaction.insert_many(_ADD, [row])


async def claim(session: Session, digest: Digest, now: datetime) -> bool:
    """Begin an attempt at a waiting report, which has no error until it failed; false: another daemon was quicker."""
    return bool(await session.execute(_CLAIM, key=digest.day, known=digest.attempts, now=time_out(now)))


async def finish(session: Session, digest: Digest) -> None:
    """Keep a report."""
    values = {
        "new_state": digest.state,
        "new_events": digest.facts.events,
        "new_facts": to_json(digest.facts).decode(),
        "new_text": digest.text,
        "new_model": digest.model,
        "new_prompt_version": digest.prompt_version,
    }
    await session.execute(_FINISH, key=digest.day, now=time_out(digest.updated_at), **values)


async def fail(session: Session, digest: Digest) -> None:
    """Keep why an attempt came to nothing, and what is known of the day; an earlier text stays."""
    values = {
        "new_state": digest.state,
        "new_events": digest.facts.events,
        "new_facts": to_json(digest.facts).decode(),
        "new_error": (digest.error or "")[:500],
    }
    await session.execute(_FAIL, key=digest.day, now=time_out(digest.updated_at), **values)


async def again(session: Session, day: date, now: datetime) -> None:
    """Have a report written anew; its text stays until then."""
    await session.execute(_AGAIN, key=day, now=time_out(now))
