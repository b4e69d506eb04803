"""How much happened when: kept counts by hour or day of the site, stacked by category, for day strips and calendars."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from securitycamd.config import SettingsHolder
from securitycamd.db import kinds
from securitycamd.db.engine import Database
from securitycamd.domain.errors import InvalidError
from securitycamd.domain.names import is_camera_id
from securitycamd.domain.principal import Principal
from securitycamd.domain.times import day_bounds

Step = Literal["hour", "day"]
LIMITS: Final[dict[Step, int]] = {"hour": 33, "day": 400}
"""How many days a stretch may have, by its steps."""
CAMERA_DAYS: Final[dict[Step, int]] = {"hour": 130, "day": 3000}
"""Where cameras are named: how many days of how many cameras are counted at once."""
HALF_A_DAY: Final = 12


@dataclass(frozen=True, slots=True)
class Bucket:
    """What happened in an hour or a day of the site; ``counts`` by category, ``pending`` for what was not looked at."""

    start: datetime
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """Events of every category."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Timeline:
    """The buckets that are not empty, oldest first; ``start`` and ``end`` are the edges of hours or days."""

    start: datetime
    end: datetime
    buckets: list[Bucket]


class TimelineService:
    """Counts by time and category, for the cameras a principal may see."""

    def __init__(self, database: Database, settings: SettingsHolder) -> None:
        self._database = database
        self._settings = settings

    async def counts(
        self, principal: Principal, *, cameras: frozenset[str] | None, start: datetime, end: datetime, step: Step
    ) -> Timeline:
        """Events of whole hours or days of the site that ``start`` to ``end`` touches.

        Counts are kept by hours of UTC: where the site's zone is off by half an hour, so are its hours and days.

        Raises:
            InvalidError: the stretch is too long for its steps, or for so many cameras.
        """
        wanted = principal.cameras if cameras is None else frozenset(filter(is_camera_id, cameras))
        names = None if wanted is None else sorted(camera_id for camera_id in wanted if principal.may_see(camera_id))
        days = (end - start).total_seconds() / 86400
        if days > LIMITS[step] or (names is not None and len(names) * days > CAMERA_DAYS[step] + len(names)):
            raise InvalidError("start", f"too long for steps of a {step}")
        start, end = self._edges(start, end, step)
        if end <= start:
            return Timeline(start, end, [])
        if step == "hour":
            found = await kinds.by_start(self._database, names, "hour", start, end)
        else:
            found = await self._by_day(names, start, end)
        return Timeline(start, end, [Bucket(at, counts) for at, counts in sorted(found.items())])

    async def _by_day(self, cameras: list[str] | None, start: datetime, end: datetime) -> kinds.Counts:
        """Days of the site: the days of UTC between the midnights near their edges, and the hours up to the edges."""
        edges = [start]
        while edges[-1] < end:
            edges.append(day_bounds(edges[-1].astimezone(self._zone).date(), self._zone)[1])
        midnights = [_midnight_near(edge) for edge in edges]
        days = await kinds.by_start(self._database, cameras, "day", midnights[0], midnights[-1])
        between = [_hours(midnight, edge) for midnight, edge in zip(midnights, edges, strict=True)]
        hours = await kinds.at_hours(self._database, cameras, sorted({hour for part in between for hour in part}))
        found: kinds.Counts = {}
        for place, edge in enumerate(edges[:-1]):
            counts: dict[str, int] = defaultdict(int)
            day = midnights[place]
            while day < midnights[place + 1]:
                _add(counts, days.get(day), 1)
                day += timedelta(days=1)
            for at, sign in ((place, -1), (place + 1, 1)):
                for hour, direction in between[at].items():
                    _add(counts, hours.get(hour), sign * direction)
            if some := {category: n for category, n in counts.items() if n}:
                found[edge] = some
        return found

    @property
    def _zone(self) -> ZoneInfo:
        return self._settings.current.site.zone

    def _edges(self, start: datetime, end: datetime, step: Step) -> tuple[datetime, datetime]:
        first = self._floor(start, step)
        last = self._floor(end - timedelta(microseconds=1), step)
        if step == "hour":
            return first, last + timedelta(hours=1)
        return first, day_bounds(last.astimezone(self._zone).date(), self._zone)[1]

    def _floor(self, moment: datetime, step: Step) -> datetime:
        if step == "hour":
            return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return day_bounds(moment.astimezone(self._zone).date(), self._zone)[0]


def _midnight_near(edge: datetime) -> datetime:
    midnight = edge.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1) if edge.hour >= HALF_A_DAY else midnight


def _hours(midnight: datetime, edge: datetime) -> dict[datetime, int]:
    """The hours of UTC between a midnight and an edge: those to add (1) or to take away (-1) to get to the edge."""
    edge = edge.replace(minute=0, second=0, microsecond=0)
    found = {}
    while midnight < edge:
        found[midnight] = 1
        midnight += timedelta(hours=1)
    while midnight > edge:
        midnight -= timedelta(hours=1)
        found[midnight] = -1
    return found


def _add(counts: dict[str, int], more: dict[str, int] | None, times: int) -> None:
    for category, n in (more or {}).items():
        counts[category] += n * times
