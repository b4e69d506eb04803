"""What people may want to be told of by themselves."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth telling; plain text."""

    kind: str
    """``digest``; rules choose by it."""
    title: str
    text: str
    url: str
    """A path of ours that says more."""
    at: datetime
