"""How much happened when: bars of an hour of one day, or of a day of a longer stretch, stacked by category. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from securitycamd.domain.names import Category
from securitycamd.domain.times import today
from securitycamd.services.timeline import Timeline
from securitycamd.web.ui.contexts import Action, Site, Tag
from securitycamd.web.ui.gallery_contexts import StripBar, StripPart, StripView
from securitycamd.web.ui.query import GalleryQuery
from securitycamd.web.ui.seen import CATEGORY_LABELS
from securitycamd.web.ui.words import count, counted, day_name

DAYS_WITHOUT_A_DATE: Final = 30
MOST_BARS: Final = 92
SMALLEST_BAR: Final = 4.0
"""One event must be seen beside a hundred."""
HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class StripCount:
    """So many events of a category in the hour, or the day, that begins at ``start``."""

    start: datetime
    category: Category | None
    """``None``: not looked at yet."""
    events: int


@dataclass(frozen=True, slots=True)
class _Slot:
    label: str
    query: GalleryQuery
    is_on: bool
    is_ahead: bool


def strip_days(query: GalleryQuery, zone: ZoneInfo, now: datetime) -> tuple[date, date]:
    """The first and the last day that the strip shows."""
    days = query.days(zone, now)
    if days is None:
        present = today(zone, now)
        return present - timedelta(days=DAYS_WITHOUT_A_DATE - 1), present
    first, last = days
    return max(first, last - timedelta(days=MOST_BARS - 1)), last


def strip_counts(timeline: Timeline, query: GalleryQuery) -> list[StripCount]:
    """What a timeline counts of the categories that ``query`` asks for."""
    known = {category.value: category for category in Category}
    found = (
        StripCount(bucket.start, known.get(name), events)
        for bucket in timeline.buckets
        for name, events in bucket.counts.items()
    )
    return [entry for entry in found if not query.category or entry.category in query.category]


def strip_view(counts: Iterable[StripCount], query: GalleryQuery, *, site: Site, now: datetime) -> StripView:
    """The strip of what ``query`` asks for, of all hours of its day or all days of its stretch."""
    zone = site.zone
    first, last = strip_days(query, zone, now)
    is_day = first == last and query.date is not None
    slots = _hours(query, zone, now, first) if is_day else _days(query, zone, now, first, last)
    tally: dict[int, Counter[Category]] = {}
    for entry in counts:
        local = entry.start.astimezone(zone)
        at = local.hour if is_day else (local.date() - first).days
        if 0 <= at < len(slots):
            tally.setdefault(at, Counter())[entry.category or Category.UNKNOWN] += entry.events
    shown = [category for category in Category if any(bar[category] for bar in tally.values())]
    highest = max((sum(bar.values()) for bar in tally.values()), default=0)
    total = sum(sum(bar.values()) for bar in tally.values())
    people = sum(bar[Category.PERSON] for bar in tally.values())
    step = timedelta(days=(last - first).days + 1)
    return StripView(
        unit="Hour" if is_day else "Day",
        heading=_heading(first, last, zone, now, is_day=is_day),
        summary=_summary(total, people, is_more=query.asks_what_is_not_counted),
        bars=tuple(_bar(slot, tally.get(position, Counter()), shown, highest) for position, slot in enumerate(slots)),
        marks=("00", "06", "12", "18", "24") if is_day else _marks(first, last),
        legend=tuple(Tag(category, CATEGORY_LABELS[category]) for category in shown),
        earlier=_moved(query, first - step, last - step, "The day before" if is_day else "Earlier"),
        later=None
        if last >= today(zone, now)
        else _moved(query, first + step, last + step, "The day after" if is_day else "Later"),
    )


def _hours(query: GalleryQuery, zone: ZoneInfo, now: datetime, day: date) -> list[_Slot]:
    present = now.astimezone(zone)
    slots = []
    for hour in range(HOURS):
        is_on = query.hour == hour
        target = query.but(hour=None if is_on else hour)
        is_ahead = (day, hour) > (present.date(), present.hour)
        slots.append(_Slot(f"{hour:02}:00 to {hour + 1:02}:00", target, is_on, is_ahead))
    return slots


def _days(query: GalleryQuery, zone: ZoneInfo, now: datetime, first: date, last: date) -> list[_Slot]:
    present = today(zone, now)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [
        _Slot(_name(day, zone, now), query.for_date(day.isoformat()), is_on=False, is_ahead=day > present)
        for day in days
    ]


def _bar(slot: _Slot, tally: Mapping[Category, int], shown: Sequence[Category], highest: int) -> StripBar:
    cells = tuple(tally.get(category, 0) for category in shown)
    total = sum(cells)
    told = [
        f"{count(number)} {CATEGORY_LABELS[category]}" for category, number in zip(shown, cells, strict=True) if number
    ]
    events = counted(total, "event") if total else "no events"
    return StripBar(
        label=slot.label,
        title=f"{slot.label}: {events}" + (f", {', '.join(told)}" if told else ""),
        url=slot.query.url(),
        is_on=slot.is_on,
        is_ahead=slot.is_ahead,
        parts=tuple(_parts(zip(shown, cells, strict=True), total, highest)),
        cells=cells,
        total=total,
    )


def _parts(cells: Iterable[tuple[Category, int]], total: int, highest: int) -> Iterable[StripPart]:
    if not total:
        return
    height = max(SMALLEST_BAR, 100 * total / highest)
    y = 100.0
    for category, number in cells:
        if number:
            share = height * number / total
            y -= share
            yield StripPart(category, round(y, 2), round(share, 2))


def _moved(query: GalleryQuery, first: date, last: date, label: str) -> Action:
    end = None if first == last else last.isoformat()
    return Action(label, query.but(date=first.isoformat(), end_date=end, hour=None).url())


def _name(day: date, zone: ZoneInfo, now: datetime) -> str:
    return day_name(datetime.combine(day, datetime.min.time(), zone).replace(hour=12), zone, now)


def _heading(first: date, last: date, zone: ZoneInfo, now: datetime, *, is_day: bool) -> str:
    if is_day:
        year = "" if first.year == today(zone, now).year else f" {first.year}"
        return f"{first:%A} {first.day} {first:%B}{year}"
    end = f"{last.day} {last:%B}"
    start = f"{first.day}" if (first.year, first.month) == (last.year, last.month) else f"{first.day} {first:%B}"
    return f"{start} to {end}" + ("" if last.year == today(zone, now).year else f" {last.year}")


def _summary(total: int, people: int, *, is_more: bool) -> str:
    if not total:
        return "nothing moved"
    text = counted(total, "event") + (" in all" if is_more else "")
    return f"{text}, {count(people)} with people" if people else text


def _marks(first: date, last: date) -> tuple[str, ...]:
    length = (last - first).days
    steps = min(4, length)
    days = [first + timedelta(days=round(length * number / steps)) for number in range(steps + 1)] if steps else [first]
    return tuple(f"{day.day} {day:%b}" for day in days)
