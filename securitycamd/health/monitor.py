"""Runs the rules and holds their last results."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from securitycamd.domain.errors import UnavailableError
from securitycamd.health.report import Finding, Level, Report, Rule

log = structlog.get_logger(__name__)
RULE_TIMEOUT_SECONDS: Final = 10.0


class HealthMonitor:
    """The last report; readers never wait for a check."""

    def __init__(self, rules: Sequence[Rule], database_connected: Callable[[], bool]) -> None:
        self._rules = tuple(rules)
        self._database_connected = database_connected
        self.report = Report(datetime.now(UTC), ())

    @property
    def database_connected(self) -> bool:
        """Whether the last contact with the database succeeded."""
        return self._database_connected()

    async def examine(self) -> Report:
        """Run all rules at once, each within its time; a change of level is logged."""
        findings = await asyncio.gather(*(self._examine_one(rule) for rule in self._rules))
        before = {finding.rule: finding.level for finding in self.report.findings}
        for finding in findings:
            if finding.level is not before.get(finding.rule, Level.OK):
                write = log.info if finding.level is Level.OK else log.warning
                write(
                    "health changed",
                    rule=finding.rule,
                    level=finding.level.name.lower(),
                    finding=finding.message,
                )
        self.report = Report(datetime.now(UTC), tuple(findings))
        return self.report

    @staticmethod
    async def _examine_one(rule: Rule) -> Finding:
        try:
            async with asyncio.timeout(RULE_TIMEOUT_SECONDS):
                return await rule.check()
        except TimeoutError:
            return Finding(rule.name, Level.WARNING, f"No answer within {RULE_TIMEOUT_SECONDS:.0f} s.")
        except UnavailableError as error:
            return Finding(rule.name, Level.WARNING, str(error))
