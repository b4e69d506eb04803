"""What a camera could see when: put together from when it was heard of, when the daemon ran and who watched live. Pure.

"Offline" is said only of a silence that somebody listened to for long enough. While no daemon ran, and in silences cut
short by that, nobody knows.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from securitycamd.domain.times import EARLIEST, LATEST

RESTART_SECONDS: Final = 15.0
"""A daemon that was away no longer than this counts as running on: it notes its life only every few seconds."""


class Cover(StrEnum):
    """What a camera did in a stretch of time."""

    WATCHING = "watching"
    """It was heard of: motion would have become an event."""
    VIEWED = "viewed"
    """Somebody watched live, so that its motion detection was paused."""
    OFFLINE = "offline"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time, ``end`` exclusive."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class CoverPart:
    """A stretch of one kind."""

    cover: Cover
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start).total_seconds()


def merged(stretches: Iterable[Stretch], *, gap_seconds: float = 0.0) -> list[Stretch]:
    """The same time in as few stretches as can be; gaps of up to ``gap_seconds`` are closed."""
    found: list[Stretch] = []
    gap = timedelta(seconds=gap_seconds)
    for stretch in sorted(stretches, key=lambda stretch: stretch.start):
        if found and stretch.start - found[-1].end <= gap:
            found[-1] = Stretch(found[-1].start, max(found[-1].end, stretch.end))
        else:
            found.append(stretch)
    return found


def coverage(
    window: Stretch,
    *,
    present: Iterable[Stretch],
    running: Iterable[Stretch],
    viewed: Iterable[Stretch],
    silence_seconds: float,
) -> list[CoverPart]:
    """The window without gaps, oldest first, neighbours of different kinds.

    Args:
        window: what is asked about; its end is the present or earlier.
        present: when the agent was heard of. The newest stretch lasts ``silence_seconds`` longer than its last sign of
            life: until then it counts as online.
        running: when any daemon ran.
        viewed: when somebody watched live.
        silence_seconds: so long a camera may be silent before it counts as offline.
    """
    silence = timedelta(seconds=silence_seconds)
    heard = merged(present)
    if heard:
        last = heard[-1]
        if window.end - last.end <= silence:
            heard[-1] = Stretch(last.start, max(last.end, window.end))
    changes: list[tuple[datetime, int, int]] = []
    for kind, stretches in enumerate((heard, merged(running, gap_seconds=RESTART_SECONDS), merged(viewed))):
        for stretch in stretches:
            changes += [(stretch.start, kind, 1), (stretch.end, kind, -1)]
    changes.sort()
    parts: list[CoverPart] = []
    depth = [0, 0, 0]
    # From before the window, so that a silence which began there is seen in its whole length.
    at = EARLIEST
    for moment, kind, step in (*changes, (LATEST, 0, 0)):
        if moment > at:
            _append(parts, CoverPart(_cover(depth), at, moment))
            at = moment
        depth[kind] += step
    return _clipped(_certain(parts, silence), window)


def _cover(depth: Sequence[int]) -> Cover:
    heard, running, viewed = depth
    if viewed and running:
        return Cover.VIEWED
    if not running:
        return Cover.UNKNOWN
    return Cover.WATCHING if heard else Cover.OFFLINE


def _append(parts: list[CoverPart], part: CoverPart) -> None:
    if parts and parts[-1].cover is part.cover:
        part = CoverPart(part.cover, parts.pop().start, part.end)
    parts.append(part)


def _certain(parts: Iterable[CoverPart], silence: timedelta) -> list[CoverPart]:
    found: list[CoverPart] = []
    for part in parts:
        is_short = part.cover is Cover.OFFLINE and part.end - part.start <= silence
        _append(found, CoverPart(Cover.UNKNOWN, part.start, part.end) if is_short else part)
    return found


def _clipped(parts: Iterable[CoverPart], window: Stretch) -> list[CoverPart]:
    clipped = (CoverPart(part.cover, max(part.start, window.start), min(part.end, window.end)) for part in parts)
    return [part for part in clipped if part.end > part.start]


def shares(parts: Iterable[CoverPart]) -> dict[Cover, float]:
    """The share of each kind, 0 to 1; kinds that do not occur are left out."""
    seconds: dict[Cover, float] = defaultdict(float)
    for part in parts:
        seconds[part.cover] += part.seconds
    total = sum(seconds.values())
    return {cover: seconds[cover] / total for cover in Cover if seconds[cover] > 0} if total else {}
