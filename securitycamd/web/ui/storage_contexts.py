"""What the pages about the storage show."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from securitycamd.web.ui.contexts import Action, Fact, Frame, Moment, PageContext

ShareKind = Literal["footage", "starred", "other", "free"]


@dataclass(frozen=True, slots=True)
class CameraUse:
    """What a camera's events take."""

    name: str
    amount: str
    percent: float
    """0 to 100, of the camera that takes most."""
    protected_percent: float
    """The starred part of it."""
    notes: str


@dataclass(frozen=True, slots=True)
class GoingRow:
    """A day of a camera's footage that goes."""

    camera_name: str
    footage_of: str
    amount: str
    reason: str


@dataclass(frozen=True, slots=True)
class GoingDay:
    """What goes on a day."""

    heading: str
    rows: tuple[GoingRow, ...]


@dataclass(frozen=True, slots=True)
class DiskShare:
    """A part of the disk's bar."""

    kind: ShareKind
    label: str
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class StorageContext(PageContext):
    """What ``storage.html`` prints."""

    template: ClassVar = "storage.html"

    frame: Frame
    summary: str
    warnings: tuple[str, ...]
    disk_shares: tuple[DiskShare, ...]
    """Empty while the disk does not answer."""
    outlook: tuple[Fact, ...]
    uses: tuple[CameraUse, ...]
    going: tuple[GoingDay, ...]
    nothing_goes: str
    """What to say when nothing goes."""
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StrayView:
    """A file that fits no event."""

    name: str
    camera_name: str
    url: str | None
    """``None``: a browser would not show it."""
    size_bytes: int
    moment: Moment
    reason: str
    may_change: bool
    link_url: str
    delete_url: str


@dataclass(frozen=True, slots=True)
class StraysContext(PageContext):
    """What ``strays.html`` prints."""

    template: ClassVar = "strays.html"

    frame: Frame
    summary: str
    back: Action
    unusable: str
    """A sentence about files that cannot be listed; empty when there are none."""
    unusable_paths: tuple[str, ...]
    strays: tuple[StrayView, ...]
    previous_url: str | None
    next_url: str | None
