"""Numbers and times in words."""

from datetime import datetime, timedelta
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.domain.sizes import size
from securitycamd.web.ui.words import age, count, day_name, duration, media_url, moment
from tests.web.ui.samples import NOW, ZONE


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00"), (47.6, "0:48"), (59.6, "1:00"), (125, "2:05"), (3725, "1:02:05"), (-3, "0:00")],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (17_900_000, "17.9 MB"),
        (3 * 10**12, "3.0 TB"),
        (5 * 10**15, "5,000.0 TB"),
    ],
)
def test_size(size_bytes: int, words: str) -> None:
    assert size(size_bytes) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-30, "now"),
        (4.9, "now"),
        (12.4, "12 s"),
        (59.7, "1 min"),
        (3599, "59 min"),
        (7300, "2 h"),
        (172_800, "2 d"),
        (400 * 86400, "400 d"),
    ],
)
def test_age(seconds: float, words: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == words


def test_count_keeps_what_is_no_number_out() -> None:
    assert count(48213) == "48,213"
    assert count(float("inf")) == "-"


def test_days_are_the_sites() -> None:
    late_evening = datetime(2025, 11, 22, 23, 30, tzinfo=ZONE)
    assert day_name(NOW, ZONE, NOW) == "Today"
    assert day_name(late_evening, ZONE, NOW) == "Yesterday"
    assert day_name(late_evening - timedelta(days=1), ZONE, NOW) == "Friday 21 November"
    assert day_name(late_evening.replace(year=2024), ZONE, NOW) == "Friday 22 November 2024"


def test_a_moment_in_the_repeated_hour_says_which() -> None:
    first = moment(datetime(2025, 10, 26, 2, 30, tzinfo=ZONE, fold=0), ZONE, NOW)
    second = moment(datetime(2025, 10, 26, 2, 30, tzinfo=ZONE, fold=1), ZONE, NOW)
    assert (first.iso, second.iso) == ("2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00")
    assert first.exact == "Sunday 26 October 2025, 02:30:00 CEST"
    assert first.clock == second.clock == "02:30:00"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_media_url_is_the_path_encoded(path: str) -> None:
    url = media_url(path)
    assert url.startswith("/media/")
    assert not set(url) & set(" ?#\"'<>&\\")
    assert unquote(url.removeprefix("/media/")) == path
