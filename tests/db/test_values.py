# ruff: noqa: DTZ001 - times as Hypothesis and statements take them
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.db.values import maybe_time_in, time_in, time_out


@given(st.datetimes(datetime(1900, 1, 1), datetime(8999, 12, 30), timezones=st.timezones()))
def test_a_time_comes_back_as_the_same_moment_in_utc(moment: datetime) -> None:
    written = time_out(moment)
    assert written.tzinfo is None
    read = time_in(written.isoformat(sep=" "))
    assert read == moment.astimezone(UTC)
    assert read.tzinfo is UTC


def test_what_is_utc_already_is_written_as_it_is() -> None:
    moment = datetime(2025, 10, 28, 14, 30, 22, 186476, tzinfo=UTC)
    assert time_out(moment) == datetime(2025, 10, 28, 14, 30, 22, 186476)
    assert time_out(moment.astimezone(ZoneInfo("Europe/Berlin"))) == time_out(moment)
    assert time_out(moment.astimezone(timezone(timedelta(hours=-9, minutes=-30)))) == time_out(moment)
    # London in winter has UTC's offset, and another zone.
    assert time_out(datetime(2025, 12, 1, tzinfo=ZoneInfo("Europe/London"))) == datetime(2025, 12, 1)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        time_out(datetime(2025, 10, 28))


def test_null_is_no_time() -> None:
    assert maybe_time_in(None) is None
    assert maybe_time_in("2025-10-28 14:30:22.000001") == datetime(2025, 10, 28, 14, 30, 22, 1, tzinfo=UTC)
