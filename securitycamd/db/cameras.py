"""Rows of cameras."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, bindparam, func, select
from sqlalchemy.dialects.mysql import insert

from securitycamd.db.engine import Database, Row, Transaction
from securitycamd.db.statements import Command, Query, one_of
from securitycamd.db.tables import cameras
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.changes import Change, What
from securitycamd.domain.models import Camera, CameraRegistration
from securitycamd.domain.names import CameraRemoval

_C = cameras.c
_ALL: Final = select(
    _C.id,
    _C.camera_id,
    _C.name,
    _C.location,
    _C.ip_address,
    _C.last_seen,
    _C.created_at,
    _C.updated_at,
    _C.label,
    _C.place,
    _C.hidden,
    _C.removal,
    _C.removal_events,
)
_SELECT_ALL: Final = Query(_ALL.order_by(_C.camera_id))
_SELECT_ONE: Final = Query(_ALL.where(_C.camera_id == bindparam("camera_id")))
_LOCK_ONE: Final = Query(_ALL.where(_C.camera_id == bindparam("camera_id")).with_for_update())
_GOING: Final = Query(_ALL.where(_C.removal == CameraRemoval.FOOTAGE).order_by(_C.camera_id))
# A camera whose footage is on its way out takes no new events: it counts as one that is not there.
KNOWN: Final = select(_C.camera_id).where(
    one_of(_C.camera_id, "camera_ids"), func.coalesce(_C.removal, "") != CameraRemoval.FOOTAGE
)
"""Which of ``camera_ids`` have a record and take events."""
_SELECT_KNOWN: Final = Query(KNOWN)

_NOW: Final = func.utc_timestamp(6)
_UPDATE: Final = Command(
    cameras.update()
    .where(_C.camera_id == bindparam("key"))
    .values(
        name=bindparam("name"),
        location=bindparam("location"),
        ip_address=bindparam("ip_address"),
        last_seen=_NOW,
        updated_at=_NOW,
    )
)
_insert = insert(cameras).values(last_seen=_NOW, created_at=_NOW, updated_at=_NOW)
_INSERT: Final = Command(
    _insert.values(
        camera_id=bindparam("camera_id"),
        name=bindparam("name"),
        location=bindparam("location"),
        ip_address=bindparam("ip_address"),
    )
)
_SEEN: Final = Command(
    cameras.update()
    .where(_C.camera_id == bindparam("key"), _C.last_seen < bindparam("seen"))
    .values(last_seen=bindparam("seen"))
)


_DELETE: Final = Command(cameras.delete().where(_C.camera_id == bindparam("key")))
_UPDATES: dict[tuple[str, ...], Command] = {}


def _camera(row: Row) -> Camera:
    return Camera(
        row[0],
        row[1],
        row[2] if row[8] is None else row[8],
        row[3] if row[9] is None else row[9],
        row[4],
        time_in(row[5]),
        time_in(row[6]),
        time_in(row[7]),
        row[2],
        row[3],
        bool(row[10]),
        None if row[11] is None else CameraRemoval(row[11]),
        row[12],
    )


async def register(transaction: Transaction, registration: CameraRegistration) -> tuple[Camera, bool]:
    """Make or renew a camera's record; the record, and whether it is new."""
    values = {
        "name": registration.name,
        "location": registration.location,
        "ip_address": registration.ip_address,
    }
    # Update first: an insert that finds the row there would burn an id at each of an agent's restarts.
    known = await transaction.execute(_UPDATE, key=registration.camera_id, **values)
    if not known:
        await transaction.execute(_INSERT, camera_id=registration.camera_id, **values)
    camera = await by_id(transaction, registration.camera_id)
    if camera is None:
        raise AssertionError("the row just written is gone inside its own transaction")
    transaction.tell(Change(What.CAMERA, camera_id=camera.camera_id))
    return camera, not known


async def everything(session: Database | Transaction) -> list[Camera]:
    """All cameras by ``camera_id``."""
    return [_camera(row) for row in await session.rows(_SELECT_ALL)]


async def by_id(session: Database | Transaction, camera_id: str) -> Camera | None:
    """One camera."""
    row = await session.row(_SELECT_ONE, camera_id=camera_id)
    return None if row is None else _camera(row)


async def lock(transaction: Transaction, camera_id: str) -> Camera | None:
    """One camera, locked until the transaction ends: no event of it is added meanwhile."""
    row = await transaction.row(_LOCK_ONE, camera_id=camera_id)
    return None if row is None else _camera(row)


async def change(transaction: Transaction, camera_id: str, values: Mapping[str, str | int | None]) -> int:
    """Change an operator's columns of a camera (``label, place, hidden, removal, removal_events``); rows matched."""
    names = tuple(sorted(values))
    command = _UPDATES.get(names)
    if command is None:
        changes: dict[str, BindParameter[Any]] = {name: bindparam(name) for name in names}
        command = _UPDATES[names] = Command(cameras.update().where(_C.camera_id == bindparam("key")).values(changes))
    transaction.tell(Change(What.CAMERA, camera_id=camera_id))
    return await transaction.execute(command, key=camera_id, **values)


async def going(session: Database | Transaction) -> list[Camera]:
    """The cameras that are being removed with their footage."""
    return [_camera(row) for row in await session.rows(_GOING)]


async def delete(transaction: Transaction, camera_id: str) -> int:
    """Delete the record of a camera that has no events left; rows matched."""
    transaction.tell(Change(What.CAMERA, camera_id=camera_id))
    return await transaction.execute(_DELETE, key=camera_id)


async def known(session: Transaction, camera_ids: set[str]) -> set[str]:
    """Which of these cameras have a record and take events."""
    return {row[0] for row in await session.rows(_SELECT_KNOWN, camera_ids=sorted(camera_ids))}


async def note_seen(transaction: Transaction, seen: Mapping[str, datetime]) -> None:
    """Record when cameras were last heard of; never moves a time back."""
    for camera_id, moment in sorted(seen.items()):
        await transaction.execute(_SEEN, key=camera_id, seen=time_out(moment))
