"""The pictures of an event, as far as its row knows."""

from typing import Final

from securitycamd.domain.models import Event
from securitycamd.domain.names import ConversionStatus, FileType

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
