"""Regular duties: when they are due, and when a person asks."""

import asyncio

from securitycamd.supervision import TaskControl
from securitycamd.tasks.upkeep import Duty, upkeep


async def test_told_to_run_now_every_duty_is_done_though_none_is_due() -> None:
    done: list[str] = []
    both = asyncio.Event()

    def duty(name: str, seconds: float) -> Duty:
        async def do() -> None:
            done.append(name)
            if len(done) % 2 == 0:
                both.set()

        return Duty(name, seconds, do)

    control = TaskControl()
    task = asyncio.ensure_future(upkeep([duty("often", 60), duty("seldom", 3600)])(control))
    for _ in range(2):
        async with asyncio.timeout(5):
            await both.wait()
        both.clear()
        control.wake()
    async with asyncio.timeout(5):
        await both.wait()
    assert done == ["often", "seldom"] * 3
    control.stopping.set()
    control.wake()
    await task
