"""The gallery's filter state, which is its URL."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

from multidict import MultiDict
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.models import EventFilter, Place
from securitycamd.domain.names import CAMERA_ID_PATTERN, Category, EventStatus
from securitycamd.domain.times import Span, day_bounds, named_day, today
from securitycamd.web.schemas.places import read_place

PAGE_SIZES: Final = (12, 24, 48, 100)
DEFAULT_PAGE_SIZE: Final = 24
NAMED_DAYS: Final = ("today", "yesterday")
NAMED_STRETCHES: Final[dict[str, int]] = {"7days": 7, "30days": 30}
"""Days up to today."""
LONGEST_SEARCH: Final = 200
ALL_CAMERAS: Final = "all"
"""Says that no camera was chosen on purpose, where one was remembered."""
# Made at import: a zone is read from the disk at its first use.
_UTC: Final = ZoneInfo("UTC")
_MANY: Final = frozenset({"camera_id", "category", "status"})
_MANY_LIMIT: Final = 200
_YES_NO: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}

Day = date
"""The type, where a field of the query has its name."""
CameraId = Annotated[str, Field(pattern=CAMERA_ID_PATTERN)]


def _day(value: str) -> str:
    if value in NAMED_DAYS or value in NAMED_STRETCHES:
        return value
    return _calendar_day(value)


def _calendar_day(value: str) -> str:
    try:
        # Basic and week dates are dates to the library too; one day has one URL.
        canonical = date.fromisoformat(value).isoformat()
        named_day(canonical, _UTC)
    except (ValueError, InvalidError) as error:
        raise ValueError("use today, yesterday or YYYY-MM-DD") from error
    return canonical


def _place(value: str) -> str:
    read_place(value)
    return value


def _search(value: str) -> str:
    return " ".join(value.split())[:LONGEST_SEARCH]


class GalleryQuery(BaseModel):
    """Which events the gallery shows, and how. Each of the neighbouring states has a URL.

    The parameters are those of ``GET /api/v1/events`` where that has them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    camera_id: tuple[CameraId, ...] = ()
    date: Annotated[str, AfterValidator(_day)] | None = None
    """``today``, ``yesterday``, ``7days``, ``30days`` or ``YYYY-MM-DD``."""
    end_date: Annotated[str, AfterValidator(_calendar_day)] | None = None
    """The last day of a stretch that begins with ``date``."""
    hour: Annotated[int, Field(ge=0, le=23)] | None = None
    """An hour of the one day that ``date`` names, by the site's clocks."""
    category: tuple[Category, ...] = ()
    person: bool | None = None
    status: tuple[EventStatus, ...] = ()
    reviewed: bool | None = None
    starred: bool | None = None
    min_confidence: Annotated[float, Field(gt=0, le=1)] | None = None
    q: Annotated[str, AfterValidator(_search)] = ""
    view: Literal["grid", "list"] = "grid"
    limit: Literal[12, 24, 48, 100] = DEFAULT_PAGE_SIZE
    before: Annotated[str, AfterValidator(_place)] | None = None
    """The page behind this place in the list."""
    after: Annotated[str, AfterValidator(_place)] | None = None
    """The page before this place."""

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> "GalleryQuery":
        """The query of a URL. What cannot be used, or is empty as forms send it, is left out."""
        given: dict[str, object] = {}
        for name in cls.model_fields:
            value = _many(parameters, name) if name in _MANY else _one(parameters, name)
            if value in ("", None, ()):
                continue
            if isinstance(value, tuple):
                good = tuple(dict.fromkeys(each for each in value if each != ALL_CAMERAS and cls._takes(name, (each,))))
                if good:
                    given[name] = good
            elif cls._takes(name, value):
                given[name] = value
        if "date" not in given and "end_date" in given:
            # One of a form's two days alone is that day, whichever it is.
            given["date"] = given.pop("end_date")
        if given.get("hour") is not None and (not _is_one_day(given.get("date")) or "end_date" in given):
            del given["hour"]
        if "end_date" in given and not _is_calendar_day(given.get("date")):
            del given["end_date"]
        if "before" in given:
            given.pop("after", None)
        return cls.model_validate(given)

    @classmethod
    def read_url(cls, url: str) -> "GalleryQuery":
        """The query of an address of ours."""
        return cls.read(MultiDict(parse_qsl(urlsplit(url).query, keep_blank_values=True)))

    @classmethod
    def _takes(cls, name: str, value: object) -> bool:
        try:
            cls.model_validate({name: value})
        except ValidationError:
            return False
        return True

    @property
    def is_filtered(self) -> bool:
        """Whether it leaves any event out."""
        return bool(self.camera_id) or self.date is not None or self.asks_more

    @property
    def asks_more(self) -> bool:
        """Whether it asks for more than cameras and a stretch of time."""
        return bool(self.category) or self.asks_what_is_not_counted

    @property
    def asks_what_is_not_counted(self) -> bool:
        """Whether it leaves out events that the strip, made of kept counts, shows all the same."""
        asked = (self.person, self.reviewed, self.starred, self.min_confidence)
        return any(each is not None for each in asked) or bool(self.status or self.q)

    @property
    def is_first_page(self) -> bool:
        """Whether it starts with the newest."""
        return self.before is None and self.after is None

    def but(self, **changes: Any) -> "GalleryQuery":
        """The same with other values, from the first page."""
        return self.model_copy(update={"before": None, "after": None, **changes})

    def for_camera(self, camera_id: str | None) -> "GalleryQuery":
        """The same for one camera (``None``: all), from the first page."""
        return self.but(camera_id=() if camera_id is None else (camera_id,))

    def for_date(self, day: str | None) -> "GalleryQuery":
        """The same for a day (``None``: all), from the first page."""
        return self.but(date=day, end_date=None, hour=None)

    def per_page(self, limit: int) -> "GalleryQuery":
        """The same with another page size, from the same place."""
        return self.model_copy(update={"limit": limit})

    def toggled(self, name: Literal["camera_id", "category"], value: str) -> "GalleryQuery":
        """The same with one more of the things that are asked for, or one less."""
        now: tuple[str, ...] = getattr(self, name)
        return self.but(**{name: tuple(each for each in now if each != value) if value in now else (*now, value)})

    def days(self, zone: ZoneInfo, now: datetime) -> tuple[Day, Day] | None:
        """The first and the last day that it asks for; ``None``: any."""
        present = today(zone, now)
        if self.date is None:
            return None
        if self.date in NAMED_STRETCHES:
            return present - timedelta(days=NAMED_STRETCHES[self.date] - 1), present
        if self.date in NAMED_DAYS:
            first = present - timedelta(days=self.date == "yesterday")
        else:
            first = date.fromisoformat(self.date)
        last = first if self.end_date is None else date.fromisoformat(self.end_date)
        return min(first, last), max(first, last)

    def span(self, zone: ZoneInfo, now: datetime | None = None) -> Span:
        """The stretch of time that it asks for."""
        days = self.days(zone, now or datetime.now(UTC))
        if days is None:
            return Span()
        first, last = days
        if self.hour is not None:
            # By the clocks: an hour that they show twice is twice as long, one that they skip is empty.
            start = datetime.combine(first, time(self.hour), zone)
            end = day_bounds(first, zone)[1] if self.hour == 23 else start.replace(hour=self.hour + 1)
            return Span(start.astimezone(UTC), end.astimezone(UTC))
        return Span(day_bounds(first, zone)[0], day_bounds(last, zone)[1])

    def wanted(self, zone: ZoneInfo, now: datetime | None = None) -> EventFilter:
        """The same in the domain's words."""
        return EventFilter(
            cameras=frozenset(self.camera_id) or None,
            span=self.span(zone, now),
            categories=frozenset(self.category) or None,
            person=self.person,
            statuses=frozenset(self.status) or None,
            reviewed=self.reviewed,
            protected=self.starred,
            min_confidence=self.min_confidence,
            text=self.q,
        )

    @property
    def places(self) -> tuple[Place | None, Place | None]:
        """``before`` and ``after`` as places."""
        return (
            None if self.before is None else read_place(self.before),
            None if self.after is None else read_place(self.after),
        )

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Names and values of the URL, without those that say nothing."""
        pairs: list[tuple[str, str]] = []
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if value == info.default:
                continue
            values = value if isinstance(value, tuple) else (value,)
            pairs += [(name, _text(each)) for each in values]
        return tuple(pairs)

    def url(self, path: str = "/") -> str:
        """``path`` in this state; an event's page carries it too, to find the way back."""
        return path + _suffix(self)

    def telling(self, name: Literal["view", "limit"]) -> str:
        """The URL with ``name`` in it even where it is the default: what was chosen last is remembered."""
        if any(pair[0] == name for pair in self.parameters):
            return self.url()
        return f"{self.url()}{'&' if self.parameters else '?'}{name}={getattr(self, name)}"


# Each card's link holds that of its page.
@lru_cache(maxsize=64)
def _suffix(query: GalleryQuery) -> str:
    parameters = query.parameters
    return f"?{urlencode(parameters)}" if parameters else ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _one(parameters: Mapping[str, str], name: str) -> object:
    value = parameters.get(name, "")
    if name in {"limit", "hour"}:
        # Bounded: int() of a very long numeral is slow, and refused by newer Pythons.
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 4 else value
    if name in {"person", "reviewed", "starred"}:
        return _YES_NO.get(value)
    return value


def _many(parameters: Mapping[str, str], name: str) -> tuple[str, ...]:
    every = getattr(parameters, "getall", None)
    values: list[str] = every(name, []) if every is not None else [parameters.get(name, "")]
    return tuple(part for value in values for part in value.split(",") if part)[:_MANY_LIMIT]


def _is_calendar_day(value: object) -> bool:
    return isinstance(value, str) and value not in NAMED_DAYS and value not in NAMED_STRETCHES


def _is_one_day(value: object) -> bool:
    return isinstance(value, str) and value not in NAMED_STRETCHES
