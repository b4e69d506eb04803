"""The way to the AI server: who analyses under the settings in force, and whether it is worth asking now."""

from datetime import UTC, datetime
from typing import Final

import structlog

from securitycamd.ai.client import AiState, Analyst
from securitycamd.config import SettingsHolder
from securitycamd.services.breaker import Breaker, BreakerState
from securitycamd.settings import AnalyserSettings

log = structlog.get_logger(__name__)

TRIAL_SLOTS: Final = 1


class AiGate:
    """Holds the analyst, and the circuit breaker before it. One for all that asks models."""

    def __init__(self, settings: SettingsHolder) -> None:
        self._settings = settings
        self._analyst: Analyst | None = None
        self._retired: list[Analyst] = []
        """Of earlier settings; one for each reload that changed them."""
        self._analyst_settings: AnalyserSettings | None = None
        self._unchecked = True
        self._told: str | None = None
        self.breaker = Breaker()
        self.ready_since: datetime | None = None
        """When a look first found the server ready; ``None`` while the last one did not."""
        self.last_look: AiState | None = None
        """What the last look at the server found; ``None`` before the first."""

    def analyst(self) -> Analyst | None:
        """The analyst of the settings in force; ``None`` when analysis is switched off."""
        wanted = self._settings.current.analyser
        if not wanted.enabled:
            return None
        if self._analyst is None or wanted != self._analyst_settings:
            # The former one may still be used by analyses under way.
            if self._analyst is not None:
                self._retired.append(self._analyst)
                self.breaker.reset()
            self._analyst, self._analyst_settings = Analyst(wanted), wanted
            self._unchecked = True
        return self._analyst

    async def close(self) -> None:
        """Close the connections to the AI server."""
        for analyst in (*self._retired, *([self._analyst] if self._analyst else [])):
            await analyst.close()

    async def look(self) -> AiState | None:
        """Ask the server, within some seconds, whether it could work now; ``None`` when it is switched off."""
        analyst = self.analyst()
        self.last_look = None if analyst is None else await analyst.check()
        if self.last_look is None or not self.last_look.ready:
            self.ready_since = None
        elif self.ready_since is None:
            self.ready_since = datetime.now(UTC)
        return self.last_look

    async def admit(self) -> bool:
        """Whether work may be begun now. Looks after the server when that is due, and at first and after a reload."""
        if self.analyst() is None:
            return False
        if self._unchecked or self.breaker.probe_is_due:
            self._unchecked = False
            state = await self.look()
            if state is not None and state.ready:
                self.breaker.answers()
            elif state is not None:
                self.breaker.still_away(state.message)
                self._tell(state.message, missing_models=list(state.missing_models) or None)
        return self.breaker.state is not BreakerState.OPEN

    @property
    def slots(self) -> int:
        """How much may be under way at once: while it is not known that the server works, one."""
        is_closed = self.breaker.state is BreakerState.CLOSED
        return self._settings.current.analyser.concurrency if is_closed else TRIAL_SLOTS

    def failed(self, reason: str) -> None:
        """The server failed, and others would fare no better now."""
        self.breaker.trip(reason)
        self._tell(reason)

    def succeeded(self) -> None:
        """The server did what it was asked."""
        self.breaker.succeeded()
        if self._told is not None:
            self._told = None
            log.info("descriptions go on")

    def _tell(self, reason: str, **facts: object) -> None:
        # Once for each reason: a server that is away for a day is looked after a thousand times.
        if reason != self._told:
            self._told = reason
            log.warning("descriptions wait", reason=reason, **facts)
