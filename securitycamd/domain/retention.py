"""Which footage goes, and why: by age, by size, and before the disk is full. Pure rules over sizes by day.

Protected events never go and are counted apart: their bytes are used, but cannot be freed. The oldest goes first.
Sizes are bytes, days are days of UTC (as footage is counted), rates are bytes a day.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

RATE_DAYS: Final = 7
"""Forecasts go by the mean of so many past days."""


class Reason(StrEnum):
    """Why an event goes."""

    AGE = "age"
    CAMERA_SIZE = "camera size"
    SIZE = "size"
    FREE_SPACE = "free space"


@dataclass(frozen=True, slots=True)
class Limits:
    """The rules for a camera, or for all of them together; ``None`` is no limit."""

    max_age_days: float | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a site."""

    everywhere: Limits = Limits()
    cameras: Mapping[str, Limits] | None = None
    free_floor_bytes: int = 0
    """So much of the disk stays free."""

    def age_of(self, camera_id: str) -> float | None:
        """Days after which a camera's events go: its own rule, else everyone's."""
        own = (self.cameras or {}).get(camera_id, Limits())
        return self.everywhere.max_age_days if own.max_age_days is None else own.max_age_days

    def bytes_of(self, camera_id: str) -> int | None:
        """The most that a camera's events may take."""
        return (self.cameras or {}).get(camera_id, Limits()).max_bytes


@dataclass(frozen=True, slots=True)
class DayOfFootage:
    """What a camera's events of a day hold: all, and what may go."""

    camera_id: str
    day: date
    events: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Disk:
    """The storage root's file system."""

    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Cut:
    """What goes next: events of ``camera_id`` (``None``: of any camera), oldest first, until enough is gone.

    Before ``before`` for a rule by age; until ``free_bytes`` are freed for one by size.
    """

    reason: Reason
    camera_id: str | None
    before: datetime | None = None
    free_bytes: int = 0


def cuts(rules: Rules, *, now: datetime, used: Mapping[str, int], disk: Disk | None) -> list[Cut]:
    """What the rules demand now, in the order in which it is carried out.

    Args:
        rules: the site's.
        now: the present, aware.
        used: bytes of each camera's events.
        disk: the file system; ``None`` when it is not known, and then no cut is made for its sake.
    """
    found = [
        Cut(Reason.AGE, camera_id, before=now - timedelta(days=age))
        for camera_id in sorted(used)
        if (age := rules.age_of(camera_id)) is not None
    ]
    for camera_id, size_bytes in sorted(used.items()):
        limit = rules.bytes_of(camera_id)
        if limit is not None and size_bytes > limit:
            found.append(Cut(Reason.CAMERA_SIZE, camera_id, free_bytes=size_bytes - limit))
    over = sum(used.values()) - rules.everywhere.max_bytes if rules.everywhere.max_bytes is not None else 0
    if over > 0:
        found.append(Cut(Reason.SIZE, None, free_bytes=over))
    if disk is not None and disk.free_bytes < rules.free_floor_bytes:
        found.append(Cut(Reason.FREE_SPACE, None, free_bytes=rules.free_floor_bytes - disk.free_bytes))
    return found


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


def plan(rules: Rules, *, now: datetime, days: Iterable[DayOfFootage], disk: Disk | None) -> list[PlannedDay]:
    """What would go if the rules were carried out now, oldest first; each day under the first rule that takes it.

    Args:
        rules: the site's.
        now: the present, aware.
        days: what may go (without protected events), by camera and day.
        disk: the file system, if known.
    """
    left = {(day.camera_id, day.day): day for day in days}
    used: dict[str, int] = {}
    for day in left.values():
        used[day.camera_id] = used.get(day.camera_id, 0) + day.size_bytes
    planned: list[PlannedDay] = []
    freed = 0
    for cut in cuts(rules, now=now, used=used, disk=disk):
        needed = cut.free_bytes
        if cut.reason in {Reason.SIZE, Reason.FREE_SPACE}:
            needed -= freed  # what earlier rules free counts for the whole disk
        for key in sorted(left, key=lambda key: (key[1], key[0])):
            day = left[key]
            if cut.camera_id not in {None, day.camera_id}:
                continue
            share = _share_before(day.day, cut.before) if cut.before is not None else _share_of(day, needed)
            if share <= 0:
                continue
            size_bytes, events = round(day.size_bytes * share), max(1, round(day.events * share))
            planned.append(PlannedDay(day.camera_id, day.day, events, size_bytes, cut.reason, partly=share < 1))
            left[key] = DayOfFootage(day.camera_id, day.day, day.events - events, day.size_bytes - size_bytes)
            if share >= 1:
                del left[key]
            needed -= size_bytes
            freed += size_bytes
    return sorted(planned, key=lambda item: (item.day, item.camera_id))


def _share_before(day: date, before: datetime) -> float:
    start = datetime(day.year, day.month, day.day, tzinfo=before.tzinfo)
    return min(1.0, max(0.0, (before - start) / timedelta(days=1)))


def _share_of(day: DayOfFootage, needed: int) -> float:
    if needed <= 0 or day.size_bytes <= 0:
        return 0.0
    return min(1.0, needed / day.size_bytes)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where it goes at the last week's rate."""

    bytes_a_day: float
    days_until_floor: float | None
    """Until the free-space rule takes over; ``None``: nothing comes, or the disk is not known."""
    days_kept: float | None
    """How far back footage reaches in the long run; ``None``: without end at this rate."""
    promise_days: float | None
    """The longest age that a rule promises to keep."""

    @property
    def promise_kept(self) -> bool:
        """Whether the promised days fit."""
        return self.promise_days is None or self.days_kept is None or self.days_kept >= self.promise_days


def forecast(rules: Rules, *, week: Sequence[int], used_bytes: int, disk: Disk | None) -> Forecast:
    """Look ahead.

    Args:
        rules: the site's.
        week: bytes that came on each of the last :data:`RATE_DAYS` days.
        used_bytes: what all events hold now.
        disk: the file system, if known.
    """
    rate = sum(week) / max(1, len(week))
    ages = [rules.everywhere.max_age_days, *(limits.max_age_days for limits in (rules.cameras or {}).values())]
    promise = max((age for age in ages if age is not None), default=None)
    if rate <= 0 or disk is None:
        return Forecast(rate, None, None, promise)
    room = max(0, disk.free_bytes - rules.free_floor_bytes)
    capacity = used_bytes + room
    if rules.everywhere.max_bytes is not None:
        capacity = min(capacity, rules.everywhere.max_bytes)
    return Forecast(rate, room / rate, capacity / rate, promise)
