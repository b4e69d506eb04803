"""Can the promised days be kept, and does expiry keep up with what comes?"""

import time
from typing import Final

from securitycamd.domain.errors import UnavailableError
from securitycamd.domain.retention import Forecast
from securitycamd.health.report import Finding, Level, Rule
from securitycamd.services.retention import RetentionService, unknown_sentence

NAME: Final = "retention"
LOW_SECONDS: Final = 120.0
"""Less free space than promised for so long: what may go does not make the room."""
FORECAST_SECONDS: Final = 60.0
"""A forecast holds for so long; days of footage do not change within seconds."""
EXACT_DAYS: Final = 30
MANY_DAYS: Final = 3653


def rule(retention: RetentionService) -> Rule:
    """The rule over what is kept."""
    known: list[tuple[float, Forecast, list[str]]] = []

    async def check() -> Finding:
        if retention.below_floor_seconds > LOW_SECONDS:
            return Finding(
                NAME,
                Level.CRITICAL,
                "The disk has less free space than promised, and letting old footage go does not help.",
                "See what else fills the disk, take stars away, or lower retention.free_floor_gigabytes.",
            )
        if not known or time.monotonic() - known[0][0] > FORECAST_SECONDS:
            try:
                known[:] = [(time.monotonic(), await retention.look_ahead(), await retention.unknown_cameras())]
            except UnavailableError:
                return Finding(NAME, Level.WARNING, "What will be kept is unknown while the database is away.")
        _, ahead, unknown = known[0]
        broken = [camera for camera in ahead.cameras if not camera.promise_kept]
        if broken:
            return Finding(
                NAME,
                Level.WARNING,
                "; ".join(
                    f"{camera.camera_id}: {camera.days_kept or 0:.1f} of {camera.promise_days:g} promised days fit"
                    for camera in broken
                )
                + ".",
                "Shorten retention.max_age_days, raise the size limits, or use a larger disk.",
            )
        if unknown:
            advice = "See how their names are spelled: securitycamd cameras list"
            return Finding(NAME, Level.WARNING, unknown_sentence(unknown), advice)
        if ahead.days_kept is None:
            return Finding(NAME, Level.OK, "Everything that is to be kept fits.")
        return Finding(NAME, Level.OK, f"{_length(ahead.days_kept)} of footage fit.")

    return Rule(NAME, check)


def _length(days: float) -> str:
    """How much fits, no more exactly than anybody can know."""
    if days > MANY_DAYS:
        return "More than 10 years"
    return f"About {days:.1f} days" if days < EXACT_DAYS else f"About {days:,.0f} days"
