"""Which file belongs to which event, by its name alone: files that no agent reported, because it gave up."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from securitycamd.domain.filenames import FootageName
from securitycamd.domain.models import Event, FileReport
from securitycamd.domain.names import ConversionStatus, FileType

TOLERANCE: Final = timedelta(seconds=5)
"""An agent names its files a moment after it took the event's time, and names have no fractions of a second."""

NO_NAME: Final = "The name is not one that agents use."
EMPTY: Final = "The file is empty."
CUT_SHORT: Final = "The clip is cut short."
LOST: Final = "The clip is no longer on the disk."

COLUMNS: Final[Mapping[FileType, tuple[str, ...]]] = {
    FileType.IMAGE_A: ("image_a_path",),
    FileType.IMAGE_B: ("image_b_path",),
    FileType.THUMBNAIL: ("thumbnail_path",),
    FileType.VIDEO: ("video_h264_path", "video_mp4_path"),
}
"""The columns of an event that name its files of a type."""

_WORDS: Final[Mapping[FileType, str]] = {
    FileType.IMAGE_A: "picture A",
    FileType.IMAGE_B: "picture B",
    FileType.THUMBNAIL: "thumbnail",
    FileType.VIDEO: "clip",
}


@dataclass(frozen=True, slots=True)
class Link:
    """A file that was found, as if an agent had reported it."""

    report: FileReport
    gone: frozenset[str] = frozenset()
    """Paths that the event names and that were looked for and are not there."""
    is_playable: bool = False
    """It is a whole MP4 already."""


def misfit(camera_id: str, name: FootageName | None, event: Event | None, zone: ZoneInfo) -> str | None:
    """Why a file in a camera's folder is not one of the event that its name says; ``None``: it is.

    Args:
        camera_id: whose folder it lies in.
        name: what its name says; ``None`` when it says nothing.
        event: the event with that number, if there is one.
        zone: the site's, in which names tell the time.
    """
    if name is None:
        return NO_NAME
    if event is None:
        return f"There is no event {name.event_id}."
    if event.camera_id != camera_id:
        return f"Event {event.id} belongs to {event.camera_id}."
    if not _is_time_of(event, name.local_time, zone):
        return f"The time in the name is not that of event {event.id}."
    return None


def _is_time_of(event: Event, local_time: datetime, zone: ZoneInfo) -> bool:
    # In the hour that a clock change repeats a name has two readings, and nobody can tell which was meant.
    readings = (local_time.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return any(abs(reading - event.timestamp) <= TOLERANCE for reading in readings)


def taken(event_id: int, file_type: FileType) -> str:
    """The sentence for a file of a type that its event has already."""
    return f"Event {event_id} has its {_WORDS[file_type]} already."


def named_by(event: Event, file_type: FileType) -> frozenset[str]:
    """The paths under which the event knows its files of a type."""
    return frozenset(path for column in COLUMNS[file_type] if (path := getattr(event, column)))


def freed(event: Event, link: Link) -> dict[str, object] | None:
    """The columns to change before a found file can take its place; ``None``: its place is taken."""
    known = named_by(event, link.report.file_type)
    if known - link.gone - {link.report.path}:
        return None
    changes: dict[str, object] = {
        column: None for column in COLUMNS[link.report.file_type] if getattr(event, column) in link.gone
    }
    if "video_mp4_path" in changes or (link.report.file_type is FileType.VIDEO and not event.video_mp4_path):
        changes |= {"mp4_conversion_status": ConversionStatus.PENDING, "mp4_converted_at": None}
    return changes


@dataclass(frozen=True, slots=True)
class Loss:
    """What is left of an event some of whose files are gone."""

    columns: Mapping[str, object]
    is_clip_lost: bool
    """There is neither clip nor source."""
    is_source_left: bool
    """The clip is gone, and can be made once more."""


def lose(event: Event, gone: Collection[str]) -> Loss:
    """The columns to change when files that an event names are not there any more."""
    columns: dict[str, object] = {}
    for file_type in (FileType.IMAGE_A, FileType.IMAGE_B, FileType.THUMBNAIL):
        if getattr(event, f"{file_type}_path") in gone:
            columns |= {f"{file_type}_path": None, f"{file_type}_transferred": False}
    has_clip = event.video_mp4_path is not None and event.video_mp4_path not in gone
    has_source = event.video_h264_path is not None and event.video_h264_path not in gone
    if event.video_mp4_path in gone:
        columns |= {"video_mp4_path": None, "mp4_converted_at": None}
    if event.video_h264_path in gone:
        columns["video_h264_path"] = None
    is_touched = "video_mp4_path" in columns or "video_h264_path" in columns
    is_clip_lost = is_touched and not has_clip and not has_source
    is_source_left = is_touched and not has_clip and has_source
    if is_clip_lost:
        columns |= {"video_transferred": False, "mp4_conversion_status": ConversionStatus.FAILED}
    elif is_source_left:
        columns["mp4_conversion_status"] = ConversionStatus.PENDING
    return Loss(columns, is_clip_lost, is_source_left)
