"""What was found out about events."""

from collections.abc import Mapping
from typing import Any

from securitycamd.db import events
from securitycamd.db.engine import Transaction
from securitycamd.domain.models import Event


async def write(transaction: Transaction, event_id: int, columns: Mapping[str, Any]) -> tuple[Event, Event] | None:
    """Change what was found out about an event (its ``ai_`` columns); the event before and after.

    Every such change goes through here, with the event locked, so that whatever is counted by these columns moves in
    the same transaction. ``None`` when there is no such event any more.
    """
    before = (await events.lock(transaction, [event_id])).get(event_id)
    if before is None:
        return None
    await events.update(transaction, event_id, columns)
    after = (await events.by_ids(transaction, [event_id]))[event_id]
    return before, after
