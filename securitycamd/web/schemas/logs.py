"""Log lines on the wire."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from securitycamd.domain.models import LogFilter, LogLine
from securitycamd.domain.names import LogLevel
from securitycamd.domain.times import Span
from securitycamd.web.registry import Input, Reply
from securitycamd.web.schemas.common import MAX_OFFSET, Bound, IsoTime, after, span_of

DEFAULT_STRETCH: Final = timedelta(minutes=15)
MESSAGE_LIMIT: Final = 16_000


def _cut(message: str) -> str:
    # A refusal would cost the agent its whole batch.
    return message[:MESSAGE_LIMIT]


class LogEntry(Input):
    """A line."""

    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=True)

    source: Annotated[str, Field(min_length=1, max_length=100, examples=["camera_1"])]
    timestamp: IsoTime
    level: LogLevel
    message: Annotated[
        str,
        Field(
            min_length=1,
            description=f"trimmed; not blank; kept up to {MESSAGE_LIMIT} characters",
            examples=["Motion detected"],
        ),
        AfterValidator(_cut),
    ]


class LogQuery(Input):
    """Which lines, newest first; without any time the last 15 minutes."""

    # Sources are kept trimmed.
    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=True)

    source: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    level: LogLevel | None = None
    after: Annotated[IsoTime | None, Field(description="only later lines; default: 15 minutes ago")] = None
    start_date: Bound | None = None
    end_date: Bound | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0

    def wanted(self, zone: ZoneInfo) -> LogFilter:
        """The same in the domain's words."""
        span = span_of(self.start_date, self.end_date, zone)
        if self.after is not None:
            span = span.intersect(after(self.after, zone))
        elif self.start_date is None and self.end_date is None:
            span = Span(datetime.now(UTC) - DEFAULT_STRETCH)
        return LogFilter(self.source, self.level, span)


class LogsInserted(BaseModel):
    """How many lines were kept."""

    logs_inserted: int


class LogReply(Reply):
    """A kept line."""

    id: int
    source: str
    timestamp: datetime
    level: LogLevel
    message: str


class LogListReply(Reply):
    """A page of lines; ``total`` counts all that match."""

    logs: list[LogReply]
    total: int
    limit: int
    offset: int


def log_reply(line: LogLine, zone: ZoneInfo) -> dict[str, Any]:
    """A line as :class:`LogReply` describes it."""
    return {
        "id": line.id,
        "source": line.source,
        "timestamp": line.timestamp.astimezone(zone),
        "level": line.level,
        "message": line.message,
    }
