"""The optimiser's window: on ordinary days what the clock says, over clock changes one stretch a day."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.domain.windows import DailyWindow, read_clock

BERLIN = ZoneInfo("Europe/Berlin")
# The last two change their clocks at midnight and by half an hour.
ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia")]
NIGHT = DailyWindow(time(1), time(7))
OVER_MIDNIGHT = DailyWindow(time(22), time(6))

clocks = st.builds(time, st.integers(0, 23), st.integers(0, 59))
windows = st.builds(DailyWindow, clocks, clocks)
zones = st.sampled_from(ZONES)
moments = st.datetimes(datetime(2011, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def local(day: int, hour: int, minute: int = 0, *, month: int = 6, fold: int = 0) -> datetime:
    return datetime(2025, month, day, hour, minute, tzinfo=BERLIN, fold=fold)


def opens_at(window: DailyWindow, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When the next window opens (UTC), after ``now``; ``None``: it is always open."""
    if window.is_always_open:
        return None
    return next(start for start, end in window.around(now, zone) if now < start < end)


@pytest.mark.parametrize(
    ("window", "hour", "is_open"),
    [
        (NIGHT, 0, False),
        (NIGHT, 1, True),
        (NIGHT, 6, True),
        (NIGHT, 7, False),
        (OVER_MIDNIGHT, 21, False),
        (OVER_MIDNIGHT, 22, True),
        (OVER_MIDNIGHT, 3, True),
        (OVER_MIDNIGHT, 6, False),
        (DailyWindow(time(4), time(4)), 4, True),
        (DailyWindow(time(4), time(4)), 3, True),
    ],
)
def test_an_ordinary_day(window: DailyWindow, hour: int, *, is_open: bool) -> None:
    assert window.is_open(local(15, hour), BERLIN) is is_open


def test_it_says_when_it_closes_and_opens() -> None:
    assert NIGHT.closes_at(local(15, 3), BERLIN) == local(15, 7)
    assert opens_at(NIGHT, local(15, 3), BERLIN) == local(16, 1)
    assert NIGHT.closes_at(local(15, 12), BERLIN) is None
    assert OVER_MIDNIGHT.closes_at(local(15, 23), BERLIN) == local(16, 6)
    assert opens_at(OVER_MIDNIGHT, local(15, 7), BERLIN) == local(15, 22)


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 30, 5), (10, 26, 7), (6, 15, 6)])
def test_a_night_with_a_clock_change_is_longer_or_shorter(month: int, day: int, hours: int) -> None:
    opens = local(day, 1, month=month).astimezone(UTC)
    assert opens_at(NIGHT, opens - timedelta(minutes=1), BERLIN) == opens
    assert NIGHT.closes_at(opens, BERLIN) == opens + timedelta(hours=hours)


def test_a_clock_that_is_put_back_does_not_open_it_again() -> None:
    window = DailyWindow(time(1), time(2, 30))
    assert window.is_open(local(26, 2, 15, month=10, fold=0), BERLIN)
    assert not window.is_open(local(26, 2, 15, month=10, fold=1), BERLIN)


def test_a_start_that_the_clock_skips_is_an_hour_late() -> None:
    window = DailyWindow(time(2, 30), time(6))
    assert not window.is_open(local(30, 3, 15, month=3), BERLIN)
    assert window.is_open(local(30, 3, 30, month=3), BERLIN)


@given(windows, zones, moments)
def test_open_is_before_the_end_and_closed_is_before_the_next_start(
    window: DailyWindow, zone: ZoneInfo, now: datetime
) -> None:
    if window.is_always_open:
        assert window.is_open(now, zone)
        assert window.closes_at(now, zone) is opens_at(window, now, zone) is None
        return
    opens = opens_at(window, now, zone)
    assert opens is not None
    assert opens > now
    assert window.is_open(opens, zone)
    closes = window.closes_at(now, zone)
    assert (closes is not None) == window.is_open(now, zone)
    if closes is None:
        # Nothing opens before what it says.
        assert not window.is_open(now + (opens - now) / 2, zone)
    else:
        assert now < closes
        assert window.is_open(closes - timedelta(microseconds=1), zone)


@given(windows, st.dates(date(2011, 1, 1), date(2030, 12, 31)), clocks)
def test_without_clock_changes_it_is_what_the_clock_says(window: DailyWindow, day: date, clock: time) -> None:
    now = datetime.combine(day, clock, UTC)
    start, end = window.start, window.end
    shown = start <= clock < end if start < end else clock >= start or clock < end
    assert window.is_open(now, ZoneInfo("UTC")) is shown


@given(windows, zones, moments)
def test_an_opening_lasts_as_long_as_the_clock_says_but_for_a_change(
    window: DailyWindow, zone: ZoneInfo, now: datetime
) -> None:
    opens = opens_at(window, now, zone)
    if opens is None:
        return
    closes = window.closes_at(opens, zone)
    assert closes is not None
    minutes = (window.end.hour * 60 + window.end.minute - window.start.hour * 60 - window.start.minute) % (24 * 60)
    # A day that a zone skips altogether (Samoa, 30 December 2011) is longer than any clock change.
    limit = timedelta(days=1) if zone.key == "Pacific/Apia" else timedelta(hours=1)
    assert abs(closes - opens - timedelta(minutes=minutes)) <= limit


@given(clocks)
def test_a_clock_is_read_back(clock: time) -> None:
    assert read_clock(f"{clock:%H:%M}") == clock


@pytest.mark.parametrize("text", ["", "1:00", "24:00", "01:60", "0100", "01:00:00", "٠١:٠٠", "-1:00", "aa:bb"])
def test_what_is_no_clock_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time of day"):
        read_clock(text)
