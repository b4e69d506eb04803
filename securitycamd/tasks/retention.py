"""The loop that lets footage go: regularly, and at once when the disk has less room than promised."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from securitycamd.domain.errors import UnavailableError
from securitycamd.services.retention import RetentionService
from securitycamd.supervision import TaskControl

log = structlog.get_logger(__name__)

NAME: Final = "retention"
ROUND_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 0.05
"""Between two steps of a round, which so leaves disk and database to the cameras."""


def keep_within_limits(retention: RetentionService) -> Callable[[TaskControl], Awaitable[None]]:
    """A task that carries the rules out."""

    async def run(control: TaskControl) -> None:
        while not control.stopping.is_set():
            await control.until_resumed()
            try:
                await _round(retention, control)
            except UnavailableError as error:
                log.debug("retention waits", reason=str(error))
            await _rest(retention, control)

    return run


async def _round(retention: RetentionService, control: TaskControl) -> None:
    await retention.finish_marked()
    while not control.stopping.is_set() and not control.paused:
        control.beat()
        if await retention.expire_some() is None:
            return
        # No pause while there is too little room: agents do not wait either.
        await control.rest(0 if await retention.is_below_floor() else PAUSE_SECONDS)


async def _rest(retention: RetentionService, control: TaskControl) -> None:
    """Wait for the next round: its time, an operator's word, or a disk that fills up."""
    until = time.monotonic() + ROUND_SECONDS
    while time.monotonic() < until and not control.stopping.is_set():
        # What agents write in this time must fit into the floor.
        if await control.rest(retention.look_seconds):
            return
        try:
            if await retention.is_below_floor():
                return
        except UnavailableError:
            continue
