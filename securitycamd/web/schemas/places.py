"""Places in a list of events as addresses carry them, and parameters that may be given more than once."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import BeforeValidator, WithJsonSchema

from securitycamd.domain.models import Place
from securitycamd.domain.times import EARLIEST, LATEST

Word = TypeVar("Word")
_PLACE: Final = re.compile(r"(-?\d{1,18})\.(\d{1,10})", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
VALUES_LIMIT: Final = 200
"""So many values of one parameter are read."""


def place_text(place: Place) -> str:
    """A place as ``before`` and ``after`` take it: microseconds since 1970, a dot, the event's id."""
    return f"{(place.timestamp - _EPOCH) // _MICROSECOND}.{place.event_id}"


def read_place(text: str) -> Place:
    """The place that :func:`place_text` wrote.

    Raises:
        ValueError: it wrote nothing of the kind.
    """
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError("must be what an earlier page gave as older or newer")
    micros = int(match[1])
    if not (EARLIEST - _EPOCH) // _MICROSECOND <= micros <= (LATEST - _EPOCH) // _MICROSECOND:
        raise ValueError("must be what an earlier page gave as older or newer")
    return Place(_EPOCH + micros * _MICROSECOND, int(match[2]))


def _place(value: Any) -> Place:
    if isinstance(value, Place):
        return value
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic turns ValueError into a field error
    return read_place(value)


PlaceText = Annotated[
    Place,
    BeforeValidator(_place),
    WithJsonSchema({"type": "string", "description": "what an earlier page gave as `older` or `newer`"}),
]


def words_of(value: Any, read: Callable[[str], Word]) -> list[Word]:
    """The values of a parameter that may be given more than once, or as words with commas between.

    Raises:
        ValueError: ``read`` refuses one of them.
    """
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(each, str) for each in given):
        raise ValueError("must be text")
    parts = [part for each in given for part in each.split(",")]
    if len(parts) > VALUES_LIMIT:
        raise ValueError(f"at most {VALUES_LIMIT} values")
    return [read(part) for part in parts]


def one_of(words: type[StrEnum]) -> Callable[[Any], list[StrEnum]]:
    """A validator of a parameter that names words of ``words``."""

    def read(text: str) -> StrEnum:
        try:
            return words(text)
        except ValueError:
            raise ValueError(f"must be of {', '.join(words)}") from None

    return lambda value: words_of(value, read)
