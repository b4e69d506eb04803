"""From hours and stretches to strips, plots and outages that the pages about cameras print. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from securitycamd.domain.coverage import Cover, CoverPart, shares
from securitycamd.services.camera_details import ActivitySpan, HourOfEvents
from securitycamd.web.ui.camera_contexts import CoverKind, LegendEntry, Outage, Plot, PlotRow, Strip, StripPart
from securitycamd.web.ui.words import count, counted, moment

LENGTH: Final = 1000.0
"""Of a strip and of a plot, in its own units."""
HEIGHT: Final = 100.0
MOST_PARTS: Final = 250
"""Of a strip that is drawn exactly; with more, the most frequent kind of each of as many cells is drawn."""
LEAST_WIDTH: Final = 2.0
"""Of a part that must not be overlooked."""
OUTAGES_SHOWN: Final = 8
_TICKS: Final = 4

_KINDS: Final[dict[Cover, tuple[CoverKind, str]]] = {
    Cover.WATCHING: ("watching", "Watching"),
    Cover.VIEWED: ("viewed", "Viewed live, blind to motion"),
    Cover.OFFLINE: ("offline", "Offline"),
    Cover.UNKNOWN: ("unknown", "Not known"),
}
_OUTAGE_WORDS: Final = {Cover.OFFLINE: "Offline", Cover.VIEWED: "Viewed live, motion detection paused"}
TITLES: Final = {ActivitySpan.DAY: "Last 24 hours", ActivitySpan.MONTH: "Last 30 days"}


def strip(parts: Sequence[CoverPart], span: ActivitySpan, zone: ZoneInfo, now: datetime) -> Strip:
    """A coverage strip of parts that follow each other without gaps up to ``now``."""
    found = shares(parts)
    legend = tuple(LegendEntry(*_KINDS[cover], _percent(share)) for cover, share in found.items())
    told = ", ".join(f"{entry.label.lower()} {entry.share}" for entry in legend)
    return Strip(
        title=TITLES[span],
        summary=f"{TITLES[span]}: {told or 'nothing is known'}",
        strip_parts=tuple(_drawn(parts)),
        legend=legend,
        ticks=_ticks(now - span.length, now, span, zone),
    )


def _percent(share: float) -> str:
    percent = 100 * share
    if percent < 0.1:
        return "under 0.1 %"
    # 99.98 is not everything.
    return f"{percent:.1f} %" if percent < 10 or 99 < percent < 99.95 else f"{percent:.0f} %"


def _drawn(parts: Sequence[CoverPart]) -> Iterable[StripPart]:
    if not parts:
        return
    start, end = parts[0].start, parts[-1].end
    scale = LENGTH / (end - start).total_seconds()
    if len(parts) > MOST_PARTS:
        parts = _in_cells(parts, start, (end - start) / MOST_PARTS)
    for part in parts:
        x = (part.start - start).total_seconds() * scale
        width = part.seconds * scale
        if part.cover in {Cover.OFFLINE, Cover.VIEWED}:
            width = max(width, LEAST_WIDTH)
        yield StripPart(_KINDS[part.cover][0], round(x, 2), round(min(width, LENGTH - x), 2))


def _in_cells(parts: Sequence[CoverPart], start: datetime, cell: timedelta) -> list[CoverPart]:
    seconds: dict[int, dict[Cover, float]] = defaultdict(lambda: defaultdict(float))
    for part in parts:
        at = part.start
        while at < part.end:
            number = (at - start) // cell
            until = min(part.end, start + (number + 1) * cell)
            seconds[number][part.cover] += (until - at).total_seconds()
            at = until
    cells: list[CoverPart] = []
    for number, kinds in sorted(seconds.items()):
        cover = max(kinds, key=lambda kind: kinds[kind])
        begins = start + number * cell
        if cells and cells[-1].cover is cover:
            begins = cells.pop().start
        cells.append(CoverPart(cover, begins, start + (number + 1) * cell))
    return cells


def _ticks(start: datetime, end: datetime, span: ActivitySpan, zone: ZoneInfo) -> tuple[str, ...]:
    moments = [(start + number * (end - start) / _TICKS).astimezone(zone) for number in range(_TICKS)]
    form = [f"{at:%H:%M}" if span is ActivitySpan.DAY else f"{at.day} {at:%b}" for at in moments]
    return (*form, "now" if span is ActivitySpan.DAY else "today")


def outages(parts: Sequence[CoverPart], zone: ZoneInfo, now: datetime) -> tuple[Outage, ...]:
    """The latest stretches in which the camera did not watch, the newest first."""
    found = [part for part in parts if part.cover in _OUTAGE_WORDS]
    return tuple(_outage(part, parts[-1].end, zone, now) for part in reversed(found[-OUTAGES_SHOWN:]))


def _outage(part: CoverPart, end: datetime, zone: ZoneInfo, now: datetime) -> Outage:
    started, ended = moment(part.start, zone, now), moment(part.end, zone, now)
    until = ended.clock[:5] if ended.day == started.day else f"{_inside(ended.day)}, {ended.clock[:5]}"
    return Outage(
        cover=_KINDS[part.cover][0],
        what=_OUTAGE_WORDS[part.cover],
        started=started,
        until="now" if part.end >= end else until,
        lasted=lasting(part.seconds),
    )


def lasting(seconds: float) -> str:
    """How long in at most two units: ``40 s``, ``38 min``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    days, left = divmod(hours, 24)
    parts = [(days, "d"), (left, "h"), (minutes, "min")]
    shown = [f"{count(value)} {unit}" for value, unit in parts if value]
    return " ".join(shown[:2]) or "0 s"


