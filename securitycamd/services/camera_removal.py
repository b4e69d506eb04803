"""Cameras go: without their footage at once, with it event by event in the background, through any number of restarts.

What is to go stands in the camera's row, so a crash forgets nothing. Each event goes as every event does
(:mod:`securitycamd.services.removal`): marked, its files unlinked, then its row. The camera's row goes last.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from securitycamd.config import SettingsHolder
from securitycamd.db import camera_removals as rows
from securitycamd.db import cameras as camera_rows
from securitycamd.db import events as event_rows
from securitycamd.db import footage
from securitycamd.db import removals as removal_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.errors import ConflictError, NotFoundError, StorageUnavailableError
from securitycamd.domain.models import Camera, EventFilter
from securitycamd.domain.names import CameraRemoval, CameraStatus
from securitycamd.domain.principal import Principal
from securitycamd.domain.retention import Use
from securitycamd.domain.times import EARLIEST
from securitycamd.services.cameras import CameraService
from securitycamd.services.removal import RemovalService

log = structlog.get_logger(__name__)

EVENTS_A_STEP: Final = 10
"""Removed together: few file calls and one transaction, yet soon done."""
TASK: Final = "camera removal"


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """What would go with a camera."""

    camera: Camera
    events: int
    starred: int
    use: Use
    is_online: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a removal with footage is."""

    events_total: int
    events_left: int
    trouble: str | None
    """Why it does not go on at the moment, for people."""


