"""How numbers, times and things are put into words. Pure; the templates' filters are here too."""

import math
from datetime import date, datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from securitycamd.domain.times import today
from securitycamd.web.ui.contexts import Moment

MEDIA_PREFIX: Final = "/media/"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR_DAYS, _MANY_YEARS = 365.25, 10
MANY_DAYS: Final = 3 * 365
"""From so many on they are told in years."""


def duration(seconds: float) -> str:
    """A clip's length as players show it: ``0:48``, ``1:02:05``."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, _HOUR)
    minutes, left = divmod(rest, _MINUTE)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def count(value: float) -> str:
    """A whole number with thousands apart: ``48,213``."""
    return f"{value:,.0f}" if math.isfinite(value) else "-"


def counted(number: int, thing: str) -> str:
    """So many of a thing whose plural is regular: ``1 event``, ``48,213 events``."""
    return f"{count(number)} {thing}" if number == 1 else f"{count(number)} {thing}s"


def age(then: datetime, now: datetime) -> str:
    """How long ago in one unit: ``now``, ``12 s``, ``5 min``, ``2 h``, ``3 d``; as in ``static/app.js``."""
    seconds = (now - then).total_seconds()
    if seconds < 5:
        return "now"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s" if seconds < 59.5 else "1 min"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min"
    if seconds < 2 * _DAY:
        return f"{int(seconds // _HOUR)} h"
    return f"{count(seconds // _DAY)} d"


def span(seconds: float) -> str:
    """A length of time in one unit, or two: ``12 s``, ``5 min``, ``3 h 20 min``, ``4 days``, ``over 10 years``."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / _MINUTE)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest and hours < 12 else f"{hours} h"
    days = hours / 24
    # Nobody's disk is judged by the day years ahead.
    if days < MANY_DAYS:
        return f"{count(days)} days"
    years = days / _YEAR_DAYS
    return f"{count(years)} years" if years <= _MANY_YEARS else f"over {_MANY_YEARS} years"


def day_name(then: datetime, zone: ZoneInfo, now: datetime) -> str:
    """The site's day: ``Today``, ``Yesterday``, ``Saturday 21 November``, and another year."""
    return _day_name(today(zone, then), today(zone, now))


# Of a page's moments few are of different days.
@lru_cache(maxsize=256)
def _day_name(day: date, present: date) -> str:
    ago = (present - day).days
    if ago in {0, 1}:
        return ("Today", "Yesterday")[ago]
    return f"{day:%A} {day.day} {day:%B}" + (f" {day.year}" if day.year != present.year else "")


@lru_cache(maxsize=256)
def _whole_day(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B} {day.year}"


def moment(then: datetime, zone: ZoneInfo, now: datetime) -> Moment:
    """``then`` in the site's zone, ready to print."""
    local = then.astimezone(zone)
    day = local.date()
    passed = age(then, now)
    clock = f"{local.hour:02}:{local.minute:02}:{local.second:02}"
    return Moment(
        iso=local.isoformat(timespec="seconds"),
        exact=f"{_whole_day(day)}, {clock} {local.tzname()}",
        clock=clock,
        day=_day_name(day, today(zone, now)),
        relative="just now" if passed == "now" else f"{passed} ago",
    )


def media_url(path: str, *, download: bool = False) -> str:
    """The URL of a file of the storage root; ``path`` is relative to it."""
    return MEDIA_PREFIX + quote(path, safe="/") + ("?download=1" if download else "")
