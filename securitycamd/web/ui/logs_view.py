"""From found lines to what ``logs.html`` prints. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Final

from securitycamd.domain.log_search import FoundLines, Place
from securitycamd.domain.models import Camera, LogLine
from securitycamd.domain.names import CENTRAL_SOURCE, LogLevel
from securitycamd.domain.words import Piece
from securitycamd.web.schemas.log_search import LinesPageQuery, place_text
from securitycamd.web.ui.contexts import Action, Option, Site
from securitycamd.web.ui.frame import frame
from securitycamd.web.ui.logs_contexts import LineView, LogsContext
from securitycamd.web.ui.words import counted

LOGS_URL: Final = "/logs"
DOWNLOAD_URL: Final = "/api/v1/logs/download"
ROWS: Final = (500, 2_000, 10_000, 25_000)
_RANGES: Final = {
    "": "All time",
    "today": "Today",
    "yesterday": "Yesterday",
    "7d": "7 days",
    "30d": "30 days",
}
_CENTRAL: Final = "This server"


def logs_context(
    found: FoundLines,
    query: LinesPageQuery,
    *,
    cameras: Sequence[Camera],
    sources: Sequence[str],
    total: int,
    rows: int,
    site: Site,
    now: datetime,
) -> LogsContext:
    """The page of log lines.

    Args:
        found: the lines, in either direction.
        query: what was asked for.
        cameras: all that the reader may see.
        sources: every source of lines.
        total: how many lines sources, levels and days let through.
        rows: how many the reader wants to have at hand.
        site: zone and name.
        now: the present, aware.
    """
    names = {camera.camera_id: camera.name for camera in cameras} | {CENTRAL_SOURCE: _CENTRAL}
    older, newer = _places(found, query)
    is_filtered = bool(query.parameters)
    return LogsContext(
        frame=frame("Logs", "logs", cameras=cameras, site=site, now=now),
        summary=counted(total, "line") + (" to search" if query.q else ""),
        search=query.q,
        levels=tuple(Option(level, level.capitalize(), level in query.level) for level in reversed(LogLevel)),
        sources=tuple(_sources(sources, cameras, query, names)),
        sources_label=_chosen(query.source, names),
        ranges=tuple(Option(value, label, value == (query.range or "")) for value, label in _RANGES.items()),
        since=_field(query.since, time.min),
        until=_field(query.until, time(23, 59)),
        zone_name=site.zone.key.replace("_", " "),
        rows=tuple(Option(str(number), counted(number, "line"), number == rows) for number in ROWS),
        lines=tuple(_line(line, names, query.q, site) for line in found.lines),
        nothing=_nothing(found, is_filtered=is_filtered),
        notice=_notice(found, site) if query.after is None else "",
        older=Action("Search further back" if found.is_cut_short else "Older lines", older) if older else None,
        newer=Action("Newer lines", newer) if newer else None,
        older_place=place_text(found.further) if found.further and query.after is None else _first(found),
        is_newest=newer is None,
        text_url=query.without_place().url(DOWNLOAD_URL, format="text"),
        json_url=query.without_place().url(DOWNLOAD_URL, format="json"),
        clear_url=LOGS_URL if is_filtered else None,
    )


def _places(found: FoundLines, query: LinesPageQuery) -> tuple[str | None, str | None]:
    """Where older and newer lines are."""
    plain = query.without_place()
    if query.after is not None:
        older = plain.url(LOGS_URL, before=_first(found)) if found.lines else plain.url(LOGS_URL, before=query.after)
        return older, plain.url(LOGS_URL, after=place_text(found.further)) if found.further else None
    older_url = plain.url(LOGS_URL, before=place_text(found.further)) if found.further else None
    if query.before is None:
        return older_url, None
    last = place_text(Place.of(found.lines[-1])) if found.lines else query.before
    return older_url, plain.url(LOGS_URL, after=last)


def _first(found: FoundLines) -> str:
    return place_text(Place.of(found.lines[0])) if found.lines else ""


def _sources(
    sources: Sequence[str], cameras: Sequence[Camera], query: LinesPageQuery, names: Mapping[str, str]
) -> Iterable[Option]:
    known = {CENTRAL_SOURCE, *(camera.camera_id for camera in cameras), *sources, *query.source}
    for source in sorted(known, key=lambda source: (source != CENTRAL_SOURCE, names.get(source, source).casefold())):
        yield Option(source, names.get(source, source), source in query.source)


def _chosen(sources: Sequence[str], names: Mapping[str, str]) -> str:
    match len(sources):
        case 0:
            return "All sources"
        case 1:
            return names.get(sources[0], sources[0])
        case number:
            return f"{number} sources"


def _field(value: date | datetime | None, of_day: time) -> str:
    """The value of a ``datetime-local`` field."""
    if value is None:
        return ""
    moment = value if isinstance(value, datetime) else datetime.combine(value, of_day)
    return moment.replace(tzinfo=None).isoformat(timespec="minutes")


def _line(line: LogLine, names: Mapping[str, str], text: str, site: Site) -> LineView:
    local = line.timestamp.astimezone(site.zone)
    return LineView(
        id=line.id,
        iso=local.isoformat(timespec="microseconds"),
        shown=f"{local.day} {local:%b %H:%M:%S}.{local.microsecond // 1000:03}",
        level=line.level,
        source=line.source,
        source_name=names.get(line.source, line.source),
        parts=tuple(marked(line.message, text)),
    )


def marked(message: str, text: str) -> Iterable[Piece]:
    """The message in parts, with every place of ``text`` a hit, whatever its case."""
    # Letters whose small form has another length would shift what follows; they are compared as they are.
    plain = "".join(small if len(small := letter.lower()) == 1 else letter for letter in message)
    wanted = "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)
    at = 0
    while wanted and (hit := plain.find(wanted, at)) >= 0:
        if hit > at:
            yield Piece(message[at:hit], is_hit=False)
        at = hit + len(wanted)
        yield Piece(message[hit:at], is_hit=True)
    if at < len(message):
        yield Piece(message[at:], is_hit=False)


def _nothing(found: FoundLines, *, is_filtered: bool) -> str:
    if found.is_cut_short:
        return "Nothing found so far."
    return "No line matches." if is_filtered else "No log lines yet. They appear as soon as a camera reports."


def _notice(found: FoundLines, site: Site) -> str:
    if not found.is_cut_short or found.further is None:
        return ""
    local = found.further.at.astimezone(site.zone)
    return f"Searched back to {local:%A} {local.day} {local:%B %Y, %H:%M}."
