"""When agents were heard of and when daemons ran: stretches that grow, bounded by their age."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, bindparam, func, select

from securitycamd.db import cameras as camera_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.statements import Command, Query, insert_text, one_of
from securitycamd.db.tables import daemon_runs, presence
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.coverage import Stretch

_P = presence.c
_R = daemon_runs.c
MOST_STRETCHES: Final = 20_000
"""Read at once: more than a camera can make in the time that is kept."""

_newest = (
    select(_P.camera_id, func.max(_P.started_at).label("started_at"))
    .where(one_of(_P.camera_id, "cameras"))
    .group_by(_P.camera_id)
    .subquery("newest")
)
_NEWEST: Final = Query(
    select(_P.camera_id, _P.started_at, _P.last_at).select_from(
        presence.join(_newest, and_(_P.camera_id == _newest.c.camera_id, _P.started_at == _newest.c.started_at))
    )
)
_SINCE: Final = Query(
    select(_P.camera_id, _P.started_at, _P.last_at)
    .where(one_of(_P.camera_id, "cameras"), _P.last_at >= bindparam("since"))
    .order_by(_P.camera_id, _P.started_at)
    .limit(MOST_STRETCHES)
)
_RUNS: Final = Query(
    select(_R.started_at, _R.last_at).where(_R.last_at >= bindparam("since")).order_by(_R.last_at).limit(MOST_STRETCHES)
)
_GROW: Final = insert_text(
    "presence",
    ("camera_id", "started_at", "last_at"),
    suffix="ON DUPLICATE KEY UPDATE last_at = GREATEST(last_at, VALUES(last_at))",
)
_RUN: Final = insert_text(
    "daemon_runs",
    ("instance", "started_at", "last_at"),
    suffix="ON DUPLICATE KEY UPDATE last_at = GREATEST(last_at, VALUES(last_at))",
)
_OLD_PRESENCE: Final = Command(
    presence.delete().where(_P.last_at < bindparam("before")).with_dialect_options(mariadb_limit=5000)
)
_OLD_RUNS: Final = Command(
    daemon_runs.delete().where(_R.last_at < bindparam("before")).with_dialect_options(mariadb_limit=5000)
)


async def note(transaction: Transaction, heard: Mapping[str, datetime], *, silence_seconds: float) -> None:
    """Note when agents were last heard of: the stretch grows, or a new one begins after a silence.

    What is not a camera is left out.
    """
    known = await camera_rows.known(transaction, set(heard)) if heard else set()
    if not known:
        return
    silence = timedelta(seconds=silence_seconds)
    newest = {
        camera_id: Stretch(time_in(start), time_in(end))
        for camera_id, start, end in await transaction.rows(_NEWEST, cameras=sorted(known))
    }
    grown = []
    for camera_id in sorted(known):
        moment, last = heard[camera_id], newest.get(camera_id)
        goes_on = last is not None and moment - last.end <= silence
        start = last.start if last is not None and goes_on else moment
        grown.append({"camera_id": camera_id, "started_at": time_out(start), "last_at": time_out(moment)})
    await transaction.insert_many(_GROW, grown)


async def note_run(transaction: Transaction, instance: str, started_at: datetime, last_at: datetime) -> None:
    """Note that a daemon runs."""
    values = {"instance": instance, "started_at": time_out(started_at), "last_at": time_out(last_at)}
    await transaction.insert_many(_RUN, [values])


async def of_cameras(
    session: Database | Transaction, camera_ids: Sequence[str], since: datetime
) -> dict[str, list[Stretch]]:
    """When these cameras were heard of, as far as it reaches into the time from ``since`` on; oldest first."""
    found: dict[str, list[Stretch]] = {camera_id: [] for camera_id in camera_ids}
    if found:
        for camera_id, start, end in await session.rows(_SINCE, cameras=list(found), since=time_out(since)):
            found[camera_id].append(Stretch(time_in(start), time_in(end)))
    return found


async def of_daemons(session: Database | Transaction, since: datetime) -> list[Stretch]:
    """When daemons ran, as far as it reaches into the time from ``since`` on."""
    return [Stretch(time_in(start), time_in(end)) for start, end in await session.rows(_RUNS, since=time_out(since))]


async def forget_old(session: Database, before: datetime) -> int:
    """Delete stretches that ended before ``before``, a bounded number; how many."""
    moment = time_out(before)
    return await session.execute(_OLD_PRESENCE, before=moment) + await session.execute(_OLD_RUNS, before=moment)
