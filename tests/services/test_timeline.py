"""A timeline counts what a look at every event counts, by the hour and by the day of the site."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from securitycamd.config import SettingsHolder
from securitycamd.db.engine import Database
from securitycamd.domain.errors import InvalidError
from securitycamd.domain.models import Event
from securitycamd.domain.principal import TRUSTED_OPERATOR, Principal
from securitycamd.services.timeline import TimelineService
from tests.services.test_finding import START, make_events

ZONES = ("Europe/Berlin", "America/New_York", "Pacific/Auckland", "UTC", "Pacific/Honolulu")


def counted(events: list[Event], key: Callable[[Event], datetime]) -> dict[datetime, dict[str, int]]:
    found: dict[datetime, dict[str, int]] = {}
    for event in events:
        counts = found.setdefault(key(event), {})
        category = event.ai_category or "pending"
        counts[category] = counts.get(category, 0) + 1
    return found


@pytest.mark.parametrize("zone", ZONES)
async def test_a_timeline_counts_every_event_once(
    database: Database, make_settings: Callable[..., Any], zone: str
) -> None:
    events = await make_events(database, random.Random(4))
    service = TimelineService(
        database, SettingsHolder(await asyncio.to_thread(make_settings, site={"time_zone": zone}))
    )
    local = ZoneInfo(zone)
    start, end = START - timedelta(days=3), START + timedelta(days=45)  # the clock changes in between
    for cameras in (None, frozenset({"camera_2"}), frozenset({"camera_1", "camera_3", "nowhere", "x '"})):
        mine = [event for event in events if cameras is None or event.camera_id in cameras]
        found = await service.counts(TRUSTED_OPERATOR, cameras=cameras, start=start, end=end, step="day")

        def day(event: Event) -> datetime:
            date = event.timestamp.astimezone(local).date()
            return datetime(date.year, date.month, date.day, tzinfo=local).astimezone(UTC)

        assert {bucket.start: bucket.counts for bucket in found.buckets} == counted(mine, day)
        assert sum(bucket.total for bucket in found.buckets) == len(mine)
        part = START + timedelta(days=4)
        found = await service.counts(
            TRUSTED_OPERATOR, cameras=cameras, start=part, end=part + timedelta(days=20), step="hour"
        )
        inside = [event for event in mine if found.start <= event.timestamp < found.end]
        assert found.start <= part < part + timedelta(days=20) <= found.end
        expected = counted(inside, lambda event: event.timestamp.replace(minute=0, second=0, microsecond=0))
        assert {bucket.start: bucket.counts for bucket in found.buckets} == expected


async def test_nobody_counts_the_cameras_of_others(database: Database, make_settings: Callable[..., Any]) -> None:
    events = await make_events(database, random.Random(4), 40)
    service = TimelineService(database, SettingsHolder(await asyncio.to_thread(make_settings)))
    viewer = Principal("viewer", TRUSTED_OPERATOR.role, frozenset({"camera_2"}))
    span = {"start": START, "end": START + timedelta(days=45)}
    everything = await service.counts(viewer, cameras=None, step="day", **span)
    mine = [event for event in events if event.camera_id == "camera_2"]
    assert sum(bucket.total for bucket in everything.buckets) == len(mine)
    others = await service.counts(viewer, cameras=frozenset({"camera_1"}), step="day", **span)
    assert others.buckets == []


async def test_what_would_take_long_is_refused(database: Database, make_settings: Callable[..., Any]) -> None:
    service = TimelineService(database, SettingsHolder(await asyncio.to_thread(make_settings)))
    with pytest.raises(InvalidError, match="too long"):
        await service.counts(TRUSTED_OPERATOR, cameras=None, start=START, end=START + timedelta(days=40), step="hour")
