"""Looking for log lines, on the wire and in the address of the logs page."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from multidict import MultiMapping
from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.log_search import SOURCES_LIMIT, TEXT_LIMIT, FoundLines, LineQuery, Place
from securitycamd.domain.models import LogLine
from securitycamd.domain.names import LogLevel
from securitycamd.domain.times import Span, day_bounds, named_day, today
from securitycamd.web.registry import Input, Reply
from securitycamd.web.schemas.common import Bound, span_of
from securitycamd.web.schemas.logs import LogReply, log_reply

LIMIT: Final = 1000
_DAYS: Final = {"7d": 7, "30d": 30}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE: Final = re.compile(r"(-?[0-9]{1,18})\.(-1|[0-9]{1,19})")
_MICROSECOND: Final = timedelta(microseconds=1)


def place_text(place: Place) -> str:
    """A place in an address: microseconds since 1970, and the line's id."""
    return f"{(place.at - _EPOCH) // _MICROSECOND}.{place.id}"


def read_place(text: str) -> Place:
    """The place that :func:`place_text` wrote.

    Raises:
        ValueError: it did not.
    """
    found = _PLACE.fullmatch(text)
    try:
        if found is not None:
            return Place(_EPOCH + int(found[1]) * _MICROSECOND, int(found[2]))
    except OverflowError:
        pass
    raise ValueError("must be a place that an earlier answer named")


def _place(text: str) -> str:
    read_place(text)
    return text


PlaceText = Annotated[str, AfterValidator(_place), Field(description="a place that an earlier answer named")]
Source = Annotated[str, Field(min_length=1, max_length=100)]


class LinesQuery(Input):
    """Which log lines; what is left out lets everything through."""

    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=True)

    repeated: ClassVar = frozenset({"source", "level"})

    source: Annotated[tuple[Source, ...], Field(max_length=SOURCES_LIMIT, description="of any of these sources")] = ()
    level: Annotated[tuple[LogLevel, ...], Field(max_length=16, description="of any of these levels")] = ()
    q: Annotated[str, Field(max_length=TEXT_LIMIT, description="this in the message, whatever its case")] = ""
    range: Annotated[
        Literal["today", "yesterday", "7d", "30d"] | None, Field(description="days of the site, today being the last")
    ] = None
    since: Annotated[Bound | None, Field(description="not before")] = None
    until: Annotated[Bound | None, Field(description="not after")] = None

    @classmethod
    def read(cls, parameters: MultiMapping[str]) -> Self:
        """The query of a page's address: what cannot be used, or is empty as forms send it, is left out."""
        given: dict[str, Any] = {}
        for name in cls.model_fields:
            values = [value for value in parameters.getall(name, []) if value]
            if not values:
                continue
            value = values if name in cls.repeated else values[0]
            try:
                cls.model_validate({name: value}).wanted(_UTC)
            except (ValidationError, InvalidError):
                continue
            given[name] = value
        return cls.model_validate(given)

    def span(self, zone: ZoneInfo, now: datetime | None = None) -> Span:
        """The stretch of time that is asked for; days are the site's, of 23 to 25 hours."""
        span = span_of(self.since, self.until, zone)
        if self.range is None:
            return span
        if self.range in _DAYS:
            first = today(zone, now) - timedelta(days=_DAYS[self.range] - 1)
            return span.intersect(Span(day_bounds(first, zone)[0], None))
        return span.intersect(named_day(self.range, zone, now))

    def wanted(self, zone: ZoneInfo, now: datetime | None = None) -> LineQuery:
        """The same in the domain's words."""
        levels = frozenset(self.level)
        return LineQuery(
            frozenset(self.source) if self.source else None,
            levels if levels and len(levels) < len(LogLevel) else None,
            self.q,
            self.span(zone, now),
        )

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Names and values of the address, without those that say nothing."""
        pairs = [("source", source) for source in self.source] + [("level", str(level)) for level in self.level]
        if self.q:
            pairs.append(("q", self.q))
        if self.range:
            pairs.append(("range", self.range))
        pairs += [
            (name, _bound_text(value)) for name in ("since", "until") if (value := getattr(self, name)) is not None
        ]
        return tuple(pairs)

    def url(self, path: str = "/logs", **more: str) -> str:
        """``path`` with this query and what else is named."""
        pairs = [*self.parameters, *more.items()]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def without_place(self) -> "LinesQuery":
        """The query alone, from the newest line."""
        return LinesQuery.model_validate(self.model_dump(include=set(LinesQuery.model_fields)))


_UTC: Final = ZoneInfo("UTC")


def _bound_text(value: date | datetime) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    return value.isoformat(timespec="auto" if value.second or value.microsecond else "minutes")


class LinesPageQuery(LinesQuery):
    """Which lines, from which place."""

    before: Annotated[PlaceText | None, Field(description="older than this place; left out: the newest")] = None
    after: Annotated[PlaceText | None, Field(description="newer than this place")] = None
    limit: Annotated[int, Field(ge=1, le=LIMIT)] = 200

    @property
    def before_place(self) -> Place | None:
        """``before``, read."""
        return None if self.before is None else read_place(self.before)

    @property
    def after_place(self) -> Place | None:
        """``after``, read."""
        return None if self.after is None else read_place(self.after)


class LinesFollowQuery(LinesQuery):
    """Which lines, as they come."""

    after_id: Annotated[int | None, Field(ge=0, le=2**63)] = None


class LinesDownloadQuery(LinesQuery):
    """Which lines, as a file."""

    format: Literal["text", "json"] = "text"


class FoundLinesReply(Reply):
    """Matching lines, the oldest first."""

    lines: list[LogReply]
    oldest: Annotated[str | None, Field(description="the place of the first line")]
    newest: Annotated[str | None, Field(description="the place of the last line")]
    further: Annotated[str | None, Field(description="where to go on; null: nothing further matches")]
    is_cut_short: Annotated[bool, Field(description="it looked at enough for one answer: ask again from `further`")]
    searched_to: Annotated[datetime | None, Field(description="everything up to then was looked at; null: everything")]


def found_reply(found: FoundLines, zone: ZoneInfo) -> Mapping[str, Any]:
    """Found lines as :class:`FoundLinesReply` describes them."""
    lines: list[LogLine] = list(found.lines)
    return {
        "lines": [log_reply(line, zone) for line in lines],
        "oldest": place_text(Place.of(lines[0])) if lines else None,
        "newest": place_text(Place.of(lines[-1])) if lines else None,
        "further": place_text(found.further) if found.further else None,
        "is_cut_short": found.is_cut_short,
        "searched_to": found.further.at.astimezone(zone) if found.further else None,
    }
