"""Stray files on the wire."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from securitycamd.db.strays import Stray
from securitycamd.domain.errors import InvalidError
from securitycamd.domain.names import FileType
from securitycamd.storage.paths import check_relative
from securitycamd.web.registry import Input, Reply
from securitycamd.web.schemas.common import MAX_OFFSET

StrayFilePath = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="relative to the storage root, as listed",
        examples=["camera_1/pictures/4711_20251028_143022_a.jpg"],
    ),
]


def _inside(value: str) -> str:
    try:
        return str(check_relative(value))
    except InvalidError as error:
        raise ValueError(error.reason) from error


class StrayQuery(Input):
    """Which stray files, by camera and path."""

    camera_id: Annotated[str | None, Field(max_length=50)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0


class StrayPathQuery(Input):
    """Which file."""

    path: StrayFilePath

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        return _inside(value)


class StrayLink(Input):
    """Which file belongs to which event."""

    path: StrayFilePath
    event_id: int
    file_type: Annotated[
        FileType | None, Field(description="needed when neither the file's name nor its folder tells")
    ] = None

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        return _inside(value)


class StrayReply(Reply):
    """A file that belongs to no event."""

    path: str
    camera_id: str
    size_bytes: int
    modified_at: datetime
    reason: Annotated[str, Field(description="why it was not linked, for people")]
    found_at: datetime
    seen_at: Annotated[datetime, Field(description="when it was last seen by a scan")]


class UnusableReply(Reply):
    """Files whose names cannot be used, by an event or in an address; they can only be renamed on the disk."""

    total: int
    paths: Annotated[list[str], Field(description="some of them; odd characters spelled out")]


class StrayListReply(Reply):
    """A page of stray files; ``total`` counts all."""

    strays: list[StrayReply]
    total: int
    limit: int
    offset: int
    scanned_at: Annotated[datetime | None, Field(description="when the last whole scan since the start began")]
    unusable: Annotated[UnusableReply, Field(description="not in the list: their names cannot be used")]


class StrayRemovedReply(Reply):
    """The file that was removed."""

    path: str


def stray_reply(stray: Stray, zone: ZoneInfo) -> dict[str, Any]:
    """A stray file as :class:`StrayReply` describes it."""
    return {
        "path": stray.path,
        "camera_id": stray.camera_id,
        "size_bytes": stray.size_bytes,
        "modified_at": stray.modified_at.astimezone(zone),
        "reason": stray.reason,
        "found_at": stray.found_at.astimezone(zone),
        "seen_at": stray.seen_at.astimezone(zone),
    }
