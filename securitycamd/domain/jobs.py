"""The state machine of background work on an event.

``queued`` -> ``running`` (claimed under a lease) -> ``done`` | ``failed``, or back to ``queued``: released, to be
tried again after a back-off, or because the lease ran out (its owner died). ``failed`` goes back to ``queued``
only when an operator asks for it.
"""

import random
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never


class JobKind(StrEnum):
    """What is to be done with an event."""

    REMUX = "remux"
    ANALYSE = "analyse"
    OPTIMISE = "optimise"
    STILLS = "stills"
    """Make pictures that the agent did not deliver."""


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class JobOutcome(StrEnum):
    """What came of one attempt."""

    DONE = "done"
    RETRY = "retry"
    """It failed in a way that time may mend; costs an attempt."""
    RELEASE = "release"
    """It was not tried, or what it needs is away; costs nothing."""
    FAIL = "fail"
    """No further attempt can succeed."""


MAX_ATTEMPTS: Final = 8
MAX_CRASHES: Final = 3
"""A job during which the daemon was killed, or went silent, so often in a row is not begun again by itself."""
BACKOFF_FIRST_SECONDS: Final = 2.0
BACKOFF_LIMIT_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Job:
    """A job under our lease. ``owner`` is unique to the claim, so it alone proves that the job is still ours."""

    id: int
    event_id: int
    kind: JobKind
    attempt: int
    owner: str
    first_due: datetime
    """When the job was first made, UTC: tells "missing yet" from "missing for good"."""
    crashes: int = 0
    """How often in a row the daemon ended during the job."""


def backoff_seconds(attempt: int, *, jitter: float | None = None) -> float:
    """Seconds to wait after failed attempt number ``attempt`` (1-based).

    Doubles from 2 s to 10 min. ``jitter`` in [0, 1) spreads the result over its upper half, so that jobs which
    failed together do not come back together; drawn at random when not given.
    """
    if attempt < 1:
        raise ValueError("attempts count from 1")
    full = min(BACKOFF_LIMIT_SECONDS, BACKOFF_FIRST_SECONDS * 2.0 ** min(attempt - 1, 32))
    share = random.random() if jitter is None else jitter  # noqa: S311 - spreads load, guards nothing
    return full * (0.5 + share / 2)


def next_state(outcome: JobOutcome, attempt: int, *, max_attempts: int = MAX_ATTEMPTS) -> JobState:
    """The state that ``outcome`` of attempt number ``attempt`` (1-based) leads to."""
    match outcome:
        case JobOutcome.DONE:
            return JobState.DONE
        case JobOutcome.RELEASE:
            return JobState.QUEUED
        case JobOutcome.RETRY:
            return JobState.QUEUED if attempt < max_attempts else JobState.FAILED
        case JobOutcome.FAIL:
            return JobState.FAILED
        case _:
            assert_never(outcome)
