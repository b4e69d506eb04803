"""Times: UTC inside, the site's zone outside, and the two hours a year in which clocks lie."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from securitycamd.domain.errors import InvalidError

# A Pi without a clock wakes up in 1970, and its events must be kept too.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a naive or aware time may mean: ``at``, and ``other`` when the clock showed it twice."""

    at: datetime
    other: datetime | None = None


def read_time(value: datetime, zone: ZoneInfo, *, arrival: datetime) -> Reading:
    """Read a time an agent sent, as UTC.

    An aware time means what it says. A naive one is the site's local time; in the hour that a clock change repeats
    it has two readings, and the one nearest to ``arrival`` (aware) is taken. A time in the hour that a clock change
    skips is read with the offset before the change, as the standard library does.

    Raises:
        InvalidError: outside the years that can be stored.
    """
    if value.tzinfo is not None:
        return Reading(_bounded(value))
    first = _bounded(value.replace(tzinfo=zone, fold=0))
    second = _bounded(value.replace(tzinfo=zone, fold=1))
    if second <= first:  # equal: an ordinary time; earlier: in the skipped hour
        return Reading(first)
    if abs(arrival - second) < abs(arrival - first):
        return Reading(second, first)
    return Reading(first, second)


def _bounded(value: datetime) -> datetime:
    # A naive bound check first: astimezone overflows at the ends of the calendar.
    if not EARLIEST.year <= value.year < LATEST.year:
        raise InvalidError("timestamp", f"the year must be between {EARLIEST.year} and {LATEST.year - 1}")
    moment = value.astimezone(UTC)
    if not EARLIEST <= moment < LATEST:  # the year of the zone is not always that of UTC
        raise InvalidError("timestamp", f"must be between {EARLIEST:%Y-%m-%d} and {LATEST:%Y-%m-%d} UTC")
    return moment


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The UTC start (inclusive) and end (exclusive) of a day of the site; 23 to 25 hours."""
    start = datetime.combine(day, time.min, zone)
    end = datetime.combine(day + timedelta(days=1), time.min, zone)
    return start.astimezone(UTC), end.astimezone(UTC)


def today(zone: ZoneInfo, now: datetime | None = None) -> date:
    """The site's calendar day at ``now`` (aware; default: the present)."""
    return (now or datetime.now(UTC)).astimezone(zone).date()


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of UTC time, ``start`` inclusive, ``end`` exclusive; ``None`` is open."""

    start: datetime | None = None
    end: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no moment lies in it."""
        return self.start is not None and self.end is not None and self.start >= self.end

    def intersect(self, other: "Span") -> "Span":
        """The stretch both share."""
        starts = [s for s in (self.start, other.start) if s is not None]
        ends = [e for e in (self.end, other.end) if e is not None]
        return Span(max(starts, default=None), min(ends, default=None))


def named_day(name: str, zone: ZoneInfo, now: datetime | None = None) -> Span:
    """The stretch that ``today``, ``yesterday`` or ``YYYY-MM-DD`` names in the site's zone.

    Raises:
        InvalidError: ``name`` is none of them.
    """
    if name in ("today", "yesterday"):
        day = today(zone, now) - timedelta(days=name == "yesterday")
    else:
        day = _date(name)
        if not EARLIEST.year < day.year < LATEST.year:
            raise InvalidError("date", "the year cannot be stored")
    return Span(*day_bounds(day, zone))


def _date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # 20251028 and 2025-W44-2 are ISO dates, too
        raise InvalidError("date", "use today, yesterday or YYYY-MM-DD")
    return day


def next_microsecond(moment: datetime) -> datetime:
    """The next moment that can be told from ``moment``, as UTC."""
    return moment.astimezone(UTC) + timedelta(microseconds=1)
