"""Cameras: registration, presence, lists."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from securitycamd.batching import Batcher
from securitycamd.config import SettingsHolder
from securitycamd.db import cameras as rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.errors import DatabaseUnavailableError, NotFoundError
from securitycamd.domain.models import Camera, CameraRegistration
from securitycamd.domain.names import is_camera_id
from securitycamd.domain.principal import Principal

WAITING_LIMIT: Final = 2000
HEARD_LIMIT: Final = 10_000


class CameraService:
    """What is known of the cameras."""

    def __init__(
        self, database: Database, settings: SettingsHolder, *, on_registered: Callable[[str], None] = lambda _: None
    ) -> None:
        self._database = database
        self._settings = settings
        self._on_registered = on_registered
        # Every page shows the cameras: those asked for together are read once.
        self._reading: Batcher[None, list[Camera]] = Batcher(
            self._read_batch, limit=1000, waiting_limit=WAITING_LIMIT, full=DatabaseUnavailableError
        )
        self._heard: dict[str, datetime] = {}
        """When agents were last heard of here, as far as not written yet."""

    async def register(self, principal: Principal, registration: CameraRegistration) -> tuple[Camera, bool]:
        """Make or renew a camera's record; whether it is new."""
        _check_visible(principal, registration.camera_id)

        async def work(transaction: Transaction) -> tuple[Camera, bool]:
            return await rows.register(transaction, registration)

        registered = await self._database.transact(work)
        self._on_registered(registration.camera_id)
        return registered

    async def everything(self, principal: Principal) -> list[Camera]:
        """The cameras that ``principal`` may see, by ``camera_id``."""
        found = await self._reading(None)
        return [self._current(camera) for camera in found if principal.may_see(camera.camera_id)]

    async def get(self, principal: Principal, camera_id: str) -> Camera:
        """One camera.

        Raises:
            NotFoundError: there is none, or not for this principal.
        """
        _check_visible(principal, camera_id)
        camera = await rows.by_id(self._database, camera_id) if is_camera_id(camera_id) else None
        if camera is None:
            raise NotFoundError(f"There is no camera {camera_id!r}.")
        return self._current(camera)

    def note_heard(self, camera_id: str) -> None:
        """An agent called; written with the next :meth:`write_heard`."""
        # Anybody may claim any name: what is not a camera is forgotten at the next write.
        if len(self._heard) < HEARD_LIMIT:
            self._heard[camera_id] = datetime.now(UTC)

    async def write_heard(self) -> None:
        """Write down when cameras were last heard of."""
        heard, self._heard = self._heard, {}
        if not heard:
            return

        async def work(transaction: Transaction) -> None:
            await rows.note_seen(transaction, heard)

        await self._database.transact(work)

    @property
    def offline_after_seconds(self) -> float:
        """Silence after which a camera counts as offline."""
        return self._settings.current.agents.offline_after_seconds

    async def _read_batch(self, batch: Sequence[None]) -> list[list[Camera] | Exception]:
        found = await rows.everything(self._database)
        return [found for _ in batch]

    def _current(self, camera: Camera) -> Camera:
        heard = self._heard.get(camera.camera_id)
        return replace(camera, last_seen=heard) if heard and heard > camera.last_seen else camera


def _check_visible(principal: Principal, camera_id: str) -> None:
    if not principal.may_see(camera_id):
        raise NotFoundError(f"There is no camera {camera_id!r}.")
