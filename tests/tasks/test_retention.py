"""When footage is let go: every round, at once when room is short, never while paused."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.domain.retention import Reason
from securitycamd.services.retention import RetentionService, Step
from securitycamd.supervision import TaskControl
from securitycamd.tasks import retention

STEP = Step(Reason.AGE, 1, 1)


@dataclass
class Service:
    """Has ``work`` steps to do."""

    work: int = 0
    below: bool = False
    away: bool = False
    done: list[str] = field(default_factory=list)
    look_seconds: float = 0.02

    async def finish_marked(self) -> int:
        if self.away:
            raise StorageUnavailableError
        self.done.append("finish")
        return 0

    async def expire_some(self) -> Step | None:
        self.done.append("step" if self.work else "nothing")
        if not self.work:
            return None
        self.work -= 1
        self.below = self.below and bool(self.work)
        return STEP

    async def is_below_floor(self) -> bool:
        if self.away:
            raise StorageUnavailableError
        return self.below


class Running:
    """The task over a service, until the end of the block."""

    def __init__(self, service: Service) -> None:
        self.control = TaskControl()
        self._run = retention.keep_within_limits(cast("RetentionService", service))

    async def __aenter__(self) -> TaskControl:
        self._task = asyncio.ensure_future(self._run(self.control))
        await asyncio.sleep(0.05)
        return self.control

    async def __aexit__(self, *_: object) -> None:
        self.control.stopping.set()
        self.control.wake()
        async with asyncio.timeout(10):
            await self._task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(retention, "ROUND_SECONDS", 60.0)


async def test_a_round_finishes_what_was_begun_and_goes_on_until_nothing_is_left() -> None:
    service = Service(work=3)
    async with Running(service):
        await until(lambda: "nothing" in service.done)
        assert service.done == ["finish", "step", "step", "step", "nothing"]


async def test_too_little_room_starts_a_round_at_once() -> None:
    service = Service()
    async with Running(service):
        await until(lambda: "nothing" in service.done)
        service.work, service.below = 2, True
        await until(lambda: service.done.count("nothing") == 2)
        assert service.done == ["finish", "nothing", "finish", "step", "step", "nothing"]


async def test_an_operator_starts_a_round() -> None:
    service = Service()
    async with Running(service) as control:
        await until(lambda: "nothing" in service.done)
        control.wake()
        await until(lambda: service.done.count("nothing") == 2)
        assert service.done == ["finish", "nothing"] * 2


async def test_the_time_starts_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROUND_SECONDS", 0.05)
    service = Service()
    async with Running(service):
        await until(lambda: service.done.count("finish") >= 3)


async def test_paused_nothing_goes() -> None:
    service = Service()
    async with Running(service) as control:
        await until(lambda: "nothing" in service.done)
        control.pause()
        service.work, service.below = 5, True
        await asyncio.sleep(0.1)
        assert "step" not in service.done
        control.resume()
        await until(lambda: service.work == 0)


async def test_a_storage_that_is_away_is_waited_for() -> None:
    service = Service(away=True, work=1)
    async with Running(service) as control:
        assert service.done == []
        service.away = False
        control.wake()
        await until(lambda: "nothing" in service.done)
        assert service.done == ["finish", "step", "nothing"]
