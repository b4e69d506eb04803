"""A stretch of every day of the site in which something may run, also over midnight and over clock changes."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from securitycamd.domain.times import Span

# A window that opened yesterday may still be open, and the next one opens tomorrow at the latest; a day more on
# either side for zones that skip a whole day, as Samoa did.
_DAYS_AROUND: Final = range(-2, 4)


@dataclass(frozen=True, slots=True)
class DailyWindow:
    """From ``start`` to ``end`` of the site's clock; equal: always.

    A time that a clock change repeats is read as its first, one that it skips with the offset before the change, as
    agents' times are (:func:`securitycamd.domain.times.read_time`). So a window opens at most once a day and never
    opens again because the clock is put back.
    """

    start: time
    end: time

    @property
    def is_always_open(self) -> bool:
        """Whether it covers the whole day."""
        return self.start == self.end

    def is_open(self, now: datetime, zone: ZoneInfo) -> bool:
        """Whether ``now`` (aware) lies in it."""
        return self.closes_at(now, zone) is not None or self.is_always_open

    def closes_at(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """The end (UTC) of the window that is open at ``now``; ``None``: none is, or it never closes."""
        if self.is_always_open:
            return None
        return next((end for start, end in self.around(now, zone) if start <= now < end), None)

    def around(self, now: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
        """The windows of the days around ``now``, in the order of time."""
        today = now.astimezone(zone).date()
        spans = [self._of_day(today + timedelta(days=offset), zone) for offset in _DAYS_AROUND]
        return [(span.start, span.end) for span in spans if span.start is not None and span.end is not None]

    def _of_day(self, day: date, zone: ZoneInfo) -> Span:
        last = day if self.start < self.end else day + timedelta(days=1)
        return Span(_moment(day, self.start, zone), _moment(last, self.end, zone))


def _moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)


def read_clock(text: str) -> time:
    """The time of day that ``HH:MM`` names.

    Raises:
        ValueError: it names none.
    """
    hours, colon, minutes = text.partition(":")
    if not colon or not all(len(part) == 2 and part.isascii() and part.isdigit() for part in (hours, minutes)):
        raise ValueError("must be a time of day such as 01:00")
    try:
        return time(int(hours), int(minutes))
    except ValueError:
        raise ValueError("must be a time of day such as 01:00") from None
