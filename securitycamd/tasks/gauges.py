"""The task that measures: how late the event loop is every second, the rest now and then."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from securitycamd.services.system import SystemService
from securitycamd.supervision import TaskControl
from securitycamd.telemetry.gauges import SAMPLE_SECONDS, Gauges

NAME: Final = "gauges"
BEAT_SECONDS: Final = 1.0
OTHERS_SECONDS: Final = 600.0


def measure(gauges: Gauges, system: SystemService) -> Callable[[TaskControl], Awaitable[None]]:
    """The body of the supervised task."""

    async def run(control: TaskControl) -> None:
        sample_at = others_at = 0.0
        while not control.stopping.is_set():
            if time.monotonic() >= sample_at:
                sample_at = time.monotonic() + SAMPLE_SECONDS
                await system.sample()
            if time.monotonic() >= others_at:
                others_at = time.monotonic() + OTHERS_SECONDS
                await system.look_at_others()
            started = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)
            gauges.note_lag(max(0.0, time.monotonic() - started - BEAT_SECONDS))
            control.beat()

    return run
