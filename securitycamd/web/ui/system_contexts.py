"""What the page about the server shows."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from securitycamd.web.ui.contexts import Fact, Frame, Moment, PageContext

Mood = Literal["ok", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class FindingView:
    """What a health rule says."""

    rule: str
    mood: Mood
    message: str
    advice: str


@dataclass(frozen=True, slots=True)
class DescribingView:
    """How the descriptions stand."""

    mood: Literal["ok", "warning", "quiet"]
    state: str
    reason: str
    """What is amiss, in the AI server's or our words; may be empty."""
    next_step: str
    """What happens next by itself, or what to do; may be empty."""
    command: str
    """What to run, so that it works; empty where nothing is to be run."""
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class TaskButton:
    """What a task can be told."""

    label: str
    icon_name: str
    slug: str
    """Names the button in the page."""
    form_url: str
    api_url: str


@dataclass(frozen=True, slots=True)
class TaskView:
    """A background task."""

    name: str
    purpose: str
    mood: Literal["ok", "warning", "quiet"]
    state: str
    beat: str
    restarts: str
    trouble: str
    buttons: tuple[TaskButton, ...]


@dataclass(frozen=True, slots=True)
class JobView:
    """A job that runs or failed."""

    event_url: str
    title: str
    what: str
    moment: Moment
    reason: str
    percent: int | None
    button: TaskButton | None


@dataclass(frozen=True, slots=True)
class QueueView:
    """The jobs of a kind."""

    name: str
    waiting: str
    running: str
    failed: str
    has_failed: bool
    oldest: str
    outlook: str
    retry: TaskButton | None


@dataclass(frozen=True, slots=True)
class PlotView:
    """A value over the last hours."""

    label: str
    present: str
    path: str
    """In a box of 300 by 40; empty while there are too few measurements."""
    area: str
    told: str
    """The same in words."""


@dataclass(frozen=True, slots=True)
class FailureView:
    """A line in which the server complained."""

    moment: Moment
    level: str
    message: str


@dataclass(frozen=True, slots=True)
class SystemContext(PageContext):
    """What ``system.html`` prints."""

    template: ClassVar = "system.html"

    frame: Frame
    mood: Mood
    summary: str
    updated: Moment
    findings: tuple[FindingView, ...]
    describing: DescribingView
    tasks: tuple[TaskView, ...]
    queues: tuple[QueueView, ...]
    """Empty while the database is away."""
    running: tuple[JobView, ...]
    failed: tuple[JobView, ...]
    plots: tuple[PlotView, ...]
    database: tuple[Fact, ...]
    footage: tuple[Fact, ...]
    process: tuple[Fact, ...]
    versions: tuple[Fact, ...]
    settings: tuple[Fact, ...]
    reloaded: tuple[str, ...]
    failures: tuple[FailureView, ...]
