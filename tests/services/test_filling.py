"""How fast a disk fills up, and when it is looked at again."""

import pytest

from securitycamd.services.retention import LOOK_SECONDS, LOOK_SOONEST_SECONDS, Filling

MB = 1_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("securitycamd.services.retention.time.monotonic", lambda: now[0])
    return now


def test_the_rate_is_what_others_wrote(clock: list[float]) -> None:
    filling = Filling()
    filling.note(50 * MB)
    clock[0] += 2
    filling.note(40 * MB)
    assert filling.bytes_a_second == 5 * MB
    # What we freed meanwhile was written, too.
    filling.freed(12 * MB)
    clock[0] += 1
    filling.note(48 * MB)
    assert filling.bytes_a_second == 4 * MB
    clock[0] += 1
    filling.note(60 * MB)
    assert filling.bytes_a_second == 0


def test_looks_in_quick_succession_measure_nothing(clock: list[float]) -> None:
    filling = Filling()
    filling.note(50 * MB)
    clock[0] += 0.01
    filling.note(49 * MB)
    assert filling.bytes_a_second == 0
    clock[0] += 0.99
    filling.note(48 * MB)
    assert filling.bytes_a_second == 2 * MB


@pytest.mark.parametrize(
    ("rate", "above_floor", "expected"),
    [
        (0, 1, LOOK_SECONDS),
        (1 * MB, 100 * MB, LOOK_SECONDS),
        (10 * MB, 10 * MB, 0.5),
        (10 * MB, 1 * MB, LOOK_SOONEST_SECONDS),
        (10 * MB, -5 * MB, LOOK_SOONEST_SECONDS),
    ],
)
def test_the_faster_it_fills_the_sooner_it_is_looked_at(rate: float, above_floor: int, expected: float) -> None:
    assert Filling(rate).look_seconds(above_floor) == expected
