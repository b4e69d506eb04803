"""What is kept about cameras, events and logs. Times are aware UTC; paths are relative to the storage root."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from securitycamd.domain.names import (
    AnalysisState,
    CameraRemoval,
    CameraStatus,
    Category,
    ConversionStatus,
    EventStatus,
    FileType,
    LogLevel,
    ReadBy,
    StillNote,
)
from securitycamd.domain.times import Span

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Camera:
    """The record of one agent's camera. ``name`` and ``location`` are an operator's words, or else the agent's."""

    id: int
    camera_id: str
    name: str
    location: str
    ip_address: str
    last_seen: datetime
    created_at: datetime
    updated_at: datetime
    agent_name: str = ""
    """What the agent calls it."""
    agent_location: str = ""
    is_hidden: bool = False
    """An operator keeps it out of lists; it records on."""
    removal: CameraRemoval | None = None
    removal_events: int = 0
    """How many events it had when its removal with footage was asked for."""

    @property
    def is_listed(self) -> bool:
        """Whether lists of cameras show it; its events are shown in any case."""
        return not self.is_hidden and self.removal is None

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
    """Which events: those for which all of this holds. ``None`` asks nothing."""

    cameras: frozenset[str] | None = None
    span: Span = field(default_factory=Span)
    categories: frozenset[Category] | None = None
    """What it shows above all is one of these; an event that was not looked at yet is in none."""
    person: bool | None = None
    """The models saw a person, or looked and saw none."""
    statuses: frozenset[EventStatus] | None = None
    """How far its agent is."""
    reviewed: bool | None = None
    protected: bool | None = None
    """Starred."""
    min_confidence: float | None = None
    """The models are at least so sure (``ai_confidence``, 0 to 1); the agent's own score is another thing."""
    text: str = ""
    """Words to search for, as a person types them."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list of events that is ordered by time: just at the event with this time and id."""

    timestamp: datetime
    event_id: int


@dataclass(frozen=True, slots=True)
class Total:
    """How many events match; not ``is_exact``: at least so many."""

    value: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page of the events that match a filter, newest first, and the way on to both sides.

    A page may hold fewer events than asked for, or none, although there is a way on: what is rare is looked for in
    stretches, so that no request takes long.
    """

    items: list[Event]
    total: Total
    position: int | None
    """How many matching events are newer than the first one here; ``None``: not known."""
    newer: Place | None
    """The page before is what comes just after this place in time (``None``: there is none)."""
    older: Place | None
    """The page behind is what comes just before this place in time (``None``: there is none)."""
    searched_to: datetime | None = None
    """Everything up to this time was looked at, and more may lie beyond; ``None``: the page is whole."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The events next to one in a filtered list, by id; ``None``: there is none, or none near."""

    newer: int | None
    older: int | None


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


@dataclass(frozen=True, slots=True)
class AnalysisRecord:
    """How an event's description came about, as it is kept."""

    state: AnalysisState = AnalysisState.WAITING
    vision_model: str | None = None
    vision_seconds: float | None = None
    text_model: str | None = None
    """``None`` also when the vision model did it all."""
    text_seconds: float | None = None
    prompt_version: str | None = None
    read_by: ReadBy | None = None
    still_notes: tuple[StillNote, ...] = ()
    description: str | None = None
    """What the vision model said, until it is put in order."""
    runs: int = 0
    """How often it was done."""
    faults: int = 0
    """How often the AI server failed at this event while it worked for others."""
    faulted_at: datetime | None = None
    finished_at: datetime | None = None
