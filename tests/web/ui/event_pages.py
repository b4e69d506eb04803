"""The page of an event in any state."""

from collections.abc import Sequence
from typing import Any

from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.models import Camera, Event
from securitycamd.services.jobs import JobReport
from securitycamd.web.ui.event_contexts import EventContext
from securitycamd.web.ui.event_view import Around, event_context
from securitycamd.web.ui.query import GalleryQuery
from tests.web.ui.samples import CAMERAS, NOW, SITE


def sizes_of(event: Event) -> dict[str, int]:
    """All its files are there."""
    return {path: 1000 * number for number, path in enumerate(event.paths, start=1)}


def failed_job(kind: JobKind, reason: str | None) -> JobReport:
    """Work that failed."""
    return JobReport(kind, JobState.FAILED, 1, reason, NOW)


FROM = GalleryQuery(before="5.24")


def event_page(
    event: Event,
    *,
    cameras: Sequence[Camera] = CAMERAS,
    may_change: bool = True,
    query: GalleryQuery = FROM,
    **around: Any,
) -> EventContext:
    """The context of its page; keywords say what is known beside its row. By default all its files are there."""
    return event_context(
        event,
        cameras,
        Around(**{"sizes": sizes_of(event)} | around),
        site=SITE,
        now=NOW,
        query=query,
        may_change=may_change,
    )
