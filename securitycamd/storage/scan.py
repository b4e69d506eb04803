"""Walks over what agents put on the share, slowly: the disk is the cameras', the loop the API's."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.names import is_camera_id
from securitycamd.storage.changes import remove_unless_beside
from securitycamd.storage.files import KINDS, Files
from securitycamd.storage.folders import Anchor
from securitycamd.storage.looks import Entry, entries
from securitycamd.storage.paths import FIELD, check_relative

READY_SUFFIX: Final = ".READY"
# Some file systems hold times that no calendar does.
_LAST_SECOND: Final = datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp()
_NOT_FOOTAGE: Final = (".tmp", READY_SUFFIX)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file on the share that is neither a temporary nor a marker; ``relative`` to the storage root."""

    relative: str
    camera_id: str
    name: str
    size_bytes: int
    modified_at: datetime
    """Aware, UTC."""


async def scan(
    files: Files,
    *,
    cameras: Sequence[str] | None = None,
    on_unusable: Callable[[str, str], None] = lambda _path, _reason: None,
) -> AsyncIterator[list[FoundFile]]:
    """Walk over ``<root>/<camera>/{pictures,videos,thumbs}``; batches of some hundred files, in no order.

    Links are not followed. Names that could not be addressed from outside (see
    :func:`~securitycamd.storage.paths.check_relative`) are left out. A camera whose folder lost its marker is
    left out, too, and stands in the guard's ``camera_states``. What comes or goes during the walk may be in
    it or not.

    Args:
        files: the storage.
        cameras: only these; by default all that have a folder.
        on_unusable: is told of each file that is left out for its name, and what is wrong with that.

    Raises:
        StorageUnavailableError: not the right storage, or no answer; the walk is not complete.
    """
    for camera_id in await files.cameras() if cameras is None else cameras:
        for kind in KINDS:
            async for batch in files.walk(camera_id, kind, wanted=_is_footage):
                found = [file for entry in batch if (file := _found(camera_id, kind, entry, on_unusable)) is not None]
                if found:
                    yield found


async def find_for_event(files: Files, camera_id: str, event_id: int) -> list[FoundFile]:
    """The files on the share whose names say that they are the event's; one file call.

    Raises:
        InvalidError: that is no camera id.
        StorageUnavailableError: as of all file calls.
    """
    return await find_for_events(files, camera_id, [event_id])


async def find_for_events(files: Files, camera_id: str, event_ids: Collection[int]) -> list[FoundFile]:
    """Like :func:`find_for_event`, for several events of a camera; one file call too."""
    if not is_camera_id(camera_id):
        raise InvalidError(FIELD, "must be in the folder of a camera")
    return await files.look(_find_for_events, camera_id, {str(event_id) for event_id in event_ids})


async def sweep_ready(files: Files, *, older_than_seconds: float) -> int:
    """Remove the empty ``<video>.READY`` files whose video is gone, if they are that old; how many.

    Raises:
        StorageUnavailableError: as of all file calls.
    """
    before = datetime.now(UTC).timestamp() - older_than_seconds
    removed = 0
    for camera_id in await files.cameras():
        async for batch in files.walk(camera_id, "videos", wanted=_is_ready):
            old = [entry.name for entry in batch if not entry.size_bytes and entry.modified_at <= before]
            if old:
                removed += await files.change(remove_unless_beside, (camera_id, "videos"), old, READY_SUFFIX)
    return removed


def _is_footage(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(_NOT_FOOTAGE)


def _is_ready(name: str) -> bool:
    return name.endswith(READY_SUFFIX)


def _found(
    camera_id: str, kind: str, entry: Entry, on_unusable: Callable[[str, str], None] = lambda _path, _reason: None
) -> FoundFile | None:
    relative = f"{camera_id}/{kind}/{entry.name}"
    try:
        check_relative(relative)
    except InvalidError as error:
        on_unusable(relative, error.reason)
        return None
    modified_at = datetime.fromtimestamp(min(max(entry.modified_at, 0), _LAST_SECOND), UTC)
    return FoundFile(relative, camera_id, entry.name, entry.size_bytes, modified_at)


def _find_for_events(anchor: Anchor, camera_id: str, starts: set[str]) -> list[FoundFile]:
    def wanted(name: str) -> bool:
        start, mark, _ = name.partition("_")
        return bool(mark) and start in starts and _is_footage(name)

    return [
        file
        for kind in KINDS
        for entry in entries(anchor, (camera_id, kind), wanted)
        if entry is not None and (file := _found(camera_id, kind, entry)) is not None
    ]
