"""``GET /api/v1/events``: filters, limits, order and exact totals, at any depth."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Site
from tests.protocol.wire import API, EVENT, all_at_once, fields_of, refused

EVENTS = f"{API}/events"
BERLIN = ZoneInfo("Europe/Berlin")
CAMERAS = ("camera_1", "camera_2", "camera_3")
FIRST_DAY, LAST_DAY = date(2025, 10, 20), date(2025, 12, 4)  # the clock changes on 26 October


async def _listed(site: Site, **query: Any) -> Any:
    return await site.json("GET", EVENTS, params={name: str(value) for name, value in query.items()})


async def _post(site: Site, *times: str, camera_id: str = "camera_1") -> None:
    await site.register(camera_id)
    for timestamp in times:
        await site.event(camera_id, timestamp)


def _times(page: Any) -> list[str]:
    return [event["timestamp"] for event in page["events"]]


async def test_no_events_are_an_empty_page(site: Site) -> None:
    assert await _listed(site) == {"events": [], "total": 0, "limit": 50, "offset": 0}


async def test_newest_comes_first_whatever_came_first(site: Site) -> None:
    await _post(site, "2025-10-28T12:00:00", "2025-10-28T14:00:00", "2025-10-28T13:00:00")
    assert _times(await _listed(site)) == [f"2025-10-28T{hour}:00:00+01:00" for hour in (14, 13, 12)]


async def test_of_events_at_the_same_moment_the_later_id_comes_first(site: Site) -> None:
    for camera_id in ("camera_2", "camera_1", "camera_3"):
        await _post(site, "2025-10-28T12:00:00", camera_id=camera_id)
    assert [event["camera_id"] for event in (await _listed(site))["events"]] == [
        "camera_3",
        "camera_1",
        "camera_2",
    ]


async def test_a_page_says_what_it_is_a_page_of(site: Site) -> None:
    await _post(site, *(f"2025-10-28T12:00:{second:02}" for second in range(60)))
    page = await _listed(site)
    assert (len(page["events"]), page["total"], page["limit"], page["offset"]) == (50, 60, 50, 0)
    page = await _listed(site, limit=7, offset=55)
    assert (len(page["events"]), page["total"], page["limit"], page["offset"]) == (5, 60, 7, 55)
    page = await _listed(site, limit=200, offset=60)
    assert (page["events"], page["total"]) == ([], 60)
    assert (await _listed(site, offset=2**40))["total"] == 60


async def test_one_camera(site: Site) -> None:
    await _post(site, "2025-10-28T12:00:00", "2025-10-28T12:00:01")
    await _post(site, "2025-10-28T12:00:02", camera_id="camera_2")
    page = await _listed(site, camera_id="camera_1")
    assert (len(page["events"]), page["total"]) == (2, 2)


@pytest.mark.parametrize("camera_id", ["camera_9", "CAMERA_1", "camera_1 ", "", "kämera", "\x00", "%"])
async def test_of_a_camera_that_is_not_there_are_no_events(site: Site, camera_id: str) -> None:
    await _post(site, "2025-10-28T12:00:00")
    page = await _listed(site, camera_id=camera_id)
    assert (page["events"], page["total"]) == ([], 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "-1"),
        ("limit", "many"),
        ("limit", "1.5"),
        ("limit", "9" * 5000),
        ("offset", "-1"),
        ("offset", "1e3"),
        ("offset", str(2**64)),
        ("offset", ""),
        ("date", "tomorrow"),
        ("date", "2025-02-29"),
        ("date", "2025-1-2"),
        ("date", "20251028"),
        ("date", "2025-W44-2"),
        ("date", "2025-10-28T00:00:00"),
        ("date", "٢٠٢٥-١٠-٢٨"),
        ("date", "9999-12-31"),
        ("date", ""),
        ("start_date", "soon"),
        ("start_date", "2025-02-29"),
        ("start_date", "0001-01-01"),
        ("end_date", "9999-12-31"),
        ("end_date", "9999-12-31T23:59:59.999999-14:00"),
        ("end_date", "1761661822"),
        ("camera_id", "a" * 51),
    ],
)
async def test_what_is_outside_the_rules_is_refused_by_its_name(site: Site, name: str, value: str) -> None:
    assert fields_of(await refused(site, 422, "GET", EVENTS, params={name: value})) == {name}


@pytest.mark.parametrize(("limit", "offset"), [(1, 0), (200, 0), (200, 2**40)])
async def test_limits_themselves_are_allowed(site: Site, limit: int, offset: int) -> None:
    page = await _listed(site, limit=limit, offset=offset)
    assert (page["limit"], page["offset"]) == (limit, offset)


async def test_unknown_parameters_are_no_error(site: Site) -> None:
    assert (await _listed(site, page=3, sort="id"))["total"] == 0


async def test_today_and_yesterday_are_days_of_the_site(site: Site) -> None:
    await site.register()
    while True:
        today = datetime.now(BERLIN).date()
        days = [today - timedelta(days=back) for back in range(3)]
        marks = {
            day: [
                datetime.combine(day, time.min).isoformat(),
                datetime.combine(day, time(23, 59, 59, 999999)).isoformat(),
            ]
            for day in days
        }
        for day in days:
            for mark in marks[day]:
                await site.event(timestamp=mark)
        found = {name: await _listed(site, date=name) for name in ("today", "yesterday")}
        if datetime.now(BERLIN).date() == today:
            break  # else midnight passed meanwhile
    for name, day in (("today", days[0]), ("yesterday", days[1])):
        assert [mark[:26] for mark in _times(found[name])] == [
            mark if "." in mark else f"{mark}+" + _times(found[name])[1][20:26] for mark in reversed(marks[day])
        ]
        assert found[name]["total"] == 2


@pytest.mark.parametrize(
    ("day", "hours"), [("2025-03-30", 23), ("2025-10-26", 25), ("2025-10-28", 24), ("2025-07-01", 24)]
)
async def test_a_day_is_as_long_as_the_clock_makes_it(site: Site, day: str, hours: int) -> None:
    await site.register()
    start = datetime.combine(date.fromisoformat(day), time.min, BERLIN).astimezone(UTC)
    for minutes in range(-90, 60 * 26 + 90, 30):
        await site.event(timestamp=(start + timedelta(minutes=minutes)).isoformat())
    for query in ({"date": day}, {"start_date": day, "end_date": day}):
        page = await _listed(site, **query)
        assert page["total"] == len(page["events"]) == hours * 2
        assert {mark[:10] for mark in _times(page)} == {day}


async def test_bounds_belong_to_the_stretch(site: Site) -> None:
    marks = [f"2025-10-28T12:00:00.00000{digit}" for digit in range(6)]
    await _post(site, *marks)
    page = await _listed(site, start_date=marks[1], end_date=marks[4])
    assert [mark[25] for mark in _times(page)] == ["4", "3", "2", "1"]
    assert page["total"] == 4
    assert (await _listed(site, start_date=marks[3]))["total"] == 3
    assert (await _listed(site, end_date=marks[3]))["total"] == 4
    assert (await _listed(site, start_date=marks[3], end_date=marks[3]))["total"] == 1
    assert (await _listed(site, start_date=marks[4], end_date=marks[3]))["total"] == 0


async def test_bounds_may_carry_an_offset_and_be_days(site: Site) -> None:
    await _post(site, "2025-10-27T23:59:59.999999", "2025-10-28T00:00:00", "2025-10-29T00:00:00")
    assert (await _listed(site, start_date="2025-10-27T23:00:00Z"))["total"] == 2
    assert (await _listed(site, end_date="2025-10-28T00:00:00+01:00"))["total"] == 2
    assert (await _listed(site, start_date="2025-10-28", end_date="2025-10-28"))["total"] == 1
    assert (await _listed(site, end_date="2025-10-28"))["total"] == 2
    assert (await _listed(site, start_date="2025-10-28"))["total"] == 2


async def test_a_day_and_bounds_both_hold(site: Site) -> None:
    await _post(site, *(f"2025-10-{day}T12:00:00" for day in (26, 27, 28)))
    page = await _listed(site, date="2025-10-27", start_date="2025-10-27T12:00:00", end_date="2025-10-28")
    assert _times(page) == ["2025-10-27T12:00:00+01:00"]
    assert (await _listed(site, date="2025-10-27", start_date="2025-10-28"))["total"] == 0


@dataclass
class Crowd:
    """A site with many events, and a list of them to count by hand: newest first."""

    site: Site
    events: list[tuple[datetime, int, str]]

    def matching(self, camera_id: str | None, start: datetime, end: datetime) -> list[int]:
        """Ids of the events of a camera from ``start`` to ``end``, both included."""
        return [
            event_id
            for moment, event_id, camera in self.events
            if camera_id in {None, camera} and start <= moment <= end
        ]


def _random_moments(number: int, seed: int) -> list[datetime]:
    """Times as cameras make them: nights without any, and hours with hundreds."""
    dice = random.Random(seed)
    start = datetime.combine(FIRST_DAY, time.min, BERLIN).astimezone(UTC)
    span_minutes = (LAST_DAY - FIRST_DAY).days * 24 * 60
    busy = [start + timedelta(minutes=dice.randrange(span_minutes)) for _ in range(12)]
    moments: set[datetime] = set()
    while len(moments) < number:
        if dice.random() < 0.6:
            moment = dice.choice(busy) + timedelta(seconds=dice.randrange(3600))
        else:
            moment = start + timedelta(minutes=dice.randrange(span_minutes))
        moments.add(moment + timedelta(microseconds=dice.choice([0, 0, 1, 999999])))
    return sorted(moments, key=lambda moment: dice.random())


@pytest.fixture
async def crowd(site: Site) -> Crowd:
    for camera_id in CAMERAS:
        await site.register(camera_id)
    dice = random.Random(7)

    async def post(moment: datetime) -> tuple[datetime, int, str]:
        camera_id = dice.choices(CAMERAS, weights=(12, 3, 1))[0]
        body = EVENT | {"camera_id": camera_id, "timestamp": moment.isoformat()}
        return moment, (await site.json("POST", EVENTS, json=body, status=201))["id"], camera_id

    kept = await all_at_once([post(moment) for moment in _random_moments(1500, seed=11)])
    return Crowd(site, sorted(kept, reverse=True))


def _day_edges(day: date) -> tuple[datetime, datetime]:
    following = datetime.combine(day + timedelta(days=1), time.min, BERLIN).astimezone(UTC)
    return datetime.combine(day, time.min, BERLIN).astimezone(UTC), following - timedelta(microseconds=1)


DAYS = st.dates(FIRST_DAY - timedelta(days=1), LAST_DAY + timedelta(days=1))
MOMENTS = st.datetimes(
    datetime(2025, 10, 19),  # noqa: DTZ001 - bounds are naive there
    datetime(2025, 12, 6),  # noqa: DTZ001
    timezones=st.just(UTC),
    allow_imaginary=False,
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(data=st.data())
async def test_every_page_is_what_counting_by_hand_gives(crowd: Crowd, data: st.DataObject) -> None:
    """Random filters over random events; from offset 500 on, another way leads to the page."""
    query: dict[str, Any] = {}
    camera_id = data.draw(st.sampled_from([None, None, *CAMERAS, "camera_9"]), "camera")
    if camera_id is not None:
        query["camera_id"] = camera_id
    starts, ends = [datetime.min.replace(tzinfo=UTC)], [datetime.max.replace(tzinfo=UTC)]
    if (day := data.draw(st.none() | st.none() | DAYS, "date")) is not None:
        query["date"] = day.isoformat()
        starts.append(_day_edges(day)[0])
        ends.append(_day_edges(day)[1])
    moments = MOMENTS | st.sampled_from([moment for moment, _, _ in crowd.events])
    for name, edges, last in (("start_date", starts, 0), ("end_date", ends, 1)):
        bound = data.draw(st.none() | DAYS | moments, name)
        if isinstance(bound, datetime):
            edges.append(bound)
        elif bound is not None:
            edges.append(_day_edges(bound)[last])
        if bound is not None:
            query[name] = bound.isoformat()
    expected = crowd.matching(camera_id, max(starts), min(ends))
    offsets = st.integers(0, len(expected) + 3) | st.integers(500, max(501, len(expected)))
    query |= {"limit": data.draw(st.integers(1, 200), "limit"), "offset": data.draw(offsets, "offset")}
    page = await _listed(crowd.site, **query)
    assert page["total"] == len(expected)
    there = expected[query["offset"] : query["offset"] + query["limit"]]
    assert [event["id"] for event in page["events"]] == there


@pytest.mark.parametrize("camera_id", [None, "camera_1"])
async def test_paging_to_the_end_shows_each_event_once(crowd: Crowd, camera_id: str | None) -> None:
    seen: list[int] = []
    query = {} if camera_id is None else {"camera_id": camera_id}
    while events := (await _listed(crowd.site, limit=97, offset=len(seen), **query))["events"]:
        seen += [event["id"] for event in events]
    everything = crowd.matching(camera_id, crowd.events[-1][0], crowd.events[0][0])
    assert len(everything) > 1000  # so deep that both ways of finding a page were gone
    assert seen == everything
