"""The storage guard: nothing is written to or removed from a storage that may not be the right one."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import structlog

from securitycamd.domain.errors import InvalidError, StorageUnavailableError
from securitycamd.domain.names import is_camera_id
from securitycamd.storage.errors import GuardCondition, GuardState, StorageLostError
from securitycamd.storage.folders import FileCalls, Gate
from securitycamd.storage.markers import Markers, read_identity

_log = structlog.get_logger(__name__)

ANSWER_SECONDS: Final = 3.0
"""So long a check waits: less than other file calls do, so that health is critical within ten seconds."""

_OK: Final = GuardState(GuardCondition.OK, "The footage storage is the right one.")
_CAMERA_OK: Final = GuardState(GuardCondition.OK, "The camera's footage folder is the right one.")
_UNREACHABLE: Final = GuardState(
    GuardCondition.UNREACHABLE,
    "The footage storage does not answer.",
    "Check the disk or share that storage.root is on, and the way to it.",
)
_NOT_ASKED: Final = GuardState(
    GuardCondition.UNREACHABLE, "The footage storage was not looked at yet.", "It is within seconds."
)


class StorageGuard:
    """Knows whether the storage root is that of ``identity``, and the folders in it those of its cameras.

    Attached (``files.guard = guard``), every change to the storage first asks what is remembered here
    (:meth:`require`), and then, in the file thread, the folders themselves. Whoever runs it calls
    :meth:`check` every few seconds: only that finds a storage that came back.
    """

    def __init__(self, files: FileCalls, identity: str, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        if not identity:
            raise ValueError("footage needs an identity")
        self._files = files
        self._answer_seconds = answer_seconds
        self._markers = Markers(identity)
        self._state = _NOT_ASKED
        self._cameras: dict[str, GuardState] = {}
        # Of two looks the one that began later counts, whichever ends later.
        self._looks = 0
        self._counted = 0

    @property
    def identity(self) -> str:
        """Of the footage."""
        return self._markers.identity

    @property
    def state(self) -> GuardState:
        """What was found last; touches no disk."""
        return self._state

    @property
    def is_silent(self) -> bool:
        """Whether the storage gave no answer when it was last looked at; touches no disk."""
        return self._state is _UNREACHABLE

    @property
    def camera_states(self) -> Mapping[str, GuardState]:
        """The cameras whose folders were not right when they were last looked at; touches no disk."""
        return MappingProxyType(self._cameras)

    @property
    def gate(self) -> Gate:
        """What asks the folders themselves, in the file threads."""
        return self._markers

    def require(self) -> None:
        """Go on only if all was well when last looked at; touches no disk.

        Raises:
            StorageLostError: it was not; the text is for people.
        """
        if not self._state.is_ok:
            raise StorageLostError(self._state)

    async def establish(self, *, adopt: bool = False) -> GuardState:
        """Look for the first time. Never raises; the answer is also remembered.

        Args:
            adopt: make the root, if it is not there, and mark it and the cameras' folders in it, if it has no
                marker. To be said only when no footage was known before: else what is there now may be an
                empty mount point.
        """
        if not adopt:
            return await self.check()
        return await self._look(replace=False)

    async def check(self) -> GuardState:
        """Look whether the root is the right one: one file call. Never raises; the answer is remembered."""
        return await self._look(replace=None)

    async def take_over(self) -> GuardState:
        """Make the root and the cameras' folders in it ours, whatever was there: a person's decision."""
        return await self._look(replace=True)

    async def _look(self, *, replace: bool | None) -> GuardState:
        self._looks += 1
        began = self._looks
        try:
            if replace is None:
                async with asyncio.timeout(self._answer_seconds):
                    await self._files.run(self._markers.inspect_root, self._files.root)
            else:
                await self._files.run(self._markers.mark_root, self._files.root, replace=replace)
        except StorageLostError as error:
            state = error.state
        except (StorageUnavailableError, OSError):  # a TimeoutError is one
            state = _UNREACHABLE
        else:
            state = _OK
        if began > self._counted:
            self._counted = began
            self._remember(state)
        return state

    async def check_camera(self, camera_id: str) -> GuardState:
        """Look whether a camera's folder is the right one, or never had a marker: one file call.

        Never raises for what it finds; the answer is remembered.

        Raises:
            InvalidError: that is no camera id.
        """
        _check_camera_id(camera_id)
        try:
            async with asyncio.timeout(self._answer_seconds):
                await self._files.run(self._markers.inspect_camera, self._files.root, camera_id)
        except StorageLostError as error:
            self.note(error)
            return error.state
        except (StorageUnavailableError, OSError):
            return _UNREACHABLE
        self._cameras.pop(camera_id, None)
        return _CAMERA_OK

    async def check_cameras(self) -> Mapping[str, GuardState]:
        """Look at the folders of all cameras that ever had a marker: one file call. Those that are not right.

        Raises:
            StorageUnavailableError: the root is not right, or does not answer.
        """
        try:
            self._cameras = await self._files.run(self._markers.inspect_cameras, self._files.root)
        except StorageLostError as error:
            self.note(error)
            raise
        return self.camera_states

    async def mark_camera(self, camera_id: str) -> None:
        """Make a camera's folder ours, whatever its marker says, or there being none: a person's decision.

        A folder that never had a marker gets it by itself, when something is first written there.

        Raises:
            InvalidError: that is no camera id.
            StorageUnavailableError: the root is not right, or fails.
        """
        _check_camera_id(camera_id)
        self.require()
        try:
            await self._files.run(self._markers.mark_camera, self._files.root, camera_id)
        except StorageLostError as error:
            self.note(error)
            raise
        self._cameras.pop(camera_id, None)

    def note(self, error: StorageLostError) -> None:
        """Remember what a file call found before it changed something."""
        if error.camera_id is None:
            self._looks += 1
            self._counted = self._looks
            self._remember(error.state)
        elif self._cameras.get(error.camera_id) != error.state:
            _log.warning("A camera's folder is not used.", camera_id=error.camera_id, why=error.state.sentence)
            self._cameras[error.camera_id] = error.state

    def _remember(self, state: GuardState) -> None:
        before, self._state = self._state, state
        if state == before:
            return
        if state.is_ok:
            _log.info("The footage storage is there.", before=before.condition)
        else:
            _log.warning("The footage storage is not used.", why=state.sentence, condition=state.condition)


async def found_identity(files: FileCalls) -> str | None:
    """The identity that the marker of the storage root names; ``None`` when there is none that can be read.

    For a daemon whose database knows none: footage of an earlier database can be recognised by it.

    Raises:
        StorageUnavailableError: no answer.
    """
    return await files.run(read_identity, files.root)


def _check_camera_id(camera_id: str) -> None:
    if not is_camera_id(camera_id):
        raise InvalidError("camera_id", "must be 1 to 50 letters, digits and underscores")
