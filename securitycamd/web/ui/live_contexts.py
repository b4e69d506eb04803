"""What the pages of live pictures print."""

from dataclasses import dataclass
from typing import ClassVar

from securitycamd.web.ui.contexts import Frame, Moment, PageContext


@dataclass(frozen=True, slots=True)
class LiveTile:
    """A camera that can be watched."""

    camera_id: str
    name: str
    location: str
    url: str
    key: int | None
    """The digit that goes to it; the tenth camera has none."""
    picture_url: str | None
    """The newest picture of its events."""
    taken: Moment | None
    is_online: bool
    silence: str
    """``Not heard from for 2 h``; empty while it is online."""


@dataclass(frozen=True, slots=True)
class LiveWallContext(PageContext):
    """What ``live.html`` prints."""

    template: ClassVar = "live.html"

    frame: Frame
    summary: str
    tiles: tuple[LiveTile, ...]
    limit_minutes: str


@dataclass(frozen=True, slots=True)
class LiveCameraContext(PageContext):
    """What ``live_camera.html`` prints."""

    template: ClassVar = "live_camera.html"

    frame: Frame
    tile: LiveTile
    others: tuple[LiveTile, ...]
    """All cameras, this one too, to go from one to the other."""
    stream_url: str
    still_url: str
    limit_minutes: str
