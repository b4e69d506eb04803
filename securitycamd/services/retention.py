"""Retention: what the rules demand is carried out in small steps, and told before it happens."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from securitycamd.config import SettingsHolder
from securitycamd.db import cameras as camera_rows
from securitycamd.db import footage
from securitycamd.db import removals as removal_rows
from securitycamd.db.engine import Database
from securitycamd.domain.principal import Principal
from securitycamd.domain.retention import (
    RATE_DAYS,
    Cut,
    Disk,
    Forecast,
    Limits,
    Reason,
    Rules,
    Use,
    cuts,
    enough,
    forecast,
    rate_of,
)
from securitycamd.domain.retention_plan import AHEAD_DAYS, DayOfFootage, PlannedDay, is_reached, plan, reach
from securitycamd.domain.sizes import size
from securitycamd.services.measuring import MeasuringService
from securitycamd.services.removal import RemovalService
from securitycamd.settings import RetentionSettings
from securitycamd.storage.files import Files

log = structlog.get_logger(__name__)

EVENTS_A_STEP: Final = 25
SETTLE_SECONDS: Final = 5.0
"""So long some file systems take to show the room that a removal made."""
HELD_SECONDS: Final = 60.0
"""A camera whose folder could not be used is left alone for so long."""
GIGABYTE: Final = 10**9
FILES_COME: Final = timedelta(minutes=3)
"""So long after an event its files may still come; its clip does within a minute or so."""
MONTH: Final = timedelta(days=31)
LOOK_SECONDS: Final = 1.0
"""How often the free space is looked at while the disk does not fill up."""
LOOK_SOONEST_SECONDS: Final = 0.1
AHEAD_SECONDS: Final = 1.0
"""For what is written in this time room is made besides, while the disk fills up."""
RATE_SECONDS: Final = 0.3
"""A rate is measured over at least this time."""


@dataclass
class Filling:
    """How fast the disk fills up, from what is seen of its free space."""

    bytes_a_second: float = 0.0
    _at: float | None = None
    _free_bytes: int = 0
    _freed_bytes: int = 0

    def freed(self, size_bytes: int) -> None:
        """Note that we made room."""
        self._freed_bytes += size_bytes

    def note(self, free_bytes: int) -> None:
        """Note what is free now."""
        now = time.monotonic()
        if self._at is not None and now - self._at < RATE_SECONDS:
            return
        if self._at is not None:
            taken = self._free_bytes + self._freed_bytes - free_bytes
            self.bytes_a_second = max(0.0, taken / (now - self._at))
        self._at, self._free_bytes, self._freed_bytes = now, free_bytes, 0

    def look_seconds(self, above_floor_bytes: int) -> float:
        """When to look again."""
        if self.bytes_a_second <= 0:
            return LOOK_SECONDS
        return min(LOOK_SECONDS, max(LOOK_SOONEST_SECONDS, above_floor_bytes / self.bytes_a_second / 2))


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did."""

    reason: Reason
    events: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """What is kept, what would go and when, and whether the promised days fit."""

    at: datetime
    enabled: bool
    rules: Rules
    log_days: int
    disk: Disk | None
    """``None``: the storage does not answer, or the asker may not see all cameras."""
    used: Mapping[str, Use]
    planned: list[PlannedDay]
    forecast: Forecast
    warnings: list[str]
    saved_bytes: int = 0
    """What making clips smaller saved of the footage that is here."""


