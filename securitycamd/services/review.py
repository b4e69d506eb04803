"""What people do with events: seen, kept for good, noted, removed; one at a time or many at once."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import structlog

from securitycamd.db import events as event_rows
from securitycamd.db import footage
from securitycamd.db import history as history_rows
from securitycamd.db import removals as removal_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.errors import ConflictError, InvalidError, NotFoundError, StorageUnavailableError
from securitycamd.domain.history import Entry, What, whole_story
from securitycamd.domain.models import Event
from securitycamd.domain.principal import Principal
from securitycamd.services.jobs import JobQueue
from securitycamd.services.removal import RemovalService

log = structlog.get_logger(__name__)

BULK_LIMIT: Final = 500
BATCH: Final = 100
"""So many events are locked in a transaction."""
NOTE_LIMIT: Final = 2000
DELETE_SECONDS: Final = 15.0
"""How long one call removes files; what is marked by then goes by itself."""


class BulkAction(StrEnum):
    """What is done with many events at once."""

    REVIEW = "review"
    UNREVIEW = "unreview"
    STAR = "star"
    UNSTAR = "unstar"
    DELETE = "delete"


class BulkResult(StrEnum):
    """What came of it for one event."""

    DONE = "done"
    UNCHANGED = "unchanged"
    """It was so already."""
    NOT_FOUND = "not_found"
    STARRED = "starred"
    """It is starred, and so was not removed."""
    BUSY = "busy"
    """It is being worked on, and so was not removed."""
    REMOVING = "removing"
    """It is being removed: what is left of it goes by itself."""
    UNREACHABLE = "unreachable"
    """Its camera's folder is not what it should be: it was left as it is."""


