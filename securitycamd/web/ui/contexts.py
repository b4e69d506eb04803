"""What the templates get, ready to print: one frozen dataclass a page, made of smaller ones.

Tests hold the templates to these: a name that is used must be here, and what is here must be used.
"""

from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from markupsafe import Markup

from securitycamd.domain.names import Category
from securitycamd.settings import Settings


@dataclass(frozen=True, slots=True)
class PageContext:
    """What a page prints: each field under its own name. One class a page, and a fragment that is sent alone."""

    template: ClassVar[str]

    def values(self) -> dict[str, object]:
        """The fields as names for the template, not copied."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


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
    held: str = ""
    """Why no event is described just now."""
    theme: Theme = "system"
    """As the reader chose it."""
    mark: str = ""
    """The place in the stream of changes before anything of the page was read."""

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
    mark: str
    """See :attr:`Site.mark`: from there on the page's scripts listen, or what comes meanwhile would be missed."""


@dataclass(frozen=True, slots=True)
class Action:
    """A way on: a link that looks like a button."""

    label: str
    url: str
    is_primary: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One value of a form's field; of several that can be on at once, one of those."""

    value: str
    label: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of an event in words."""

    name: str
    state: StepState
    text: str
    reason: str | None = None
    percent: int | None = None
    """How much of it is done, while it runs and where that is known."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A kind of thing that was seen."""

    category: Category
    label: str


@dataclass(frozen=True, slots=True)
class Badge:
    """How sure the models were, or how strong the motion was: a bar and a number, or the number alone."""

    label: str
    value: str
    title: str
    percent: int | None
    """0 to 100, the bar; ``None`` without one."""
    grade: Grade


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the facts."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class ErrorContext(PageContext):
    """What ``error.html`` prints."""

    template: ClassVar = "error.html"

    frame: Frame
    status: int
    title: str
    message: str
    advice: tuple[str, ...]
    actions: tuple[Action, ...]
    comes_back: bool
    """Whether the same address is likely to be a page again soon."""


@dataclass(frozen=True, slots=True)
class DocsContext(PageContext):
    """What ``docs.html`` prints."""

    template: ClassVar = "docs.html"

    frame: Frame
    document_url: str
    reference: Markup
    """``reference.html``, rendered before."""


@dataclass(frozen=True, slots=True)
class RailContext(PageContext):
    """What ``rail.html`` prints: the cameras' state alone, for pages that stay open."""

    template: ClassVar = "rail.html"

    frame: Frame