def plot(hours: Sequence[HourOfEvents], span: ActivitySpan, zone: ZoneInfo, now: datetime) -> Plot:
    """Events per hour, drawn, summed up and as a table: by hour, or by day for a month."""
    highest = max((hour.events for hour in hours), default=0)
    total = sum(hour.events for hour in hours)
    by_day = span is ActivitySpan.MONTH
    return Plot(
        span=span.value,
        title=TITLES[span],
        summary=_summary(hours, total, highest, zone, now),
        outline=_outline(hours, highest, span),
        length=len(hours),
        first=int(hours[0].start.timestamp()) if hours else 0,
        counts=",".join(str(hour.events) for hour in hours),
        zone=zone.key,
        highest=f"{count(highest)} an hour" if highest else "",
        ticks=_ticks(now - span.length, now, span, zone),
        row_head="Day" if by_day else "Hour",
        rows=tuple(_by_day(hours, zone, now) if by_day else _by_hour(hours, zone, now)),
    )


def _summary(hours: Sequence[HourOfEvents], total: int, highest: int, zone: ZoneInfo, now: datetime) -> str:
    if not total:
        return "No events"
    busiest = next(hour for hour in hours if hour.events == highest)
    at = moment(busiest.start, zone, now)
    day = _inside(at.day)
    on = day if day in {"today", "yesterday"} else f"on {day}"
    if total == highest:
        return f"{counted(total, 'event')}, {on} at {at.clock[:5]}"
    return f"{counted(total, 'event')}; busiest hour: {on} at {at.clock[:5]}, with {count(highest)}"


def _inside(day: str) -> str:
    """A day's name as it stands inside a sentence."""
    return day.lower() if day in {"Today", "Yesterday"} else day


def _outline(hours: Sequence[HourOfEvents], highest: int, span: ActivitySpan) -> str:
    if not highest:
        return ""
    top = round(HEIGHT)
    # Few bars stand apart; many would be lost in the gaps between them.
    left, wide = (0.14, ".72") if span is ActivitySpan.DAY else (0, "1")
    bars = (
        (number + left, max(1, round(HEIGHT * hour.events / highest)))
        for number, hour in enumerate(hours)
        if hour.events
    )
    return "".join(f"M{x:g} {top}v-{high}h{wide}V{top}z" for x, high in bars)


def _by_hour(hours: Sequence[HourOfEvents], zone: ZoneInfo, now: datetime) -> Iterable[PlotRow]:
    for hour in reversed(hours):
        at = moment(hour.start, zone, now)
        yield PlotRow(f"{at.day}, {at.clock[:5]}", count(hour.events), "")


def _by_day(hours: Sequence[HourOfEvents], zone: ZoneInfo, now: datetime) -> Iterable[PlotRow]:
    days: dict[date, list[HourOfEvents]] = defaultdict(list)
    for hour in hours:
        days[hour.start.astimezone(zone).date()].append(hour)
    for of_day in reversed(days.values()):
        total = sum(hour.events for hour in of_day)
        busiest = max(of_day, key=lambda hour: hour.events)
        at = moment(busiest.start, zone, now)
        told = f"{at.clock[:5]}: {count(busiest.events)}" if total else ""
        yield PlotRow(at.day, count(total), told)
