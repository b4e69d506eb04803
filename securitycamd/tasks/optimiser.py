"""The optimiser's task: works while its window is open, and gives back what it has in hand when that closes."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

import structlog

from securitycamd.domain.errors import UnavailableError
from securitycamd.services.optimisation import OptimisationService
from securitycamd.supervision import TaskControl
from securitycamd.tasks.workers import JobWorkers

log = structlog.get_logger(__name__)

NAME: Final = "optimiser"
WATCH_SECONDS: Final = 0.5
"""How soon it notices that its window opened or closed, or that it was paused."""
FILL_SECONDS: Final = 5.0


@dataclass
class Optimiser:
    """Runs the workers, and beside them a watch on the window."""

    service: OptimisationService
    workers: JobWorkers

    async def run(self, control: TaskControl) -> None:
        """The body of the supervised task."""
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(control), name="the optimiser's window")
                await self.workers.run(control)
                watch.cancel()
        finally:
            self.service.give_up()

    async def _watch(self, control: TaskControl) -> None:
        was_open, fill_at = False, 0.0
        while True:
            is_open = self.service.is_open() and not control.paused and not control.stopping.is_set()
            if is_open != was_open:
                log.info("the optimiser begins" if is_open else "the optimiser rests")
                was_open = is_open
            if not is_open:
                self.service.give_up()
                fill_at = 0.0
            else:
                self.service.allow()
                if time.monotonic() >= fill_at:
                    fill_at = time.monotonic() + FILL_SECONDS
                    if await self._fill():
                        control.wake()
            await asyncio.sleep(WATCH_SECONDS)

    async def _fill(self) -> int:
        try:
            return await self.service.fill_queue()
        except UnavailableError:
            return 0  # the database is away; it is asked again
