"""The page from which events are described once more. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from securitycamd.domain.models import Camera
from securitycamd.domain.times import today
from securitycamd.web.ui.contexts import Action, Frame, PageContext, Site
from securitycamd.web.ui.frame import frame
from securitycamd.web.ui.words import counted

AGAIN_URL: Final = "/system/describe-again"


@dataclass(frozen=True, slots=True)
class RerunContext(PageContext):
    """What ``describe_again.html`` prints."""

    template: ClassVar = "describe_again.html"

    frame: Frame
    cameras: tuple[tuple[str, str], ...]
    """Name in addresses, and name."""
    latest: str
    """The last day that can be chosen."""
    done: str
    """What came of the form; empty before it was sent."""
    back: Action


def rerun_context(
    cameras: Sequence[Camera], *, site: Site, now: datetime, queued: int | None, has_more: bool
) -> RerunContext:
    """The page; ``queued``: how many events the form chose that was just sent, ``has_more``: older ones were left."""
    return RerunContext(
        frame=frame("Describe events again", "system", cameras=cameras, site=site, now=now),
        cameras=tuple((camera.camera_id, camera.name) for camera in cameras),
        latest=today(site.zone, now).isoformat(),
        done="" if queued is None else _done(queued, has_more=has_more),
        back=Action("System", "/system#describing"),
    )


def _done(queued: int, *, has_more: bool) -> str:
    if not queued:
        return "No event with both pictures fits that."
    told = f"{counted(queued, 'event')} {'waits' if queued == 1 else 'wait'} to be described again."
    return f"{told} Older ones were left: choose an earlier last day for them." if has_more else told
