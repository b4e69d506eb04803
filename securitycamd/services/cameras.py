"""Cameras: registration, presence, lists."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from securitycamd.batching import Batcher
from securitycamd.config import SettingsHolder
from securitycamd.db import cameras as rows
from securitycamd.db import presence
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.errors import ConflictError, DatabaseUnavailableError, InvalidError, NotFoundError
from securitycamd.domain.models import Camera, CameraRegistration
from securitycamd.domain.names import CameraRemoval, is_camera_id
from securitycamd.domain.principal import Principal

log = structlog.get_logger(__name__)

WAITING_LIMIT: Final = 2000
HEARD_LIMIT: Final = 10_000
RUN_GAP_SECONDS: Final = 60.0
"""A daemon whose notes lie further apart was not running, or its clock was set: a new stretch begins."""
LONGEST_NAME: Final = 100
LONGEST_LOCATION: Final = 200
PRESENCE_DAYS: Final = 35
"""How long is kept when cameras were heard of and when the daemon ran."""


class CameraService:
    """What is known of the cameras."""

    def __init__(
        self,
        database: Database,
        settings: SettingsHolder,
        *,
        instance: str = "daemon",
        on_registered: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._instance = instance
        self._on_registered = on_registered
        self._run_began = self._run_noted = datetime.now(UTC)
        # Every page shows the cameras: those asked for together are read once.
        self._reading: Batcher[None, list[Camera]] = Batcher(
            self._read_batch, limit=1000, waiting_limit=WAITING_LIMIT, full=DatabaseUnavailableError
        )
        self._heard: dict[str, datetime] = {}
        """When agents were last heard of here, as far as not written yet."""

    async def register(self, principal: Principal, registration: CameraRegistration) -> tuple[Camera, bool]:
        """Make or renew a camera's record, as its agent says it is; whether it is new.

        An operator's own name and location stay, and the reply tells the agent its own words back. A camera that was
        removed without its footage is back.

        Raises:
            ConflictError: its footage is being removed; agents ask again until it is gone.
        """
        _check_visible(principal, registration.camera_id)

        async def work(transaction: Transaction) -> tuple[Camera, bool]:
            known = await rows.lock(transaction, registration.camera_id)
            if known is not None and known.removal is CameraRemoval.FOOTAGE:
                raise ConflictError("This camera is being removed with its footage; register again later.")
            if known is not None and known.removal is CameraRemoval.RETIRED:
                await rows.change(transaction, known.camera_id, {"removal": None})
            camera, is_new = await rows.register(transaction, registration)
            heard = {camera.camera_id: camera.last_seen}
            await presence.note(transaction, heard, silence_seconds=self.offline_after_seconds)
            return camera, is_new

        camera, is_new = await self._database.transact(work)
        self._on_registered(registration.camera_id)
        return replace(camera, name=camera.agent_name, location=camera.agent_location), is_new

    async def describe(
        self,
        principal: Principal,
        camera_id: str,
        *,
        name: str | None = None,
        location: str | None = None,
        is_hidden: bool | None = None,
    ) -> Camera:
        """Change what an operator says of a camera; what is ``None`` stays.

        An empty name or location gives the agent's own back.

        Raises:
            NotFoundError: there is no such camera, or not for this principal.
            InvalidError: the name or the location is too long.
        """
        camera = await self.get(principal, camera_id)
        values: dict[str, str | int | None] = {}
        if name is not None:
            values["label"] = _words("name", name, LONGEST_NAME)
        if location is not None:
            values["place"] = _words("location", location, LONGEST_LOCATION)
        if is_hidden is not None:
            values["hidden"] = int(is_hidden)
        if values:

            async def work(transaction: Transaction) -> None:
                await rows.change(transaction, camera.camera_id, values)

            await self._database.transact(work)
            log.info("camera described", camera_id=camera.camera_id, changed=sorted(values), by=principal.name)
        return await self.get(principal, camera_id)

    async def listed(self, principal: Principal) -> list[Camera]:
        """The cameras that lists show: neither hidden nor removed."""
        return [camera for camera in await self.everything(principal) if camera.is_listed]

    async def everything(self, principal: Principal) -> list[Camera]:
        """The cameras that ``principal`` may see, by ``camera_id``; hidden and removed ones too."""
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
        """Write down when cameras were last heard of, and that the daemon runs."""
        heard, self._heard = self._heard, {}
        now = datetime.now(UTC)
        if abs((now - self._run_noted).total_seconds()) > RUN_GAP_SECONDS:
            self._run_began = now

        async def work(transaction: Transaction) -> None:
            await presence.note_run(transaction, self._instance, self._run_began, now)
            await rows.note_seen(transaction, heard)
            await presence.note(transaction, heard, silence_seconds=self.offline_after_seconds)

        try:
            await self._database.transact(work)
        except DatabaseUnavailableError:
            # What was heard while it is away is true all the same, and written once it is back.
            self._heard = heard | self._heard
            raise
        self._run_noted = now

    async def forget_old_presence(self) -> int:
        """Let go of what is older than :data:`PRESENCE_DAYS`, a bounded number of stretches; how many."""
        return await presence.forget_old(self._database, datetime.now(UTC) - timedelta(days=PRESENCE_DAYS))

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


def _words(field: str, text: str, limit: int) -> str | None:
    """What somebody typed, in one line; ``None`` when there is nothing."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if len(line) > limit:
        raise InvalidError(field, f"at most {limit} characters")
    return line or None


def _check_visible(principal: Principal, camera_id: str) -> None:
    if not principal.may_see(camera_id):
        raise NotFoundError(f"There is no camera {camera_id!r}.")