class RetentionService:
    """Carries the rules out, one bounded step at a time, and says what they will do."""

    def __init__(
        self,
        database: Database,
        settings: SettingsHolder,
        files: Files,
        removal: RemovalService,
        measuring: MeasuringService,
    ) -> None:
        self._database = database
        self._settings = settings
        self._files = files
        self._removal = removal
        self._measuring = measuring
        self._held: dict[str, float] = {}
        self._expected_free: tuple[float, int] | None = None
        self._below_since: float | None = None
        self._filling = Filling()
        self.look_seconds = LOOK_SECONDS
        """When to look at the disk again: the sooner, the sooner it reaches the floor at the present rate."""

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return rules_of(self._settings.current.retention)

    def floor_of(self, disk: Disk) -> int:
        """What these rules keep free on a disk; 0 when they are switched off."""
        return self.rules.floor_of(disk) if self._settings.current.retention.enabled else 0

    @property
    def below_floor_seconds(self) -> float:
        """For how long there has been less free space than promised, as last looked; 0 when there is enough."""
        return 0.0 if self._below_since is None else time.monotonic() - self._below_since

    async def is_below_floor(self) -> bool:
        """Look whether the disk has less free space than promised.

        Raises:
            StorageUnavailableError: the storage does not answer.
        """
        disk = await self._files.disk()
        self._filling.note(disk.free_bytes)
        below = disk.free_bytes < self.rules.floor_of(disk)
        self.look_seconds = self._filling.look_seconds(disk.free_bytes - self.rules.floor_of(disk))
        if not below:
            self._below_since = None
        elif self._below_since is None:
            self._below_since = time.monotonic()
        return below and self._settings.current.retention.enabled

    async def expire_some(self) -> Step | None:
        """Let at most :data:`EVENTS_A_STEP` events go; ``None`` when no rule demands anything that may go.

        Raises:
            StorageUnavailableError: the storage is not there, or not the right one; nothing goes.
        """
        if not self._settings.current.retention.enabled:
            return None
        await self._removal.check_storage()
        await self.is_below_floor()
        cameras = await self._cameras()
        used = await footage.used_bytes(self._database, cameras)
        disk = self._settled(await self._files.disk())
        for cut in cuts(self.rules, now=datetime.now(UTC), used=used, disk=disk):
            step = await self._carry_out(cut, self._free_of_hold(cameras))
            if step is None:
                continue
            if cut.reason is Reason.FREE_SPACE:
                await self._expect(disk.free_bytes, step.size_bytes)
            return step
        return None

    async def finish_marked(self) -> int:
        """Finish the removals that were begun and cut short; how many."""
        return await self._removal.finish_marked()

    async def look_ahead(self) -> Forecast:
        """Where it goes; a few sums, whatever the amount of footage."""
        cameras = await self._cameras()
        used = await footage.uses(self._database, cameras)
        return forecast(self.rules, rates=await self._rates(cameras), used=used, disk=await self._files.disk_if_there())

    async def unknown_cameras(self) -> list[str]:
        """Cameras that the rules name and that never registered: most likely somebody mistyped them."""
        return sorted((self.rules.cameras or {}).keys() - set(await self._cameras()))

    async def report(self, principal: Principal) -> RetentionReport:
        """Everything, for the cameras that ``principal`` may see; the disk only if those are all."""
        settings, rules, now = self._settings.current.retention, self.rules, datetime.now(UTC)
        everything = await self._cameras()
        cameras = [camera_id for camera_id in everything if principal.may_see(camera_id)]
        used = await footage.uses(self._database, cameras)
        rates = await self._rates(cameras)
        disk = await self._files.disk_if_there() if len(cameras) == len(everything) else None
        planned = []
        if settings.enabled:
            sizes = {camera_id: use.size_bytes for camera_id, use in used.items()}
            days = await self._oldest_days(cameras, reach(rules, now=now, used=sizes, disk=disk, rates=rates), now)
            planned = plan(rules, now=now, days=days, used=sizes, disk=disk, rates=rates, ahead_days=AHEAD_DAYS)
        ahead = forecast(rules, rates=rates, used=used, disk=disk)
        warnings = warnings_of(ahead, rules, disk, enabled=settings.enabled)
        if len(cameras) == len(everything) and (unknown := await self.unknown_cameras()):
            warnings.append(unknown_sentence(unknown))
        return RetentionReport(
            now,
            settings.enabled,
            rules,
            settings.log_days,
            disk,
            used,
            [day for day in planned if day.events or day.size_bytes],
            ahead,
            warnings,
            await footage.saved_bytes(self._database, cameras),
        )

    async def _oldest_days(self, cameras: list[str], demanded: list[Cut], now: datetime) -> list[DayOfFootage]:
        """As many of the oldest days as the plan can name: what is kept for years is not gone through for that."""
        days: list[DayOfFootage] = []
        since = await footage.first_month(self._database, cameras) if demanded else None
        months = 1
        while since is not None and since <= now:
            until = since + months * MONTH
            days += await footage.footage_by_day(self._database, cameras, since, until)
            if is_reached(demanded, days, until):
                break
            since, months = until, 2 * months
        return days

    async def _carry_out(self, cut: Cut, cameras: list[str]) -> Step | None:
        among = cameras if cut.camera_id is None else [one for one in cameras if one == cut.camera_id]
        found = await removal_rows.oldest(self._database, among, before=cut.before, limit=EVENTS_A_STEP)
        wanted_bytes = cut.free_bytes
        if cut.reason is Reason.FREE_SPACE:
            # And what the cameras will have taken until the next step is done: it would go then.
            wanted_bytes += round(self._filling.bytes_a_second * AHEAD_SECONDS)
        if cut.reason is not Reason.AGE:
            unmeasured = [candidate.event_id for candidate in found if not candidate.size_bytes]
            if unmeasured and await self._measuring.measure(unmeasured):
                found = await removal_rows.oldest(self._database, among, before=cut.before, limit=EVENTS_A_STEP)
            found = found[: enough([candidate.size_bytes for candidate in found], wanted_bytes)]
            # The files of the newest are still on their way: it frees nothing, and they would have no event then.
            came = datetime.now(UTC) - FILES_COME
            while found and not found[-1].size_bytes and found[-1].timestamp > came:
                found.pop()
        going = await self._removal.mark([candidate.event_id for candidate in found], cut.reason) if found else []
        if not going:
            return None
        finished = await self._removal.finish_some([event.id for event in going])
        for event in going:
            if event.id in finished.unreachable:
                self._held[event.camera_id] = time.monotonic() + HELD_SECONDS
        freed = sum(event.size_bytes for event in going if event.id in finished.gone)
        if not finished.gone:
            return None
        self._filling.freed(freed)
        gone = len(finished.gone)
        log.info("footage expired", reason=cut.reason, camera_id=cut.camera_id, events=gone, size_bytes=freed)
        return Step(cut.reason, gone, freed)

    async def _expect(self, before_bytes: int, freed_bytes: int) -> None:
        """Wait for the room that a step made, where the file system is late to show it."""
        shown = (await self._files.disk()).free_bytes - before_bytes
        is_prompt = shown >= freed_bytes / 2  # the cameras may have taken some of it already
        self._expected_free = None if is_prompt else (time.monotonic() + SETTLE_SECONDS, before_bytes + freed_bytes)

    def _settled(self, disk: Disk) -> Disk:
        """The disk as it will be once what was removed shows: some file systems tell of it only seconds later."""
        if self._expected_free is None:
            return disk
        until, free_bytes = self._expected_free
        if time.monotonic() > until or disk.free_bytes < self.rules.floor_of(disk) // 2:
            # Too long ago; or too little room to wait and see, for cameras write meanwhile.
            self._expected_free = None
            return disk
        return Disk(disk.total_bytes, max(disk.free_bytes, free_bytes))

    def _free_of_hold(self, cameras: list[str]) -> list[str]:
        now = time.monotonic()
        self._held = {camera_id: until for camera_id, until in self._held.items() if until > now}
        odd = self._files.guard.camera_states if self._files.guard is not None else {}
        return [camera_id for camera_id in cameras if camera_id not in self._held and camera_id not in odd]

    async def _rates(self, cameras: list[str]) -> dict[str, float]:
        now = datetime.now(UTC)
        since = (now - timedelta(days=RATE_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
        by_day = await footage.bytes_by_day(self._database, cameras, since)
        return {camera_id: rate_of(days, now) for camera_id, days in by_day.items()}

    async def _cameras(self) -> list[str]:
        return [camera.camera_id for camera in await camera_rows.everything(self._database)]


def rules_of(settings: RetentionSettings) -> Rules:
    """The rules that the settings speak of."""
    cameras = {
        camera_id: Limits(
            None if own.max_age_days is None else own.max_age_days or math.inf,
            round(own.max_gigabytes * GIGABYTE) if own.max_gigabytes else None,
        )
        for camera_id, own in settings.cameras.items()
    }
    everywhere = Limits(
        settings.max_age_days or None,
        round(settings.max_gigabytes * GIGABYTE) if settings.max_gigabytes else None,
    )
    return Rules(everywhere, cameras, round(settings.free_floor_gigabytes * GIGABYTE))


def unknown_sentence(camera_ids: list[str]) -> str:
    """What is wrong with rules for cameras that nobody knows."""
    names = " and ".join(camera_ids)
    return f"retention.cameras names {names}, but no such camera has registered: what is said there holds for none."


def warnings_of(ahead: Forecast, rules: Rules, disk: Disk | None, *, enabled: bool) -> list[str]:
    """What a person should know, as sentences."""
    found = []
    if not enabled:
        found.append("Retention is switched off: nothing keeps the disk from filling up.")
    found += [
        f"{camera.camera_id} is promised {camera.promise_days:g} days, but only about {camera.days_kept:.1f} fit at"
        " the last week's rate. Shorten retention.max_age_days, raise the size limits, or use a larger disk."
        for camera in ahead.cameras
        if not camera.promise_kept and camera.promise_days is not None and camera.days_kept is not None
    ]
    if disk is not None and rules.floor_of(disk) < rules.free_floor_bytes:
        found.append(
            f"retention.free_floor_gigabytes is more than a quarter of the disk;"
            f" {size(rules.floor_of(disk))} stay free instead."
        )
    return found
