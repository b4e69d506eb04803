"""Small regular duties: the health rules, the daemon's own log lines, presence, leases, partitions, sizes."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from securitycamd.domain.errors import UnavailableError
from securitycamd.health.monitor import HealthMonitor
from securitycamd.services.logs import LogService
from securitycamd.supervision import TaskControl
from securitycamd.telemetry.pipeline import KeptLines

log = structlog.get_logger(__name__)

HEALTH_SECONDS: Final = 5.0
LOG_SECONDS: Final = 1.0
LOG_LINES_A_WRITE: Final = 500


@dataclass
class Duty:
    """Something to be done every ``seconds``."""

    name: str
    seconds: float
    do: Callable[[], Awaitable[object]]
    due: float = field(default=0.0, init=False)


def upkeep(duties: list[Duty]) -> Callable[[TaskControl], Awaitable[None]]:
    """A task that does each duty when it is due, and all of them when it is told to run now.

    What needs a part that is away is done when it is back.
    """
    step = min(duty.seconds for duty in duties)

    async def run(control: TaskControl) -> None:
        told = False
        while not control.stopping.is_set():
            await control.until_resumed()
            for duty in duties:
                if not told and time.monotonic() < duty.due:
                    continue
                duty.due = time.monotonic() + duty.seconds
                try:
                    await duty.do()
                except UnavailableError as error:
                    log.debug("duty waits", duty=duty.name, reason=str(error))
                control.beat()
            told = await control.rest(step)

    return run


def watch_health(monitor: HealthMonitor) -> Callable[[TaskControl], Awaitable[None]]:
    """A task that runs the health rules."""

    async def run(control: TaskControl) -> None:
        while not control.stopping.is_set():
            await control.until_resumed()
            await monitor.examine()
            await control.rest(HEALTH_SECONDS)

    return run


def write_logs(kept: KeptLines, logs: LogService) -> Callable[[TaskControl], Awaitable[None]]:
    """A task that moves the daemon's own lines from the bounded queue to the table."""

    async def run(control: TaskControl) -> None:
        while not control.stopping.is_set():
            await control.rest(LOG_SECONDS)
            while await write_some(kept, logs):
                control.beat()

    return run


async def write_some(kept: KeptLines, logs: LogService) -> bool:
    """Write one batch; whether there is more and the database takes it."""
    lines = kept.take(LOG_LINES_A_WRITE)
    if not lines:
        return False
    try:
        await logs.add_own(lines)
    except UnavailableError:
        kept.put_back(lines)
        return False
    return len(lines) >= LOG_LINES_A_WRITE
