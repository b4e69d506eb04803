"""How agents name an event's files, ``<event_id>_<YYYYMMDD>_<HHMMSS>_<kind>.<ext>``, and where they lie."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from securitycamd.domain.names import FileType
from securitycamd.domain.times import EARLIEST, LATEST

FOLDERS: Final = {
    FileType.IMAGE_A: "pictures",
    FileType.IMAGE_B: "pictures",
    FileType.THUMBNAIL: "thumbs",
    FileType.VIDEO: "videos",
}
"""The folder below the camera's in which files of a type lie."""

RAW_VIDEO: Final = frozenset({"h264", "264", "avc"})
"""Extensions of a clip as the camera made it."""
_PICTURE: Final = frozenset({"jpg", "jpeg"})
_EXTENSIONS: Final = {
    FileType.IMAGE_A: _PICTURE,
    FileType.IMAGE_B: _PICTURE,
    FileType.THUMBNAIL: _PICTURE,
    FileType.VIDEO: RAW_VIDEO | {"mp4"},
}
# The older agents' words first: those we write ourselves.
_KINDS: Final = {
    "a": FileType.IMAGE_A,
    "b": FileType.IMAGE_B,
    "thumb": FileType.THUMBNAIL,
    "video": FileType.VIDEO,
    "picA": FileType.IMAGE_A,
    "picB": FileType.IMAGE_B,
}
_NAME: Final = re.compile(rf"([1-9][0-9]{{0,18}})_([0-9]{{8}}_[0-9]{{6}})_({'|'.join(_KINDS)})\.([A-Za-z0-9]{{2,4}})")
_TIME: Final = "%Y%m%d_%H%M%S"
MAX_EVENT_ID: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class FootageName:
    """What a file's name says."""

    event_id: int
    local_time: datetime
    """Naive, the site's local time, to the second."""
    file_type: FileType
    extension: str
    """In lower case, without the dot."""

    @property
    def is_raw_video(self) -> bool:
        """Whether it is a clip that was not converted yet."""
        return self.extension in RAW_VIDEO


def parse_name(name: str) -> FootageName | None:
    """Read the name of a file (no folders).

    ``None`` for whatever else may lie there: temporaries, ``.READY`` files, hidden ones, markers, and names
    with a time that no clock shows or the database cannot keep.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    event_id, file_type, extension = int(found[1]), _KINDS[found[3]], found[4].lower()
    if event_id > MAX_EVENT_ID or extension not in _EXTENSIONS[file_type]:
        return None
    try:
        local_time = datetime.strptime(found[2], _TIME)  # noqa: DTZ007 - names carry no zone
    except ValueError:
        return None
    if not EARLIEST.year <= local_time.year < LATEST.year:
        return None
    return FootageName(event_id, local_time, file_type, extension)


def make_name(event_id: int, local_time: datetime, file_type: FileType, extension: str | None = None) -> str:
    """The name of an event's file, as the older agents write it.

    Args:
        event_id: positive.
        local_time: the site's local time; what is below the second is cut off.
        file_type: what is in it.
        extension: without the dot; by default ``jpg`` or, for a video, ``h264``.

    Raises:
        ValueError: that would be no name that :func:`parse_name` reads back.
    """
    if extension is None:
        extension = "h264" if file_type is FileType.VIDEO else "jpg"
    kind = next(kind for kind, meant in _KINDS.items() if meant is file_type)
    name = f"{event_id}_{local_time:%Y%m%d_%H%M%S}_{kind}.{extension}"
    if parse_name(name) is None:
        raise ValueError(f"{name!r} is no name of an event's file")
    return name


def make_path(
    camera_id: str, event_id: int, local_time: datetime, file_type: FileType, extension: str | None = None
) -> str:
    """Where such a file lies, relative to the storage root; see :func:`make_name`."""
    return f"{camera_id}/{FOLDERS[file_type]}/{make_name(event_id, local_time, file_type, extension)}"
