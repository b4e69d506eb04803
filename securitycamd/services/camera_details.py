"""Everything about cameras for those who look at them: state, footage, how much happened, and when they could see."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from securitycamd.config import SettingsHolder
from securitycamd.db import camera_overview, footage, presence
from securitycamd.db import events as event_rows
from securitycamd.db.engine import Database
from securitycamd.domain.agents import AgentStatus
from securitycamd.domain.coverage import CoverPart, Stretch, coverage
from securitycamd.domain.models import Camera, EventFilter
from securitycamd.domain.pictures import NewestEvent
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


@dataclass(frozen=True, slots=True)
class CameraPicture:
    """One camera with its plots."""

    details: CameraDetails
    covered: dict[ActivitySpan, list[CoverPart]]
    active: dict[ActivitySpan, list[HourOfEvents]]


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
        if not cameras:
            return []
        now = datetime.now(UTC)
        agents, newest, events_today, seen = await asyncio.gather(
            self._agents.everything(),
            camera_overview.newest(self._database, ids),
            self._today(ids, now),
            self._coverage(cameras, now, [ActivitySpan.DAY]),
        )
        return [
            CameraOverview(
                camera,
                agents.get(camera.camera_id),
                newest.get(camera.camera_id),
                events_today[camera.camera_id],
                seen[camera.camera_id][ActivitySpan.DAY],
                await self._removal.progress(camera),
            )
            for camera in cameras
        ]

    async def details(self, principal: Principal, camera_id: str) -> CameraDetails:
        """All about one camera, but for its plots.

        Raises:
            NotFoundError: there is none, or not for this principal.
        """
        return await self._details(await self._cameras.get(principal, camera_id))

    async def picture(self, principal: Principal, camera_id: str) -> CameraPicture:
        """All about one camera, with its plots, read together.

        Raises:
            NotFoundError: there is none, or not for this principal.
        """
        camera = await self._cameras.get(principal, camera_id)
        now = datetime.now(UTC)
        details, covered, month = await asyncio.gather(
            self._details(camera),
            self._coverage([camera], now, list(ActivitySpan)),
            self._hours(camera, ActivitySpan.MONTH),
        )
        hours_a_day = ActivitySpan.DAY.length // _HOUR
        active = {ActivitySpan.DAY: month[-hours_a_day:], ActivitySpan.MONTH: month}
        return CameraPicture(details, covered[camera.camera_id], active)

    async def _details(self, camera: Camera) -> CameraDetails:
        only, ids = camera.camera_id, [camera.camera_id]
        (agent, newest, uses), (starred, total, today_, progress) = await asyncio.gather(
            asyncio.gather(
                self._agents.of(only),
                camera_overview.newest(self._database, ids),
                footage.uses(self._database, ids),
            ),
            asyncio.gather(
                footage.starred_events(self._database, only),
                event_rows.count(self._database, EventFilter(frozenset(ids))),
                self._today(ids, datetime.now(UTC)),
                self._removal.progress(camera),
            ),
        )
        return CameraDetails(camera, agent, newest.get(only), uses[only], starred, total, today_[only], progress)

    async def activity(self, principal: Principal, camera_id: str, span: ActivitySpan) -> list[HourOfEvents]:
        """How many events each hour had, oldest first; the last hour is the present one.

        Raises:
            NotFoundError: there is no such camera, or not for this principal.
        """
        return await self._hours(await self._cameras.get(principal, camera_id), span)

    async def _hours(self, camera: Camera, span: ActivitySpan) -> list[HourOfEvents]:
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
        return (await self._coverage([camera], datetime.now(UTC), [span]))[camera.camera_id][span]

    async def _coverage(
        self, cameras: Sequence[Camera], now: datetime, spans: Sequence[ActivitySpan]
    ) -> dict[str, dict[ActivitySpan, list[CoverPart]]]:
        silence = self._cameras.offline_after_seconds
        ids = [camera.camera_id for camera in cameras]
        # A little more, so that a silence which began before the window is seen in its length.
        since = now - max(span.length for span in spans) - timedelta(seconds=2 * silence)
        present, running, viewed = await asyncio.gather(
            presence.of_cameras(self._database, ids, since),
            presence.of_daemons(self._database, since),
            self._viewed(ids, since),
        )
        running = [_until_now(run, now) for run in running]
        return {
            camera.camera_id: {
                span: coverage(
                    Stretch(now - span.length, now),
                    present=present[camera.camera_id],
                    running=_since(running, camera.created_at),
                    viewed=viewed.get(camera.camera_id, []),
                    silence_seconds=silence,
                )
                for span in spans
            }
            for camera in cameras
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


def _since(running: Sequence[Stretch], moment: datetime) -> list[Stretch]:
    """Runs as far as a camera was there: before it registered nobody listened for it."""
    return [Stretch(max(run.start, moment), run.end) for run in running if run.end > moment]


def _until_now(run: Stretch, now: datetime) -> Stretch:
    is_running = (now - run.end).total_seconds() <= RUNNING_SECONDS
    return Stretch(run.start, max(run.end, now)) if is_running else run
