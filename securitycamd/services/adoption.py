"""Takes over the database of the older Security-Camera-Central scripts, in place and without losing a row.

Their tables are put aside (:mod:`securitycamd.db.older_tables`); then their rows are copied, a thousand at a time, each
batch in one transaction with everything kept of it and with the note how far it is. A daemon that is killed goes on
there. See ``docs/older-system.md``.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog

from securitycamd.ai.categories import agreed_category
from securitycamd.db import logs as log_rows
from securitycamd.db import older_rows as rows
from securitycamd.db.engine import Database, DatabaseAddress, Transaction
from securitycamd.db.older_rows import Progress, Source
from securitycamd.db.older_tables import PARTS
from securitycamd.domain.models import Detection
from securitycamd.domain.names import Category
from securitycamd.domain.older import OLDER_ROOTS, Reader, camera_names, name_key
from securitycamd.domain.times import EARLIEST

log = structlog.get_logger(__name__)

_LOCK: Final = "securitycamd.older"
TELL_SECONDS: Final = 5.0
PARTITION_DAYS: Final = 366
"""Lines that are older share the first day's partition."""
_LARGEST_ID: Final = 2**32 - 1


class AdoptionStoppedError(Exception):
    """The daemon was asked to stop; the next start goes on."""


@dataclass
class Adoption:
    """Copies what is not copied yet."""

    address: DatabaseAddress
    zone: ZoneInfo
    root: Path
    log_days: int
    """Older log lines would go at once: they stay where they are."""
    is_stopping: Callable[[], bool] = lambda: False
    on_progress: Callable[[], None] = lambda: None
    """Called every few seconds."""
    batch_rows: int = rows.BATCH_ROWS
    _names: dict[str, str] = field(default_factory=dict)
    _told_at: float = 0.0

    async def run(self) -> None:
        """Copy all that is left; nothing when that is nothing.

        Raises:
            AdoptionStoppedError: asked to stop before the end.
            DatabaseUnavailableError: the server is away; to be run again.
        """
        # The lock lasts as long as its connection, so the rows go over another; and no statement is too long here.
        database = Database(self.address, pool_size=2, wait_seconds=10, statement_seconds=0)
        await database.open()
        try:
            if await rows.done(database) != set(PARTS):
                async with database.session() as session:
                    await self._wait_for_turn(session)
                    await self._copy(database, session)
        finally:
            await database.close()

    async def _wait_for_turn(self, session: Transaction) -> None:
        while True:
            [(held,)] = await session.script(f"SELECT GET_LOCK('{_LOCK}', 2)")
            if held == 1:
                return
            self._tell("another daemon copies the older rows")

    async def _copy(self, database: Database, session: Transaction) -> None:
        cameras, others = await rows.named_cameras(session)
        self._names = camera_names(cameras, others)
        steps: dict[str, Callable[[Transaction, Source, Progress], Any]] = {
            "cameras": self._cameras,
            "events": self._events,
            "logs": self._lines,
        }
        for part in PARTS:
            if part in await rows.done(session):
                continue
            asked = await rows.source(session, part)
            log.info("copying the older rows", table=part, rows=asked.total)
            if part == "logs":
                await self._make_partitions(session)
            while await self._step(database, asked, steps[part]):
                pass
            await rows.end(session, part)
            state = await database.transact(partial(rows.progress, part=part))
            log.info(
                "the older rows are copied",
                table=part,
                rows=state.found,
                same_time=state.moved or None,
                mended=dict(state.mended) or None,
            )

    async def _step(
        self, database: Database, asked: Source, copy: Callable[[Transaction, Source, Progress], Any]
    ) -> bool:
        """One batch; whether there may be more."""

        async def work(transaction: Transaction) -> Progress | None:
            before = await rows.progress(transaction, asked.part)
            after: Progress | None = await copy(transaction, asked, before)
            if after is not None:
                await rows.note(transaction, asked.part, after)
            return after

        if self.is_stopping():
            raise AdoptionStoppedError
        state = await database.transact(work)
        # The signals that ask to stop are heard in between, however quick the server is.
        await asyncio.sleep(0)
        if state is None:
            return False
        self._tell("copying the older rows", table=asked.part, copied=state.found, rows=asked.total)
        return asked.part != "cameras"

    def _tell(self, event: str, **facts: Any) -> None:
        now = time.monotonic()
        if now - self._told_at >= TELL_SECONDS:
            self._told_at = now
            log.info(event, **facts)
            self.on_progress()
        if self.is_stopping():
            raise AdoptionStoppedError

    def _reader(self, asked: Source, state: Progress) -> Reader:
        roots = (f"{self.root}/", *OLDER_ROOTS)
        return Reader(self.zone, datetime.now(UTC), roots, asked.is_utc, state.last_at, Counter(state.mended))

    async def _cameras(self, transaction: Transaction, asked: Source, state: Progress) -> Progress | None:
        if state.copied_to:
            return None
        reader = self._reader(asked, state)
        found: dict[str, dict[str, Any]] = {}
        older = await rows.all_cameras(transaction, asked)
        for row in older:
            ours = self._names[name_key(row["camera_id"])]
            number = row.get("id")
            kept = {"id": number} if type(number) is int and 0 < number < _LARGEST_ID else {}
            found.setdefault(ours, reader.camera(row, ours) | kept)
        orphans = sorted(set(self._names.values()) - found.keys())
        for ours in orphans:
            log.warning("older events name a camera that has no row; it gets one", camera_id=ours)
            found[ours] = reader.camera({}, ours) | {"last_seen": EARLIEST}
        for name, ours in self._names.items():
            if name != ours:
                log.warning("an older camera gets a name that cameras can have", older=name, camera_id=ours)
        await rows.add_cameras(transaction, list(found.values()))
        return Progress(1, state.last_at, len(older), 0, reader.mended)

    async def _events(self, transaction: Transaction, asked: Source, state: Progress) -> Progress | None:
        older = await rows.read(transaction, asked, state.copied_to, limit=self.batch_rows)
        if not older:
            return None
        reader = self._reader(asked, state)
        batch = [reader.event(row, self._names[name_key(row["camera_id"])], _category) for row in older]
        moved = await rows.add_events(transaction, batch)
        return Progress(older[-1]["id"], reader.previous, state.found + len(older), state.moved + moved, reader.mended)

    async def _lines(self, transaction: Transaction, asked: Source, state: Progress) -> Progress | None:
        older = await rows.read(transaction, asked, state.copied_to, limit=self.batch_rows, since=self._since())
        if not older:
            return None
        reader = self._reader(asked, state)
        await log_rows.add(transaction, [reader.line(row) for row in older])
        return Progress(older[-1]["id"], reader.previous, state.found + len(older), 0, reader.mended)

    def _since(self) -> datetime | None:
        # A day more than is kept, as these are days of the site.
        return datetime.now(UTC) - timedelta(days=self.log_days + 1) if self.log_days else None

    async def _make_partitions(self, session: Transaction) -> None:
        today = datetime.now(UTC).date()
        days = min(self.log_days or PARTITION_DAYS, PARTITION_DAYS)
        await log_rows.make_partitions(session, today, since=today - timedelta(days=days))


def _category(description: str, seen: tuple[Detection, ...], person: bool) -> Category:
    return agreed_category(None, description, seen, person)
