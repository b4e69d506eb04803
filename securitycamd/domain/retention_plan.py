"""What goes in the coming days, told before it happens: the rules of :mod:`securitycamd.domain.retention` over days.

Sizes are bytes, days are days of UTC (as footage is counted), rates are bytes a day.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from securitycamd.domain.retention import Cut, Disk, Reason, Rules, cuts

AHEAD_DAYS: Final = 14
"""A plan looks so far ahead."""
ROUNDING_BYTES: Final = 10_000


@dataclass(frozen=True, slots=True)
class DayOfFootage:
    """What of a camera's events of a day may go."""

    camera_id: str
    day: date
    events: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PlannedDay:
    """Footage of a camera's day that would go, wholly or in part."""

    camera_id: str
    day: date
    events: int
    size_bytes: int
    reason: Reason
    partly: bool
    """Only the oldest of the day go; ``events`` and ``size_bytes`` are the estimate by share."""
    on: date
    """When."""


class _Stock:
    """Footage as it would be: what may go by camera and day, what is used, what is free."""

    def __init__(self, days: Iterable[DayOfFootage], used: Mapping[str, int], disk: Disk | None) -> None:
        self.days = {(day.day, day.camera_id): day for day in days}
        self.used = dict(used)
        self.disk = disk

    def come(self, day: date, rates: Mapping[str, float]) -> None:
        """A day's footage arrives."""
        for camera_id, rate in rates.items():
            there = self.days.get((day, camera_id), DayOfFootage(camera_id, day, 0, 0))
            self.days[day, camera_id] = replace(there, size_bytes=there.size_bytes + round(rate))
            self._move(camera_id, round(rate))

    def go(self, day: DayOfFootage, share: float, reason: Reason, on: date) -> PlannedDay:
        """A share of a day leaves."""
        size_bytes = round(day.size_bytes * share)
        events = day.events if share >= 1 else min(day.events, max(1, int(day.events * share)))
        key = (day.day, day.camera_id)
        if share >= 1:
            del self.days[key]
        else:
            self.days[key] = replace(day, events=day.events - events, size_bytes=day.size_bytes - size_bytes)
        self._move(day.camera_id, -size_bytes)
        return PlannedDay(day.camera_id, day.day, events, size_bytes, reason, share < 1, on)

    def _move(self, camera_id: str, size_bytes: int) -> None:
        self.used[camera_id] = self.used.get(camera_id, 0) + size_bytes
        if self.disk is not None:
            self.disk = replace(self.disk, free_bytes=self.disk.free_bytes - size_bytes)


def plan(
    rules: Rules,
    *,
    now: datetime,
    days: Iterable[DayOfFootage],
    used: Mapping[str, int],
    disk: Disk | None,
    rates: Mapping[str, float] | None = None,
    ahead_days: int = 0,
) -> list[PlannedDay]:
    """What would go, and when: now, and on each of the coming days while footage goes on coming as it did.

    A day's footage that goes in parts on several days is named once for each; what grows too old in the coming days is
    named when the whole of its day has. Oldest first within the day of going.

    Args:
        rules: the site's.
        now: the present, aware.
        days: what may go (without protected events), by camera and day.
        used: bytes of each camera's events, protected ones too.
        disk: the file system, if known.
        rates: bytes a day that each camera brings.
        ahead_days: how many days to look ahead; 0: what goes now.
    """
    stock = _Stock(days, used, disk)
    planned: list[PlannedDay] = []
    for ahead in range(ahead_days + 1):
        then = now + timedelta(days=ahead)
        if ahead:
            stock.come(then.date(), rates or {})
        gone = _gone(rules, stock, then, whole_days=ahead > 0)
        planned += sorted(gone, key=lambda item: (item.day, item.camera_id))
    return planned


def reach(
    rules: Rules,
    *,
    now: datetime,
    used: Mapping[str, int],
    disk: Disk | None,
    rates: Mapping[str, float],
    ahead_days: int = AHEAD_DAYS,
) -> list[Cut]:
    """How far a plan can reach: what the rules would demand at its end if nothing went until then."""
    stock = _Stock((), used, disk)
    then = now + timedelta(days=ahead_days)
    for ahead in range(1, ahead_days + 1):
        stock.come((now + timedelta(days=ahead)).date(), rates)
    return cuts(rules, now=then, used=stock.used, disk=stock.disk)


def is_reached(demanded: Iterable[Cut], days: Collection[DayOfFootage], upto: datetime) -> bool:
    """Whether these days, all that there are before ``upto``, hold everything that a plan of this reach can name."""
    for cut in demanded:
        if cut.before is not None:
            if upto < cut.before:
                return False
        elif sum(day.size_bytes for day in days if cut.camera_id in {None, day.camera_id}) < _needed(demanded, cut):
            return False
    return True


def _needed(demanded: Iterable[Cut], cut: Cut) -> int:
    # A cut over all cameras may have to go behind what those of single cameras take.
    theirs = cut.free_bytes if cut.camera_id is not None else sum(each.free_bytes for each in demanded)
    return theirs + ROUNDING_BYTES


def _gone(rules: Rules, stock: _Stock, now: datetime, *, whole_days: bool) -> list[PlannedDay]:
    gone: list[PlannedDay] = []
    # What one cut frees the later ones need not: each is asked for anew.
    for reason in Reason:
        for cut in cuts(rules, now=now, used=stock.used, disk=stock.disk):
            if cut.reason is not reason:
                continue
            needed = cut.free_bytes
            for key in sorted(stock.days):
                day = stock.days[key]
                if cut.camera_id not in {None, day.camera_id}:
                    continue
                before = cut.before
                share = _share_of(day, needed) if before is None else _share_before(day.day, before)
                if before is not None and whole_days:
                    share = float(share >= 1)
                if share > 0:
                    gone.append(stock.go(day, share, cut.reason, now.date()))
                    needed -= gone[-1].size_bytes
    return gone


def _share_before(day: date, before: datetime) -> float:
    start = datetime(day.year, day.month, day.day, tzinfo=before.tzinfo)
    return min(1.0, max(0.0, (before - start) / timedelta(days=1)))


def _share_of(day: DayOfFootage, needed: int) -> float:
    if needed <= 0 or day.size_bytes <= 0:
        return 0.0
    return min(1.0, needed / day.size_bytes)
