"""How the descriptions stand: the server, the breaker, the queue, and when a backlog will be done."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from securitycamd.ai.client import AiState
from securitycamd.config import SettingsHolder
from securitycamd.db import analyses as rows
from securitycamd.db import events as event_rows
from securitycamd.db.engine import Database
from securitycamd.domain.errors import NotFoundError
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.models import AnalysisRecord, EventFilter
from securitycamd.domain.principal import Principal
from securitycamd.domain.times import Span
from securitycamd.services.ai_gate import AiGate
from securitycamd.services.breaker import BreakerReport, BreakerState
from securitycamd.services.jobs import JobQueue
from securitycamd.services.patience import if_there
from securitycamd.settings import AnalyserSettings

ARRIVALS_OVER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be described, and how long that will take."""

    waiting: int
    running: int
    failed: int
    oldest: datetime | None
    """When the oldest that waits became due."""
    seconds_each: float | None
    """Of the last analyses; ``None`` before the first."""
    arrivals_a_day: int
    """Events of the last 24 hours."""
    seconds_left: float | None
    """``None`` when nobody can tell, or when it never ends."""
    keeps_up: bool | None
    """Whether more can be described than comes; ``None`` when nobody can tell."""


@dataclass(frozen=True, slots=True)
class AiStatus:
    """How the descriptions stand."""

    settings: AnalyserSettings
    prompt_version: str
    look: AiState | None
    """What the last look at the server found."""
    breaker: BreakerReport
    backlog: Backlog | None
    """``None`` while the database is away, or hangs."""


class AiStatusService:
    """What people and programs ask about the descriptions; none of it waits for the AI server."""

    def __init__(self, database: Database, settings: SettingsHolder, jobs: JobQueue, gate: AiGate) -> None:
        self._database = database
        self._settings = settings
        self._jobs = jobs
        self._gate = gate

    async def status(self) -> AiStatus:
        """The whole of it."""
        settings = self._settings.current.analyser
        analyst = self._gate.analyst()
        return AiStatus(
            settings,
            "" if analyst is None else analyst.prompt_version,
            self._gate.last_look,
            self._gate.breaker.report(),
            await if_there(self.backlog()),
        )

    @property
    def held(self) -> str | None:
        """Why the server is not asked just now; ``None``: it is."""
        report = self._gate.breaker.report()
        return report.reason if report.state is BreakerState.OPEN else None

    async def backlog(self) -> Backlog:
        """What waits, and an estimate of when it is done: at the pace of late, with what comes meanwhile."""
        depths = {depth.state: depth for depth in await self._jobs.depths() if depth.kind is JobKind.ANALYSE}
        jobs = {state: depths[state].jobs if state in depths else 0 for state in JobState}
        seconds_each = await rows.seconds_each(self._database)
        lately = EventFilter(None, Span(datetime.now(UTC) - ARRIVALS_OVER, None))
        arrivals = await event_rows.count(self._database, lately)
        seconds_left, keeps_up = estimate(
            jobs[JobState.QUEUED] + jobs[JobState.RUNNING],
            seconds_each,
            self._settings.current.analyser.concurrency,
            arrivals / ARRIVALS_OVER.total_seconds(),
        )
        return Backlog(
            jobs[JobState.QUEUED],
            jobs[JobState.RUNNING],
            jobs[JobState.FAILED],
            depths[JobState.QUEUED].oldest if JobState.QUEUED in depths else None,
            seconds_each,
            arrivals,
            seconds_left,
            keeps_up,
        )

    async def of_event(self, principal: Principal, event_id: int) -> AnalysisRecord:
        """How an event's description came about.

        Raises:
            NotFoundError: no such event, or not for this principal.
        """
        event = (await event_rows.by_ids(self._database, [event_id])).get(event_id)
        if event is None or not principal.may_see(event.camera_id):
            raise NotFoundError(f"There is no event {event_id}.")
        return await rows.of_event(self._database, event_id) or AnalysisRecord()


def estimate(
    waiting: int, seconds_each: float | None, concurrency: int, arrivals_a_second: float
) -> tuple[float | None, bool | None]:
    """Seconds until nothing waits any more, and whether that comes at all; ``None`` where nobody can tell.

    The queue shrinks by what is described and grows by what comes.
    """
    if seconds_each is None:
        return (0.0, None) if not waiting else (None, None)
    pace = concurrency / max(seconds_each, 0.001) - arrivals_a_second
    if not waiting:
        return 0.0, pace > 0
    return (waiting / pace, True) if pace > 0 else (None, False)
