"""What happens to an event: the words for it, and the whole story from what is kept and what the row says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from securitycamd.domain.jobs import JobKind
from securitycamd.domain.models import Event

ENTRIES_KEPT: Final = 60
"""So many are kept of an event; the oldest go first."""
DETAIL_LIMIT: Final = 500


class What(StrEnum):
    """What happened. The first four are told by the event itself; all others are kept as they happen."""

    MOTION = "motion"
    REPORTED = "reported"
    PICTURES_ARRIVED = "pictures_arrived"
    CLIP_ARRIVED = "clip_arrived"

    REVIEWED = "reviewed"
    UNREVIEWED = "unreviewed"
    STARRED = "starred"
    UNSTARRED = "unstarred"
    NOTED = "noted"

    CLIP_DONE = "clip_done"
    CLIP_DELAYED = "clip_delayed"
    CLIP_FAILED = "clip_failed"
    CLIP_RETRIED = "clip_retried"
    AI_DONE = "ai_done"
    AI_DELAYED = "ai_delayed"
    AI_FAILED = "ai_failed"
    AI_RETRIED = "ai_retried"
    SMALLER_DONE = "smaller_done"
    SMALLER_DELAYED = "smaller_delayed"
    SMALLER_FAILED = "smaller_failed"
    SMALLER_RETRIED = "smaller_retried"
    STILLS_DONE = "stills_done"
    STILLS_DELAYED = "stills_delayed"
    STILLS_FAILED = "stills_failed"
    STILLS_RETRIED = "stills_retried"


@dataclass(frozen=True, slots=True)
class JobWords:
    """What is said of the ends of a kind of job."""

    done: What
    delayed: What
    """An attempt failed; it is tried again by itself."""
    failed: What
    retried: What
    """A person has it tried again."""


JOB_WORDS: Final[Mapping[JobKind, JobWords]] = {
    JobKind.REMUX: JobWords(What.CLIP_DONE, What.CLIP_DELAYED, What.CLIP_FAILED, What.CLIP_RETRIED),
    JobKind.ANALYSE: JobWords(What.AI_DONE, What.AI_DELAYED, What.AI_FAILED, What.AI_RETRIED),
    JobKind.OPTIMISE: JobWords(What.SMALLER_DONE, What.SMALLER_DELAYED, What.SMALLER_FAILED, What.SMALLER_RETRIED),
    JobKind.STILLS: JobWords(What.STILLS_DONE, What.STILLS_DELAYED, What.STILLS_FAILED, What.STILLS_RETRIED),
}
BY_PEOPLE: Final = frozenset(
    {What.REVIEWED, What.UNREVIEWED, What.STARRED, What.UNSTARRED, What.NOTED}
    | {words.retried for words in JOB_WORDS.values()}
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened to an event."""

    event_id: int
    at: datetime
    what: What
    who: str
    """The person's name, or the daemon's instance; the camera for what it reported."""
    detail: str = ""


def whole_story(event: Event, kept: Iterable[Entry], *, due: Mapping[JobKind, datetime]) -> list[Entry]:
    """Everything that is known to have happened, oldest first.

    Args:
        event: the event.
        kept: what was written down when it happened.
        due: when the event's jobs were first due. That of a clip is when it was reported, that of a description when
            both pictures were; but only until somebody has the job done once more.
    """
    found = list(kept)
    told = {entry.what for entry in found}
    camera, done = (
        event.camera_id,
        [
            (event.mp4_converted_at, What.CLIP_DONE),
            (None if event.ai_error else event.ai_processed_at, What.AI_DONE),
        ],
    )
    found += [
        Entry(event.id, event.timestamp, What.MOTION, camera),
        Entry(event.id, event.created_at, What.REPORTED, camera),
    ]
    # Of the time before entries were kept.
    found += [Entry(event.id, at, what, "") for at, what in done if at is not None and what not in told]
    for kind, arrived in ((JobKind.REMUX, What.CLIP_ARRIVED), (JobKind.ANALYSE, What.PICTURES_ARRIVED)):
        at = due.get(kind)
        if at is not None and not told & {JOB_WORDS[kind].retried, JOB_WORDS[kind].failed}:
            found.append(Entry(event.id, at, arrived, camera))
    return sorted(found, key=lambda entry: entry.at)
