"""What the process takes, measured now and then and kept for some hours in memory."""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

SAMPLE_SECONDS: Final = 30.0
KEPT: Final = 720
"""Samples; six hours."""
_STATM: Final = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement."""

    at: datetime
    memory_bytes: int
    """Resident, of this process alone."""
    cpu_share: float
    """Of one core, since the sample before."""
    loop_lag_seconds: float
    """The longest that the event loop was late since the sample before."""
    database_seconds: float | None
    """How long the database took to answer a question that costs nothing; ``None``: it is away."""
    waiting: Mapping[str, int] = field(default_factory=dict)
    """Jobs that wait, by kind."""


class Gauges:
    """The last hours' samples; the rest of a life is in the log."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._cpu = (time.monotonic(), time.process_time())
        self._lag = 0.0
        self._samples: deque[Sample] = deque(maxlen=KEPT)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Oldest first."""
        return tuple(self._samples)

    @property
    def uptime_seconds(self) -> float:
        """How long the process has run."""
        return time.monotonic() - self._started

    @property
    def threads(self) -> int:
        """How many threads there are."""
        return threading.active_count()

    def note_lag(self, seconds: float) -> None:
        """The event loop was so late."""
        self._lag = max(self._lag, seconds)

    async def take(self, *, database_seconds: float | None, waiting: Mapping[str, int]) -> Sample:
        """Measure."""
        wall, used = time.monotonic(), time.process_time()
        share = (used - self._cpu[1]) / max(1e-6, wall - self._cpu[0])
        self._cpu = (wall, used)
        memory = await asyncio.to_thread(_resident_bytes)
        sample = Sample(datetime.now(UTC), memory, share, self._lag, database_seconds, waiting)
        self._lag = 0.0
        self._samples.append(sample)
        return sample


def _resident_bytes() -> int:
    return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
