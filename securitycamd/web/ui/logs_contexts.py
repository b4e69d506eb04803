"""What the page of log lines shows."""

from dataclasses import dataclass
from typing import ClassVar

from securitycamd.web.ui.contexts import Action, Frame, PageContext


@dataclass(frozen=True, slots=True)
class Box:
    """One choice among several that can be on at once."""

    value: str
    label: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class TextPart:
    """A part of a message; ``is_hit``: what was searched for."""

    text: str
    is_hit: bool


@dataclass(frozen=True, slots=True)
class LineView:
    """A log line."""

    id: int
    iso: str
    """With microseconds and the site's offset."""
    shown: str
    """``24 Nov 18:42:07.123``"""
    level: str
    source: str
    source_name: str
    parts: tuple[TextPart, ...]


@dataclass(frozen=True, slots=True)
class LogsContext(PageContext):
    """What ``logs.html`` prints."""

    template: ClassVar = "logs.html"

    frame: Frame
    summary: str
    search: str
    levels: tuple[Box, ...]
    sources: tuple[Box, ...]
    sources_label: str
    ranges: tuple[Box, ...]
    since: str
    until: str
    zone_name: str
    rows: tuple[Box, ...]
    lines: tuple[LineView, ...]
    nothing: str
    """What to say when there is no line."""
    notice: str
    """How far the search looked, when it had to stop; else empty."""
    older: Action | None
    newer: Action | None
    older_place: str
    """Where the script goes on; empty at the end."""
    is_newest: bool
    """Whether the last line shown is the newest there is, so that new ones belong below it."""
    text_url: str
    json_url: str
    clear_url: str | None
