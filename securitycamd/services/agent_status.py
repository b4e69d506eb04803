"""How the agents are: asked one after another every few minutes, and at once when a person wants to know."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from securitycamd.cameras.control import AgentControl
from securitycamd.db import agent_status as rows
from securitycamd.db import cameras as camera_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.agents import AgentStatus
from securitycamd.domain.errors import CameraUnavailableError, UnavailableError
from securitycamd.domain.models import Camera
from securitycamd.domain.principal import DAEMON, Principal
from securitycamd.services.cameras import CameraService

log = structlog.get_logger(__name__)

AT_ONCE: Final = 4
"""Agents that are asked at the same time."""
ERROR_LIMIT: Final = 200
MOST_EXPECTED: Final = 1000


class AgentStatusService:
    """Asks agents and remembers what they said."""

    def __init__(self, database: Database, cameras: CameraService, control: AgentControl) -> None:
        self._database = database
        self._cameras = cameras
        self._control = control
        self._rounds = asyncio.Semaphore(AT_ONCE)
        self._people = asyncio.Semaphore(AT_ONCE)
        """Of its own: a round over many agents that are away takes minutes, and somebody waits."""
        self._expected: set[str] = set()

    def expect(self, camera_id: str) -> None:
        """Have an agent that just registered asked soon: another version of it may have started."""
        if len(self._expected) < MOST_EXPECTED:
            self._expected.add(camera_id)

    async def refresh(self, principal: Principal, camera_id: str) -> AgentStatus:
        """Ask a camera's agent now; what is known of it then, whether it answered or not.

        Raises:
            NotFoundError: there is no such camera, or not for this principal.
        """
        camera = await self._cameras.get(principal, camera_id)
        await self._ask(camera, self._people)
        found = await rows.by_id(self._database, camera.camera_id)
        # Its record may have gone meanwhile: get() says so as it does everywhere.
        return found or AgentStatus((await self._cameras.get(principal, camera_id)).camera_id, _now(), None, None)

    async def ask_expected(self, beat: Callable[[], object] = lambda: None) -> int:
        """Ask the agents that registered since the last time; how many answered. ``beat`` is called as it goes."""
        expected, self._expected = self._expected, set()
        if not expected:
            return 0
        try:
            everything = await self._cameras.everything(DAEMON)
        except UnavailableError:
            self._expected |= expected
            raise
        return await self._ask_all([camera for camera in everything if camera.camera_id in expected], beat)

    async def refresh_all(self, beat: Callable[[], object] = lambda: None) -> int:
        """Ask every agent, few at a time; how many answered. ``beat`` is called as it goes."""
        cameras = [camera for camera in await self._cameras.everything(DAEMON) if camera.removal is None]
        return await self._ask_all(cameras, beat)

    async def _ask_all(self, cameras: Sequence[Camera], beat: Callable[[], object]) -> int:
        async def ask(camera: Camera) -> bool:
            answered = await self._ask(camera, self._rounds)
            beat()
            return answered

        return sum(await asyncio.gather(*map(ask, cameras)))

    async def everything(self) -> dict[str, AgentStatus]:
        """What is known of every agent."""
        return await rows.everything(self._database)

    async def of(self, camera_id: str) -> AgentStatus | None:
        """What is known of one agent; ``None``: it was never asked."""
        return await rows.by_id(self._database, camera_id)

    async def _ask(self, camera: Camera, gate: asyncio.Semaphore) -> bool:
        async with gate:
            asked_at = _now()
            values: dict[str, Any] = {"asked_at": asked_at, "error": None}
            try:
                told = await self._control.ask(camera.camera_id, camera.ip_address)
            except CameraUnavailableError as error:
                values["error"] = str(error)[:ERROR_LIMIT]
            else:
                now = _now()
                up = told.uptime_seconds
                values |= {
                    "answered_at": now,
                    "version": told.version,
                    "running_since": None if up is None else now - timedelta(seconds=up),
                    "motion_state": told.motion_state,
                    "streaming": told.is_streaming,
                    "clock_offset_seconds": told.clock_offset_seconds,
                }

        async def work(transaction: Transaction) -> None:
            # Gone while it was asked: there is nothing to note.
            if await camera_rows.lock(transaction, camera.camera_id) is not None:
                await rows.note(transaction, camera.camera_id, values)

        await self._database.transact(work)
        return values["error"] is None


def _now() -> datetime:
    return datetime.now(UTC)
