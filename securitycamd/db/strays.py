"""Files under the storage root that belong to no event. The rows only list them; losing one loses nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, func, select

from securitycamd.db.engine import Database, Row, Transaction
from securitycamd.db.statements import Command, Query, insert_text, one_of
from securitycamd.db.tables import strays
from securitycamd.db.values import time_in, time_out

_S = strays.c


@dataclass(frozen=True, slots=True)
class Stray:
    """A file and why it belongs nowhere, in words for people."""

    path: str
    camera_id: str
    size_bytes: int
    modified_at: datetime
    reason: str
    found_at: datetime
    seen_at: datetime


# Of two scans that run at once the later one's time counts: by it each tells what it has not seen.
_UPSERT: Final = insert_text(
    "strays",
    ("path", "camera_id", "size_bytes", "modified_at", "reason", "found_at", "seen_at"),
    suffix="ON DUPLICATE KEY UPDATE size_bytes = VALUES(size_bytes), modified_at = VALUES(modified_at),"
    " reason = VALUES(reason), seen_at = GREATEST(seen_at, VALUES(seen_at))",
)
_COLUMNS: Final = (_S.path, _S.camera_id, _S.size_bytes, _S.modified_at, _S.reason, _S.found_at, _S.seen_at)
_PAGE: Final = select(*_COLUMNS).order_by(_S.camera_id, _S.path).limit(bindparam("limit")).offset(bindparam("offset"))
_ALL: Final = Query(_PAGE)
_OF: Final = Query(_PAGE.where(one_of(_S.camera_id, "cameras")))
_COUNT_ALL: Final = Query(select(func.count()).select_from(strays))
_COUNT_OF: Final = Query(select(func.count()).select_from(strays).where(one_of(_S.camera_id, "cameras")))
_BY_PATHS: Final = Query(select(*_COLUMNS).where(one_of(_S.path, "paths")))
_REMOVE: Final = Command(strays.delete().where(one_of(_S.path, "paths")))
_CAMERAS: Final = Query(select(_S.camera_id).group_by(_S.camera_id))
FORGET_STEP: Final = 1000
_FORGET: Final = Command(
    strays.delete()
    .where(_S.camera_id == bindparam("camera"), _S.seen_at < bindparam("before"))
    .with_dialect_options(mariadb_limit=FORGET_STEP)
)


def _stray(row: Row) -> Stray:
    return Stray(row[0], row[1], int(row[2]), time_in(row[3]), row[4], time_in(row[5]), time_in(row[6]))


async def note(transaction: Transaction, found: Sequence[Stray]) -> None:
    """List these, or say that they were seen again; what was known keeps its time of finding."""
    rows: list[dict[str, Any]] = [
        {
            "path": stray.path,
            "camera_id": stray.camera_id,
            "size_bytes": stray.size_bytes,
            "modified_at": time_out(stray.modified_at),
            "reason": stray.reason,
            "found_at": time_out(stray.found_at),
            "seen_at": time_out(stray.seen_at),
        }
        # In one order everywhere: two daemons that scan at once wait for each other instead of deadlocking.
        for stray in sorted(found, key=lambda stray: stray.path)
    ]
    if rows:
        await transaction.insert_many(_UPSERT, rows)


async def by_paths(session: Database | Transaction, paths: Sequence[str]) -> dict[str, Stray]:
    """Those of the files that are listed."""
    if not paths:
        return {}
    return {row[0]: _stray(row) for row in await session.rows(_BY_PATHS, paths=list(paths))}


async def listed(
    session: Database | Transaction, cameras: frozenset[str] | None, *, limit: int, offset: int
) -> list[Stray]:
    """A page of the list, by camera and path; ``cameras=None``: of all."""
    if cameras is None:
        rows = await session.rows(_ALL, limit=limit, offset=offset)
    else:
        rows = await session.rows(_OF, cameras=sorted(cameras), limit=limit, offset=offset) if cameras else []
    return [_stray(row) for row in rows]


async def count(session: Database | Transaction, cameras: frozenset[str] | None) -> int:
    """How many are listed."""
    if cameras is not None and not cameras:
        return 0
    row = await session.row(_COUNT_ALL) if cameras is None else await session.row(_COUNT_OF, cameras=sorted(cameras))
    return int(row[0]) if row else 0


async def remove(session: Database | Transaction, paths: Sequence[str]) -> int:
    """Take files off the list; how many were on it."""
    return await session.execute(_REMOVE, paths=list(paths)) if paths else 0


async def camera_ids(session: Database | Transaction) -> list[str]:
    """The cameras in whose folders listed files lie."""
    return [str(camera_id) for (camera_id,) in await session.rows(_CAMERAS)]


async def forget(session: Database | Transaction, camera_id: str, before: datetime) -> int:
    """Take a camera's files off the list that were not seen since ``before``, in short steps; how many."""
    forgotten = 0
    while True:
        step = await session.execute(_FORGET, camera=camera_id, before=time_out(before))
        forgotten += step
        if step < FORGET_STEP:
            return forgotten
