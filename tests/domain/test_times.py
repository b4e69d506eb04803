# ruff: noqa: DTZ001, DTZ901 - agents send times without a zone; these tests are about them
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.times import (
    EARLIEST,
    LATEST,
    Reading,
    Span,
    day_bounds,
    named_day,
    next_microsecond,
    read_time,
    today,
)

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
# Clocks that change by an hour, by half an hour, at midnight, in the other half of the year, or not at all.
CHANGING = (
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "Atlantic/Azores",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
)
FIXED = ("UTC", "Asia/Kathmandu", "Pacific/Kiritimati")


@cache
def changes(key: str, year: int) -> tuple[datetime, ...]:
    """The UTC moments at which a zone's clocks change, to the hour."""
    zone = ZoneInfo(key)
    hours = [datetime(year, 1, 1, tzinfo=UTC) + HOUR * hour for hour in range(365 * 24)]
    offsets = [hour.astimezone(zone).utcoffset() for hour in hours]
    return tuple(hour for hour, before, after in zip(hours[1:], offsets, offsets[1:], strict=False) if before != after)


@st.composite
def moments(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    """A zone and a moment, half of the time close to a change of its clocks."""
    key = draw(st.sampled_from(CHANGING + FIXED))
    year = draw(st.integers(2012, 2036))
    near = changes(key, year)
    close = draw(st.booleans())
    if near and close:
        shift = draw(st.integers(-4 * 3600 * 10**6, 4 * 3600 * 10**6))
        return ZoneInfo(key), draw(st.sampled_from(near)) + timedelta(microseconds=shift)
    return ZoneInfo(key), draw(st.datetimes(datetime(year, 1, 1), datetime(year, 12, 31), timezones=st.just(UTC)))


def local(moment: datetime, zone: ZoneInfo) -> datetime:
    """What the clock on the wall shows."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


# --- reading ------------------------------------------------------------------------------------------------


@given(st.datetimes(datetime(1971, 1, 1), datetime(8990, 1, 1), timezones=st.timezones()))
def test_an_aware_time_means_what_it_says(value: datetime) -> None:
    reading = read_time(value, BERLIN, arrival=datetime.now(UTC))
    assert reading == Reading(value.astimezone(UTC))
    assert reading.at.tzinfo is UTC


@given(moments())
def test_a_naive_time_that_arrives_at_once_is_read_as_the_moment_it_was_taken(
    case: tuple[ZoneInfo, datetime],
) -> None:
    zone, moment = case
    assert read_time(local(moment, zone), zone, arrival=moment).at == moment


@given(moments(), st.integers(0, 25 * 60))
def test_a_naive_time_that_arrives_late_shows_the_same_clock(
    case: tuple[ZoneInfo, datetime], late_seconds: int
) -> None:
    zone, moment = case
    reading = read_time(local(moment, zone), zone, arrival=moment + timedelta(seconds=late_seconds))
    assert local(reading.at, zone) == local(moment, zone)
    assert moment in {reading.at, reading.other}


@given(moments(), st.lists(st.integers(1, 3 * 3600 * 10**6), min_size=1, max_size=20))
def test_naive_times_that_arrive_at_once_keep_their_order(case: tuple[ZoneInfo, datetime], steps: list[int]) -> None:
    zone, moment = case
    taken = [moment]
    for step in steps:
        taken.append(taken[-1] + timedelta(microseconds=step))
    read = [read_time(local(each, zone), zone, arrival=each + timedelta(seconds=2)).at for each in taken]
    assert read == taken


@given(moments(), st.timedeltas(timedelta(days=-3), timedelta(days=3)))
def test_both_readings_are_told_exactly_when_the_clock_showed_the_time_twice(
    case: tuple[ZoneInfo, datetime], late: timedelta
) -> None:
    zone, moment = case
    wall = local(moment, zone)
    arrival = moment + late
    shown = {
        candidate
        for fold in (0, 1)
        if local(candidate := wall.replace(tzinfo=zone, fold=fold).astimezone(UTC), zone) == wall
    }
    reading = read_time(wall, zone, arrival=arrival)
    assert {reading.at, reading.other} - {None} == shown
    assert all(abs(arrival - reading.at) <= abs(arrival - other) for other in shown)


def test_in_the_repeated_hour_the_reading_nearest_to_arrival_is_taken() -> None:
    wall = datetime(2025, 10, 26, 2, 30)
    summer, winter = datetime(2025, 10, 26, 0, 30, tzinfo=UTC), datetime(2025, 10, 26, 1, 30, tzinfo=UTC)
    assert read_time(wall, BERLIN, arrival=summer + timedelta(minutes=5)) == Reading(summer, winter)
    assert read_time(wall, BERLIN, arrival=winter - timedelta(minutes=5)) == Reading(winter, summer)


def test_a_time_in_the_skipped_hour_is_read_with_the_offset_before_the_change() -> None:
    wall = datetime(2025, 3, 30, 2, 30)
    reading = read_time(wall, BERLIN, arrival=datetime(2025, 3, 30, 12, tzinfo=UTC))
    assert reading == Reading(datetime(2025, 3, 30, 1, 30, tzinfo=UTC))


def test_the_fold_of_an_agents_time_is_not_trusted() -> None:
    """It comes from parsing, not from the agent."""
    arrival = datetime(2025, 10, 26, 0, 31, tzinfo=UTC)
    readings = {read_time(datetime(2025, 10, 26, 2, 30, fold=fold), BERLIN, arrival=arrival) for fold in (0, 1)}
    assert len(readings) == 1


@given(st.datetimes(timezones=st.none() | st.timezones()), st.timezones())
def test_every_time_is_read_within_what_can_be_stored_or_refused(value: datetime, zone: ZoneInfo) -> None:
    if EARLIEST.year < value.year < LATEST.year - 1:
        reading = read_time(value, zone, arrival=datetime(2026, 1, 1, tzinfo=UTC))
        assert all(EARLIEST <= each < LATEST for each in (reading.at, reading.other or reading.at))
    else:
        with suppress(InvalidError):
            assert EARLIEST <= read_time(value, zone, arrival=datetime(2026, 1, 1, tzinfo=UTC)).at < LATEST


@pytest.mark.parametrize(
    "value",
    [
        datetime.min,
        datetime(1899, 12, 31, 23),
        datetime(1900, 1, 1),  # before it in UTC
        datetime(8999, 12, 31, 23, tzinfo=ZoneInfo("America/New_York")),
        datetime(9000, 1, 1),
        datetime.max,
        datetime.max.replace(tzinfo=ZoneInfo("America/New_York")),
        datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo")),
    ],
)
def test_times_that_cannot_be_stored_are_refused(value: datetime) -> None:
    with pytest.raises(InvalidError, match=r"^timestamp: "):
        read_time(value, BERLIN, arrival=datetime(2026, 1, 1, tzinfo=UTC))


# --- days ---------------------------------------------------------------------------------------------------


@given(moments())
def test_a_moment_lies_in_the_day_that_its_clock_shows(case: tuple[ZoneInfo, datetime]) -> None:
    zone, moment = case
    day = today(zone, moment)
    start, end = day_bounds(day, zone)
    assert start <= moment < end
    assert start.tzinfo is UTC
    assert end.tzinfo is UTC


@given(moments())
def test_days_follow_each_other_without_gap_or_overlap(case: tuple[ZoneInfo, datetime]) -> None:
    zone, moment = case
    day = today(zone, moment)
    start, end = day_bounds(day, zone)
    assert day_bounds(day + timedelta(days=1), zone)[0] == end
    assert 23 * HOUR <= end - start <= 25 * HOUR


@pytest.mark.parametrize(("day", "hours"), [("2025-03-30", 23), ("2025-10-26", 25), ("2025-06-01", 24)])
def test_the_days_of_a_clock_change_are_shorter_and_longer(day: str, hours: int) -> None:
    start, end = day_bounds(date.fromisoformat(day), BERLIN)
    assert end - start == hours * HOUR


def test_today_is_the_sites_day_and_not_utcs() -> None:
    evening = datetime(2025, 6, 30, 22, 30, tzinfo=UTC)
    assert today(BERLIN, evening) == date(2025, 7, 1)
    assert today(ZoneInfo("UTC"), evening) == date(2025, 6, 30)
    before = datetime.now(UTC).date()
    assert before <= today(ZoneInfo("UTC")) <= datetime.now(UTC).date()


def test_named_days() -> None:
    now = datetime(2025, 6, 30, 22, 30, tzinfo=UTC)  # 1 July in Berlin
    first = datetime(2025, 6, 30, 22, tzinfo=UTC)
    assert named_day("today", BERLIN, now) == Span(first, first + 24 * HOUR)
    assert named_day("yesterday", BERLIN, now) == Span(first - 24 * HOUR, first)
    assert named_day("2025-07-01", BERLIN, now) == named_day("today", BERLIN, now)


@given(st.dates(date(1971, 1, 1), date(8999, 12, 31)), st.timezones())
def test_every_storable_day_has_a_name(day: date, zone: ZoneInfo) -> None:
    span = named_day(day.isoformat(), zone)
    assert (span.start, span.end) == day_bounds(day, zone)


@pytest.mark.parametrize(
    "name", ["", "tomorrow", "Today", "2025-13-01", "2025-02-30", "20250701", "2025-W27-2", "2025-7-1"]
)
def test_other_words_name_no_day(name: str) -> None:
    with pytest.raises(InvalidError, match="use today, yesterday or YYYY-MM-DD"):
        named_day(name, BERLIN)


@pytest.mark.parametrize("name", ["0001-01-01", "1899-12-31", "9000-01-01", "9999-12-31"])
def test_days_that_cannot_be_stored_are_refused(name: str) -> None:
    with pytest.raises(InvalidError, match="the year cannot be stored"):
        named_day(name, BERLIN)


@given(st.text(max_size=12))
def test_any_text_names_a_day_or_is_refused(name: str) -> None:
    with suppress(InvalidError):
        assert not named_day(name, BERLIN).is_empty


# --- spans --------------------------------------------------------------------------------------------------

_UTC_TIMES = st.datetimes(datetime(2025, 1, 1), datetime(2025, 1, 2), timezones=st.just(UTC))
_SPANS = st.builds(Span, st.none() | _UTC_TIMES, st.none() | _UTC_TIMES)


def holds(span: Span, moment: datetime) -> bool:
    return (span.start is None or span.start <= moment) and (span.end is None or moment < span.end)


@given(_SPANS, _SPANS, _UTC_TIMES)
def test_the_intersection_holds_what_both_hold(one: Span, other: Span, moment: datetime) -> None:
    both = one.intersect(other)
    assert holds(both, moment) == (holds(one, moment) and holds(other, moment))
    assert both == other.intersect(one)


@given(_SPANS, _UTC_TIMES)
def test_an_empty_span_holds_nothing_and_any_other_its_start(span: Span, moment: datetime) -> None:
    if span.is_empty:
        assert not holds(span, moment)
    elif span.start is not None:
        assert holds(span, span.start)


@given(moments())
def test_nothing_lies_between_a_moment_and_the_next(case: tuple[ZoneInfo, datetime]) -> None:
    zone, moment = case
    following = next_microsecond(moment.astimezone(zone))
    assume(following.year < LATEST.year)
    assert following - moment == timedelta(microseconds=1)
    assert following.tzinfo is UTC
