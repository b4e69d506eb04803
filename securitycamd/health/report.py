"""What a health rule says, for the API, the command line and the pages alike."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Level(IntEnum):
    """How bad it is."""

    OK = 0
    WARNING = 1
    """Something is missing or late; footage is safe."""
    CRITICAL = 2
    """Events or footage are in danger."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's result: what is, and what to do about it."""

    rule: str
    level: Level
    message: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All rules' results at one time."""

    at: datetime
    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level:
        """The worst of them."""
        return max((finding.level for finding in self.findings), default=Level.OK)

    @property
    def problems(self) -> tuple[str, ...]:
        """The rules that are not content."""
        return tuple(finding.rule for finding in self.findings if finding.level is not Level.OK)


@dataclass(frozen=True, slots=True)
class Rule:
    """A check and its name."""

    name: str
    check: Callable[[], Awaitable[Finding]]
