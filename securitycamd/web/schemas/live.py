"""Live streams on the wire."""

from typing import Annotated, Any

from pydantic import Field

from securitycamd.domain.live import StreamState, StreamStatus
from securitycamd.web.registry import Reply


class StreamReply(Reply):
    """A camera's live stream."""

    camera: str
    state: StreamState
    viewers: int
    paused_seconds: Annotated[float, Field(description="for how long motion detection has been paused for it")]
    ends_in_seconds: Annotated[float | None, Field(description="when it reaches its time limit")]
    frames_per_second: float
    reason: Annotated[str, Field(description="what is wrong, or why it ended")]
    retry_in_seconds: Annotated[float | None, Field(description="when an offline camera is tried again")]


def stream_reply(status: StreamStatus) -> dict[str, Any]:
    """A status as :class:`StreamReply` describes it."""
    return {
        "camera": status.camera_id,
        "state": status.state,
        "viewers": status.viewers,
        "paused_seconds": round(status.paused_seconds, 1),
        "ends_in_seconds": None if status.ends_in_seconds is None else round(status.ends_in_seconds, 1),
        "frames_per_second": round(status.frames_per_second, 1),
        "reason": status.reason,
        "retry_in_seconds": None if status.retry_in_seconds is None else round(status.retry_in_seconds, 1),
    }
