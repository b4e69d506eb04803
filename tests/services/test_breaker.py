"""The breaker alone, on a clock of its own."""

from hypothesis import given
from hypothesis import strategies as st

from securitycamd.services.breaker import FIRST_SECONDS, LONGEST_SECONDS, Breaker, BreakerState


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def make() -> tuple[Breaker, Clock]:
    clock = Clock()
    return Breaker(clock), clock


def due(breaker: Breaker) -> bool:
    return breaker.probe_is_due


def test_it_opens_probes_and_closes_by_itself() -> None:
    breaker, clock = make()
    assert breaker.report().state is BreakerState.CLOSED
    assert not due(breaker)
    breaker.trip("gone")
    report = breaker.report()
    assert (report.state, report.reason) == (BreakerState.OPEN, "gone")
    assert report.next_probe_at is not None
    assert not due(breaker)
    clock.now += FIRST_SECONDS
    assert due(breaker)
    breaker.answers()
    report = breaker.report()
    assert (report.state, report.reason, report.next_probe_at) == (BreakerState.HALF_OPEN, "gone", None)
    breaker.succeeded()
    report = breaker.report()
    assert (report.state, report.reason, report.next_probe_at) == (BreakerState.CLOSED, None, None)


def waits(breaker: Breaker, clock: Clock) -> float:
    start = clock.now
    while not breaker.probe_is_due:
        clock.now += 0.01
    return clock.now - start


def test_the_wait_doubles_up_to_a_minute_until_something_succeeds() -> None:
    breaker, clock = make()
    seen = []
    for _ in range(8):
        breaker.trip("failing")
        seen.append(waits(breaker, clock))
        breaker.answers()
    for wait, full in zip(seen, [2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert full * 0.74 <= wait <= full * 1.01
    breaker.succeeded()
    breaker.trip("failing")
    assert waits(breaker, clock) <= FIRST_SECONDS * 1.01


def test_those_that_were_under_way_when_it_opened_do_not_make_it_wait_longer() -> None:
    breaker, clock = make()
    for _ in range(16):
        breaker.trip("gone")
    assert waits(breaker, clock) <= FIRST_SECONDS * 1.01


def test_with_other_settings_it_looks_at_once() -> None:
    breaker, _ = make()
    breaker.still_away("no such host")
    breaker.still_away("no such host")
    assert not breaker.probe_is_due
    breaker.reset()
    assert breaker.probe_is_due


def test_an_answer_closes_nothing_that_is_closed() -> None:
    breaker, _ = make()
    breaker.answers()
    assert breaker.state is BreakerState.CLOSED


@given(st.lists(st.one_of(st.sampled_from(["trip", "still_away", "answers", "succeeded", "reset"]), st.floats(0, 120))))
def test_whatever_happens_it_is_never_shut_for_good(steps: list[str | float]) -> None:
    breaker, clock = make()
    for step in steps:
        match step:
            case float():
                clock.now += step
            case "trip" | "still_away":
                getattr(breaker, step)("gone")
            case _:
                getattr(breaker, step)()
        assert (breaker.state is BreakerState.CLOSED) == (breaker.reason is None)
    clock.now += LONGEST_SECONDS
    assert breaker.probe_is_due == (breaker.state is BreakerState.OPEN)