_FLAGS: Final = {
    BulkAction.REVIEW: ("reviewed", True),
    BulkAction.UNREVIEW: ("reviewed", False),
    BulkAction.STAR: ("protected", True),
    BulkAction.UNSTAR: ("protected", False),
}


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of an event; ``None`` leaves it as it is."""

    reviewed: bool | None = None
    starred: bool | None = None
    note: str | None = None
    """Plain text, at most 2,000 characters; empty: no note."""


class ReviewService:
    """Changes are written with their history, in one transaction."""

    def __init__(self, database: Database, removal: RemovalService, jobs: JobQueue) -> None:
        self._database = database
        self._removal = removal
        self._jobs = jobs

    async def change(self, principal: Principal, event_id: int, change: Change) -> Event:
        """Change an event; how it is then.

        Raises:
            NotFoundError: there is no such event, or not for this principal.
            ConflictError: it is being removed.
            InvalidError: the note is too long.
        """
        note = None if change.note is None else clean_note(change.note)

        async def work(transaction: Transaction) -> tuple[Event, list[What]]:
            event = (await event_rows.lock(transaction, [event_id])).get(event_id)
            if event is None or not principal.may_see(event.camera_id):
                raise NotFoundError(f"There is no event {event_id}.")
            if await removal_rows.which_marked(transaction, [event.id]):
                raise ConflictError("This event is being removed.")
            happened: list[What] = []
            columns: dict[str, Any] = {}
            if change.reviewed is not None and change.reviewed is not event.reviewed:
                columns["reviewed"] = change.reviewed
                happened.append(_word_for("reviewed", value=change.reviewed))
            if note is not None and note != event.note:
                columns["note"] = note
                happened.append(What.NOTED)
            await event_rows.update(transaction, event.id, columns)
            if change.starred is not None and change.starred is not event.protected:
                await footage.set_protected(transaction, event, protected=change.starred)
                happened.append(_word_for("protected", value=change.starred))
            await history_rows.add(transaction, _entries([event.id], happened, principal))
            return (await event_rows.lock(transaction, [event.id]))[event.id], happened

        event, happened = await self._database.transact(work)
        if happened:
            log.info(
                "event changed by a person",
                event_id=event.id,
                what=[each.value for each in happened],
                by=principal.name,
            )
        return event

    async def bulk(self, principal: Principal, event_ids: Sequence[int], action: BulkAction) -> dict[int, BulkResult]:
        """Do the same with many events; what came of each, in the order in which they were named.

        An error leaves the batches before it done: the same call may be made again.

        Raises:
            StorageUnavailableError: none can be removed now; nothing was changed.
        """
        wanted = list(dict.fromkeys(event_ids))
        results = dict.fromkeys(wanted, BulkResult.NOT_FOUND)
        if action is BulkAction.DELETE:
            await self._removal.check_storage()
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            if action is BulkAction.DELETE:
                results |= await self._mark(principal, batch)
            else:
                results |= await self._flag(principal, batch, action)
        if action is BulkAction.DELETE:
            results |= await self._remove([key for key, result in results.items() if result is BulkResult.DONE])
        done = sum(result in {BulkResult.DONE, BulkResult.REMOVING} for result in results.values())
        log.info("events changed by a person", action=action, events=done, asked=len(wanted), by=principal.name)
        return results

    async def history(self, principal: Principal, event: Event) -> list[Entry]:
        """What happened to an event that this principal was shown, oldest first.

        Raises:
            NotFoundError: it is not for this principal.
        """
        if not principal.may_see(event.camera_id):
            raise NotFoundError(f"There is no event {event.id}.")
        kept = await history_rows.of_event(self._database, event.id)
        due = {job.kind: job.first_due for job in await self._jobs.of_event(event.id) if job.first_due is not None}
        return whole_story(event, kept, due=due)

    async def _flag(self, principal: Principal, batch: list[int], action: BulkAction) -> dict[int, BulkResult]:
        column, value = _FLAGS[action]

        async def work(transaction: Transaction) -> dict[int, BulkResult]:
            events = await _theirs(transaction, principal, batch)
            marked = await removal_rows.which_marked(transaction, list(events))
            changed = [
                event for event in events.values() if event.id not in marked and getattr(event, column) is not value
            ]
            ids = [event.id for event in changed]
            if column == "reviewed":
                await event_rows.set_reviewed(transaction, ids, reviewed=value)
            else:
                await footage.set_all_protected(transaction, changed, protected=value)
            await history_rows.add(transaction, _entries(ids, [_word_for(column, value=value)], principal))
            return (
                dict.fromkeys(events, BulkResult.UNCHANGED)
                | dict.fromkeys(marked, BulkResult.REMOVING)
                | dict.fromkeys(ids, BulkResult.DONE)
            )

        return await self._database.transact(work)

    async def _mark(self, principal: Principal, batch: list[int]) -> dict[int, BulkResult]:
        async def work(transaction: Transaction) -> dict[int, BulkResult]:
            events = await _theirs(transaction, principal, batch)
            marked = await removal_rows.which_marked(transaction, list(events))
            busy = await removal_rows.busy(transaction, list(events)) - marked
            starred = {event.id for event in events.values() if event.protected} - marked
            going = [key for key in events if key not in marked | busy | starred]
            await removal_rows.mark(transaction, going, removal_rows.OPERATOR)
            return (
                dict.fromkeys(going, BulkResult.DONE)
                | dict.fromkeys(marked, BulkResult.REMOVING)
                | dict.fromkeys(busy, BulkResult.BUSY)
                | dict.fromkeys(starred, BulkResult.STARRED)
            )

        return await self._database.transact(work)

    async def _remove(self, going: list[int]) -> dict[int, BulkResult]:
        """Finish removals that were marked, as far as there is time."""
        until = time.monotonic() + DELETE_SECONDS
        left: list[int] = []
        for at, event_id in enumerate(going):
            try:
                if time.monotonic() > until or not await self._removal.finish(event_id):
                    left.append(event_id)
            except StorageUnavailableError as error:
                log.warning("removing events waits for the storage", error=type(error).__name__)
                left += going[at:]
                break
        if not left:
            return {}
        async with self._database.session() as session:
            there = await event_rows.by_ids(session, left)
            marked = await removal_rows.which_marked(session, list(there))
        return {key: BulkResult.REMOVING if key in marked else BulkResult.UNREACHABLE for key in there}


async def _theirs(transaction: Transaction, principal: Principal, batch: list[int]) -> dict[int, Event]:
    """Those of the events that are there and that the principal may see, locked."""
    found = await event_rows.lock(transaction, batch)
    return {key: event for key, event in found.items() if principal.may_see(event.camera_id)}


def _word_for(column: str, *, value: bool) -> What:
    if column == "reviewed":
        return What.REVIEWED if value else What.UNREVIEWED
    return What.STARRED if value else What.UNSTARRED


def _entries(event_ids: Sequence[int], happened: Sequence[What], principal: Principal) -> list[Entry]:
    now = datetime.now(UTC)
    return [Entry(event_id, now, what, principal.name) for event_id in event_ids for what in happened]


def clean_note(text: str) -> str:
    """A note as it is kept: one kind of line ends, no control characters, no space around it.

    Raises:
        InvalidError: it is too long.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(sign for sign in lines if sign in "\n\t" or sign.isprintable()).strip()
    if len(kept) > NOTE_LIMIT:
        raise InvalidError("note", f"at most {NOTE_LIMIT:,} characters")
    return kept
