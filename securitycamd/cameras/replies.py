"""What agents say of themselves. Untrusted: bounded, cleaned, and what makes no sense is left out.

An agent's clock is read from its reply's ``Date`` header, which every HTTP server sends and which has whole seconds:
the offset is good to about half a second more than half of the round trip.
"""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict

LONGEST_WORD: Final = 50
LONGEST_STATE: Final = 40
LONGEST_UPTIME_SECONDS: Final = 20 * 365 * 86400.0
_DATE_RESOLUTION_SECONDS: Final = 1.0


def _words(limit: int) -> BeforeValidator:
    def clean(value: Any) -> str | None:
        if not isinstance(value, str):
            return None
        text = " ".join("".join(letter if letter.isprintable() else " " for letter in value[: 4 * limit]).split())
        return text[:limit] or None

    return BeforeValidator(clean)


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _uptime(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= LONGEST_UPTIME_SECONDS else None


def _port(value: Any) -> int | None:
    # Some agents name no port, or 0 until the stream came up once.
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 < value <= 65535 else None


Uptime = Annotated[float | None, BeforeValidator(_uptime)]


class Told(BaseModel):
    """Base of what agents say; what they leave out is ``None``."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Health(Told):
    """At ``/api/ping`` and ``/api/health``."""

    camera_id: Annotated[str | None, _words(LONGEST_WORD)] = None
    motion_state: Annotated[str | None, _words(LONGEST_STATE)] = None
    streaming: Annotated[bool | None, BeforeValidator(_flag)] = None
    uptime_seconds: Uptime = None
    version: Annotated[str | None, _words(LONGEST_WORD)] = None


class About(Told):
    """At ``/api/version``."""

    version: Annotated[str | None, _words(LONGEST_WORD)] = None
    uptime_seconds: Uptime = None


class Switched(Told):
    """In reply to the start or the stop of a stream."""

    success: Annotated[bool | None, BeforeValidator(_flag)] = None
    stream_port: Annotated[int | None, BeforeValidator(_port)] = None


def clock_offset(date: str | None, ours: float) -> float | None:
    """The clock of a ``Date`` header less ours, in seconds; the header is cut to whole ones, so half a one is added."""
    try:
        told = parsedate_to_datetime(date or "")
        theirs = (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return round(theirs + _DATE_RESOLUTION_SECONDS / 2 - ours, 1)
