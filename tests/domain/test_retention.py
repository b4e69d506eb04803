"""The rules, over footage of any shape."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.domain.retention import (
    FLOOR_SHARE,
    RATE_DAYS,
    Cut,
    Disk,
    Limits,
    Reason,
    Rules,
    Use,
    cuts,
    enough,
    forecast,
    rate_of,
)
from securitycamd.domain.retention_plan import DayOfFootage, PlannedDay, is_reached, plan, reach

NOW = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
TODAY = NOW.date()
CAMERAS = ("camera_1", "camera_2", "camera_3")
GB = 10**9

sizes = st.integers(0, 50 * GB)
maybe_bytes = st.none() | st.integers(0, 100 * GB)
limits = st.builds(Limits, st.none() | st.floats(0, 40) | st.just(math.inf), maybe_bytes)
rules = st.builds(
    Rules,
    st.builds(Limits, st.none() | st.floats(0, 40), maybe_bytes),
    st.dictionaries(st.sampled_from(CAMERAS), limits),
    st.integers(0, 50 * GB),
)
disks = st.builds(Disk, st.integers(100 * GB, 400 * GB), st.integers(0, 100 * GB))


@st.composite
def footage(draw: st.DrawFn) -> list[DayOfFootage]:
    keys = draw(st.sets(st.tuples(st.integers(0, 60), st.sampled_from(CAMERAS)), max_size=20))
    return [
        DayOfFootage(camera, TODAY - timedelta(days=ago), draw(st.integers(1, 500)), draw(sizes))
        for ago, camera in sorted(keys)
    ]


def sums(days: list[DayOfFootage], protected: int = 0) -> dict[str, int]:
    """Bytes of each camera, with so many starred ones on top."""
    found = dict.fromkeys(CAMERAS, protected)
    for day in days:
        found[day.camera_id] += day.size_bytes
    return found


def freed(planned: list[PlannedDay], camera_id: str | None = None) -> int:
    return sum(item.size_bytes for item in planned if camera_id in {None, item.camera_id})


# --- what goes --------------------------------------------------------------------------------------------------


@given(st.lists(sizes, max_size=50), st.integers(-10, 100 * GB))
def test_one_event_less_would_not_be_enough(events: list[int], needed: int) -> None:
    taken = enough(events, needed)
    assert 0 <= taken <= len(events)
    assert sum(events[:taken]) >= needed or taken == len(events)
    assert taken == 0 or sum(events[: taken - 1]) < needed


@given(rules, footage(), disks, st.integers(0, GB))
def test_no_more_goes_than_there_is_and_never_what_is_starred(
    held: Rules, days: list[DayOfFootage], disk: Disk, protected: int
) -> None:
    planned = plan(held, now=NOW, days=days, used=sums(days, protected), disk=disk)
    for camera in CAMERAS:
        assert freed(planned, camera) <= sums(days)[camera]
    events = {(day.camera_id, day.day): day.events for day in days}
    for key, there in events.items():
        assert sum(item.events for item in planned if (item.camera_id, item.day) == key) <= there
    assert all(item.on == TODAY for item in planned)


@given(rules, footage(), disks, st.integers(0, GB))
def test_after_the_plan_nothing_that_may_go_breaks_a_rule(
    held: Rules, days: list[DayOfFootage], disk: Disk, protected: int
) -> None:
    used = sums(days, protected)
    planned = plan(held, now=NOW, days=days, used=used, disk=disk)
    for camera in CAMERAS:
        used[camera] -= freed(planned, camera)
    after = replace(disk, free_bytes=disk.free_bytes + freed(planned))
    for cut in cuts(held, now=NOW, used=used, disk=after):
        if cut.reason is Reason.AGE:
            continue
        left = sum(sums(days)[camera] - freed(planned, camera) for camera in CAMERAS if cut.camera_id in {None, camera})
        assert left == 0


@given(rules, footage(), disks)
def test_no_more_goes_than_the_rules_demand(held: Rules, days: list[DayOfFootage], disk: Disk) -> None:
    planned = plan(held, now=NOW, days=days, used=sums(days), disk=disk)
    for reason, most in (
        (Reason.FREE_SPACE, max(0, held.floor_of(disk) - disk.free_bytes)),
        (Reason.SIZE, max(0, sum(sums(days).values()) - (held.everywhere.max_bytes or 0))),
    ):
        assert freed([item for item in planned if item.reason is reason]) <= most
    for item in planned:
        if item.reason is Reason.AGE:
            age = held.age_of(item.camera_id)
            assert age is not None
            assert item.day <= (NOW - timedelta(days=age)).date()


@given(rules, footage(), disks)
def test_of_a_camera_the_oldest_go_first(held: Rules, days: list[DayOfFootage], disk: Disk) -> None:
    planned = plan(held, now=NOW, days=days, used=sums(days), disk=disk)
    for camera in CAMERAS:
        gone = {item.day for item in planned if item.camera_id == camera}
        for day in days:
            if day.camera_id == camera and day.size_bytes and any(day.day < newer for newer in gone):
                there = sum(item.size_bytes for item in planned if (item.camera_id, item.day) == (camera, day.day))
                assert there == day.size_bytes


@given(footage(), st.integers(0, 100 * GB))
def test_a_limit_of_one_camera_touches_no_other(days: list[DayOfFootage], limit: int) -> None:
    held = Rules(cameras={"camera_1": Limits(3, limit)})
    planned = plan(held, now=NOW, days=days, used=sums(days), disk=None)
    assert {item.camera_id for item in planned} <= {"camera_1"}


@given(footage(), st.integers(0, GB))
def test_without_rules_nothing_goes(days: list[DayOfFootage], protected: int) -> None:
    assert plan(Rules(), now=NOW, days=days, used=sums(days, protected), disk=Disk(GB, 0), ahead_days=30) == []


def test_what_one_rule_frees_the_next_need_not() -> None:
    days = [DayOfFootage("camera_1", TODAY - timedelta(days=ago), 10, GB) for ago in range(10)]
    held = Rules(Limits(None, 8 * GB), {"camera_1": Limits(None, 7 * GB)}, 2 * GB)
    planned = plan(held, now=NOW, days=days, used={"camera_1": 10 * GB}, disk=Disk(100 * GB, GB))
    assert freed(planned) == 3 * GB
    assert {item.reason for item in planned} == {Reason.CAMERA_SIZE}


def test_a_floor_takes_no_more_than_its_share_of_a_small_disk() -> None:
    assert Rules(free_floor_bytes=2 * GB).floor_of(Disk(4 * GB, 0)) == FLOOR_SHARE * 4 * GB
    assert Rules(free_floor_bytes=2 * GB).floor_of(Disk(400 * GB, 0)) == 2 * GB


def test_a_camera_may_have_no_age_where_all_others_have() -> None:
    held = Rules(Limits(30), {"camera_1": Limits(math.inf), "camera_2": Limits(7), "camera_3": Limits(None, 5)})
    assert [held.age_of(camera) for camera in (*CAMERAS, "camera_4")] == [None, 7, 30, 30]
    assert cuts(held, now=NOW, used={"camera_1": 10}, disk=None) == []
    assert cuts(held, now=NOW, used={"camera_2": 10}, disk=None) == [
        Cut(Reason.AGE, "camera_2", before=NOW - timedelta(days=7))
    ]


# --- the days ahead ---------------------------------------------------------------------------------------------


def test_a_plan_says_on_which_day_what_goes() -> None:
    days = [DayOfFootage("camera_1", TODAY - timedelta(days=ago), 10, GB) for ago in range(1, 6)]
    planned = plan(Rules(Limits(5)), now=NOW, days=days, used={"camera_1": 5 * GB}, disk=None, rates={}, ahead_days=3)
    first = TODAY - timedelta(days=5)
    assert [(item.on, item.day, item.partly) for item in planned] == [
        (TODAY, first, True),
        (TODAY + timedelta(days=1), first, False),
        (TODAY + timedelta(days=2), first + timedelta(days=1), False),
        (TODAY + timedelta(days=3), first + timedelta(days=2), False),
    ]
    assert sum(item.events for item in planned if item.day == first) == 10
    assert sum(item.size_bytes for item in planned if item.day == first) == GB


def test_a_disk_that_fills_up_takes_the_oldest_when_the_floor_is_reached() -> None:
    days = [DayOfFootage("camera_1", TODAY - timedelta(days=ago), 10, GB) for ago in range(4)]
    planned = plan(
        Rules(free_floor_bytes=2 * GB),
        now=NOW,
        days=days,
        used={"camera_1": 4 * GB},
        disk=Disk(100 * GB, 4 * GB),
        rates={"camera_1": float(GB)},
        ahead_days=4,
    )
    assert [((item.on - TODAY).days, (TODAY - item.day).days) for item in planned] == [(3, 3), (4, 2)]
    assert {item.reason for item in planned} == {Reason.FREE_SPACE}


@given(rules, footage(), disks, st.dictionaries(st.sampled_from(CAMERAS), st.floats(0, 10 * GB)))
def test_looking_ahead_never_takes_what_is_not_there(
    held: Rules, days: list[DayOfFootage], disk: Disk, rates: dict[str, float]
) -> None:
    planned = plan(held, now=NOW, days=days, used=sums(days), disk=disk, rates=rates, ahead_days=10)
    came = {camera: 10 * round(rates.get(camera, 0)) for camera in CAMERAS}
    for camera in CAMERAS:
        assert freed(planned, camera) <= sums(days)[camera] + came[camera]
    assert [item.on for item in planned] == sorted(item.on for item in planned)


@given(rules, footage(), disks, st.dictionaries(st.sampled_from(CAMERAS), st.floats(0, 10 * GB)), st.integers(0, 60))
def test_the_oldest_days_within_reach_make_the_whole_plan(
    held: Rules, days: list[DayOfFootage], disk: Disk, rates: dict[str, float], ago: int
) -> None:
    known: dict[str, Any] = {"now": NOW, "used": sums(days), "disk": disk, "rates": rates, "ahead_days": 10}
    upto = datetime.combine(TODAY - timedelta(days=ago), time(), UTC)
    oldest = [day for day in days if day.day < upto.date()]
    if is_reached(reach(held, **known), oldest, upto):
        assert plan(held, days=oldest, **known) == plan(held, days=days, **known)
    everything = upto + timedelta(days=200)
    demanded = reach(held, **known)
    assert is_reached([cut for cut in demanded if cut.before], days, everything)


# --- the forecast -----------------------------------------------------------------------------------------------


def look(held: Rules, rates: dict[str, float], used: dict[str, Use], disk: Disk | None) -> tuple[object, ...]:
    found = forecast(held, rates=rates, used=used, disk=disk)
    return found.days_until_floor, found.days_kept, found.promise_kept


def test_a_promise_that_fits() -> None:
    used = {"camera_1": Use(10 * GB)}
    assert look(Rules(Limits(30)), {"camera_1": GB}, used, Disk(100 * GB, 50 * GB)) == (None, None, True)


def test_a_promise_that_does_not_fit() -> None:
    used = {"camera_1": Use(10 * GB)}
    held = Rules(Limits(90), free_floor_bytes=10 * GB)
    assert look(held, {"camera_1": GB}, used, Disk(100 * GB, 50 * GB)) == (40, 50, False)


def test_starred_footage_takes_room_from_the_promise() -> None:
    used = {"camera_1": Use(10 * GB, protected_bytes=5 * GB)}
    held = Rules(Limits(30, 20 * GB))
    assert look(held, {"camera_1": GB}, used, Disk(500 * GB, 100 * GB)) == (None, 15, False)


def test_a_size_below_what_the_disk_holds_keeps_it_from_being_full() -> None:
    used = {"camera_1": Use(10 * GB)}
    floor = 10 * GB
    disk = Disk(100 * GB, 50 * GB)
    assert look(Rules(Limits(None, 20 * GB), free_floor_bytes=floor), {"camera_1": GB}, used, disk) == (None, 20, True)
    assert look(Rules(Limits(None, 80 * GB), free_floor_bytes=floor), {"camera_1": GB}, used, disk) == (40, 50, True)


def test_cameras_share_what_is_there_by_one_depth() -> None:
    used = {"camera_1": Use(0), "camera_2": Use(0)}
    held = Rules(Limits(None, 30 * GB), {"camera_1": Limits(5)})
    found = forecast(held, rates={"camera_1": GB, "camera_2": GB}, used=used, disk=None)
    # camera_1 keeps 5 days, so camera_2 has 25 of the 30 GB.
    assert [camera.days_kept for camera in found.cameras] == [5, 25]
    assert [camera.promise_kept for camera in found.cameras] == [True, True]
    assert (found.days_kept, found.days_until_floor) == (25, None)


def test_a_size_of_its_own_can_break_a_cameras_own_promise_but_not_everyones() -> None:
    held = Rules(Limits(30), {"camera_1": Limits(10, 6 * GB), "camera_2": Limits(None, 6 * GB)})
    found = forecast(held, rates=dict.fromkeys(CAMERAS, float(GB)), used={}, disk=None)
    assert [(camera.days_kept, camera.promise_days, camera.promise_kept) for camera in found.cameras] == [
        (6, 10, False),
        (6, None, True),
        (30, 30, True),
    ]


def test_where_nothing_comes_nothing_is_broken() -> None:
    assert look(Rules(Limits(30)), {"camera_1": 0.0}, {"camera_1": Use(5)}, Disk(100, 50)) == (None, None, True)


@given(rules, st.dictionaries(st.sampled_from(CAMERAS), st.floats(0, 10 * GB)), st.none() | disks, sizes)
def test_what_is_kept_fits(held: Rules, rates: dict[str, float], disk: Disk | None, used: int) -> None:
    found = forecast(held, rates=rates, used={"camera_1": Use(used)}, disk=disk)
    assert [camera.camera_id for camera in found.cameras] == sorted(rates)
    if found.days_kept is not None and held.everywhere.max_bytes is not None:
        kept = sum((camera.days_kept or 0) * camera.bytes_a_day for camera in found.cameras)
        assert kept <= held.everywhere.max_bytes * (1 + 1e-6) + 1


@pytest.mark.parametrize(
    ("ago", "rate"),
    [
        ({}, 0),
        ({0: 9 * GB}, 12 * GB),  # only today, three quarters of it
        ({1: GB}, GB),
        (dict.fromkeys(range(1, RATE_DAYS + 1), GB) | {0: 7}, GB),
        ({3: 3 * GB}, GB),  # two quiet days since
        ({RATE_DAYS + 1: GB}, 0),
    ],
)
def test_a_rate_is_of_the_days_since_footage_began(ago: dict[int, int], rate: int) -> None:
    days: dict[date, int] = {TODAY - timedelta(days=day): size for day, size in ago.items()}
    assert rate_of(days, NOW) == pytest.approx(rate)
