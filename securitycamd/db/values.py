"""How times travel between Python and the database: aware UTC here, ``DATETIME(6)`` of UTC there."""

from datetime import UTC, datetime


def time_in(text: str) -> datetime:
    """The aware time that the database writes as ``YYYY-MM-DD HH:MM:SS[.ffffff]``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def maybe_time_in(text: str | None) -> datetime | None:
    """The same for a column that may be NULL."""
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


def time_out(value: datetime) -> datetime:
    """The naive UTC time that the driver writes; refuses a time whose zone is unknown."""
    if value.tzinfo is not UTC:
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        value = value.astimezone(UTC)
    return value.replace(tzinfo=None)
