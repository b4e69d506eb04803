"""The newest picture of each camera, for the wall of cameras."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from securitycamd.db.engine import Database
from securitycamd.db.statements import Query
from securitycamd.db.tables import events
from securitycamd.db.values import time_in
from securitycamd.domain.live import Poster

LOOKED_AT: Final = 20
"""So many of a camera's newest events are looked at; the pictures of the newest may still be on their way."""
_E = events.c
_NEWEST: Final = Query(
    select(
        _E.timestamp,
        _E.thumbnail_path,
        _E.thumbnail_transferred,
        _E.image_a_path,
        _E.image_a_transferred,
    )
    .where(_E.camera_id == bindparam("key"))
    .order_by(_E.timestamp.desc())
    .limit(LOOKED_AT)
)


async def newest(database: Database, camera_ids: Iterable[str]) -> dict[str, Poster]:
    """The newest picture of each of these cameras, as far as there is one."""
    found: dict[str, Poster] = {}
    async with database.session() as session:
        for camera_id in camera_ids:
            for row in await session.rows(_NEWEST, key=camera_id):
                here: list[str] = [row[at] for at in (1, 3) if row[at] and row[at + 1]]
                if here:
                    taken: datetime = time_in(row[0])
                    found[camera_id] = Poster(taken, small_path=here[0], large_path=here[-1])
                    break
    return found
