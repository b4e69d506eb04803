"""Can the AI server describe events?"""

from collections.abc import Callable
from typing import Final

from securitycamd.ai.client import Analyst
from securitycamd.health.report import Finding, Level, Rule

NAME: Final = "ai"


def rule(analyst: Callable[[], Analyst | None]) -> Rule:
    """The rule over the analyst in force (``None``: analysis is switched off)."""

    async def check() -> Finding:
        current = analyst()
        if current is None:
            return Finding(NAME, Level.OK, "AI descriptions are switched off (analyser.enabled).")
        state = await current.check()
        if state.reachable and not state.missing_models:
            return Finding(NAME, Level.OK, state.message)
        return Finding(NAME, Level.WARNING, state.message, "Events are kept, and are described once it is back.")

    return Rule(NAME, check)