class CameraRemovalService:
    """Removes cameras."""

    def __init__(
        self,
        database: Database,
        settings: SettingsHolder,
        cameras: CameraService,
        removal: RemovalService,
        *,
        on_work: Callable[[], object] = lambda: None,
    ) -> None:
        self._database = database
        self._on_work = on_work
        self._settings = settings
        self._cameras = cameras
        self._removal = removal
        self._after: dict[str, datetime] = {}
        """Up to where each camera's events were tried in this round."""
        self._trouble: dict[str, str] = {}

    async def plan(self, principal: Principal, camera_id: str) -> RemovalPlan:
        """What would go with a camera.

        Raises:
            NotFoundError: there is no such camera, or not for this principal.
        """
        camera = await self._cameras.get(principal, camera_id)
        return RemovalPlan(
            camera,
            await self._events_of(camera.camera_id),
            await footage.starred_events(self._database, camera.camera_id),
            (await footage.uses(self._database, [camera.camera_id]))[camera.camera_id],
            self._is_online(camera),
        )

    async def remove(
        self, principal: Principal, camera_id: str, *, with_footage: bool, force: bool = False
    ) -> Camera | None:
        """Remove a camera: at once without its footage, or begin to remove it with all of it.

        Without footage the record stays for the events' sake, out of every list. A camera without events is gone at
        once in either case: ``None``.

        Raises:
            NotFoundError: there is no such camera, or not for this principal.
            ConflictError: it is online, and ``force`` was not said: its agent would be refused, or bring it back.
        """
        found = await self._cameras.get(principal, camera_id)
        if self._is_online(found) and not force:
            raise ConflictError(
                "This camera is online: its agent would go on recording. Switch the agent off first and wait until the"
                " camera is offline, or hide the camera instead."
            )
        kind = CameraRemoval.FOOTAGE if with_footage else CameraRemoval.RETIRED

        async def work(transaction: Transaction) -> Camera | None:
            camera = await camera_rows.lock(transaction, found.camera_id)
            if camera is None:
                raise NotFoundError(f"There is no camera {camera_id!r}.")
            if camera.removal is CameraRemoval.FOOTAGE and not with_footage:
                raise ConflictError("This camera's footage is being removed; stop that first.")
            if not await rows.has_events(transaction, camera.camera_id):
                await camera_rows.delete(transaction, camera.camera_id)
                return None
            total = await event_rows.count(transaction, EventFilter(frozenset({camera.camera_id})))
            if camera.removal is not kind:
                await camera_rows.change(transaction, camera.camera_id, {"removal": str(kind), "removal_events": total})
            return await camera_rows.by_id(transaction, camera.camera_id)

        left = await self._database.transact(work)
        self._trouble.pop(found.camera_id, None)
        log.info("camera removed", camera_id=found.camera_id, with_footage=with_footage, by=principal.name)
        if with_footage:
            self._on_work()
        return left

    async def undo(self, principal: Principal, camera_id: str) -> Camera:
        """Stop a removal, or bring a camera back that was removed without its footage. What has gone stays gone.

        Raises:
            NotFoundError: there is no such camera, or not for this principal.
            ConflictError: it is not removed.
        """
        camera = await self._cameras.get(principal, camera_id)
        if camera.removal is None:
            raise ConflictError("This camera is not being removed.")

        async def work(transaction: Transaction) -> None:
            await camera_rows.change(transaction, camera.camera_id, {"removal": None, "removal_events": 0})

        await self._database.transact(work)
        log.info("camera is back", camera_id=camera.camera_id, by=principal.name)
        return await self._cameras.get(principal, camera_id)

    async def progress(self, camera: Camera) -> Progress | None:
        """How far the removal of a camera with its footage is; ``None``: none is under way."""
        if camera.removal is not CameraRemoval.FOOTAGE:
            return None
        left = await self._events_of(camera.camera_id)
        return Progress(max(left, camera.removal_events), left, self._trouble.get(camera.camera_id))

    # --- the work -----------------------------------------------------------------------------------------------------

    async def remove_some(self) -> bool:
        """Remove a few events of cameras that go, or the last of a camera; whether there is more to do now.

        Raises:
            StorageUnavailableError: the storage is not there; nothing is lost, and nothing was begun.
        """
        more = False
        for camera in await camera_rows.going(self._database):
            more = await self._go_on(camera) or more
        return more

    async def _go_on(self, camera: Camera) -> bool:
        camera_id = camera.camera_id
        try:
            await self._removal.check_storage()
        except StorageUnavailableError as error:
            self._trouble[camera_id] = str(error)
            raise
        after = self._after.get(camera_id, EARLIEST)
        found = await rows.next_events(self._database, camera_id, after=after, limit=EVENTS_A_STEP)
        if found:
            gone = await self._remove_events(camera_id, [event_id for event_id, _ in found])
            if gone < len(found):
                # What cannot go now is passed over, and tried again in the next round.
                self._after[camera_id] = found[-1][1]
            if gone:
                self._trouble.pop(camera_id, None)
            return True
        self._after.pop(camera_id, None)
        if await rows.has_events(self._database, camera_id):
            self._trouble[camera_id] = "Some events are being worked on, or their files cannot be reached; tried again."
            return False
        while await rows.forget_counts(self._database, camera_id):
            pass
        return not await self._finish(camera_id)

    async def _remove_events(self, camera_id: str, event_ids: list[int]) -> int:
        """Mark these events and remove them; how many are gone."""

        async def work(transaction: Transaction) -> list[int]:
            camera = await camera_rows.lock(transaction, camera_id)
            if camera is None or camera.removal is not CameraRemoval.FOOTAGE:
                return []  # somebody stopped it
            locked = await event_rows.lock(transaction, event_ids)
            busy = await removal_rows.busy(transaction, list(locked))
            going = [event_id for event_id in locked if event_id not in busy]
            await removal_rows.mark(transaction, going, removal_rows.OPERATOR)
            return going

        marked = await self._database.transact(work)
        return len((await self._removal.finish_some(marked)).gone) if marked else 0

    async def _finish(self, camera_id: str) -> bool:
        async def work(transaction: Transaction) -> bool:
            camera = await camera_rows.lock(transaction, camera_id)
            if camera is None or camera.removal is not CameraRemoval.FOOTAGE:
                return True
            if await rows.has_events(transaction, camera_id):
                return False
            await camera_rows.delete(transaction, camera_id)
            return True

        gone = await self._database.transact(work)
        if gone:
            log.info("camera is gone with its footage", camera_id=camera_id)
        return gone

    async def _events_of(self, camera_id: str) -> int:
        return await event_rows.count(self._database, EventFilter(frozenset({camera_id})))

    def _is_online(self, camera: Camera) -> bool:
        silence = self._settings.current.agents.offline_after_seconds
        return camera.status(datetime.now(UTC), offline_after_seconds=silence) is CameraStatus.ONLINE
