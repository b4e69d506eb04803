"""Events on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.models import Event, FileReport
from securitycamd.domain.names import Category, ConversionStatus, EventStatus, FileType
from securitycamd.domain.times import Span, named_day
from securitycamd.storage.paths import check_relative
from securitycamd.web.registry import Input, Reply
from securitycamd.web.schemas.common import MAX_OFFSET, Bound, CameraId, IsoTime, local, span_of

Score = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class EventCreate(Input):
    """Motion, as an agent reports it."""

    camera_id: CameraId
    timestamp: IsoTime
    motion_score: Annotated[Score, Field(description="changed pixels")]
    confidence_score: Annotated[Score | None, Field(description="may exceed 100")] = None


class EventPath(Input):
    """``{id}``."""

    id: int


class FileUpdate(Input):
    """A file of an event, as an agent reports it."""

    file_type: FileType
    file_path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=500,
            description="relative to the storage root",
            examples=["camera_1/pictures/42_20251028_143022_a.jpg"],
        ),
    ]
    transferred: bool
    video_duration: Annotated[float | None, Field(gt=0, allow_inf_nan=False, description="seconds; video only")] = None

    @field_validator("file_path")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        try:
            return str(check_relative(value))
        except InvalidError as error:
            raise ValueError(error.reason) from error

    @model_validator(mode="after")
    def _duration_of_video(self) -> Self:
        if self.video_duration is not None and self.file_type is not FileType.VIDEO:
            raise ValueError("video_duration is allowed with file_type video only")
        return self

    def report(self) -> FileReport:
        """The same in the domain's words."""
        return FileReport(self.file_type, self.file_path, self.transferred, self.video_duration)


class StatusUpdate(Input):
    """How far the agent is with an event."""

    status: EventStatus


class EventQuery(Input):
    """Which stretch of the list, and how much of it."""

    date: Annotated[
        str | None,
        Field(
            pattern=r"^(today|yesterday|\d{4}-\d{2}-\d{2})$",
            description="`today`, `yesterday` or `YYYY-MM-DD`: a day in the site's zone",
        ),
    ] = None
    start_date: Annotated[Bound | None, Field(description="no event before it")] = None
    end_date: Annotated[Bound | None, Field(description="no event after it")] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0

    def span(self, zone: ZoneInfo) -> Span:
        """The stretch of time that all given bounds leave.

        Raises:
            InvalidError: a day that does not exist.
        """
        span = span_of(self.start_date, self.end_date, zone)
        return span if self.date is None else span.intersect(named_day(self.date, zone))


class EventReply(Reply):
    """An event. Times carry the site's offset; paths are relative to the storage root."""

    id: int
    camera_id: str
    timestamp: datetime
    motion_score: float
    confidence_score: float | None
    status: EventStatus
    image_a_path: str | None
    image_b_path: str | None
    thumbnail_path: str | None
    video_h264_path: str | None
    video_mp4_path: str | None
    video_duration: Annotated[float | None, Field(description="seconds")]
    image_a_transferred: bool
    image_b_transferred: bool
    thumbnail_transferred: bool
    video_transferred: bool
    mp4_conversion_status: ConversionStatus
    mp4_converted_at: datetime | None
    ai_processed: bool
    ai_processed_at: datetime | None
    ai_person_detected: bool | None
    ai_confidence: Annotated[float | None, Field(description="0 to 1")]
    ai_objects: Annotated[str | None, Field(description='JSON: a list of {"label", "count"}')]
    ai_description: str | None
    ai_phrase: str | None
    ai_error: str | None
    created_at: datetime
    protected: Annotated[bool, Field(description="starred: retention never takes it")]
    size_bytes: Annotated[int, Field(description="its files, as last measured")]
    saved_bytes: Annotated[int, Field(description="what optimising its clip saved")]
    ai_category: Annotated[Category | None, Field(description="what it shows above all")]
    reviewed: Annotated[bool, Field(description="an operator has seen it")]
    note: Annotated[str, Field(description="an operator's words")]


class EventListReply(Reply):
    """A page of events; ``total`` counts all that match."""

    events: list[EventReply]
    total: int
    limit: int
    offset: int


class JobReply(Reply):
    """Background work on an event."""

    kind: Literal["remux", "analyse", "optimise", "stills"]
    state: Literal["queued", "running", "done", "failed"]
    attempts: int
    last_error: str | None
    changed_at: datetime
    progress: Annotated[float | None, Field(description="0 to 1; of work that this server does now and that tells")]


def event_reply(event: Event, zone: ZoneInfo) -> dict[str, Any]:
    """An event as :class:`EventReply` describes it; a test holds both equal."""
    return {
        "id": event.id,
        "camera_id": event.camera_id,
        "timestamp": event.timestamp.astimezone(zone),
        "motion_score": event.motion_score,
        "confidence_score": event.confidence_score,
        "status": event.status,
        "image_a_path": event.image_a_path,
        "image_b_path": event.image_b_path,
        "thumbnail_path": event.thumbnail_path,
        "video_h264_path": event.video_h264_path,
        "video_mp4_path": event.video_mp4_path,
        "video_duration": event.video_duration,
        "image_a_transferred": event.image_a_transferred,
        "image_b_transferred": event.image_b_transferred,
        "thumbnail_transferred": event.thumbnail_transferred,
        "video_transferred": event.video_transferred,
        "mp4_conversion_status": event.mp4_conversion_status,
        "mp4_converted_at": local(event.mp4_converted_at, zone),
        "ai_processed": event.ai_processed,
        "ai_processed_at": local(event.ai_processed_at, zone),
        "ai_person_detected": event.ai_person_detected,
        "ai_confidence": event.ai_confidence,
        "ai_objects": event.ai_objects,
        "ai_description": event.ai_description,
        "ai_phrase": event.ai_phrase,
        "ai_error": event.ai_error,
        "created_at": event.created_at.astimezone(zone),
        "protected": event.protected,
        "size_bytes": event.size_bytes,
        "saved_bytes": event.saved_bytes,
        "ai_category": event.ai_category,
        "reviewed": event.reviewed,
        "note": event.note,
    }
