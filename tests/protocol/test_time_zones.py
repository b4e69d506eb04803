"""Clock changes: naive times keep order and survive a round trip."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from securitycamd.domain.times import read_time
from securitycamd.services import events as event_service
from securitycamd.services import logs as log_service
from tests.conftest import Site
from tests.protocol.wire import API, EVENT, LINE

EVENTS = f"{API}/events"
# Changes of an hour and of half of one, in summer and for Ramadan, far east and far west; and none.
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Europe/Dublin",
    "America/St_Johns",
    "Pacific/Chatham",
    "Asia/Kolkata",
    "UTC",
)


class Clock:
    """The server's clock, as far as services that read times of agents see it."""

    def __init__(self) -> None:
        self.at: datetime | None = None

    def now(self, zone: Any = None) -> datetime:
        return self.at or datetime.now(zone)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(event_service, "datetime", made)
    monkeypatch.setattr(log_service, "datetime", made)
    return made


def changes(zone: ZoneInfo, year: int) -> Iterator[datetime]:
    """The moments of ``year`` (UTC) at which the zone's offset changes, to the minute."""
    step = timedelta(hours=6)
    moment = datetime(year, 1, 1, tzinfo=UTC)
    while moment.year == year:
        if moment.astimezone(zone).utcoffset() != (moment + step).astimezone(zone).utcoffset():
            low, high = moment, moment + step
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) / 2
                same = middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            yield high.replace(second=0, microsecond=0)
        moment += step


def wall(moment: datetime, zone: ZoneInfo) -> str:
    """What the clock on the camera shows."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0).isoformat()


async def _told(site: Site, clock: Clock, arrival: datetime | None, timestamp: str) -> tuple[datetime, int, int]:
    """Report an event that arrives at ``arrival``: its time, id and the reply's status."""
    clock.at = arrival
    async with site.client.post(EVENTS, json=EVENT | {"timestamp": timestamp}) as response:
        event = await response.json()
        return datetime.fromisoformat(event["timestamp"]), event["id"], response.status


@pytest.mark.parametrize("name", ZONES)
async def test_events_around_every_clock_change_keep_their_order(
    make_site: Callable[..., Any], clock: Clock, name: str
) -> None:
    site: Site = await make_site(site={"time_zone": name})
    await site.register()
    zone = ZoneInfo(name)
    moments = [
        change + timedelta(minutes=minutes, microseconds=1)
        for change in changes(zone, 2025)
        for minutes in range(-150, 151, 14)
    ] or [datetime(2025, 6, 1, 12, tzinfo=UTC)]
    ids = []
    for moment in moments:
        kept, event_id, status = await _told(site, clock, moment + timedelta(seconds=2), wall(moment, zone))
        assert (kept, status) == (moment, 201)
        ids.append(event_id)
    page = await site.json("GET", EVENTS, params={"limit": "200"})
    assert [event["id"] for event in page["events"]] == ids[::-1]
    assert [
        datetime.fromisoformat(event["timestamp"]).replace(tzinfo=None).isoformat() for event in page["events"]
    ] == [wall(moment, zone) for moment in reversed(moments)]


async def test_log_lines_around_a_clock_change_keep_their_order(make_site: Callable[..., Any], clock: Clock) -> None:
    site: Site = await make_site()
    zone = ZoneInfo("Europe/Berlin")
    moments = [
        change + timedelta(minutes=minutes) for change in changes(zone, 2025) for minutes in range(-150, 151, 25)
    ]
    for moment in moments:
        clock.at = moment + timedelta(seconds=8)
        await site.json("POST", f"{API}/logs", json=[LINE | {"timestamp": wall(moment, zone)}])
    clock.at = None
    page = await site.json("GET", f"{API}/logs", params={"start_date": "2000-01-01"})
    kept = [datetime.fromisoformat(line["timestamp"]) for line in page["logs"]]
    assert kept == moments[::-1]


