"""What the pages of the days' reports print."""

from dataclasses import dataclass
from typing import ClassVar

from securitycamd.web.ui.contexts import Action, Frame, Moment, PageContext


@dataclass(frozen=True, slots=True)
class Share:
    """A category's part of a day: a piece of a bar of 100, and what it means."""

    category: str
    label: str
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class DigestCard:
    """A report in the list."""

    url: str
    date: str
    """``2025-10-28``."""
    day: str
    lead: str
    """Its beginning."""
    is_waiting: bool
    error: str
    """What the last attempt came to; empty: no fault of it is known."""
    numbers: str
    shares: tuple[Share, ...]
    shares_label: str
    """The same in words."""


@dataclass(frozen=True, slots=True)
class DigestsContext(PageContext):
    """What ``digests.html`` prints."""

    template: ClassVar = "digests.html"

    frame: Frame
    summary: str
    cards: tuple[DigestCard, ...]
    has_waiting: bool
    older_url: str | None
    writes: tuple[Action, ...]
    """Forms that ask for today's report and for yesterday's, where they are not there and the reader may."""
    empty: str
    """Why there is none."""


@dataclass(frozen=True, slots=True)
class CameraPart:
    """What one camera saw of the day."""

    name: str
    amount: str
    percent: float


@dataclass(frozen=True, slots=True)
class SayingView:
    """A description that the report was written from."""

    clock: str
    text: str
    url: str | None
    """Of the event; ``None``: it is not there any more."""


@dataclass(frozen=True, slots=True)
class DigestContext(PageContext):
    """What ``digest.html`` prints."""

    template: ClassVar = "digest.html"

    frame: Frame
    date: str
    """``2025-10-28``."""
    day: str
    calendar_day: str
    """As a calendar says it; empty where the day's name does."""
    so_far: str
    """That the day is not over, and what becomes of the report; empty once it is."""
    paragraphs: tuple[str, ...]
    is_waiting: bool
    trouble: str | None
    """Why it is not written, or not anew, and what to do."""
    error: str
    """As of :class:`DigestCard`."""
    written: Moment | None
    """``None`` where only the last attempt's time is known, not that of the text."""
    author: str
    numbers: str
    compared: str | None
    """With a usual day."""
    shares: tuple[Share, ...]
    cameras: tuple[CameraPart, ...]
    sayings: tuple[SayingView, ...]
    sayings_title: str
    events_url: str
    back: Action
    earlier: Action | None
    later: Action | None
    write_url: str | None
    """Where a form has it written anew; ``None``: the reader may not."""
