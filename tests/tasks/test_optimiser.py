"""The optimiser's task: works when its window is open, rests when it is not, and gives back what it has in hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from securitycamd.domain.errors import DatabaseUnavailableError
from securitycamd.domain.jobs import Job, JobKind
from securitycamd.services.jobs import JobQueue
from securitycamd.services.optimisation import OptimisationService
from securitycamd.supervision import TaskControl
from securitycamd.tasks import optimiser
from securitycamd.tasks.optimiser import Optimiser
from securitycamd.tasks.workers import JobWorkers


@dataclass
class Service:
    """Stands in for the service: a window that the test opens, and what it was told."""

    window: bool = False
    allowed: bool = False
    fills: int = 0
    away: bool = False
    told: list[str] = field(default_factory=list)

    def is_open(self) -> bool:
        return self.window

    def allow(self) -> None:
        if not self.allowed:
            self.told.append("allow")
        self.allowed = True

    def give_up(self) -> None:
        if self.allowed:
            self.told.append("give up")
        self.allowed = False

    async def fill_queue(self) -> int:
        self.fills += 1
        if self.away:
            raise DatabaseUnavailableError
        return 1


class Queue:
    """Stands in for the queue: says when it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def claim(self, kind: JobKind, *, lease_seconds: float) -> Job | None:
        del kind, lease_seconds
        self.asked += 1
        return None


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimiser, "WATCH_SECONDS", 0.01)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - of stand-ins
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(service: Service, queue: Queue) -> AsyncIterator[TaskControl]:
    async def work(_job: Job) -> None:
        raise AssertionError

    workers = JobWorkers(
        JobKind.OPTIMISE,
        cast("JobQueue", queue),
        cast("Callable[[Job], Awaitable[None]]", work),
        slots=lambda: 1 if service.allowed else 0,
        lease_seconds=lambda: 30.0,
    )
    control = TaskControl()
    task = asyncio.create_task(Optimiser(cast("OptimisationService", service), workers).run(control))
    yield control
    control.stopping.set()
    control.wake()
    async with asyncio.timeout(5):
        await task
    assert not service.allowed


async def test_it_rests_while_the_window_is_closed_and_begins_when_it_opens() -> None:
    service, queue = Service(), Queue()
    async with running(service, queue):
        await asyncio.sleep(0.1)
        assert (queue.asked, service.fills, service.told) == (0, 0, [])
        service.window = True
        await until(lambda: service.fills == 1 and queue.asked > 0)
        service.window = False
        await until(lambda: service.told == ["allow", "give up"])


async def test_a_pause_gives_back_at_once_and_a_resume_goes_on() -> None:
    service = Service(window=True)
    async with running(service, Queue()) as control:
        await until(lambda: service.told == ["allow"])
        control.pause()
        await until(lambda: service.told == ["allow", "give up"])
        control.resume()
        await until(lambda: service.told == ["allow", "give up", "allow"])


async def test_a_database_that_is_away_does_not_end_it() -> None:
    service = Service(window=True, away=True)
    async with running(service, Queue()):
        await until(lambda: service.fills == 1)
        await asyncio.sleep(0.05)


async def test_a_fault_of_the_watch_ends_the_task_so_that_it_is_told() -> None:
    service = Service(window=True)

    async def broken() -> int:
        service.fills += 1
        raise ValueError("a fault")

    service.fill_queue = broken  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup) as told:
        async with running(service, Queue()):
            await until(lambda: service.fills > 0 and not service.allowed)
    assert told.group_contains(ValueError, match="a fault")
