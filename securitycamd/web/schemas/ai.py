"""Descriptions on the wire: how they stand, how one came about, and having them once more."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field

from securitycamd.domain.models import AnalysisRecord
from securitycamd.domain.names import AnalysisState, ReadBy, StillNote
from securitycamd.domain.times import Span, named_day
from securitycamd.services.ai_status import AiStatus, Backlog
from securitycamd.services.breaker import BreakerState
from securitycamd.web.registry import Input, Reply
from securitycamd.web.schemas.common import Bound, CameraId, local, span_of


class AnalysisReply(Reply):
    """How an event's description came about. What it says stands in the event itself."""

    event_id: int
    state: Annotated[
        AnalysisState,
        Field(description="`described`: the vision model has spoken, the text model not yet; `again`: asked for anew"),
    ]
    vision_model: Annotated[str | None, Field(description="null when there was nothing to see in the stills")]
    vision_seconds: Annotated[float | None, Field(description="how long it took")]
    text_model: Annotated[str | None, Field(description="null when the vision model gave the structure, too")]
    text_seconds: float | None
    prompt_version: str | None
    read_by: Annotated[
        ReadBy | None,
        Field(description="`schema`, `repeat` (the second reply), `rules` (no usable reply), `stills` (all black)"),
    ]
    still_notes: Annotated[list[StillNote], Field(description="what is odd about the stills")]
    runs: Annotated[int, Field(description="how often it was done")]
    faults: Annotated[int, Field(description="how often the AI server failed at it while it worked for others")]
    finished_at: datetime | None


class BreakerReply(Reply):
    """The circuit breaker before the AI server."""

    state: BreakerState
    since: datetime
    reason: str | None
    next_probe_at: datetime | None


class BacklogReply(Reply):
    """What waits to be described."""

    waiting: int
    running: int
    failed: int
    oldest: datetime | None
    seconds_each: Annotated[float | None, Field(description="of the last analyses; null before the first")]
    arrivals_a_day: Annotated[int, Field(description="events of the last 24 hours")]
    keeps_up: Annotated[bool | None, Field(description="whether more can be described than comes")]
    seconds_left: Annotated[
        float | None, Field(description="of work; null when nobody can tell, or when it never ends")
    ]
    done_at: Annotated[datetime | None, Field(description="null while it is paused or held back, too")]


class AiReply(Reply):
    """How the descriptions stand."""

    enabled: bool
    paused: Annotated[bool, Field(description="an operator paused the task `analyser`")]
    reachable: Annotated[bool | None, Field(description="at the last look; null before the first")]
    ready: Annotated[bool | None, Field(description="nothing stands in the way of an analysis")]
    message: str | None
    missing_models: list[str]
    vision_model: str
    text_model: str | None
    one_call: bool
    prompt_version: str
    concurrency: int
    keep_alive: Annotated[str, Field(description="for how long a model stays in memory; empty: as the server is set")]
    still_longest_side: Annotated[int, Field(description="of the stills as they are sent, in pixels")]
    still_quality: int
    timeout_seconds: float
    breaker: BreakerReply
    backlog: Annotated[BacklogReply | None, Field(description="null while the database is away")]


class RerunBody(Input):
    """Which events are to be described once more; those with both stills."""

    camera_id: CameraId | None = None
    date: Annotated[
        str | None,
        Field(pattern=r"^(today|yesterday|\d{4}-\d{2}-\d{2})$", description="a day in the site's zone"),
    ] = None
    start_date: Annotated[Bound | None, Field(description="no event before it")] = None
    end_date: Annotated[Bound | None, Field(description="no event after it")] = None
    only_failed: Annotated[bool, Field(description="only those that could not be described")] = False
    next: Annotated[str | None, Field(max_length=80, description="where an earlier reply said to go on")] = None

    def span(self, zone: ZoneInfo) -> Span:
        """The stretch of time that all given bounds leave."""
        span = span_of(self.start_date, self.end_date, zone)
        return span if self.date is None else span.intersect(named_day(self.date, zone))


class RerunReply(Reply):
    """How many events were queued."""

    queued: int
    next: Annotated[
        str | None, Field(description="there are more: send it with the same request; at most 5,000 are queued a call")
    ] = None


def analysis_reply(event_id: int, record: AnalysisRecord, zone: ZoneInfo) -> dict[str, Any]:
    """A record as :class:`AnalysisReply` describes it."""
    return {
        "event_id": event_id,
        "state": record.state,
        "vision_model": record.vision_model,
        "vision_seconds": record.vision_seconds,
        "text_model": record.text_model,
        "text_seconds": record.text_seconds,
        "prompt_version": record.prompt_version,
        "read_by": record.read_by,
        "still_notes": record.still_notes,
        "runs": record.runs,
        "faults": record.faults,
        "finished_at": local(record.finished_at, zone),
    }


def ai_reply(status: AiStatus, zone: ZoneInfo, *, paused: bool, now: datetime) -> dict[str, Any]:
    """The status as :class:`AiReply` describes it."""
    settings, look, breaker = status.settings, status.look, status.breaker
    return {
        "enabled": settings.enabled,
        "paused": paused,
        "reachable": look and look.reachable,
        "ready": look and look.ready,
        "message": look and look.message,
        "missing_models": look.missing_models if look else (),
        "vision_model": settings.vision_model,
        "text_model": None if settings.one_call else settings.text_model,
        "one_call": settings.one_call,
        "prompt_version": status.prompt_version,
        "concurrency": settings.concurrency,
        "keep_alive": settings.keep_alive,
        "still_longest_side": settings.still_longest_side,
        "still_quality": settings.still_quality,
        "timeout_seconds": settings.timeout_seconds,
        "breaker": {
            "state": breaker.state,
            "since": local(breaker.since, zone),
            "reason": breaker.reason,
            "next_probe_at": local(breaker.next_probe_at, zone),
        },
        "backlog": None
        if status.backlog is None
        else _backlog(
            status.backlog, zone, now, is_held=paused or not settings.enabled or breaker.state is BreakerState.OPEN
        ),
    }


def _backlog(backlog: Backlog, zone: ZoneInfo, now: datetime, *, is_held: bool) -> dict[str, Any]:
    left = backlog.seconds_left
    done_at = None
    if left is not None and not (is_held and backlog.waiting):
        done_at = now + timedelta(seconds=min(left, _LONGEST_SECONDS))
    return {
        "waiting": backlog.waiting,
        "running": backlog.running,
        "failed": backlog.failed,
        "oldest": local(backlog.oldest, zone),
        "seconds_each": backlog.seconds_each,
        "arrivals_a_day": backlog.arrivals_a_day,
        "keeps_up": backlog.keeps_up,
        "seconds_left": left,
        "done_at": local(done_at, zone),
    }


_LONGEST_SECONDS = 100 * 366 * 86400.0
