"""What is kept about cameras, events and logs. Times are aware UTC; paths are relative to the storage root."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from securitycamd.domain.names import CameraStatus, Category, ConversionStatus, EventStatus, FileType, LogLevel
from securitycamd.domain.times import Span

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Camera:
    """The record of one agent's camera."""

    id: int
    camera_id: str
    name: str
    location: str
    ip_address: str
    last_seen: datetime
    created_at: datetime
    updated_at: datetime

    def status(self, now: datetime, *, offline_after_seconds: float) -> CameraStatus:
        """Whether it was heard of within ``offline_after_seconds`` before ``now``."""
        silent = now - self.last_seen > timedelta(seconds=offline_after_seconds)
        return CameraStatus.OFFLINE if silent else CameraStatus.ONLINE


@dataclass(frozen=True, slots=True)
class CameraRegistration:
    """What an agent says of itself."""

    camera_id: str
    name: str
    location: str
    ip_address: str


@dataclass(frozen=True, slots=True)
class Event:
    """One motion event, in the columns' order. ``ai_objects`` is JSON: a list of ``{"label", "count"}``."""

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
    video_duration: float | None
    image_a_transferred: bool
    image_b_transferred: bool
    thumbnail_transferred: bool
    video_transferred: bool
    mp4_conversion_status: ConversionStatus
    mp4_converted_at: datetime | None
    ai_processed: bool
    ai_processed_at: datetime | None
    ai_person_detected: bool | None
    ai_confidence: float | None
    ai_objects: str | None
    ai_description: str | None
    ai_phrase: str | None
    ai_error: str | None
    created_at: datetime
    protected: bool = False
    """An operator starred it: retention never takes it."""
    size_bytes: int = 0
    """Of its files, as last measured."""
    saved_bytes: int = 0
    """What optimising its clip saved."""
    ai_category: Category | None = None
    reviewed: bool = False
    """An operator has seen it."""
    note: str = ""
    """An operator's words, at most 2,000 characters."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Every file the event has, as known here."""
        known = (
            self.image_a_path,
            self.image_b_path,
            self.thumbnail_path,
            self.video_h264_path,
            self.video_mp4_path,
        )
        return tuple(path for path in known if path)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event as an agent reports it; ``other`` is the second reading of an ambiguous local time."""

    camera_id: str
    timestamp: datetime
    motion_score: float
    confidence_score: float | None = None
    other: datetime | None = None


@dataclass(frozen=True, slots=True)
class FileReport:
    """An agent's word that a file is on the share (or, not ``transferred``, that it is not)."""

    file_type: FileType
    path: str
    transferred: bool
    video_duration: float | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: of these cameras (``None``: all) in this stretch of time."""

    cameras: frozenset[str] | None = None
    span: Span = field(default_factory=Span)


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which log lines."""

    source: str | None = None
    level: LogLevel | None = None
    span: Span = field(default_factory=Span)


@dataclass(frozen=True, slots=True)
class NewLogLine:
    """A line as an agent, or the daemon itself, reports it."""

    source: str
    timestamp: datetime
    level: LogLevel
    message: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """A kept log line."""

    id: int
    source: str
    timestamp: datetime
    level: LogLevel
    message: str


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A stretch of a list, newest first, and how long the whole list is."""

    items: list[Item]
    total: int
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class Detection:
    """A kind of thing seen in a picture, and how many of it."""

    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the models said of an event, cleaned: bounded, without control characters, plain text."""

    description: str
    phrase: str
    objects: tuple[Detection, ...]
    person_detected: bool
    confidence: float
    """0 to 1."""
    category: Category = Category.UNKNOWN
