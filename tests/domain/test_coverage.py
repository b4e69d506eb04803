from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.domain.coverage import Cover, CoverPart, Stretch, coverage, merged, shares

DAY = datetime(2026, 3, 1, tzinfo=UTC)
SILENCE = 180.0


def at(hours: float) -> datetime:
    return DAY + timedelta(hours=hours)


def stretch(start: float, end: float) -> Stretch:
    return Stretch(at(start), at(end))


def told(
    present: list[Stretch], running: list[Stretch], viewed: list[Stretch] | None = None
) -> list[tuple[Cover, float, float]]:
    parts = coverage(stretch(0, 24), present=present, running=running, viewed=viewed or [], silence_seconds=SILENCE)
    return [(part.cover, _hours(part.start), _hours(part.end)) for part in parts]


def _hours(moment: datetime) -> float:
    return round((moment - DAY) / timedelta(hours=1), 4)


ALWAYS = [stretch(-5, 24)]


def test_a_camera_that_was_always_heard_of_watched_all_the_time() -> None:
    assert told([stretch(-1, 24)], ALWAYS) == [(Cover.WATCHING, 0, 24)]
    # Heard of a moment ago is online, as everywhere else.
    assert told([stretch(-1, 23.96)], ALWAYS) == [(Cover.WATCHING, 0, 24)]


def test_a_silence_is_offline_from_the_last_sign_of_life_on() -> None:
    assert told([stretch(-1, 3), stretch(5, 20)], ALWAYS) == [
        (Cover.WATCHING, 0, 3),
        (Cover.OFFLINE, 3, 5),
        (Cover.WATCHING, 5, 20),
        (Cover.OFFLINE, 20, 24),
    ]


def test_a_silence_that_began_before_the_window_is_seen_in_its_length() -> None:
    parts = told([stretch(-2, -0.04), stretch(0.02, 24)], ALWAYS)
    assert parts == [(Cover.OFFLINE, 0, 0.02), (Cover.WATCHING, 0.02, 24)]


def test_while_the_daemon_was_down_nothing_is_known() -> None:
    # It came back at 6; the camera was heard of 20 s later, and its last call was 5 s before the end.
    running = [stretch(-1, 4), stretch(6, 24)]
    present = [stretch(-1, 4 - 5 / 3600), stretch(6 + 20 / 3600, 24)]
    assert [part[0] for part in told(present, running)] == [Cover.WATCHING, Cover.UNKNOWN, Cover.WATCHING]
    # Silent for an hour after that: it was listened to, so it was offline.
    late = told([stretch(-1, 4), stretch(7, 24)], running)
    assert late == [(Cover.WATCHING, 0, 4), (Cover.UNKNOWN, 4, 6), (Cover.OFFLINE, 6, 7), (Cover.WATCHING, 7, 24)]


def test_a_restart_of_seconds_is_no_gap() -> None:
    running = [stretch(-1, 4), stretch(4 + 10 / 3600, 24)]
    assert told([stretch(-1, 24)], running) == [(Cover.WATCHING, 0, 24)]


def test_a_camera_that_was_watched_live_was_blind() -> None:
    assert told([stretch(-1, 24)], ALWAYS, [stretch(2, 2.5), stretch(2.4, 3)]) == [
        (Cover.WATCHING, 0, 2),
        (Cover.VIEWED, 2, 3),
        (Cover.WATCHING, 3, 24),
    ]


def test_nothing_known_is_unknown() -> None:
    assert told([], []) == [(Cover.UNKNOWN, 0, 24)]
    assert told([], ALWAYS) == [(Cover.OFFLINE, 0, 24)]


@pytest.mark.parametrize("gap_seconds", [0.0, 60.0])
def test_merging_closes_gaps(gap_seconds: float) -> None:
    found = merged([stretch(2, 3), stretch(0, 1), stretch(1, 1.5), stretch(1.51, 2)], gap_seconds=gap_seconds)
    assert found == ([stretch(0, 3)] if gap_seconds else [stretch(0, 1.5), stretch(1.51, 3)])


def test_shares_add_up_to_one() -> None:
    parts = [
        CoverPart(Cover.WATCHING, at(0), at(18)),
        CoverPart(Cover.OFFLINE, at(18), at(24)),
    ]
    assert shares(parts) == {Cover.WATCHING: 0.75, Cover.OFFLINE: 0.25}
    assert shares([]) == {}


hours = st.floats(-30, 30, allow_nan=False)
stretches = st.lists(st.tuples(hours, hours).map(lambda pair: stretch(min(pair), max(pair))), max_size=12)


@given(stretches, stretches, stretches)
def test_the_window_is_covered_without_gaps_or_repetition(
    present: list[Stretch], running: list[Stretch], viewed: list[Stretch]
) -> None:
    parts = coverage(stretch(0, 24), present=present, running=running, viewed=viewed, silence_seconds=SILENCE)
    assert parts[0].start == at(0)
    assert parts[-1].end == at(24)
    for one, next_one in pairwise(parts):
        assert one.end == next_one.start
        assert one.cover is not next_one.cover
    assert all(part.end > part.start for part in parts)
    if not running:
        assert {part.cover for part in parts} == {Cover.UNKNOWN}
