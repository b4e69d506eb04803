"""The report of a day: what it is written from, and how far it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from securitycamd.domain.names import Category

FIRST_RETRY: Final = timedelta(minutes=2)
LAST_RETRY: Final = timedelta(hours=1)
TRIES_LIMIT: Final = 40
"""Then a report counts as failed, until somebody asks for it anew; more than a day after the first."""


class DigestState(StrEnum):
    """How far a report is."""

    WAITING = "waiting"
    """The AI server has not written it yet."""
    WRITTEN = "written"
    QUIET = "quiet"
    """There was nothing to write about."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DayFacts:
    """What is known of a day, in numbers and in what was said of its most telling events."""

    events: int
    by_category: Mapping[str, int] = field(default_factory=dict)
    """``pending``: not looked at yet."""
    by_camera: Mapping[str, int] = field(default_factory=dict)
    """By the cameras' names."""
    usual_events: float | None = None
    """A day's mean in the week before; ``None``: there was nothing yet."""
    busiest_hour: int | None = None
    """Of the site's clock."""
    sayings: tuple[str, ...] = ()
    """``18:42 Front walk: Person walks toward the parked van``; the most telling, in the order of time."""
    saying_events: tuple[int, ...] = ()
    """Of which event each of them was said; empty in reports from before that was kept."""


@dataclass(frozen=True, slots=True)
class Digest:
    """The report of a day of the site. What a model wrote is untrusted text."""

    day: date
    state: DigestState
    facts: DayFacts
    text: str
    model: str | None
    """``None``: made from the numbers alone."""
    prompt_version: str | None
    error: str | None
    attempts: int
    updated_at: datetime


def retry_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts."""
    return min(FIRST_RETRY * (1 << min(max(attempts - 1, 0), 10)), LAST_RETRY)


def is_due(now: datetime, at: time) -> bool:
    """Whether the report of the day before is due; ``now`` in the site's zone."""
    return now.time() >= at


_SHOWING: Final = {
    Category.PERSON: "with people",
    Category.VEHICLE: "with vehicles",
    Category.ANIMAL: "with animals",
    Category.PACKAGE: "with packages",
    Category.LIGHT: "with changes of light",
    Category.VEGETATION: "with plants in the wind",
    Category.NOTHING: "with nothing to see",
    Category.UNKNOWN: "unclear",
}


def category_words(category: str, count: int) -> str:
    """``2 with people``: events are counted, for one may show several people, and several the same person."""
    return f"{count:,} {_SHOWING[Category(category)] if category in set(Category) else 'not looked at yet'}"


def in_numbers(facts: DayFacts) -> str:
    """The day in one sentence without a model."""
    if not facts.events:
        return "No camera saw motion on this day."
    order = [*Category, "pending"]
    parts = [category_words(name, facts.by_category[name]) for name in order if facts.by_category.get(name)]
    events = "1 event" if facts.events == 1 else f"{facts.events:,} events"
    return f"{events}: {', '.join(parts)}." if parts else f"{events}."
