"""What the pages about cameras show."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from securitycamd.web.ui.contexts import Action, Fact, Frame, Moment, PageContext

StateKind = Literal["on", "off", "live", "unknown"]
CoverKind = Literal["watching", "viewed", "offline", "unknown"]


@dataclass(frozen=True, slots=True)
class CameraMark:
    """A camera's state in words; ``kind`` is its sign."""

    kind: StateKind
    words: str
    note: str
    """What else is to be known of it; may be empty."""
    tells_when: bool = True
    """Whether it is said when it was last heard of."""


@dataclass(frozen=True, slots=True)
class StripPart:
    """A stretch of a strip, in thousandths of its length."""

    cover: CoverKind
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A kind of coverage and how much of it there was."""

    cover: CoverKind
    label: str
    share: str


@dataclass(frozen=True, slots=True)
class Strip:
    """What a camera could see when."""

    title: str
    summary: str
    """The same in words."""
    strip_parts: tuple[StripPart, ...]
    legend: tuple[LegendEntry, ...]
    ticks: tuple[str, ...]
    """Evenly spread below it, from its beginning to its end."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch in which a camera did not watch."""

    cover: CoverKind
    what: str
    started: Moment
    until: str
    lasted: str


@dataclass(frozen=True, slots=True)
class PlotRow:
    """A line of the plot's table."""

    label: str
    amount: str
    busiest: str


@dataclass(frozen=True, slots=True)
class Plot:
    """How many events each hour had."""

    span: str
    """As the API calls it."""
    title: str
    summary: str
    outline: str
    """The bars as a path, 100 high and one wide for each hour."""
    length: int
    """How many hours."""
    first: int
    """When the first hour begins, in seconds since 1970."""
    counts: str
    """Events of each hour, for scripts."""
    zone: str
    """The site's time zone."""
    highest: str
    """What the highest bar stands for."""
    ticks: tuple[str, ...]
    row_head: str
    rows: tuple[PlotRow, ...]


@dataclass(frozen=True, slots=True)
class CameraCard:
    """A camera in the list."""

    camera_name: str
    location: str
    url: str
    picture_url: str | None
    is_eager: bool
    """Whether its picture is among the first to be seen."""
    state: CameraMark
    last_heard: Moment
    events_today: str
    newest_at: Moment | None
    strip: Strip


@dataclass(frozen=True, slots=True)
class PutAway:
    """A camera that is hidden or removed."""

    camera_name: str
    url: str
    why: str


@dataclass(frozen=True, slots=True)
class CamerasContext(PageContext):
    """What ``cameras.html`` prints."""

    template: ClassVar = "cameras.html"

    frame: Frame
    summary: str
    cards: tuple[CameraCard, ...]
    put_away: tuple[PutAway, ...]
    agent_url: str
    """Of this server, as agents want it."""
    agent_url_is_local: bool


@dataclass(frozen=True, slots=True)
class Removing:
    """How far a removal with footage is."""

    words: str
    percent: float
    trouble: str


@dataclass(frozen=True, slots=True)
class Manage:
    """What an operator may do with a camera."""

    base_url: str
    """Where its forms go to."""
    own_name: str
    """What the operator calls it; empty: nothing of their own."""
    own_location: str
    agent_name: str
    agent_location: str
    is_hidden: bool
    removal: Literal["", "footage", "retired"]
    footage_words: str
    """What goes when it is removed with its footage."""
    has_events: bool
    online_warning: str
    """Why it should not be removed now; empty: nothing is against it."""


@dataclass(frozen=True, slots=True)
class CameraContext(PageContext):
    """What ``camera.html`` prints."""

    template: ClassVar = "camera.html"

    frame: Frame
    camera_id: str
    title: str
    location: str
    state: CameraMark
    last_heard: Moment
    notices: tuple[str, ...]
    """What is wrong or out of the ordinary."""
    removing: Removing | None
    picture_url: str | None
    picture_event_url: str | None
    newest_at: Moment | None
    ways: tuple[Action, ...]
    refresh_url: str
    facts: tuple[Fact, ...]
    footage: tuple[Fact, ...]
    strips: tuple[Strip, ...]
    outages: tuple[Outage, ...]
    plots: tuple[Plot, ...]
    manage: Manage | None
