"""Motion by frame difference, as the agents in the field find it."""

import math
from dataclasses import dataclass
from typing import Final

import cv2

from securitycamd.simulator.scenes import Picture

COMPARED_SIZE: Final = (320, 180)
"""Frames are compared at this size: a Pi Zero could not do it at full size, and noise is averaged away."""
CHANGED_BY: Final = 20
"""A pixel has changed when its grey value (0-255) differs by more than this."""
ENOUGH_PIXELS: Final = 400
"""Of 57,600. On the demo's footage a still yard changes 0-200 between two checks, one walker 500-1500."""


@dataclass(frozen=True, slots=True)
class Motion:
    """What one comparison found: ``score`` in changed pixels, ``confidence`` 50 where it becomes motion."""

    score: float
    confidence: float

    @property
    def is_motion(self) -> bool:
        """Whether that is enough to make an event of."""
        return self.score >= ENOUGH_PIXELS


class MotionDetector:
    """Compares each frame with the one before it."""

    def __init__(self) -> None:
        self._before: Picture | None = None

    def check(self, picture: Picture) -> Motion:
        """What changed since the last picture; nothing for the first."""
        small = cv2.resize(picture, COMPARED_SIZE, interpolation=cv2.INTER_AREA)
        grey = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), (5, 5), 0)
        before, self._before = self._before, grey  # type: ignore[assignment]  # OpenCV's own array type
        if before is None:
            return Motion(0.0, 0.0)
        _, changed = cv2.threshold(cv2.absdiff(grey, before), CHANGED_BY, 255, cv2.THRESH_BINARY)
        score = float(cv2.countNonZero(changed))
        # Agents' confidence flattens for large changes, and may pass 100 by a little.
        return Motion(score, round(min(120.0, 50.0 * math.sqrt(score / ENOUGH_PIXELS)), 1))

    def forget(self) -> None:
        """Start anew: after a pause the first frame would otherwise differ from a long gone one."""
        self._before = None
