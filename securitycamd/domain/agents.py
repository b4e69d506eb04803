"""What an agent says of itself when it is asked."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    """An agent's answer, cleaned: bounded, without control characters. ``None``: it did not say."""

    version: str | None
    uptime_seconds: float | None
    motion_state: str | None
    is_streaming: bool | None
    clock_offset_seconds: float | None
    """Its clock less ours; positive when it is ahead."""


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """What is known of an agent from asking it."""

    camera_id: str
    asked_at: datetime
    answered_at: datetime | None
    """``None``: it never answered."""
    error: str | None
    """Why the last question had no answer, for people."""
    version: str | None = None
    running_since: datetime | None = None
    motion_state: str | None = None
    is_streaming: bool | None = None
    clock_offset_seconds: float | None = None
