"""Which footage goes, and why: by age, by size, and before the disk is full; and where that leads.

Protected events never go and are counted apart: their bytes are used, but cannot be freed. The oldest goes first.
Sizes are bytes, days are days of UTC (as footage is counted), rates are bytes a day.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

RATE_DAYS: Final = 7
"""Forecasts go by the mean of so many past days."""
FLOOR_SHARE: Final = 0.25
"""No floor takes more of a disk than this: on a small disk a large floor would leave no footage at all."""
LONGEST_DAYS: Final = 36500.0


class Reason(StrEnum):
    """Why an event goes."""

    AGE = "age"
    CAMERA_SIZE = "camera size"
    SIZE = "size"
    FREE_SPACE = "free space"


@dataclass(frozen=True, slots=True)
class Limits:
    """The rules for a camera, or for all of them together.

    For a camera ``None`` means everyone's age and no size of its own; ``math.inf`` days: no limit, whatever everyone's.
    """

    max_age_days: float | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system that holds the storage root; ``free_bytes`` is what we may write."""

    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a site."""

    everywhere: Limits = Limits()
    cameras: Mapping[str, Limits] | None = None
    free_floor_bytes: int = 0
    """So much of the disk stays free, see :meth:`floor_of`."""

    def age_of(self, camera_id: str) -> float | None:
        """Days after which a camera's events go: its own rule, else everyone's; ``None``: never."""
        own = (self.cameras or {}).get(camera_id, Limits())
        age = self.everywhere.max_age_days if own.max_age_days is None else own.max_age_days
        return None if age is None or age > LONGEST_DAYS else age

    def promise_of(self, camera_id: str) -> float | None:
        """The days that a camera's footage is expected to reach back: its age.

        Everyone's age is no promise where somebody gave a camera a size of its own.
        """
        own = (self.cameras or {}).get(camera_id, Limits())
        return None if own.max_age_days is None and own.max_bytes is not None else self.age_of(camera_id)

    def bytes_of(self, camera_id: str) -> int | None:
        """The most that a camera's events may take."""
        return (self.cameras or {}).get(camera_id, Limits()).max_bytes

    def floor_of(self, disk: Disk) -> int:
        """Bytes that stay free on this disk."""
        return min(self.free_floor_bytes, int(disk.total_bytes * FLOOR_SHARE))


@dataclass(frozen=True, slots=True)
class Use:
    """Bytes of a camera's events: all of them, and those that may not go."""

    size_bytes: int
    protected_bytes: int = 0


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
    """What the rules demand now, each by itself: after one is carried out, what the later ones still demand is less.

    Args:
        rules: the site's.
        now: the present, aware.
        used: bytes of each camera's events, protected ones too.
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
    if disk is not None and disk.free_bytes < rules.floor_of(disk):
        found.append(Cut(Reason.FREE_SPACE, None, free_bytes=rules.floor_of(disk) - disk.free_bytes))
    return found


def enough(sizes: Sequence[int], free_bytes: int) -> int:
    """How many of these events, oldest first, free so much: not one more than is needed; all when all do not."""
    freed = 0
    for taken, size_bytes in enumerate(sizes):
        if freed >= free_bytes:
            return taken
        freed += size_bytes
    return len(sizes)


# --- the forecast ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CameraForecast:
    """A camera in the long run."""

    camera_id: str
    bytes_a_day: float
    days_kept: float | None
    """How far back its footage will reach; ``None``: without end at this rate."""
    promise_days: float | None
    """The age up to which a rule promises to keep it."""

    @property
    def promise_kept(self) -> bool:
        """Whether the promised days fit."""
        if self.promise_days is None or self.days_kept is None:
            return True
        return self.days_kept >= self.promise_days * (1 - 1e-9)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where it goes at the last week's rate."""

    bytes_a_day: float
    days_until_floor: float | None
    """Until the free-space rule takes over; ``None``: never at this rate, or the disk is not known."""
    days_kept: float | None
    """How far back all footage reaches before size or space cut it off; ``None``: they never do."""
    cameras: tuple[CameraForecast, ...] = ()

    @property
    def promise_kept(self) -> bool:
        """Whether all promised days fit."""
        return all(camera.promise_kept for camera in self.cameras)


def rate_of(days: Mapping[date, int], now: datetime) -> float:
    """Bytes a day: the mean of the last complete days that have footage before them or on them; else today's so far.

    Days before a camera's first footage tell nothing of its rate, days that the rules have emptied neither.
    """
    today = now.date()
    past = [days.get(today - timedelta(days=ago), 0) for ago in range(RATE_DAYS, 0, -1)]
    first = next((index for index, size_bytes in enumerate(past) if size_bytes), None)
    if first is not None:
        return sum(past[first:]) / len(past[first:])
    elapsed = max(1 / 24, (now - now.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(days=1))
    return days.get(today, 0) / elapsed


def forecast(rules: Rules, *, rates: Mapping[str, float], used: Mapping[str, Use], disk: Disk | None) -> Forecast:
    """Look ahead.

    In the long run every camera holds what came within its age and fits its own size, and all together what fits the
    common size and the disk; where that is too little, everything older than one common depth goes, oldest first.

    Args:
        rules: the site's.
        rates: bytes that each camera brings a day.
        used: what each camera's events hold now.
        disk: the file system, if known.
    """
    protected = sum(use.protected_bytes for use in used.values())
    room = None if disk is None else max(0, disk.free_bytes - rules.floor_of(disk))
    capacities = []
    if room is not None:
        capacities.append(sum(use.size_bytes for use in used.values()) - protected + room)
    if rules.everywhere.max_bytes is not None:
        capacities.append(max(0, rules.everywhere.max_bytes - protected))
    limits = {
        camera_id: _own_days(rules, camera_id, rate, used.get(camera_id, Use(0)))
        for camera_id, rate in rates.items()
        if rate > 0
    }
    depth = _depth(rates, limits, min(capacities)) if capacities else math.inf
    cameras = tuple(
        CameraForecast(
            camera_id, rate, _finite(min(depth, limits.get(camera_id, math.inf))), rules.promise_of(camera_id)
        )
        if rate > 0  # of what does not come nothing is cut off
        else CameraForecast(camera_id, rate, None, rules.promise_of(camera_id))
        for camera_id, rate in sorted(rates.items())
    )
    total = sum(rates.values())
    # A size that is reached sooner keeps the disk from ever being full.
    fills = total > 0 and room is not None and depth < math.inf and capacities[0] <= min(capacities)
    return Forecast(total, room / total if fills and room is not None else None, _finite(depth), cameras)


def _finite(days: float) -> float | None:
    return days if days < math.inf else None


def _own_days(rules: Rules, camera_id: str, rate: float, use: Use) -> float:
    """How far back a camera's own rules let it reach."""
    days = math.inf if (age := rules.age_of(camera_id)) is None else age
    if (limit := rules.bytes_of(camera_id)) is not None:
        days = min(days, max(0, limit - use.protected_bytes) / rate)
    return days


def _depth(rates: Mapping[str, float], limits: Mapping[str, float], capacity: float) -> float:
    """The age at which everything that came since fills the capacity; infinite when it never does."""
    depth, left = 0.0, capacity
    # From the shortest limit to the longest: beyond a camera's own limit it takes nothing more.
    waiting = sorted(limits, key=limits.__getitem__)
    for index, camera_id in enumerate(waiting):
        growing = sum(rates[other] for other in waiting[index:])
        step = limits[camera_id] - depth
        if left < growing * step:
            return depth + left / growing
        left -= growing * step
        depth = limits[camera_id]
    return math.inf
