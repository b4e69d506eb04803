"""Files that fit no event, for the operator who knows better: seen, linked by hand, or removed by hand."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from securitycamd.config import SettingsHolder
from securitycamd.db import events as event_rows
from securitycamd.db import linking as rows
from securitycamd.db import strays as stray_rows
from securitycamd.db.engine import Database
from securitycamd.db.strays import Stray
from securitycamd.domain.errors import ConflictError, InvalidError, NotFoundError
from securitycamd.domain.filenames import FootageName, make_name, parse_name
from securitycamd.domain.linking import Link, named_by, taken
from securitycamd.domain.models import Event, FileReport, Page
from securitycamd.domain.names import FileType, is_camera_id
from securitycamd.domain.principal import Principal
from securitycamd.services.events import EventService
from securitycamd.services.linking import NEAR, NEAR_EVENTS, LinkingService
from securitycamd.storage.files import Files
from securitycamd.storage.folders import Anchor, rename_if_free, sync_folder

log = structlog.get_logger(__name__)

_BY_FOLDER: Final = {"videos": FileType.VIDEO, "thumbs": FileType.THUMBNAIL}


@dataclass(frozen=True, slots=True)
class Unusable:
    """Files with names that cannot be used: how many, and some of them as they can be shown."""

    total: int
    paths: tuple[str, ...]


class StrayService:
    """The quarantine list: nothing on it is ever removed unless a person says so, file by file."""

    def __init__(
        self,
        database: Database,
        settings: SettingsHolder,
        files: Files,
        events: EventService,
        linking: LinkingService,
    ) -> None:
        self._database = database
        self._settings = settings
        self._files = files
        self._events = events
        self._linking = linking

    async def listed(
        self, principal: Principal, *, camera_id: str | None = None, limit: int, offset: int
    ) -> Page[Stray]:
        """A page of the list, by camera and path."""
        cameras = principal.visible(camera_id)
        if camera_id is not None and not is_camera_id(camera_id):
            cameras = frozenset()
        total = await stray_rows.count(self._database, cameras)
        found = await stray_rows.listed(self._database, cameras, limit=limit, offset=offset) if total > offset else []
        return Page(found, total, limit, offset)

    @property
    def scanned_at(self) -> datetime | None:
        """When the last whole scan of this life began."""
        report = self._linking.last_scan
        return None if report is None else report.started_at

    def unusable(self, principal: Principal) -> Unusable:
        """Files that the last scan could not even list, because of their names."""
        report = self._linking.last_scan
        if report is None:
            return Unusable(0, ())
        seen = {camera_id: files for camera_id, files in report.unusable.items() if principal.may_see(camera_id)}
        paths = [path for path in report.unusable_paths if path.partition("/")[0] in seen]
        return Unusable(sum(seen.values()), tuple(paths))

    async def link(self, principal: Principal, path: str, event_id: int, file_type: FileType | None = None) -> Event:
        """Give a listed file to an event, whatever number and time its name says.

        Raises:
            NotFoundError: the file is not listed, or not there any more, or there is no such event.
            InvalidError: what is in it has to be said: neither its name nor its folder tells.
            ConflictError: the event is of another camera, has such a file, or is being removed.
        """
        stray = await self._get(principal, path)
        event = await self._events.get(principal, event_id)
        if event.camera_id != stray.camera_id:
            # Who may see one camera's footage must not be shown another's through an event.
            raise ConflictError(f"Event {event.id} belongs to {event.camera_id}; the file is one of {stray.camera_id}.")
        if await rows.being_removed(self._database, [event_id]):
            raise ConflictError(f"Event {event_id} is being removed.")
        name = parse_name(path.rpartition("/")[2])
        kind = file_type or _type_of(path, name)
        others = named_by(event, kind) - {path}
        sizes = await self._files.each_size([path, *others])
        if path not in sizes:
            await stray_rows.remove(self._database, [path])
            raise NotFoundError("The file is not there any more.")
        if others & sizes.keys():
            raise ConflictError(taken(event_id, kind))
        proper = await self._rename(path, event, kind)
        link = Link(
            FileReport(kind, proper, transferred=True),
            frozenset(others),
            is_playable=kind is FileType.VIDEO and proper.endswith(".mp4"),
        )
        event = await self._events.link_file(principal, event_id, link)
        if proper not in named_by(event, kind):
            raise ConflictError(taken(event_id, kind))
        await stray_rows.remove(self._database, [path])
        log.info("a stray file was linked by hand", event_id=event_id, path=path, by=principal.name)
        return event

    async def delete(self, principal: Principal, path: str) -> None:
        """Remove a listed file from the disk, for good.

        Raises:
            NotFoundError: it is not listed.
            ConflictError: an event has it by now.
        """
        stray = await self._get(principal, path)
        if await self._is_named(stray):
            await stray_rows.remove(self._database, [path])
            raise ConflictError("The file belongs to an event by now.")
        removed = await self._files.remove(path)
        await stray_rows.remove(self._database, [path])
        log.warning(
            "a stray file was removed by hand",
            path=path,
            size_bytes=stray.size_bytes if removed else 0,
            by=principal.name,
        )

    async def _rename(self, path: str, event: Event, file_type: FileType) -> str:
        """Give the file the name that its event's files have: by it alone the next scan knows whose it is."""
        local_time = event.timestamp.astimezone(self._settings.current.site.zone).replace(tzinfo=None)
        extension = path.rpartition(".")[2].lower()
        try:
            name = make_name(event.id, local_time, file_type, extension)
        except ValueError:
            name = make_name(event.id, local_time, file_type)
        folder, _, old = path.rpartition("/")
        if name != old:
            await self._files.change(_rename, path, name)
        return f"{folder}/{name}"

    async def _is_named(self, stray: Stray) -> bool:
        name = parse_name(stray.path.rpartition("/")[2])
        if name is not None:
            event = (await event_rows.by_ids(self._database, [name.event_id])).get(name.event_id)
            return event is not None and stray.path in event.paths
        start, end = stray.modified_at - NEAR, stray.modified_at + NEAR
        near = await rows.paths_near(self._database, stray.camera_id, start, end, limit=NEAR_EVENTS)
        return stray.path in near

    async def _get(self, principal: Principal, path: str) -> Stray:
        stray = (await stray_rows.by_paths(self._database, [path])).get(path)
        if stray is None or not principal.may_see(stray.camera_id):
            raise NotFoundError("There is no such stray file.")
        return stray


def _type_of(path: str, name: FootageName | None) -> FileType:
    if name is not None:
        return name.file_type
    folder = path.split("/")[-2] if "/" in path else ""
    if folder not in _BY_FOLDER:
        raise InvalidError("file_type", "say which file of the event it is: image_a or image_b")
    return _BY_FOLDER[folder]


def _rename(anchor: Anchor, path: str, name: str) -> None:
    """Give a file below the root another name in its folder, unless there is one of that name. Blocking."""
    with anchor.open_parent(path) as (folder, old):
        rename_if_free(folder, old, name)
        sync_folder(folder)
