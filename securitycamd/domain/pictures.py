"""The pictures of an event, as far as its row knows; and the newest of a camera."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from securitycamd.domain.models import Event
from securitycamd.domain.names import ConversionStatus, FileType


@dataclass(frozen=True, slots=True)
class Poster:
    """The newest picture of a camera's events; paths of the storage root."""

    event_id: int
    taken_at: datetime
    small_path: str
    large_path: str


@dataclass(frozen=True, slots=True)
class NewestEvent:
    """A camera's newest event, and the newest picture, which may be of an earlier one."""

    event_id: int
    at: datetime
    poster: Poster | None


PLAYABLE: Final = frozenset({ConversionStatus.COMPLETE, ConversionStatus.OPTIMIZED})


def has_picture(event: Event, picture: FileType) -> bool:
    """Whether a picture of the event reached the storage."""
    match picture:
        case FileType.IMAGE_A:
            return event.image_a_transferred
        case FileType.IMAGE_B:
            return event.image_b_transferred
        case FileType.THUMBNAIL:
            return event.thumbnail_transferred
        case FileType.VIDEO:
            return event.video_transferred


def missing_pictures(event: Event) -> tuple[FileType, ...]:
    """What did not reach the storage, in the order in which it is made: the thumbnail is made from picture A."""
    order = (FileType.IMAGE_A, FileType.IMAGE_B, FileType.THUMBNAIL)
    return tuple(picture for picture in order if not has_picture(event, picture))
