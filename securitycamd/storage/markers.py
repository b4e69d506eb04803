"""The marks by which footage is known again: in the storage root, and in each camera's folder. Blocking.

``<root>/.securitycamd-storage`` names the identity of the footage. ``<root>/<camera>/.securitycamd-camera``
names it too, and the camera. ``<root>/.securitycamd-cameras/<camera>`` (empty) remembers that the camera's
folder had its mark once: a folder that never had one is new and gets it, one that lost it is not what it was.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from securitycamd.domain.errors import ConflictError, InvalidError
from securitycamd.domain.names import is_camera_id
from securitycamd.storage.errors import GuardCondition, GuardState, StorageLostError
from securitycamd.storage.folders import (
    folder_below,
    make_below,
    make_root,
    open_file,
    stat_below,
    sync_folder,
    write_whole,
)

ROOT_MARKER: Final = ".securitycamd-storage"
CAMERA_MARKER: Final = ".securitycamd-camera"
KNOWN_FOLDER: Final = ".securitycamd-cameras"
MARKER_LIMIT_BYTES: Final = 4096
_NOTE: Final = "By this file securitycamd knows its footage again. Without it nothing is written or removed here."

# Which device and file the folder was, and which its marker was and when it changed.
_Stamp = tuple[int, int, int, int, int]


ROOT_GONE: Final = GuardState(
    GuardCondition.MISSING,
    "The folder of the footage storage is not there.",
    "Mount the disk or share that storage.root is on; it is used again within seconds.",
)
ROOT_UNMARKED: Final = GuardState(
    GuardCondition.MISSING,
    "The footage storage is not mounted: the marker of this server's footage is not there.",
    "Mount the disk or share that storage.root is on; or, to use a new one: securitycamd storage take-over",
)


def _root_wrong(found: str | None) -> GuardState:
    whose = "names other footage" if found else "cannot be read"
    return GuardState(
        GuardCondition.WRONG,
        f"Something else is mounted in the place of the footage storage: the marker there {whose}.",
        "Mount the disk or share with this server's footage, or, to use this one: securitycamd storage take-over",
        found,
    )


def _camera_state(condition: GuardCondition, sentence: str) -> GuardState:
    return GuardState(
        condition,
        sentence,
        "Put its folder back, or, to use the one that is there: securitycamd storage take-over --camera NAME",
    )


class Markers:
    """Reads, writes, compares the marks of one identity. Thread-safe: what it remembers is a short cut."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self._root_stamp: _Stamp | None = None
        self._camera_stamps: dict[str, _Stamp] = {}

    # --- the root ---

    def open_root(self, root: Path) -> int:
        """See :class:`~securitycamd.storage.folders.Gate`. Cheap when nothing changed since the last look."""
        descriptor = _open(root)
        try:
            if self._root_stamp is None or _stamp(descriptor, ROOT_MARKER) != self._root_stamp:
                self._verify_root(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def inspect_root(self, root: Path) -> None:
        """Read the root's marker, whatever is remembered.

        Raises:
            StorageLostError: it is not ours, or not there.
        """
        with _opened(root) as descriptor:
            self._verify_root(descriptor)

    def _verify_root(self, root: int) -> None:
        self._root_stamp = None
        stamp = _stamp(root, ROOT_MARKER)
        content = _read_marker(root, ROOT_MARKER)
        if content is None:
            raise StorageLostError(ROOT_UNMARKED)
        if content.get("identity") != self.identity:
            raise StorageLostError(_root_wrong(content.get("identity")))
        self._root_stamp = stamp

    def mark_root(self, root: Path, *, replace: bool) -> None:
        """Write the root's marker, if it has none or it may be replaced, and those of the cameras there."""
        make_root(root)
        with _opened(root) as descriptor:
            content = self._content(created=datetime.now(UTC).isoformat(timespec="seconds"))
            # Another daemon may have been faster; whose marker it is, is seen below.
            with contextlib.suppress(ConflictError):
                write_whole(descriptor, ROOT_MARKER, content, replace=replace)
            self._verify_root(descriptor)
            for camera_id in _camera_names(descriptor):
                with contextlib.suppress(InvalidError, NotADirectoryError):
                    self._mark_or_verify(descriptor, camera_id, replace=replace)

    # --- the cameras ---

    def verify_camera(self, root: int, folder: int | None, camera_id: str, *, mark: bool) -> None:
        """See :class:`~securitycamd.storage.folders.Gate`."""
        remembered = self._camera_stamps.get(camera_id)
        if folder is not None and remembered is not None and _stamp(folder, CAMERA_MARKER) == remembered:
            return
        self._camera_stamps.pop(camera_id, None)
        stamp = None if folder is None else _stamp(folder, CAMERA_MARKER)
        content = None if folder is None else _read_marker(folder, CAMERA_MARKER)
        if content is not None:
            self._judge(content, camera_id)
        elif _is_known(root, camera_id):
            what = "is not there" if folder is None else "has lost its marker"
            sentence = f"The footage folder of camera {camera_id} {what}."
            raise StorageLostError(_camera_state(GuardCondition.MISSING, sentence), camera_id)
        elif folder is None or not mark:
            return
        else:
            self._write_camera(folder, camera_id, replace=False)
            stamp = _stamp(folder, CAMERA_MARKER)
        if mark:
            _make_known(root, camera_id)
            if stamp is not None:
                self._camera_stamps[camera_id] = stamp

    def inspect_camera(self, root: Path, camera_id: str) -> None:
        """Read a camera's marker, whatever is remembered, and change nothing.

        Raises:
            StorageLostError: it, or the root's, is not ours, or not there.
        """
        with _opened(root) as descriptor:
            self._verify_root(descriptor)
            self._camera_stamps.pop(camera_id, None)
            try:
                with folder_below(descriptor, camera_id) as folder:
                    self.verify_camera(descriptor, folder, camera_id, mark=False)
            except (FileNotFoundError, NotADirectoryError, InvalidError):
                self.verify_camera(descriptor, None, camera_id, mark=False)

    def inspect_cameras(self, root: Path) -> dict[str, GuardState]:
        """Those of the cameras whose folders had a marker once, and are not ours now."""
        troubles = {}
        for camera_id in self._known_cameras(root):
            try:
                self.inspect_camera(root, camera_id)
            except StorageLostError as error:
                if error.camera_id is None:
                    raise
                troubles[camera_id] = error.state
        return troubles

    def mark_camera(self, root: Path, camera_id: str) -> None:
        """Make a camera's folder ours whatever it was; it is made when it is not there."""
        with _opened(root) as descriptor:
            self._verify_root(descriptor)
            make_below(descriptor, camera_id)
            self._mark_or_verify(descriptor, camera_id, replace=True)

    def _known_cameras(self, root: Path) -> list[str]:
        with _opened(root) as descriptor:
            self._verify_root(descriptor)
            try:
                with folder_below(descriptor, KNOWN_FOLDER) as known:
                    return _camera_names(known)
            except FileNotFoundError:
                return []

    def _mark_or_verify(self, root: int, camera_id: str, *, replace: bool) -> None:
        # What does not fit is not touched here; it is told when the camera is looked at.
        with folder_below(root, camera_id) as folder, contextlib.suppress(StorageLostError):
            if replace:
                self._write_camera(folder, camera_id, replace=True)
            self.verify_camera(root, folder, camera_id, mark=True)

    def _write_camera(self, folder: int, camera_id: str, *, replace: bool) -> None:
        try:
            write_whole(folder, CAMERA_MARKER, self._content(camera_id=camera_id), replace=replace)
        except ConflictError:
            # Another daemon was faster.
            self._judge(_read_marker(folder, CAMERA_MARKER) or {}, camera_id)

    def _judge(self, content: dict[str, str], camera_id: str) -> None:
        if content.get("identity") == self.identity and content.get("camera_id") == camera_id:
            return
        sentence = f"The footage folder of camera {camera_id} has a marker that is not its own."
        raise StorageLostError(_camera_state(GuardCondition.WRONG, sentence), camera_id)

    def _content(self, **more: str) -> bytes:
        return (json.dumps({"identity": self.identity, **more, "note": _NOTE}, indent=1) + "\n").encode()


def read_identity(root: Path) -> str | None:
    """The identity that the root's marker names; ``None`` when it has none that can be read."""
    try:
        with _opened(root) as descriptor:
            content = _read_marker(descriptor, ROOT_MARKER)
    except StorageLostError:
        return None
    return None if content is None else content.get("identity")


def _open(root: Path) -> int:
    try:
        return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise StorageLostError(ROOT_GONE) from None


@contextlib.contextmanager
def _opened(root: Path) -> Iterator[int]:
    descriptor = _open(root)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _stamp(folder: int, marker: str) -> _Stamp | None:
    found, inside = os.fstat(folder), stat_below(folder, marker, regular=True)
    if inside is None:
        return None
    return (found.st_dev, found.st_ino, inside.st_ino, inside.st_size, inside.st_mtime_ns)


def _read_marker(folder: int, name: str) -> dict[str, str] | None:
    """The words in a marker; none of them when it cannot be understood, ``None`` when it is not there."""
    try:
        with open_file(folder, name, os.O_RDONLY) as descriptor:
            content = json.loads(os.read(descriptor, MARKER_LIMIT_BYTES))
    except FileNotFoundError:
        return None
    except (InvalidError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: value for key, value in content.items() if isinstance(value, str)}


def _camera_names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if is_camera_id(entry.name))


def _is_known(root: int, camera_id: str) -> bool:
    try:
        with folder_below(root, KNOWN_FOLDER) as known:
            return stat_below(known, camera_id) is not None
    except FileNotFoundError:
        return False


def _make_known(root: int, camera_id: str) -> None:
    make_below(root, KNOWN_FOLDER)
    with folder_below(root, KNOWN_FOLDER) as known, contextlib.suppress(FileExistsError):
        with open_file(known, camera_id, os.O_WRONLY | os.O_CREAT | os.O_EXCL):
            pass
        sync_folder(known)
