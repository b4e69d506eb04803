"""The loop that claims and works: room, rest, pause, stop, and what happens to the others when one goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from structlog.typing import EventDict

from securitycamd.domain.errors import DatabaseUnavailableError
from securitycamd.domain.jobs import Job, JobKind, JobState
from securitycamd.services.jobs import JobQueue, LeaseLostError
from securitycamd.supervision import TaskControl
from securitycamd.tasks import workers
from securitycamd.tasks.workers import JobWorkers
from tests.conftest import INSTANCE
from tests.services.conftest import Bench, MakeBench, Severed, bench, logs, make_bench, severed, short_folder

__all__ = ["bench", "logs", "make_bench", "severed", "short_folder"]  # fixtures of the use cases

KIND = JobKind.REMUX
LEASE_SECONDS = 30.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "IDLE_SECONDS", 0.02)


async def until(condition: Callable[[], Awaitable[object] | object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.005)


@dataclass
class Work:
    """What is done with a claimed job: it is finished, as soon as the gate is open."""

    queue: JobQueue
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: list[int] = field(default_factory=list)
    under_way: int = 0
    most: int = 0
    fails: dict[int, list[Exception]] = field(default_factory=dict)
    """Event -> what to raise in place of the first works on it."""

    async def __call__(self, job: Job) -> None:
        self.begun.append(job.event_id)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            async with self.queue.holding(job, lease_seconds=LEASE_SECONDS):
                if self.fails.get(job.event_id):
                    raise self.fails[job.event_id].pop(0)
                await self.gate.wait()
                await self.queue.done(job)
        finally:
            self.under_way -= 1


@dataclass
class Loop:
    """Workers that run."""

    control: TaskControl
    task: asyncio.Task[None]

    async def stop(self) -> None:
        """As the supervisor stops them."""
        self.control.stopping.set()
        self.control.wake()
        async with asyncio.timeout(5):
            await asyncio.wait([self.task])


StartLoop = Callable[..., Loop]


@pytest.fixture
async def start() -> AsyncIterator[StartLoop]:
    """A function that starts workers on a work; they end with the test."""
    loops: list[Loop] = []

    def start(
        work: Work,
        *,
        slots: int | Callable[[], int] = 2,
        ready: Callable[[], bool] = lambda: True,
        admit: Callable[[], Awaitable[bool]] | None = None,
    ) -> Loop:
        room = slots if callable(slots) else lambda: slots
        made = JobWorkers(
            KIND, work.queue, work, slots=room, lease_seconds=lambda: LEASE_SECONDS, ready=ready, admit=admit
        )
        control = TaskControl()
        loop = Loop(control, asyncio.create_task(made.run(control), name="workers"))
        loops.append(loop)
        return loop

    yield start
    for loop in loops:
        loop.task.cancel()
    await asyncio.gather(*(loop.task for loop in loops), return_exceptions=True)


async def states(bench: Bench, events: list[int]) -> list[JobState]:
    return [(await bench.job(event_id)).state for event_id in events]


async def test_no_more_at_once_than_there_is_room_for_and_all_in_the_end(bench: Bench, start: StartLoop) -> None:
    events = [await bench.clip(None) for _ in range(7)]
    work = Work(bench.shared.jobs)
    loop = start(work, slots=3)
    await until(lambda: work.under_way == 3)
    for _ in range(5):
        await asyncio.sleep(0.02)  # several rounds of the loop
        assert work.under_way == 3
    assert len(work.begun) == 3
    work.gate.set()
    await until(lambda: len(work.begun) == 7)
    await until(lambda: work.under_way == 0)
    assert work.most == 3
    assert sorted(work.begun) == events
    assert await states(bench, events) == [JobState.DONE] * 7
    await loop.stop()
    assert loop.task.exception() is None


async def test_room_can_grow_and_shrink_while_it_runs(bench: Bench, start: StartLoop) -> None:
    for _ in range(6):
        await bench.clip(None)
    size = 1
    work = Work(bench.shared.jobs)
    start(work, slots=lambda: size)
    await until(lambda: work.under_way == 1)
    size = 3
    await until(lambda: work.under_way == 3)
    size = 1
    work.gate.set()
    await until(lambda: len(work.begun) == 6)


async def test_new_work_is_taken_up_when_woken_not_when_the_rest_is_over(
    bench: Bench, start: StartLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "IDLE_SECONDS", 3600)
    work = Work(bench.shared.jobs)
    work.gate.set()
    loop = start(work)
    await asyncio.sleep(0.05)  # it rests by now; if it does not yet, the wake is kept
    event_id = await bench.clip(None)
    loop.control.wake()
    await until(lambda: work.begun == [event_id])


async def test_work_of_another_daemon_is_found_without_a_wake(bench: Bench, start: StartLoop) -> None:
    work = Work(bench.shared.jobs)
    work.gate.set()
    start(work)
    event_id = await bench.clip(None)
    await until(lambda: work.begun == [event_id])


async def test_paused_it_claims_nothing_and_finishes_what_it_has(bench: Bench, start: StartLoop) -> None:
    events = [await bench.clip(None) for _ in range(3)]
    work = Work(bench.shared.jobs)
    loop = start(work, slots=1)
    await until(lambda: work.under_way == 1)
    loop.control.pause()
    work.gate.set()
    await until(lambda: work.under_way == 0)
    loop.control.wake()  # work arrived
    await asyncio.sleep(0.1)  # five rests
    assert len(work.begun) == 1
    assert sorted(await states(bench, events)) == [JobState.DONE, JobState.QUEUED, JobState.QUEUED]
    loop.control.resume()
    await until(lambda: len(work.begun) == 3)


async def test_nothing_is_claimed_while_what_all_need_is_away(bench: Bench, start: StartLoop) -> None:
    event_id = await bench.clip(None)
    there = False
    work = Work(bench.shared.jobs)
    work.gate.set()
    start(work, ready=lambda: there)
    await asyncio.sleep(0.1)  # five rests
    assert work.begun == []
    assert (await bench.job(event_id)).attempts == 0
    there = True
    await until(lambda: work.begun == [event_id])


async def test_nothing_is_claimed_that_is_not_admitted(bench: Bench, start: StartLoop) -> None:
    event_id = await bench.clip(None)
    answers = [False, False, True]
    work = Work(bench.shared.jobs)
    work.gate.set()

    async def admit() -> bool:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    start(work, admit=admit)
    await until(lambda: work.begun == [event_id])
    assert answers == [True]


async def test_paused_while_it_looks_it_claims_nothing(bench: Bench, start: StartLoop) -> None:
    event_id = await bench.clip(None)
    looking, answer = asyncio.Event(), asyncio.Event()
    work = Work(bench.shared.jobs)
    work.gate.set()

    async def admit() -> bool:
        looking.set()
        await answer.wait()
        return True

    loop = start(work, admit=admit)
    await looking.wait()
    loop.control.pause()
    answer.set()
    await asyncio.sleep(0.1)  # five rests
    assert work.begun == []
    loop.control.resume()
    await until(lambda: work.begun == [event_id])


async def test_stopped_it_lets_go_of_what_it_has_and_the_stop_gives_it_back(bench: Bench, start: StartLoop) -> None:
    events = [await bench.clip(None) for _ in range(3)]
    work = Work(bench.shared.jobs)
    loop = start(work)
    await until(lambda: work.under_way == 2)
    await loop.stop()
    assert loop.task.exception() is None
    assert work.under_way == 0
    assert await bench.shared.jobs.give_back_own() == 2
    assert await states(bench, events) == [JobState.QUEUED] * 3
    assert [(await bench.job(event_id)).attempts for event_id in events] == [0, 0, 0]
    assert [task for task in asyncio.all_tasks() if "of event" in task.get_name()] == []


async def test_one_that_fails_in_an_unforeseen_way_harms_no_other_and_comes_back_later(
    bench: Bench, start: StartLoop, logs: list[EventDict]
) -> None:
    good, poison = [await bench.clip(None) for _ in range(3)], await bench.clip(None)
    work = Work(bench.shared.jobs, fails={poison: [KeyError("a fault of ours")]})
    loop = start(work, slots=4)
    await until(lambda: len(work.begun) == 4)
    await until(lambda: any(line["event"] == "job failed in an unforeseen way" for line in logs))
    assert work.under_way == 3, "the others go on"
    assert not loop.task.done()

    async def is_queued() -> bool:
        return (await bench.job(poison)).state is JobState.QUEUED

    await until(is_queued)
    job = await bench.job(poison)
    assert job.attempts == 1
    assert job.last_error == "Something went wrong on our side: KeyError."
    work.gate.set()
    await until(lambda: work.under_way == 0)
    await bench.due_now()
    await until(lambda: work.begun.count(poison) == 2)
    await until(lambda: work.under_way == 0)
    assert await states(bench, [*good, poison]) == [JobState.DONE] * 4


async def test_one_whose_outcome_cannot_be_recorded_is_done_again(
    bench: Bench, start: StartLoop, logs: list[EventDict]
) -> None:
    event_id = await bench.clip(None)
    work = Work(bench.shared.jobs, fails={event_id: [DatabaseUnavailableError()]})
    work.gate.set()
    start(work)
    await until(lambda: any("could not be recorded" in line["event"] for line in logs))
    # The duty of the daemon's upkeep; without it the job would wait for the end of its lease.
    await until(bench.shared.jobs.give_back_lost)
    await until(lambda: work.begun == [event_id, event_id])
    await until(lambda: work.under_way == 0)
    job = await bench.job(event_id)
    assert (job.state, job.attempts) == (JobState.DONE, 1)


async def test_one_that_was_taken_over_is_left_to_the_other(
    bench: Bench, start: StartLoop, logs: list[EventDict]
) -> None:
    event_id = await bench.clip(None)
    work = Work(bench.shared.jobs, fails={event_id: [LeaseLostError()]})
    loop = start(work)
    await until(lambda: any(line["event"] == "another daemon took the job over" for line in logs))
    assert not loop.task.done()
    assert (await bench.job(event_id)).attempts == 1


async def test_it_outlives_a_database_that_goes_away(make_bench: MakeBench, severed: Severed, start: StartLoop) -> None:
    bench = await make_bench()
    work = Work(JobQueue(severed.database, INSTANCE))
    work.gate.set()
    loop = start(work)
    first = await bench.clip(None)
    await until(lambda: work.begun == [first])
    await severed.line.cut()
    second = await bench.clip(None)
    await asyncio.sleep(0.1)  # five rests
    assert work.begun == [first]
    assert not loop.task.done()
    await severed.line.mend()
    await until(lambda: work.begun == [first, second])
    await until(lambda: work.under_way == 0)
    await loop.stop()


async def test_log_lines_of_a_work_name_its_event(bench: Bench, start: StartLoop) -> None:
    import structlog

    event_id = await bench.clip(None)
    seen: list[dict[str, object]] = []
    work = Work(bench.shared.jobs)
    work.gate.set()

    async def work_and_look(job: Job) -> None:
        seen.append(dict(structlog.contextvars.get_contextvars()))
        await work(job)

    made = JobWorkers(KIND, bench.shared.jobs, work_and_look, slots=lambda: 1, lease_seconds=lambda: LEASE_SECONDS)
    control = TaskControl()
    task = asyncio.create_task(made.run(control))
    await until(lambda: work.begun == [event_id])
    await until(lambda: work.under_way == 0)
    control.stopping.set()
    control.wake()
    await task
    assert seen[0]["event_id"] == event_id
    assert structlog.contextvars.get_contextvars() == {}, "and nobody else's do"
