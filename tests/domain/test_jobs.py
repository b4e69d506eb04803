import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.domain.jobs import (
    BACKOFF_FIRST_SECONDS,
    BACKOFF_LIMIT_SECONDS,
    MAX_ATTEMPTS,
    JobOutcome,
    JobState,
    backoff_seconds,
    next_state,
)

_ATTEMPTS = st.integers(1, 10**6)
_JITTER = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("outcome", "attempt", "state"),
    [
        (JobOutcome.DONE, 1, JobState.DONE),
        (JobOutcome.DONE, MAX_ATTEMPTS, JobState.DONE),
        (JobOutcome.RETRY, 1, JobState.QUEUED),
        (JobOutcome.RETRY, MAX_ATTEMPTS - 1, JobState.QUEUED),
        (JobOutcome.RETRY, MAX_ATTEMPTS, JobState.FAILED),
        (JobOutcome.RETRY, MAX_ATTEMPTS + 1, JobState.FAILED),
        (JobOutcome.RELEASE, 1, JobState.QUEUED),
        (JobOutcome.RELEASE, MAX_ATTEMPTS + 1, JobState.QUEUED),
        (JobOutcome.FAIL, 1, JobState.FAILED),
        (JobOutcome.FAIL, MAX_ATTEMPTS, JobState.FAILED),
    ],
)
def test_where_an_outcome_leads(outcome: JobOutcome, attempt: int, state: JobState) -> None:
    assert next_state(outcome, attempt) is state


@given(st.sampled_from(JobOutcome), _ATTEMPTS, st.integers(1, 100))
def test_every_outcome_leads_somewhere_and_never_to_running(
    outcome: JobOutcome, attempt: int, max_attempts: int
) -> None:
    assert next_state(outcome, attempt, max_attempts=max_attempts) in set(JobState) - {JobState.RUNNING}


@given(st.lists(st.sampled_from(JobOutcome)), st.integers(1, 10))
def test_a_job_ends_by_success_by_failure_or_by_its_last_attempt(outcomes: list[JobOutcome], max_attempts: int) -> None:
    """A job's life as the queue keeps it: an attempt is counted at the claim, and given back by a release."""
    state, attempts, retries = JobState.QUEUED, 0, 0
    for outcome in outcomes:
        if state is not JobState.QUEUED:
            break
        attempts += 1
        retries += outcome is JobOutcome.RETRY
        state = next_state(outcome, attempts, max_attempts=max_attempts)
        attempts -= outcome is JobOutcome.RELEASE
        expected = {
            JobOutcome.DONE: JobState.DONE,
            JobOutcome.FAIL: JobState.FAILED,
            JobOutcome.RELEASE: JobState.QUEUED,
            JobOutcome.RETRY: JobState.FAILED if retries == max_attempts else JobState.QUEUED,
        }
        assert state is expected[outcome]
    assert attempts <= max_attempts


def test_back_off_doubles_to_its_limit() -> None:
    waits = [backoff_seconds(attempt, jitter=0) * 2 for attempt in range(1, 13)]
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]


@given(_ATTEMPTS, _JITTER)
def test_back_off_lies_in_the_upper_half_of_its_step(attempt: int, jitter: float) -> None:
    full = min(BACKOFF_LIMIT_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** min(attempt - 1, 20))
    assert full / 2 <= backoff_seconds(attempt, jitter=jitter) <= full
    assert full / 2 <= backoff_seconds(attempt) <= full


@given(_ATTEMPTS, _JITTER, _JITTER)
def test_more_attempts_and_more_jitter_never_shorten_the_wait(attempt: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert backoff_seconds(attempt, jitter=low) <= backoff_seconds(attempt, jitter=high)
    assert backoff_seconds(attempt, jitter=low) <= backoff_seconds(attempt + 1, jitter=low)


def test_jobs_that_fail_together_do_not_come_back_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", random.Random(7).random)
    waits = [backoff_seconds(5) for _ in range(100)]
    assert len(set(waits)) == 100
    assert max(waits) - min(waits) > 12  # of the 16 seconds there are


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_count_from_one(attempt: int) -> None:
    with pytest.raises(ValueError, match="count from 1"):
        backoff_seconds(attempt)
