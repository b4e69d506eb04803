"""Does every camera that nobody watches look for motion?"""

from securitycamd.health.report import Finding, Level, Rule
from securitycamd.services.live import LiveService

NAME = "live"


def rule(live: LiveService) -> Rule:
    """The rule over cameras that could not be told to stop streaming."""

    async def check() -> Finding:
        blind = live.blind_cameras
        if not blind:
            return Finding(NAME, Level.OK, "No camera is left streaming.")
        return Finding(
            NAME,
            Level.WARNING,
            f"{', '.join(blind)}: may still stream live pictures, and so see no motion; it does not answer.",
            "It is asked again every few seconds. Look whether it has power and network; restarting it helps, too.",
        )

    return Rule(NAME, check)
