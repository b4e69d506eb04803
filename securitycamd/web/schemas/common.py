"""Types that several parts of the API share."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, WithJsonSchema

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.names import CAMERA_ID_PATTERN
from securitycamd.domain.times import EARLIEST, Span, day_bounds, next_microsecond
from securitycamd.web.registry import Input, Reply

CameraId = Annotated[
    str,
    Field(pattern=CAMERA_ID_PATTERN, description="1-50 letters, digits and underscores", examples=["camera_1"]),
]


def _iso_time(value: Any) -> datetime:
    # Pydantic would take numbers, and digits in a string, for seconds since 1970.
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("must be an ISO 8601 time")  # noqa: TRY004 - pydantic turns ValueError into a field error
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("must be an ISO 8601 time such as 2025-10-28T14:30:22.186476") from None


IsoTime = Annotated[
    datetime,
    BeforeValidator(_iso_time),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "description": "ISO 8601; without an offset it is the site's local time",
            "examples": ["2025-10-28T14:30:22.186476"],
        }
    ),
]


def _bound(value: Any) -> date | datetime:
    if isinstance(value, date):  # datetime too
        return value
    if isinstance(value, str) and len(value) == len("2025-10-28"):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a day YYYY-MM-DD or an ISO 8601 time") from None
    return _iso_time(value)


Bound = Annotated[
    date | datetime,
    BeforeValidator(_bound),
    WithJsonSchema(
        {
            "type": "string",
            "description": "a day (YYYY-MM-DD, of the site) or an ISO 8601 time",
            "examples": ["2025-10-28", "2025-10-28T14:30:22"],
        }
    ),
]


class Problem(Reply):
    """What every error looks like."""

    title: str
    status: int
    detail: Annotated[
        str | list[dict[str, Any]], Field(description="a sentence, or one entry for each field that is wrong")
    ]


class CameraPath(Input):
    """``{camera_id}``; what no camera can be called is simply not found."""

    camera_id: Annotated[str, Field(examples=["camera_1"])]


def local(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    """A moment as replies tell it: by the site's clocks."""
    return None if moment is None else moment.astimezone(zone)


MAX_OFFSET: Final = 2**40


def span_of(start: date | datetime | None, end: date | datetime | None, zone: ZoneInfo) -> Span:
    """The stretch from ``start`` to ``end``, both included; a day means all of it."""
    return Span(
        None if start is None else _moment("start_date", start, zone, last=False),
        None if end is None else _moment("end_date", end, zone, last=True),
    )


def after(moment: datetime, zone: ZoneInfo) -> Span:
    """Everything later than ``moment``."""
    return Span(_moment("after", moment, zone, last=True), None)


def _moment(field: str, value: date | datetime, zone: ZoneInfo, *, last: bool) -> datetime:
    """The first moment of ``value``, or the first after it.

    Of the two readings of a naive time in a repeated hour the wider one; in a skipped hour the one under
    which events are kept (see :func:`securitycamd.domain.times.read_time`).
    """
    if not EARLIEST.year < value.year < 8999:
        raise InvalidError(field, "the year cannot be stored")
    if not isinstance(value, datetime):
        return day_bounds(value, zone)[last]
    if value.tzinfo is not None:
        moment = value.astimezone(UTC)
    else:
        first, second = (value.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        moment = max(first, second) if last else first
    return next_microsecond(moment) if last else moment
