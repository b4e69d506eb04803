"""Everything about cameras for those who look at them: state, footage, how much happened, and when they could see."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from securitycamd.config import SettingsHolder
from securitycamd.db import camera_overview, footage, presence
from securitycamd.db import events as event_rows
from securitycamd.db.camera_overview import NewestEvent
from securitycamd.db.engine import Database
from securitycamd.domain.agents import AgentStatus
from securitycamd.domain.coverage import CoverPart, Stretch, coverage
from securitycamd.domain.models import Camera, EventFilter
from securitycamd.domain.principal import Principal
from securitycamd.domain.retention import Use
from securitycamd.domain.times import Span, day_bounds, today
from securitycamd.services.agent_status import AgentStatusService
from securitycamd.services.camera_removal import CameraRemovalService, Progress
from securitycamd.services.cameras import CameraService

RUNNING_SECONDS: Final = 30.0
"""A daemon that noted its life so lately runs."""
_HOUR: Final = timedelta(hours=1)

Viewed = Callable[[Sequence[str], datetime], Awaitable[dict[str, list[Stretch]]]]
"""When these cameras were watched live, as far as it reaches into the time from a moment on."""


async def never_viewed(camera_ids: Sequence[str], _since: datetime) -> dict[str, list[Stretch]]:
    """Nobody watches live."""
    return {camera_id: [] for camera_id in camera_ids}


class ActivitySpan(StrEnum):
    """How far back is looked."""

    DAY = "24h"
    MONTH = "30d"

    @property
    def length(self) -> timedelta:
        """The same as a time difference."""
        return timedelta(hours=24) if self is ActivitySpan.DAY else timedelta(days=30)


@dataclass(frozen=True, slots=True)
class HourOfEvents:
    """An hour and how many events it had; hours begin with those of UTC."""

    start: datetime
    events: int


@dataclass(frozen=True, slots=True)
class CameraOverview:
    """A camera in the list of all."""

    camera: Camera
    agent: AgentStatus | None
    newest: NewestEvent | None
    events_today: int
    coverage: list[CoverPart]
    """Of the last 24 hours."""
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class CameraDetails:
    """All about one camera."""

    camera: Camera
    agent: AgentStatus | None
    newest: NewestEvent | None
    use: Use
    starred: int
    events_total: int
    events_today: int
    progress: Progress | None


class CameraDetailsService:
    """Puts together what is known of cameras."""

    def __init__(
        self,
        database: Database,
        settings: SettingsHolder,
        cameras: CameraService,
        agents: AgentStatusService,
        removal: CameraRemovalService,
        viewed: Viewed = never_viewed,
    ) -> None:
        self._database = database
        self._settings = settings
        self._cameras = cameras
        self._agents = agents
        self._removal = removal
        self._viewed = viewed

    async def overview(self, principal: Principal) -> list[CameraOverview]:
        """Every camera that ``principal`` may see, hidden and removed ones too, in a bounded number of statements."""
        cameras = await self._cameras.everything(principal)
        ids = [camera.camera_id for camera in cameras]
        now = datetime.now(UTC)
        agents = await self._agents.everything()
        newest = await camera_overview.newest(self._database, ids) if ids else {}
        events_today = await self._today(ids, now)
        seen = await self._coverage(ids, now, timedelta(hours=24))
        return [
            CameraOverview(
                camera,
                agents.get(camera.camera_id),
                newest.get(camera.camera_id),
                events_today[camera.camera_id],
                seen[camera.camera_id],
                await self._removal.progress(camera),
            )
            for camera in cameras
        ]

    async def details(self, principal: Principal, camera_id: str) -> CameraDetails:
        """All about one camera, but for its plots.

        Raises:
            NotFoundError: there is none, or not for this principal.
        """
        camera = await self._cameras.get(principal, camera_id)
        ids = [camera.camera_id]
        return CameraDetails(
            camera,
            await self._agents.of(camera.camera_id),
            (await camera_overview.newest(self._database, ids)).get(camera.camera_id),
            (await footage.uses(self._database, ids))[camera.camera_id],
            await footage.starred_events(self._database, camera.camera_id),
            await event_rows.count(self._database, EventFilter(frozenset(ids))),
            (await self._today(ids, datetime.now(UTC)))[camera.camera_id],
            await self._removal.progress(camera),
        )

    async def activity(self, principal: Principal, camera_id: str, span: ActivitySpan) -> list[HourOfEvents]:
        """How many events each hour had, oldest first; the last hour is the present one.

        Raises:
            NotFoundError: there is no such camera, or not for this principal.
        """
        camera = await self._cameras.get(principal, camera_id)
        last = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        hour = last - span.length + _HOUR
        found = (await camera_overview.by_hour(self._database, [camera.camera_id], hour))[camera.camera_id]
        hours = []
        while hour <= last:
            hours.append(HourOfEvents(hour, found.get(hour, 0)))
            hour += _HOUR
        return hours

    async def coverage(self, principal: Principal, camera_id: str, span: ActivitySpan) -> list[CoverPart]:
        """What the camera could see when, up to now, oldest first.

        Raises:
            NotFoundError: there is no such camera, or not for this principal.
        """
        camera = await self._cameras.get(principal, camera_id)
        return (await self._coverage([camera.camera_id], datetime.now(UTC), span.length))[camera.camera_id]

    async def _coverage(
        self, camera_ids: Sequence[str], now: datetime, length: timedelta
    ) -> dict[str, list[CoverPart]]:
        silence = self._cameras.offline_after_seconds
        window = Stretch(now - length, now)
        # A little more, so that a silence which began before the window is seen in its length.
        since = window.start - timedelta(seconds=2 * silence)
        present = await presence.of_cameras(self._database, camera_ids, since)
        running = await presence.of_daemons(self._database, since)
        running = [_until_now(run, now) for run in running]
        viewed = await self._viewed(camera_ids, since)
        return {
            camera_id: coverage(
                window,
                present=present[camera_id],
                running=running,
                viewed=viewed.get(camera_id, []),
                silence_seconds=silence,
            )
            for camera_id in camera_ids
        }

    async def _today(self, camera_ids: Sequence[str], now: datetime) -> dict[str, int]:
        zone = self._settings.current.site.zone
        day: date = today(zone, now)
        start, end = day_bounds(day, zone)
        if start.minute or start.second:
            # A zone whose days begin within an hour of UTC: the kept hours do not tell its days apart.
            return {
                camera_id: await event_rows.count(self._database, EventFilter(frozenset({camera_id}), Span(start, end)))
                for camera_id in camera_ids
            }
        found = await camera_overview.by_hour(self._database, camera_ids, start)
        return {
            camera_id: sum(count for hour, count in hours.items() if hour < end) for camera_id, hours in found.items()
        }


def _until_now(run: Stretch, now: datetime) -> Stretch:
    is_running = (now - run.end).total_seconds() <= RUNNING_SECONDS
    return Stretch(run.start, max(run.end, now)) if is_running else run
