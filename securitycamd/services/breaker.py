"""A circuit breaker: stops asking a server that is away, looks after it now and then, and closes by itself."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

FIRST_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 60.0


class BreakerState(StrEnum):
    """Whether work is let through."""

    CLOSED = "closed"
    """All is well."""
    OPEN = "open"
    """Nothing is let through."""
    HALF_OPEN = "half open"
    """The server answers again; one piece of work at a time is let through, to see whether it works again."""


@dataclass(frozen=True, slots=True)
class BreakerReport:
    """The breaker's state for people."""

    state: BreakerState
    since: datetime
    reason: str | None
    """Why it opened; ``None`` when closed."""
    next_probe_at: datetime | None
    """When the server is looked after next; ``None`` unless open."""


@dataclass
class Breaker:
    """Opens at a failure, for a time that doubles from 2 s to a minute until something succeeds."""

    clock: Callable[[], float] = time.monotonic
    state: BreakerState = field(default=BreakerState.CLOSED, init=False)
    reason: str | None = field(default=None, init=False)
    _since: datetime = field(default_factory=lambda: datetime.now(UTC), init=False)
    _wait_seconds: float = field(default=0.0, init=False)
    _probe_at: float = field(default=0.0, init=False)

    def trip(self, reason: str) -> None:
        """Something failed that is not the work's fault."""
        # What was begun before it opened, and fails now, too, tells nothing new.
        if self.state is not BreakerState.OPEN:
            self._wait_seconds = min(LONGEST_SECONDS, max(FIRST_SECONDS, self._wait_seconds * 2))
            self._wait()
        self._enter(BreakerState.OPEN, reason)

    def still_away(self, reason: str) -> None:
        """A probe found the server away yet."""
        self._wait_seconds = min(LONGEST_SECONDS, max(FIRST_SECONDS, self._wait_seconds * 2))
        self._wait()
        self._enter(BreakerState.OPEN, reason)

    def answers(self) -> None:
        """A probe found the server there: one piece of work may try."""
        if self.state is BreakerState.OPEN:
            self._enter(BreakerState.HALF_OPEN, self.reason)

    def succeeded(self) -> None:
        """A piece of work was done."""
        self._wait_seconds = 0.0
        self._enter(BreakerState.CLOSED, None)

    def reset(self) -> None:
        """What is known holds no more, as with another server: look at once."""
        self._wait_seconds = 0.0
        self._probe_at = 0.0

    @property
    def probe_is_due(self) -> bool:
        """Whether it is open and has waited long enough."""
        return self.state is BreakerState.OPEN and self.clock() >= self._probe_at

    def report(self) -> BreakerReport:
        """The state for people."""
        left = max(0.0, self._probe_at - self.clock())
        is_open = self.state is BreakerState.OPEN
        return BreakerReport(
            self.state, self._since, self.reason, datetime.now(UTC) + timedelta(seconds=left) if is_open else None
        )

    def _wait(self) -> None:
        # Several daemons on one server shall not come back all at once.
        self._probe_at = self.clock() + self._wait_seconds * random.uniform(0.75, 1.0)  # noqa: S311 - spreads load

    def _enter(self, state: BreakerState, reason: str | None) -> None:
        if state is not self.state:
            self.state = state
            self._since = datetime.now(UTC)
        self.reason = reason
