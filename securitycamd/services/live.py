"""Live pictures: who may watch, the relays, and that no camera is left streaming."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from securitycamd.cameras.control import AgentControl
from securitycamd.cameras.relay import Frame, Relay, RelayParts, Viewer
from securitycamd.config import SettingsHolder
from securitycamd.db import camera_overview
from securitycamd.db import live_sessions as rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.coverage import Stretch
from securitycamd.domain.errors import (
    CameraUnavailableError,
    ConflictError,
    DatabaseUnavailableError,
    NotFoundError,
    TooManyViewersError,
)
from securitycamd.domain.live import EndReason, StreamState, StreamStatus
from securitycamd.domain.models import Camera
from securitycamd.domain.pictures import Poster
from securitycamd.domain.principal import DAEMON, Principal
from securitycamd.services.cameras import CameraService

log = structlog.get_logger(__name__)

LEDGER_SECONDS: Final = 1.0
"""How long a stream waits for the database; watching goes on without it."""
KEPT_DAYS: Final = 400
LONGEST_SESSION: Final = timedelta(hours=1)
"""A session is shorter: who asks for a stretch gets those that began so much before it, too."""
MOST_SESSIONS: Final = 20_000
PATIENCE_SECONDS: Final = 60.0
"""A camera that may still stream after so long is worth a warning."""


class LiveService:
    """The relays of all cameras. One a camera, made when somebody watches it first."""

    def __init__(self, database: Database, settings: SettingsHolder, cameras: CameraService, instance: str) -> None:
        self._database = database
        self._settings = settings
        self._cameras = cameras
        self._instance = instance
        self.control = AgentControl(lambda: settings.current.agents)
        self._parts = RelayParts(self.control, lambda: settings.current.live, self._locate, self)
        self._relays: dict[str, Relay] = {}
        self._addresses: dict[str, str] = {}
        self._viewers = 0
        self._recovered = False
        self._left_on_since: dict[str, float] = {}
        self._stopping = False

    # --- for those who watch --------------------------------------------------------------------------------------

    @asynccontextmanager
    async def viewer(self) -> AsyncIterator[Viewer]:
        """A place among those who watch; left in the end, with every camera.

        Raises:
            TooManyViewersError: there is none.
        """
        if self._viewers >= self._settings.current.live.max_viewers:
            raise TooManyViewersError(
                "As many people watch live as this server allows (live.max_viewers); try again in a moment."
            )
        self._viewers += 1
        viewer = Viewer()
        try:
            yield viewer
        finally:
            self._viewers -= 1
            for relay in self._relays.values():
                relay.leave(viewer)

    async def watch(self, principal: Principal, viewer: Viewer, camera_id: str) -> Relay:
        """Have ``viewer`` watch a camera; its stream starts if nobody did before.

        Raises:
            NotFoundError: there is no such camera, or not for this principal.
            ConflictError: the server is about to stop.
        """
        camera = await self._cameras.get(principal, camera_id)
        if camera.removal is not None:
            raise NotFoundError("This camera was removed.")
        if self._stopping:
            raise ConflictError("The server is about to stop.")
        self._addresses[camera_id] = camera.ip_address
        relay = self._relays.get(camera_id)
        if relay is None:
            relay = self._relays[camera_id] = Relay(camera_id, self._parts)
        relay.join(viewer)
        return relay

    def status(self, principal: Principal, camera_id: str) -> StreamStatus:
        """A camera's stream as it is."""
        relay = self._relays.get(camera_id) if principal.may_see(camera_id) else None
        return relay.status() if relay is not None else StreamStatus(camera_id, StreamState.IDLE)

    async def statuses(self, principal: Principal) -> list[StreamStatus]:
        """The streams of all cameras that the principal may see, hidden ones too, by camera."""
        cameras = await self._cameras.everything(principal)
        return [self.status(principal, camera.camera_id) for camera in cameras if camera.removal is None]

    async def newest(self, principal: Principal, camera_id: str) -> Frame:
        """The newest live picture of a camera that somebody watches.

        Raises:
            NotFoundError: there is no such camera, or not for this principal.
            ConflictError: nobody watches it, so that it sends none.
        """
        relay = self._relays.get(camera_id) if principal.may_see(camera_id) else None
        frame = relay.frame if relay is not None else None
        if frame is None:
            await self._cameras.get(principal, camera_id)
            raise ConflictError("Nobody watches this camera now, and a picture alone does not start its stream.")
        return frame

    async def posters(self, cameras: Sequence[Camera]) -> dict[str, Poster]:
        """The newest picture of each of these cameras' events; ``cameras`` are some that the reader may see."""
        newest = await camera_overview.newest(self._database, [camera.camera_id for camera in cameras])
        return {camera_id: event.poster for camera_id, event in newest.items() if event.poster is not None}

    async def viewed(self, camera_ids: Sequence[str], since: datetime) -> dict[str, list[Stretch]]:
        """When these cameras were watched live, as far as it reaches into the time from ``since`` on."""
        found: dict[str, list[Stretch]] = {camera_id: [] for camera_id in camera_ids}
        for each in await rows.since(self._database, camera_ids, since - LONGEST_SESSION, MOST_SESSIONS):
            end = each.ended_at or each.seen_at
            if end > since:
                found[each.camera_id].append(Stretch(each.started_at, end))
        return found

    # --- what the relays ask of us --------------------------------------------------------------------------------

    async def _locate(self, camera_id: str) -> str:
        try:
            self._addresses[camera_id] = (await self._cameras.get(DAEMON, camera_id)).ip_address
        except DatabaseUnavailableError:
            if camera_id not in self._addresses:
                raise CameraUnavailableError("Where the camera is, is not known while the database is away.") from None
        return self._addresses[camera_id]

    async def opening(self, camera_id: str) -> None:
        """See :class:`securitycamd.cameras.relay.Ledger`."""

        async def work(transaction: Transaction) -> None:
            await rows.begin(transaction, camera_id, self._instance, datetime.now(UTC))

        try:
            async with asyncio.timeout(LEDGER_SECONDS):
                await self._database.transact(work)
        except (DatabaseUnavailableError, TimeoutError):
            log.warning("a live session is not written down", camera=camera_id)

    async def restarted(self, camera_id: str) -> None:
        """See :class:`securitycamd.cameras.relay.Ledger`."""
        await self.closed(camera_id, was_on=False)
        await self.opening(camera_id)

    async def closed(self, camera_id: str, *, was_on: bool) -> None:
        """See :class:`securitycamd.cameras.relay.Ledger`."""

        async def work(transaction: Transaction) -> None:
            await rows.end(transaction, camera_id, self._instance, was_on=was_on)

        try:
            async with asyncio.timeout(LEDGER_SECONDS):
                await self._database.transact(work)
        except (DatabaseUnavailableError, TimeoutError):
            # The next round finds it open, and the camera not streaming.
            log.warning("the end of a live session is not written down", camera=camera_id)
            self._recovered = False

    # --- that no camera stays blind -------------------------------------------------------------------------------

    def camera_registered(self, camera_id: str) -> None:
        """An agent started anew: its stream need not wait for the next try."""
        if relay := self._relays.get(camera_id):
            relay.retry_now()

    async def look_after(self) -> None:
        """One round: note which cameras stream, end those of removed ones, and tell those left on to stop."""
        relays = list(self._relays.values())
        for relay in relays:
            # Whoever sends pictures is there, whatever else it says.
            if relay.status().state is StreamState.LIVE:
                self._cameras.note_heard(relay.camera_id)
        await rows.note_seen(
            self._database, {each.camera_id for each in relays if each.frame is not None}, self._instance
        )
        await self._end_removed([relay for relay in relays if relay.is_busy])
        if not self._recovered:
            await self._recover()
        left = [relay for relay in self._relays.values() if relay.left_on and not relay.is_busy]
        await asyncio.gather(*(relay.switch_off() for relay in left))
        now = asyncio.get_running_loop().time()
        still = [each.camera_id for each in self._relays.values() if each.left_on and not each.is_busy]
        self._left_on_since = {camera: self._left_on_since.get(camera, now) for camera in still}
        for camera_id, relay in list(self._relays.items()):
            if not relay.is_busy and not relay.left_on:
                del self._relays[camera_id]

    async def _end_removed(self, relays: Sequence[Relay]) -> None:
        """Who watched a camera when it was removed sees it no longer than who comes now."""
        if not relays:
            return
        try:
            cameras = await self._cameras.everything(DAEMON)
        except DatabaseUnavailableError:
            return  # nobody removes one meanwhile, and the others are looked after without it
        shown = {camera.camera_id for camera in cameras if camera.removal is None}
        for relay in relays:
            if relay.camera_id not in shown:
                relay.end(EndReason.CAMERA_GONE)

    async def forget_old(self) -> None:
        """Let old sessions go."""
        await rows.expire(self._database, datetime.now(UTC) - timedelta(days=KEPT_DAYS))

    @property
    def blind_cameras(self) -> list[str]:
        """Cameras that could not be told to stop for a while, and may not look for motion."""
        now = asyncio.get_running_loop().time()
        return sorted(camera for camera, since in self._left_on_since.items() if now - since > PATIENCE_SECONDS)

    async def _recover(self) -> None:
        """Find the cameras that an earlier life of this daemon left on, or whose end could not be written down."""
        for session in await rows.opened(self._database, self._instance):
            relay = self._relays.get(session.camera_id)
            if relay is None:
                relay = self._relays[session.camera_id] = Relay(session.camera_id, self._parts)
            relay.left_on = True
        self._recovered = True

    async def stop(self, seconds: float) -> None:
        """End all streams and tell the cameras so; what takes longer is cut off and left to the next start."""
        self._stopping = True
        closing = [asyncio.ensure_future(relay.close()) for relay in self._relays.values()]
        if closing:
            _, late = await asyncio.wait(closing, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                log.warning("cameras could not be told to stop streaming", cameras=len(late))

    async def close(self) -> None:
        """Let the connections to agents go."""
        await self.control.close()
