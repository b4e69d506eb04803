"""Live pictures: the states of a camera's stream, and why one ends."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class StreamState(StrEnum):
    """What a camera's stream is doing."""

    IDLE = "idle"
    """Nobody watches; the camera looks for motion."""
    STARTING = "starting"
    """The camera was asked to stream; no picture came yet."""
    LIVE = "live"
    OFFLINE = "offline"
    """The camera, or its stream, does not answer; it is tried again."""
    ENDED = "ended"
    """It is over for these viewers; whoever watches again starts it anew."""


class EndReason(StrEnum):
    """Why a stream is over."""

    UNWATCHED = "unwatched"
    TIME_LIMIT = "time limit"
    """It ran as long as a camera may look away from motion."""
    CAMERA_GONE = "camera gone"
    """The camera was removed."""
    SERVER_STOPS = "server stops"
    FAULT = "fault"
    """Something went wrong on our side; it is in the log."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """A camera's stream at one moment."""

    camera_id: str
    state: StreamState
    viewers: int = 0
    paused_seconds: float = 0.0
    """For how long motion detection has been paused for this stream; 0 where it is not."""
    ends_in_seconds: float | None = None
    """When the stream reaches its time limit."""
    frames_per_second: float = 0.0
    reason: str = ""
    """Of ``OFFLINE``: what is wrong, in a sentence. Of ``ENDED``: an :class:`EndReason`."""
    retry_in_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A stretch in which a camera streamed, and so did not look for motion."""

    id: int
    camera_id: str
    started_at: datetime
    seen_at: datetime
    """When it was last known to stream."""
    ended_at: datetime | None
    """``None``: it streams, or nobody could tell it to stop yet."""
