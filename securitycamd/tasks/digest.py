"""The loop that has the days' reports written."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from securitycamd.domain.errors import UnavailableError
from securitycamd.services.digests import DigestService
from securitycamd.supervision import TaskControl

log = structlog.get_logger(__name__)

NAME: Final = "daily report"
LOOK_SECONDS: Final = 30.0


def write_reports(digests: DigestService) -> Callable[[TaskControl], Awaitable[None]]:
    """A task that writes what is due; "run now" looks at once."""

    async def run(control: TaskControl) -> None:
        while not control.stopping.is_set():
            await control.until_resumed()
            try:
                await digests.write_due(on_step=control.beat)
            except UnavailableError as error:
                log.debug("reports wait", reason=str(error))
            await control.rest(LOOK_SECONDS)

    return run
