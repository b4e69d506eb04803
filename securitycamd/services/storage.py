"""The storage root and its guard: known to the database, watched, and never mistaken for another."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from securitycamd.db import storage_roots as rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.domain.principal import Principal
from securitycamd.storage.errors import GuardState
from securitycamd.storage.files import Files
from securitycamd.storage.guard import StorageGuard, found_identity

log = structlog.get_logger(__name__)


class StorageService:
    """Attaches the guard, keeps looking, and makes the folders that new cameras deliver to."""

    def __init__(self, database: Database, files: Files) -> None:
        self._database = database
        self._files = files
        self._guard: StorageGuard | None = None
        self._new_cameras: set[str] = set()
        self.on_change: Callable[[], None] = lambda: None
        """Called when the guard's answer changes."""

    async def open(self) -> GuardState:
        """Attach the guard of the root that the database knows; the first time the root becomes ours.

        A storage that does not answer is no reason not to start: the guard then says so until it does.
        """
        known = await rows.identity(self._database)
        identity = known or await self._first_identity()
        self._guard = StorageGuard(self._files, identity)
        self._files.guard = self._guard
        return await self._guard.establish(adopt=known is None)

    @property
    def guard(self) -> StorageGuard:
        """The guard; there after :meth:`open`."""
        if self._guard is None:
            raise StorageUnavailableError("The footage storage was not looked at yet.")
        return self._guard

    @property
    def is_usable(self) -> bool:
        """Whether footage may be read and changed now, as far as is known."""
        return self._guard is not None and self._guard.state.is_ok

    async def watch(self) -> None:
        """Look whether the root is still ours, and make folders that cameras wait for."""
        before = self.guard.state
        state = await self.guard.check()
        if state != before:
            self.on_change()
        if not state.is_ok:
            return
        while self._new_cameras:
            camera_id = next(iter(self._new_cameras))
            await self._files.make_camera_folders(camera_id)
            self._new_cameras.discard(camera_id)
        await self.guard.check_cameras()

    def expect_camera(self, camera_id: str) -> None:
        """A camera registered: have its folders made with the next look."""
        self._new_cameras.add(camera_id)

    async def take_over(self, principal: Principal, camera_id: str | None = None) -> GuardState:
        """Make the root that is mounted now ours, or one camera's folder in it, whatever its marker says.

        Raises:
            StorageUnavailableError: it does not answer.
        """
        log.warning("storage is taken over", by=principal.name, camera_id=camera_id, root=str(self._files.root))
        if camera_id is None:
            await self.guard.take_over()
        else:
            await self.guard.mark_camera(camera_id)
        self.on_change()
        return self.guard.state

    async def _first_identity(self) -> str:
        try:
            # Footage of an earlier database is recognised, not taken over by a new name.
            found = await found_identity(self._files)
        except StorageUnavailableError:
            found = None
        new = found or secrets.token_hex(16)

        async def work(transaction: Transaction) -> str:
            return await rows.remember(transaction, new, datetime.now(UTC))

        return await self._database.transact(work)
