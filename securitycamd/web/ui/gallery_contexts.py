"""What ``events.html`` and its fragments print; as in :mod:`securitycamd.web.ui.contexts`."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from securitycamd.domain.names import Category
from securitycamd.domain.words import Piece
from securitycamd.web.ui.contexts import Action, Badge, Frame, Moment, Option, PageContext, StepView, Tag


@dataclass(frozen=True, slots=True)
class Chip:
    """One choice of a filter; ``is_on`` is the current one, or one of them."""

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
class CategoryChip:
    """A category as a choice of the filter."""

    category: Category
    label: str
    url: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Select:
    """A select of the form of further filters."""

    name: str
    label: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class FilterForm:
    """What is asked for less often; sent as a form, so that it works without scripts."""

    categories: tuple[Option, ...]
    selects: tuple[Select, ...]
    first_day: str
    last_day: str
    latest: str
    """The site's today; later days have nothing."""
    is_on: bool
    kept: tuple[tuple[str, str], ...]
    """Names and values of the filter's other parts."""


@dataclass(frozen=True, slots=True)
class SearchForm:
    """The words that are looked for."""

    text: str
    kept: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class StripPart:
    """A category's share of a bar; ``y`` and ``height`` in hundredths of the strip's height."""

    category: Category
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class StripBar:
    """An hour or a day."""

    label: str
    """``18:00 to 19:00``, ``Sunday 22 November``"""
    title: str
    """The same with what was in it."""
    url: str
    is_on: bool
    is_ahead: bool
    """It is yet to come."""
    parts: tuple[StripPart, ...]
    cells: tuple[int, ...]
    """How many of each of the strip's categories; a row of the table."""
    total: int


@dataclass(frozen=True, slots=True)
class StripView:
    """How much happened when: a bar an hour of one day, or a bar a day of a longer stretch."""

    unit: Literal["Hour", "Day"]
    heading: str
    summary: str
    bars: tuple[StripBar, ...]
    marks: tuple[str, ...]
    legend: tuple[Tag, ...]
    """The categories that occur, in the order of the bars' cells."""
    earlier: Action | None
    later: Action | None


@dataclass(frozen=True, slots=True)
class Pager:
    """Where one is in the list."""

    summary: str
    previous_url: str | None
    next_url: str | None
    sizes: tuple[Chip, ...]


@dataclass(frozen=True, slots=True)
class CardView:
    """An event in the gallery."""

    event_id: int
    camera_id: str
    url: str
    picture_url: str | None
    is_eager: bool
    """Whether the picture is likely in sight at once."""
    moment: Moment
    camera_name: str
    duration_seconds: float | None
    headline: tuple[Piece, ...]
    """With what was searched for marked."""
    headline_kind: Literal["said", "wait", "fail", "quiet"]
    note: str | None
    note_is_failure: bool
    own_note: tuple[Piece, ...]
    """What an operator noted."""
    found: tuple[Piece, ...]
    """Where else it says what was searched for; empty where the card's other words do, or nothing was."""
    steps: tuple[StepView, ...]
    """Empty once nothing is awaited any more."""
    tags: tuple[Tag, ...]
    badge: Badge
    is_reviewed: bool
    is_starred: bool


@dataclass(frozen=True, slots=True)
class DayGroup:
    """The cards of one day; the heading is ``None`` where the filter says the day."""

    heading: str | None
    key: str
    """The day as ``YYYY-MM-DD``."""
    cards: tuple[CardView, ...]


@dataclass(frozen=True, slots=True)
class EmptyState:
    """Why nothing is shown, and what to do next."""

    kind: Literal["no_cameras", "no_events", "no_match", "past_end", "further"]
    title: str
    text: str
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class ListState:
    """What the page's script must know."""

    query: str
    """The query of the page's URL, for its fragments."""
    shows_new: bool
    """Whether new events belong at the top of this list."""
    may_change: bool
    asks_more: bool
    """Whether what becomes known of an event can bring it into this list."""
    cameras: str
    """The ids of the chosen cameras; empty: all."""


@dataclass(frozen=True, slots=True)
class GalleryContext(PageContext):
    """What ``events.html`` prints."""

    template: ClassVar = "events.html"

    frame: Frame
    summary: str
    notice: str | None
    """What is amiss with what the page shows: the storage is gone."""
    camera_chips: tuple[CameraChip, ...]
    category_chips: tuple[CategoryChip, ...]
    flag_chips: tuple[Chip, ...]
    date_chips: tuple[Chip, ...]
    active_chips: tuple[Chip, ...]
    """What else is asked for; each link takes it away."""
    search: SearchForm
    form: FilterForm
    views: tuple[Chip, ...]
    view: Literal["grid", "list"]
    strip: StripView | None
    days: tuple[DayGroup, ...]
    pager: Pager | None
    empty: EmptyState | None
    state: ListState
    agent_url: str
    """The address to give to an agent."""
    agent_url_is_local: bool
    """Whether it works on the server's own machine only."""


@dataclass(frozen=True, slots=True)
class CardsContext(PageContext):
    """What ``cards.html`` prints: some cards alone, for the page's script."""

    template: ClassVar = "cards.html"

    cards: tuple[CardView, ...]
