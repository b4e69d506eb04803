"""The loops about cameras: asking their agents, and removing those that go with their footage."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from securitycamd.domain.errors import UnavailableError
from securitycamd.services.agent_status import AgentStatusService
from securitycamd.services.camera_removal import CameraRemovalService
from securitycamd.supervision import TaskControl

log = structlog.get_logger(__name__)

AGENT_STATUS: Final = "agent status"
IDLE_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 5.0
"""How often is looked whether asking is due: its interval may change while the daemon runs."""
PAUSE_SECONDS: Final = 0.05
"""Between two steps of a removal, which so leaves disk and database to the other cameras."""


def ask_agents(
    agents: AgentStatusService, every_seconds: Callable[[], float]
) -> Callable[[TaskControl], Awaitable[None]]:
    """A task that asks all agents how they are; ``every_seconds`` of 0: only when told to run now."""

    async def run(control: TaskControl) -> None:
        due, told = 0.0, False
        while not control.stopping.is_set():
            await control.until_resumed()
            if told or (every_seconds() and time.monotonic() >= due):
                await _ask(agents, control)
                due = time.monotonic() + every_seconds()
            elif every_seconds():
                await _ask_expected(agents, control)
            told = await control.rest(LOOK_SECONDS)

    return run


async def _ask(agents: AgentStatusService, control: TaskControl) -> None:
    try:
        await agents.refresh_all(control.beat)
    except UnavailableError as error:
        log.debug("asking the agents waits", reason=str(error))


async def _ask_expected(agents: AgentStatusService, control: TaskControl) -> None:
    try:
        await agents.ask_expected(control.beat)
    except UnavailableError as error:
        log.debug("asking new agents waits", reason=str(error))


def remove_cameras(removal: CameraRemovalService) -> Callable[[TaskControl], Awaitable[None]]:
    """A task that removes the footage of cameras that go, a few events at a time; woken when there is work."""

    async def run(control: TaskControl) -> None:
        while not control.stopping.is_set():
            await control.until_resumed()
            try:
                more = await removal.remove_some()
            except UnavailableError as error:
                log.debug("the removal of cameras waits", reason=str(error))
                more = False
            await control.rest(PAUSE_SECONDS if more else IDLE_SECONDS)

    return run
