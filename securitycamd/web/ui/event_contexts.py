"""What ``event.html`` gets."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from securitycamd.domain.words import Piece
from securitycamd.web.ui.contexts import Action, Badge, Fact, Frame, Moment, PageContext, StepView, Tag


@dataclass(frozen=True, slots=True)
class ClipView:
    """The clip, or what stands in its place."""

    step: StepView
    url: str | None
    poster_url: str | None
    retry_url: str | None
    """Where to ask for another attempt at converting it."""
    percent: int | None
    """How much of it is converted, while that goes on and is known."""
    download_url: str | None
    frame_rate: float
    """Frames a second, as the settings have it; a player may know better."""
    key: str
    """Changes with what is shown, but not with the progress."""


@dataclass(frozen=True, slots=True)
class StillView:
    """Picture A or B, or what is known of it."""

    letter: str
    caption: str
    url: str | None
    alternative: str
    missing: str
    """What to say in its place."""
    is_made: bool
    """The daemon took it from the clip; the camera did not bring it."""


@dataclass(frozen=True, slots=True)
class FailureView:
    """Work that failed, beside the clip and the description which have their own places."""

    title: str
    reason: str
    retry_url: str | None
    """``None``: the reader may not have it tried again."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """What happened to the event, and when."""

    moment: Moment
    shown: str
    """The time of day, with the day where that is not the event's."""
    text: str
    reason: str
    """Why it failed; may be empty."""
    kind: Literal["camera", "work", "person", "failure"]


@dataclass(frozen=True, slots=True)
class FileView:
    """A file of the event."""

    label: str
    name: str
    path: str
    url: str
    size_bytes: int | None
    was_bytes: int | None
    """What it measured before it was made smaller; ``None``: it was not, or that is not known."""


@dataclass(frozen=True, slots=True)
class LineView:
    """A line of the camera's log."""

    moment: Moment
    level: str
    message: str


@dataclass(frozen=True, slots=True)
class LogView:
    """What the camera wrote into its log around the event."""

    summary: str
    lines: tuple[LineView, ...]
    """Oldest first."""
    url: str
    """The same in the log."""


@dataclass(frozen=True, slots=True)
class ReviewView:
    """What the reader may do with the event, each by a form; and how it is now."""

    is_reviewed: bool
    review_url: str
    is_starred: bool
    star_url: str
    note_url: str
    delete_url: str
    what_goes: str
    going: tuple[str, ...]
    """The parts that go with it."""


@dataclass(frozen=True, slots=True)
class EventContext(PageContext):
    """What ``event.html`` prints."""

    template: ClassVar = "event.html"

    frame: Frame
    event_id: int
    headline: str
    camera_name: str
    location: str
    camera_url: str
    moment: Moment
    back: Action
    earlier_url: str | None
    later_url: str | None
    """The next events in time among those that the reader came from."""
    trouble: str | None
    """What keeps the footage from being shown at all."""
    is_waiting: bool
    """Whether something of it may still change by itself."""
    clip: ClipView
    stills: tuple[StillView, ...]
    can_compare: bool
    description: tuple[Piece, ...]
    """With what was searched for in the list that one came from marked; empty without one."""
    description_step: StepView
    description_note: str | None
    """How it came about, where that matters to who reads it."""
    describe_url: str | None
    """Where to ask for another attempt at describing it."""
    steps: tuple[StepView, ...]
    tags: tuple[Tag, ...]
    badge: Badge
    facts: tuple[Fact, ...]
    failures: tuple[FailureView, ...]
    history: tuple[HistoryEntry, ...]
    files: tuple[FileView, ...]
    log: LogView | None
    """``None``: there is nothing to show, or it is not known now."""
    note: str
    review: ReviewView | None
    """``None``: the reader may not change anything."""
