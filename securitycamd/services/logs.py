"""Log lines of agents and of the daemon itself."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from securitycamd.batching import Batcher
from securitycamd.config import SettingsHolder
from securitycamd.db import logs as rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.errors import DatabaseUnavailableError, EmptyBatchError
from securitycamd.domain.models import LogFilter, LogLine, NewLogLine, Page
from securitycamd.domain.names import LogLevel
from securitycamd.domain.principal import Principal
from securitycamd.domain.times import EARLIEST, read_time

log = structlog.get_logger(__name__)

BATCH_LIMIT: Final = 64
WAITING_LIMIT: Final = 1000
LINES_A_STEP: Final = 200
COUNTS_A_STEP: Final = 5000
PAUSE_SECONDS: Final = 0.02
"""Between two steps of expiry, which so leaves the database to the cameras."""


class ReportedLine(Protocol):
    """A line as it comes from outside; a naive time is the site's local time."""

    @property
    def source(self) -> str:
        """Who says it."""

    @property
    def timestamp(self) -> datetime:
        """When."""

    @property
    def level(self) -> LogLevel:
        """How bad it is."""

    @property
    def message(self) -> str:
        """Trimmed, not blank."""


class LogService:
    """Keeps and shows lines. Posts that arrive together become one insert, answered after its commit."""

    def __init__(
        self, database: Database, settings: SettingsHolder, *, on_commit: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self._settings = settings
        self._on_commit = on_commit
        self._adding = Batcher(
            self._add_batch, limit=BATCH_LIMIT, waiting_limit=WAITING_LIMIT, full=DatabaseUnavailableError
        )

    async def add(self, _principal: Principal, lines: Sequence[ReportedLine]) -> int:
        """Keep what an agent reports; how many lines.

        Raises:
            EmptyBatchError: there are none.
            InvalidError: a time cannot be stored.
        """
        if not lines:
            raise EmptyBatchError("A batch of log lines must hold at least one.")
        now = datetime.now(UTC)
        zone = self._settings.current.site.zone
        return await self._adding(
            [
                NewLogLine(line.source, read_time(line.timestamp, zone, arrival=now).at, line.level, line.message)
                for line in lines
            ]
        )

    async def add_own(self, lines: Sequence[NewLogLine]) -> int:
        """Keep the daemon's own lines, whose times are UTC already."""
        return await self._adding(lines) if lines else 0

    async def newest(self, _principal: Principal, wanted: LogFilter, *, limit: int, offset: int) -> Page[LogLine]:
        """A page of lines, newest first, with the exact total."""
        total = await rows.count(self._database, wanted)
        found = await rows.newest(self._database, wanted, limit=limit, offset=offset) if total > offset else []
        return Page(found, total, limit, offset)

    async def make_partitions(self) -> int:
        """Have the coming days' partitions; how many were made."""
        async with self._database.session() as session:
            return await rows.make_partitions(session, datetime.now(UTC).date())

    async def expire(self) -> int:
        """Let lines go that are older than ``retention.log_days``, by whole days of UTC; how many days and lines.

        Days go as partitions; what lies elsewhere (lines told late, or of before the first partition) in small parts.
        """
        days = self._settings.current.retention.log_days
        if not days:
            return 0
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        before = max(EARLIEST, today - timedelta(days=days))
        gone = 0
        while True:
            async with self._database.session() as session:
                dropped = await rows.drop_old_partition(session, before)
            if dropped is None:
                break
            log.info("a day's log lines expired", partition=dropped)
            gone += 1
        while removed := await self._database.transact(
            lambda transaction: rows.remove_old(transaction, before, limit=LINES_A_STEP)
        ):
            gone += removed
            await asyncio.sleep(PAUSE_SECONDS)
        await rows.forget_old(self._database, before, limit=COUNTS_A_STEP)
        return gone

    async def _add_batch(self, batch: Sequence[Sequence[NewLogLine]]) -> list[int | Exception]:
        lines = [line for call in batch for line in call]

        async def work(transaction: Transaction) -> None:
            await rows.add(transaction, lines)

        await self._database.transact(work)
        self._on_commit()
        return [len(call) for call in batch]
