"""The tasks around linking: when they work, and that they go on when what they need is away."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.services.linking import LinkingService
from securitycamd.services.storage_check import StorageCheckService
from securitycamd.supervision import TaskControl
from securitycamd.tasks import linker


class Scans(LinkingService):
    """Counts scans; fails when told to."""

    def __init__(self) -> None:
        self.made = 0
        self.is_away = False

    async def scan(self, *, on_step: Callable[[], None] = lambda: None) -> None:  # type: ignore[override]  # unused
        self.made += 1
        on_step()
        if self.is_away:
            raise StorageUnavailableError


@asynccontextmanager
async def running(scans: Scans, hours: float = 1.0) -> AsyncIterator[TaskControl]:
    control = TaskControl()
    task = asyncio.create_task(linker.link_files(scans, lambda: hours)(control))
    await asyncio.sleep(0.01)
    yield control
    control.stopping.set()
    control.wake()
    await asyncio.wait_for(task, 5)


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.005)


async def test_it_scans_when_asked_and_not_before() -> None:
    scans = Scans()
    async with running(scans) as control:
        assert scans.made == 0
        control.wake()
        await until(lambda: scans.made == 1)


async def test_it_scans_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linker, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(linker, "STEP_SECONDS", 0.01)
    scans = Scans()
    async with running(scans, hours=0.02 / 3600):
        await until(lambda: scans.made >= 3)


async def test_it_goes_on_when_the_storage_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linker, "AWAY_SECONDS", 0.01)
    monkeypatch.setattr(linker, "STEP_SECONDS", 0.02)
    monkeypatch.setattr(linker, "FIRST_SECONDS", 0.0)
    scans = Scans()
    scans.is_away = True
    async with running(scans):
        await until(lambda: scans.made >= 2)
        scans.is_away = False
        made = scans.made
        await until(lambda: scans.made > made)


async def test_checks_are_done_when_asked_for() -> None:
    class Checks(StorageCheckService):
        def __init__(self) -> None:
            self.asked = 0

        async def run_requested(self, *, on_step: Callable[[], None] = lambda: None) -> None:
            self.asked += 1
            on_step()

    checks, control = Checks(), TaskControl()
    task = asyncio.create_task(linker.check_storage(checks)(control))
    await until(lambda: checks.asked == 1)
    control.wake()
    await until(lambda: checks.asked == 2)
    control.stopping.set()
    control.wake()
    await asyncio.wait_for(task, 5)
