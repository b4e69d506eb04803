"""Background work on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.web.registry import Input, Reply


class JobsQuery(Input):
    """Which jobs."""

    kind: Annotated[JobKind | None, Field(description="all kinds when left out")] = None
    state: JobState = JobState.FAILED
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class KindPath(Input):
    """``{kind}``."""

    kind: JobKind


class EventJobPath(Input):
    """``{id}/jobs/{kind}``."""

    id: int
    kind: JobKind


class ListedJobReply(Reply):
    """A job among others."""

    event_id: int
    camera_id: str
    kind: JobKind
    state: JobState
    attempts: int
    last_error: Annotated[str | None, Field(description="why the last attempt ended, or what it was about to do")]
    changed_at: datetime
    progress: Annotated[float | None, Field(description="0 to 1; of jobs that this server works on and that tell")]


class RetriedReply(Reply):
    """What was queued again."""

    kind: JobKind
    queued: int
