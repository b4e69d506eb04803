"""Does background work keep up?"""

from datetime import UTC, datetime
from typing import Final

from securitycamd.domain.errors import DatabaseUnavailableError
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.health.report import Finding, Level, Rule
from securitycamd.services.jobs import JobQueue

NAME: Final = "queues"
LATE_SECONDS: Final = {
    JobKind.REMUX: 600.0,
    JobKind.STILLS: 3600.0,
    JobKind.ANALYSE: 6 * 3600.0,
    JobKind.OPTIMISE: 14 * 86400.0,
}


def rule(jobs: JobQueue) -> Rule:
    """The rule over the job queue."""

    async def check() -> Finding:
        try:
            depths = await jobs.depths()
        except DatabaseUnavailableError:
            return Finding(NAME, Level.WARNING, "The queues are unknown while the database is away.")
        now = datetime.now(UTC)
        late = [
            f"{depth.jobs} {depth.kind} jobs wait, the oldest since {depth.oldest:%Y-%m-%d %H:%M} UTC"
            for depth in depths
            if depth.state is JobState.QUEUED and (now - depth.oldest).total_seconds() > LATE_SECONDS[depth.kind]
        ]
        if late:
            return Finding(NAME, Level.WARNING, "; ".join(late) + ".", "Is the task running, and what it needs there?")
        waiting = sum(depth.jobs for depth in depths if depth.state is JobState.QUEUED)
        message = (
            f"{waiting} {'job waits' if waiting == 1 else 'jobs wait'}, none for long." if waiting else "No job waits."
        )
        return Finding(NAME, Level.OK, message)

    return Rule(NAME, check)
