"""What the page of log lines shows."""

from dataclasses import dataclass
from typing import ClassVar

from securitycamd.domain.words import Piece
from securitycamd.web.ui.contexts import Action, Frame, Option, PageContext


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
    parts: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class LogsContext(PageContext):
    """What ``logs.html`` prints."""

    template: ClassVar = "logs.html"

    frame: Frame
    summary: str
    search: str
    levels: tuple[Option, ...]
    sources: tuple[Option, ...]
    sources_label: str
    ranges: tuple[Option, ...]
    since: str
    until: str
    zone_name: str
    rows: tuple[Option, ...]
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
