"""What is asked of the log lines by people who look for something: several sources and levels, a text, a place."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from securitycamd.domain.models import LogLine
from securitycamd.domain.names import LogLevel
from securitycamd.domain.times import Span

TEXT_LIMIT: Final = 200
SOURCES_LIMIT: Final = 100


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the order of lines, which is by time and then by id; between two lines, or at one."""

    at: datetime
    id: int

    @classmethod
    def of(cls, line: LogLine) -> "Place":
        """Where a line stands."""
        return cls(line.timestamp, line.id)


@dataclass(frozen=True, slots=True)
class LineQuery:
    """Which lines. ``None`` is any source or level; ``text`` is looked for in the message, whatever its case."""

    sources: frozenset[str] | None = None
    levels: frozenset[LogLevel] | None = None
    text: str = ""
    span: Span = field(default_factory=Span)

    @property
    def is_impossible(self) -> bool:
        """Whether no line can match."""
        return self.span.is_empty or self.sources == frozenset() or self.levels == frozenset()

    def matches(self, line: LogLine) -> bool:
        """The same question to one line, as the database would answer it."""
        return (
            (self.sources is None or line.source in self.sources)
            and (self.levels is None or line.level in self.levels)
            and (self.span.start is None or line.timestamp >= self.span.start)
            and (self.span.end is None or line.timestamp < self.span.end)
            and self.text.casefold() in line.message.casefold()
        )


@dataclass(frozen=True, slots=True)
class FoundLines:
    """A stretch of matching lines, the oldest first."""

    lines: Sequence[LogLine]
    further: Place | None
    """Where to go on in the same direction; ``None``: nothing further matches."""
    is_cut_short: bool = False
    """Whether the search stopped at ``further`` because it had looked at enough, not because it had found enough."""
