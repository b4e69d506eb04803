"""What the rule over retention says."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import cast

import pytest

from securitycamd.domain.errors import DatabaseUnavailableError
from securitycamd.domain.retention import CameraForecast, Forecast
from securitycamd.health import retention
from securitycamd.health.report import Level
from securitycamd.services.retention import RetentionService

FITS = Forecast(1.0, None, None, (CameraForecast("camera_1", 1.0, 30, 30),))
BREAKS = Forecast(1.0, 5, 12.5, (CameraForecast("camera_1", 1.0, 12.5, 30), CameraForecast("camera_2", 1.0, 9, None)))


def service(ahead: Forecast | Exception, *, below_floor_seconds: float = 0) -> RetentionService:
    async def look_ahead() -> Forecast:
        if isinstance(ahead, Exception):
            raise ahead
        return ahead

    return _service(look_ahead, below_floor_seconds)


def _service(look_ahead: Callable[[], Awaitable[Forecast]], below_floor_seconds: float = 0) -> RetentionService:
    async def unknown_cameras() -> list[str]:
        return []

    return cast(
        "RetentionService",
        SimpleNamespace(
            look_ahead=look_ahead, unknown_cameras=unknown_cameras, below_floor_seconds=below_floor_seconds
        ),
    )


@pytest.mark.parametrize(
    ("ahead", "below", "level", "words"),
    [
        (FITS, 0, Level.OK, "Everything that is to be kept fits."),
        (Forecast(1.0, 5, 12.5), 0, Level.OK, "About 12.5 days of footage fit."),
        (Forecast(1.0, 5, 1234.5), 0, Level.OK, "About 1,234 days of footage fit."),
        (Forecast(1.0, 5, 7612.8), 0, Level.OK, "More than 10 years of footage fit."),
        (BREAKS, 0, Level.WARNING, "camera_1: 12.5 of 30 promised days fit."),
        (BREAKS, 30, Level.WARNING, "camera_1: 12.5 of 30 promised days fit."),
        (BREAKS, 500, Level.CRITICAL, "less free space than promised"),
        (DatabaseUnavailableError(), 0, Level.WARNING, "unknown"),
    ],
)
async def test_the_rule(ahead: Forecast | Exception, below: float, level: Level, words: str) -> None:
    finding = await retention.rule(service(ahead, below_floor_seconds=below)).check()
    assert (finding.rule, finding.level) == ("retention", level)
    assert words in finding.message
    assert bool(finding.advice) is (level is not Level.OK and "unknown" not in finding.message)


async def test_a_forecast_is_not_made_at_every_look() -> None:
    made = []

    async def look_ahead() -> Forecast:
        made.append(1)
        return FITS

    rule = retention.rule(_service(look_ahead))
    for _ in range(5):
        await rule.check()
    assert len(made) == 1
