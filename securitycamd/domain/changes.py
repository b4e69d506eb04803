"""What is told to those who watch: that an event or a camera is not what it was. Small: they ask for the rest."""

from dataclasses import dataclass
from enum import StrEnum


class What(StrEnum):
    """What happened."""

    NEW = "new"
    CHANGED = "changed"
    GONE = "gone"
    CAMERA = "camera"
    """A camera appeared, or what is kept of it changed."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed."""

    what: What
    event_id: int | None = None
    camera_id: str | None = None
    """``None``: not known where it was written; who may see some cameras only must be asked about."""
    progress: float | None = None
    """How much of the clip is converted, 0 to 1, while that goes on."""
