"""What the templates get, ready to print: one frozen dataclass a page, made of smaller ones.

Tests hold the templates to these: a name that is used must be here, and what is here must be used.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

from securitycamd.settings import Settings


class StepState(StrEnum):
    """How far one of the three steps of an event is: pictures, clip, description."""

    DONE = "done"
    RUNNING = "running"
    AHEAD = "ahead"
    FAILED = "failed"
    MISSING = "missing"
    """It will not come, and nothing is broken by it."""

    @property
    def is_waiting(self) -> bool:
        """Whether it may still change by itself."""
        return self in {StepState.RUNNING, StepState.AHEAD}


class Category(StrEnum):
    """What kinds of things are told apart by colour, the most telling first."""

    PERSON = "person"
    VEHICLE = "vehicle"
    ANIMAL = "animal"
    OTHER = "other"


Grade = Literal["good", "fair", "poor", "none"]
Theme = Literal["system", "light", "dark"]
PageName = Literal["events", "live", "cameras", "logs", "storage", "system", "digests", "docs", "none"]
"""The entries of the navigation."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the builders must know of the site."""

    name: str
    zone: ZoneInfo
    offline_after_seconds: float
    late_after_seconds: float
    """How long pictures and clips are "a moment" away; later they are missing."""
    describes: bool
    """Whether events are described at all."""
    theme: Theme = "system"
    """As the reader chose it."""

    @classmethod
    def of(cls, settings: Settings) -> "Site":
        """The site that the settings speak of."""
        return cls(
            name=settings.site.name,
            zone=settings.site.zone,
            offline_after_seconds=settings.agents.offline_after_seconds,
            late_after_seconds=settings.converter.missing_after_seconds,
            describes=settings.analyser.enabled,
        )

    def late(self) -> timedelta:
        """``late_after_seconds`` as a time difference."""
        return timedelta(seconds=self.late_after_seconds)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in the site's zone."""

    iso: str
    """With the offset, for machines."""
    exact: str
    clock: str
    """``18:42:07``"""
    day: str
    """``Today``, ``Yesterday``, ``Saturday 21 November``"""
    relative: str
    """``3 min ago``"""


@dataclass(frozen=True, slots=True)
class CameraState:
    """A camera in the rail."""

    camera_id: str
    url: str
    name: str
    location: str
    is_online: bool
    age: str
    last_seen: Moment


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds every page."""

    title: str
    site_name: str
    page: PageName
    """Which entry of the navigation is the current one."""
    theme: Theme
    cameras: tuple[CameraState, ...] | None
    """``None``: not known, or not for this reader."""
    cameras_summary: str
    all_online: bool


@dataclass(frozen=True, slots=True)
class Action:
    """A way on: a link that looks like a button."""

    label: str
    url: str
    is_primary: bool = False


@dataclass(frozen=True, slots=True)
class Chip:
    """One choice of a filter; ``is_on`` is the current one."""

    label: str
    url: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class CameraChip:
    """A camera as a choice of the filter."""

    label: str
    url: str
    is_on: bool
    is_online: bool | None
    """``None``: not one camera, or one that is not known."""


@dataclass(frozen=True, slots=True)
class DayForm:
    """The form that picks a day."""

    value: str
    latest: str
    """The site's today; later days have nothing."""
    is_on: bool
    kept: tuple[tuple[str, str], ...]
    """Names and values of the filter's other parts."""


@dataclass(frozen=True, slots=True)
class Pager:
    """Where one is in the list."""

    summary: str
    previous_url: str | None
    next_url: str | None
    sizes: tuple[Chip, ...]


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of an event in words."""

    name: str
    state: StepState
    text: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """A kind of thing that was seen."""

    category: Category
    label: str


@dataclass(frozen=True, slots=True)
class Badge:
    """How strong the motion was: a bar and a number, or the number alone."""

    value: str
    title: str
    percent: int | None
    """0 to 100, the bar; ``None`` without one."""
    grade: Grade


@dataclass(frozen=True, slots=True)
class CardView:
    """An event in the gallery."""

    url: str
    picture_url: str | None
    is_eager: bool
    """Whether the picture is likely in sight at once."""
    moment: Moment
    camera_name: str
    duration_seconds: float | None
    headline: str
    headline_kind: Literal["said", "wait", "fail", "quiet"]
    note: str | None
    note_is_failure: bool
    steps: tuple[StepView, ...]
    """Empty once nothing is awaited any more."""
    tags: tuple[Tag, ...]
    badge: Badge


@dataclass(frozen=True, slots=True)
class DayGroup:
    """The cards of one day; the heading is ``None`` where the filter says the day."""

    heading: str | None
    cards: tuple[CardView, ...]


@dataclass(frozen=True, slots=True)
class EmptyState:
    """Why nothing is shown, and what to do next."""

    kind: Literal["no_cameras", "no_events", "no_match", "past_end"]
    title: str
    text: str
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class GalleryContext:
    """What ``events.html`` prints."""

    frame: Frame
    summary: str
    camera_chips: tuple[CameraChip, ...]
    date_chips: tuple[Chip, ...]
    day_form: DayForm
    days: tuple[DayGroup, ...]
    pager: Pager | None
    empty: EmptyState | None
    agent_url: str
    """The address to give to an agent."""
    agent_url_is_local: bool
    """Whether it works on the server's own machine only."""


@dataclass(frozen=True, slots=True)
class ClipView:
    """The clip, or what stands in its place."""

    step: StepView
    url: str | None
    poster_url: str | None
    retry_url: str | None
    """Where to ask for another attempt at converting it."""


@dataclass(frozen=True, slots=True)
class StillView:
    """Picture A or B, or what is known of it."""

    letter: str
    caption: str
    url: str | None
    alternative: str
    missing: str
    """What to say in its place."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the facts."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """What happened to the event, and when."""

    moment: Moment
    shown: str
    """The time of day, with the day where that is not the event's."""
    text: str


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
class KeepView:
    """Whether the event is kept for good, and the ways to change that or to remove it."""

    is_protected: bool
    star_url: str
    """Where a form stars the event, or takes the star away."""
    delete_url: str
    what_goes: str


@dataclass(frozen=True, slots=True)
class EventContext:
    """What ``event.html`` prints."""

    frame: Frame
    headline: str
    camera_name: str
    location: str
    camera_url: str
    moment: Moment
    back: Action
    clip: ClipView
    stills: tuple[StillView, ...]
    description: str | None
    description_step: StepView
    steps: tuple[StepView, ...]
    tags: tuple[Tag, ...]
    badge: Badge
    facts: tuple[Fact, ...]
    history: tuple[HistoryEntry, ...]
    files: tuple[FileView, ...]
    keep: KeepView | None
    """``None``: the reader may not change anything."""


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """What ``error.html`` prints."""

    frame: Frame
    status: int
    title: str
    message: str
    advice: tuple[str, ...]
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class DocsContext:
    """What ``docs.html`` prints."""

    frame: Frame
    document_url: str
