"""How an agent writes to the share: under a temporary name, renamed, and only then reported."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from securitycamd.domain.names import FileType

_FOLDERS = {
    FileType.IMAGE_A: "pictures",
    FileType.IMAGE_B: "pictures",
    FileType.THUMBNAIL: "thumbs",
    FileType.VIDEO: "videos",
}
_EXTENSIONS = {
    FileType.IMAGE_A: "jpg",
    FileType.IMAGE_B: "jpg",
    FileType.THUMBNAIL: "jpg",
    FileType.VIDEO: "h264",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """In what agents of different age differ. ``ready_files``: an empty ``<name>.READY`` beside a video."""

    picture_a: str = "a"
    picture_b: str = "b"
    ready_files: bool = False

    def kind(self, file_type: FileType) -> str:
        """The last part of a file's name."""
        return {
            FileType.IMAGE_A: self.picture_a,
            FileType.IMAGE_B: self.picture_b,
            FileType.THUMBNAIL: "thumb",
            FileType.VIDEO: "video",
        }[file_type]


OLDER = Dialect()
NEWER = Dialect(picture_a="picA", picture_b="picB", ready_files=True)


@dataclass(frozen=True, slots=True)
class Share:
    """One camera's part of the storage root."""

    root: Path
    camera_id: str
    dialect: Dialect = OLDER

    def relative_path(self, file_type: FileType, event_id: int, taken_at: datetime) -> str:
        """Where a file of an event goes, relative to the storage root."""
        name = f"{event_id}_{taken_at:%Y%m%d_%H%M%S}_{self.dialect.kind(file_type)}.{_EXTENSIONS[file_type]}"
        return f"{self.camera_id}/{_FOLDERS[file_type]}/{name}"

    def write(self, file_type: FileType, relative_path: str, content: bytes) -> None:
        """Copy a file to the share. Blocks.

        Raises:
            OSError: the share is away, full or read-only.
        """
        target = self.root / relative_path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{target.name}.tmp")
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        if file_type is FileType.VIDEO and self.dialect.ready_files:
            target.with_name(f"{target.name}.READY").touch()
