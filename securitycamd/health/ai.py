"""Can the AI server describe events?"""

from typing import Final

from securitycamd.health.report import Finding, Level, Rule
from securitycamd.services.ai_gate import AiGate
from securitycamd.services.breaker import BreakerState

NAME: Final = "ai"


def rule(gate: AiGate) -> Rule:
    """The rule over the way to the AI server."""

    async def check() -> Finding:
        state = await gate.look()
        if state is None:
            return Finding(NAME, Level.OK, "AI descriptions are switched off (analyser.enabled).")
        breaker = gate.breaker.report()
        if not state.ready:
            return Finding(NAME, Level.WARNING, state.message, "Events are kept, and are described once it is back.")
        if breaker.state is BreakerState.CLOSED or breaker.reason is None:
            return Finding(NAME, Level.OK, state.message)
        if breaker.state is BreakerState.HALF_OPEN:
            return Finding(NAME, Level.OK, "The AI server answers again; the next event shows whether it works.")
        return Finding(
            NAME,
            Level.WARNING,
            f"Descriptions wait since {breaker.since:%Y-%m-%d %H:%M:%S} UTC: {breaker.reason}",
            "They go on by themselves as soon as it works again; no event is lost.",
        )

    return Rule(NAME, check)