class TestTheRepeatedHour:
    """In Berlin on 26 October 2025 clocks show 02:00 to 03:00 twice: from 00:00 and from 01:00 UTC."""

    SHOWN = "2025-10-26T02:30:00"
    FIRST = datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    SECOND = datetime(2025, 10, 26, 1, 30, tzinfo=UTC)

    @pytest.fixture(autouse=True)
    async def registered(self, site: Site) -> None:
        await site.register()

    @pytest.mark.parametrize(
        ("arrival", "expected"),
        [
            (FIRST + timedelta(seconds=1), FIRST),
            (FIRST + timedelta(minutes=29), FIRST),
            (FIRST + timedelta(minutes=31), SECOND),
            (SECOND + timedelta(seconds=1), SECOND),
            (SECOND + timedelta(days=300), SECOND),
            (FIRST - timedelta(days=300), FIRST),
        ],
    )
    async def test_the_reading_nearest_to_arrival_counts(
        self, site: Site, clock: Clock, arrival: datetime, expected: datetime
    ) -> None:
        kept, _, status = await _told(site, clock, arrival, self.SHOWN)
        assert (kept, status) == (expected, 201)

    async def test_an_event_told_again_under_the_other_reading_is_the_same(self, site: Site, clock: Clock) -> None:
        """The agent was cut off for 45 minutes after it told us for the first time."""
        first = await _told(site, clock, self.FIRST + timedelta(seconds=2), self.SHOWN)
        again = await _told(site, clock, self.FIRST + timedelta(minutes=45), self.SHOWN)
        assert first == (self.FIRST, again[1], 201)
        assert again == (self.FIRST, first[1], 200)
        assert (await site.json("GET", EVENTS))["total"] == 1

    async def test_and_the_other_way_round(self, site: Site, clock: Clock) -> None:
        """The server's clock was set back meanwhile."""
        first = await _told(site, clock, self.SECOND, self.SHOWN)
        again = await _told(site, clock, self.FIRST, self.SHOWN)
        assert again == (self.SECOND, first[1], 200)

    async def test_an_offset_says_which_of_the_two_it_is(self, site: Site, clock: Clock) -> None:
        for offset, expected in (("+02:00", self.FIRST), ("+01:00", self.SECOND)):
            kept, _, status = await _told(site, clock, None, self.SHOWN + offset)
            assert (kept, status) == (expected, 201)

    async def test_filters_by_local_time_take_in_both(self, site: Site, clock: Clock) -> None:
        for arrival in (self.FIRST, self.SECOND):
            await _told(site, clock, arrival, wall(arrival + timedelta(seconds=1), ZoneInfo("UTC")) + "Z")
        clock.at = None
        query = {"start_date": "2025-10-26T02:15:00", "end_date": "2025-10-26T02:45:00"}
        assert (await site.json("GET", EVENTS, params=query))["total"] == 2
        query = {"start_date": "2025-10-26T03:00:00"}
        assert (await site.json("GET", EVENTS, params=query))["total"] == 0


class TestTheSkippedHour:
    """In Berlin on 30 March 2025 no clock shows 02:00 to 03:00; one that was not set yet does."""

    async def test_it_is_read_with_the_offset_before(self, site: Site) -> None:
        await site.register()
        event = await site.event(timestamp="2025-03-30T02:30:00")
        assert event["timestamp"] == "2025-03-30T03:30:00+02:00"
        assert (await site.event(timestamp="2025-03-30T03:30:00"))["id"] == event["id"]

    async def test_filters_that_name_it_find_what_was_told_in_it(self, site: Site) -> None:
        await site.register()
        await site.event(timestamp="2025-03-30T02:30:00")
        for query in (
            {"start_date": "2025-03-30T02:15:00", "end_date": "2025-03-30T02:45:00"},
            {"start_date": "2025-03-30T02:30:00", "end_date": "2025-03-30T02:30:00"},
            {"start_date": "2025-03-30T01:59:00", "end_date": "2025-03-30T03:30:00"},
        ):
            assert (await site.json("GET", EVENTS, params=query))["total"] == 1, query


@settings(max_examples=400, deadline=None, database=None)
@given(data=st.data())
def test_a_naive_time_that_arrives_at_once_means_the_moment_it_was_shown(data: st.DataObject) -> None:
    """In any zone, near its clock changes or anywhere: whatever the clock shows, the right moment is kept."""
    zone = ZoneInfo(data.draw(st.sampled_from(ZONES)))
    year = data.draw(st.integers(2000, 2036))
    near = list(changes(zone, year)) or [datetime(year, 1, 1, tzinfo=UTC)]
    centre = data.draw(st.sampled_from(near))
    moment = centre + data.draw(st.timedeltas(timedelta(hours=-4), timedelta(hours=4)))
    latency = data.draw(st.timedeltas(timedelta(), timedelta(minutes=14)))  # Lord Howe turns back by half an hour
    shown = moment.astimezone(zone).replace(tzinfo=None, fold=0)
    reading = read_time(shown, zone, arrival=moment + latency)
    assert reading.at == moment
    assert reading.at.astimezone(zone).replace(tzinfo=None, fold=0) == shown
    if reading.other is not None:
        assert reading.other.astimezone(zone).replace(tzinfo=None, fold=0) == shown
        assert abs(reading.other - moment) <= timedelta(hours=1)


@settings(max_examples=400, deadline=None, database=None)
@given(data=st.data())
def test_a_later_local_time_is_never_an_earlier_moment(data: st.DataObject) -> None:
    """Outside the hours in which clocks lie, order on the wall is order in time."""
    zone = ZoneInfo(data.draw(st.sampled_from(ZONES)))
    moments = st.datetimes(datetime(2000, 1, 1), datetime(2036, 1, 1))  # noqa: DTZ001 - as on a wall
    one, other = sorted([data.draw(moments), data.draw(moments)])
    for shown in (one, other):
        folds = {shown.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
        assume(len(folds) == 1)
    arrival = datetime(2036, 1, 1, tzinfo=UTC)
    assert read_time(one, zone, arrival=arrival).at <= read_time(other, zone, arrival=arrival).at
