"""The scan of all footage for files that no agent reported: now and then, and when asked."""

import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from securitycamd.domain.errors import UnavailableError
from securitycamd.services.linking import LinkingService
from securitycamd.services.storage_check import StorageCheckService
from securitycamd.supervision import TaskControl

log = structlog.get_logger(__name__)

FIRST_SECONDS: Final = 120.0
"""After the start agents report what they kept; there is no hurry."""
AWAY_SECONDS: Final = 60.0
STEP_SECONDS: Final = 20.0


Run = Callable[[TaskControl], Coroutine[Any, Any, None]]


def link_files(linking: LinkingService, hours: Callable[[], float]) -> Run:
    """A task that scans every so many hours, and at once when it is woken."""

    async def run(control: TaskControl) -> None:
        due = time.monotonic() + FIRST_SECONDS
        while not control.stopping.is_set():
            await control.until_resumed()
            is_asked = await control.rest(STEP_SECONDS)
            if control.stopping.is_set() or control.paused or not (is_asked or time.monotonic() >= due):
                continue
            try:
                await linking.scan(on_step=control.beat)
                due = time.monotonic() + hours() * 3600
            except UnavailableError as error:
                log.info("the scan of the footage waits", reason=str(error))
                due = time.monotonic() + AWAY_SECONDS

    return run


def check_storage(check: StorageCheckService) -> Run:
    """A task that does the storage checks that were asked for, one at a time."""

    async def run(control: TaskControl) -> None:
        while not control.stopping.is_set():
            await control.until_resumed()
            await check.run_requested(on_step=control.beat)
            await control.rest(STEP_SECONDS)

    return run
