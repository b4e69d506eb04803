"""What agents answered when they were last asked: one row a camera."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, select

from securitycamd.db.engine import Database, Row, Transaction
from securitycamd.db.statements import Query, insert_text
from securitycamd.db.tables import agent_status
from securitycamd.db.values import maybe_time_in, time_in, time_out
from securitycamd.domain.agents import AgentStatus

_A = agent_status.c
_ALL: Final = select(
    _A.camera_id,
    _A.asked_at,
    _A.answered_at,
    _A.error,
    _A.version,
    _A.running_since,
    _A.motion_state,
    _A.streaming,
    _A.clock_offset_seconds,
)
# Small for as many cameras as one daemon serves: one row each.
_SELECT_ALL: Final = Query(_ALL.order_by(_A.camera_id))
_SELECT_ONE: Final = Query(_ALL.where(_A.camera_id == bindparam("camera_id")))
_TEXTS: dict[tuple[str, ...], str] = {}


def _status(row: Row) -> AgentStatus:
    return AgentStatus(
        row[0],
        time_in(row[1]),
        maybe_time_in(row[2]),
        row[3],
        row[4],
        maybe_time_in(row[5]),
        row[6],
        None if row[7] is None else bool(row[7]),
        None if row[8] is None else float(row[8]),
    )


async def everything(session: Database | Transaction) -> dict[str, AgentStatus]:
    """What is known of every agent, by its camera."""
    return {row[0]: _status(row) for row in await session.rows(_SELECT_ALL)}


async def by_id(session: Database | Transaction, camera_id: str) -> AgentStatus | None:
    """What is known of one agent."""
    row = await session.row(_SELECT_ONE, camera_id=camera_id)
    return None if row is None else _status(row)


async def note(transaction: Transaction, camera_id: str, values: Mapping[str, Any]) -> None:
    """Note the outcome of asking; columns that are not named keep what was known. The camera must have a record."""
    columns = ("camera_id", *sorted(values))
    text = _TEXTS.get(columns)
    if text is None:
        changes = ", ".join(f"{name} = VALUES({name})" for name in columns[1:])
        text = _TEXTS[columns] = insert_text("agent_status", columns, suffix=f"ON DUPLICATE KEY UPDATE {changes}")
    written = {name: time_out(value) if isinstance(value, datetime) else value for name, value in values.items()}
    await transaction.insert_many(text, [{"camera_id": camera_id, **written}])
