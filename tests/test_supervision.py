import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from securitycamd import supervision
from securitycamd.domain.errors import ConflictError, NotFoundError
from securitycamd.supervision import CriticalTaskError, Supervisor, TaskControl, TaskReport, TaskSpec, TaskState

Run = Callable[[TaskControl], Awaitable[None]]


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EventDict]]:
    """What is logged; and quick back-offs."""
    monkeypatch.setattr(supervision, "FIRST_DELAY_SECONDS", 0.02)
    monkeypatch.setattr(supervision, "LONGEST_DELAY_SECONDS", 0.1)
    with capture_logs() as lines:
        yield lines


def report(supervisor: Supervisor, name: str = "worker") -> TaskReport:
    (found,) = [task for task in supervisor.reports() if task.name == name]
    return found


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)


async def works(control: TaskControl) -> None:
    """A healthy task: rests, and takes up nothing while paused."""
    while not control.stopping.is_set():
        await control.until_resumed()
        await control.rest(5)


async def in_a_group(supervisor: Supervisor, spec: TaskSpec, then: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.TaskGroup() as group:
        supervisor.start(group, spec)
        await then()
        await supervisor.stop([spec.name], 1)


async def test_a_task_that_dies_is_restarted_with_growing_pauses(logs: list[EventDict]) -> None:
    supervisor = Supervisor()
    loop = asyncio.get_running_loop()
    starts: list[float] = []

    async def dies(_: TaskControl) -> None:
        starts.append(loop.time())
        raise ValueError("no luck")

    async def then() -> None:
        await until(lambda: len(starts) >= 6)

    await in_a_group(supervisor, TaskSpec("worker", "", dies), then)
    pauses = [after - before for before, after in pairwise(starts)]
    # Half of the full delay at least: 0.02, 0.04, 0.08, then the longest of 0.1 s.
    assert all(pause >= least for pause, least in zip(pauses, (0.01, 0.02, 0.04, 0.05, 0.05), strict=False))
    assert report(supervisor).last_error == "ValueError: no luck"
    assert report(supervisor).restarts >= 5
    assert {line["event"] for line in logs if line["log_level"] == "error"} == {"task died"}


async def test_a_task_that_ends_unasked_is_restarted() -> None:
    supervisor = Supervisor()
    runs = 0

    async def ends(control: TaskControl) -> None:
        nonlocal runs
        runs += 1
        if runs > 2:
            await works(control)

    async def then() -> None:
        await until(lambda: runs == 3)
        assert report(supervisor).state is TaskState.RUNNING
        assert report(supervisor).last_error == "ended without being asked to"
        assert report(supervisor).restarts == 2

    await in_a_group(supervisor, TaskSpec("worker", "", ends), then)
    assert report(supervisor).state is TaskState.STOPPED


async def test_what_always_runs_takes_no_commands() -> None:
    supervisor = Supervisor()

    async def then() -> None:
        for action in ("pause", "resume", "run-now"):
            with pytest.raises(ConflictError, match="always runs"):
                supervisor.command("worker", action)
        assert not report(supervisor).takes_commands
        assert report(supervisor).state is not TaskState.PAUSED

    await in_a_group(supervisor, TaskSpec("worker", "", works, takes_commands=False), then)


async def test_others_go_on_when_one_dies() -> None:
    supervisor = Supervisor()
    beats = 0

    async def dies(_: TaskControl) -> None:
        raise ValueError

    async def beating(control: TaskControl) -> None:
        nonlocal beats
        while not control.stopping.is_set():
            beats += 1
            await control.rest(0.01)

    async with asyncio.TaskGroup() as group:
        supervisor.start(group, TaskSpec("dies", "", dies))
        supervisor.start(group, TaskSpec("worker", "", beating))
        await until(lambda: report(supervisor, "dies").restarts >= 3 and beats > 5)
        assert report(supervisor).restarts == 0
        await supervisor.stop(["dies", "worker"], 1)


async def test_a_critical_task_that_keeps_dying_ends_the_group() -> None:
    supervisor = Supervisor()
    runs = 0

    async def dies(_: TaskControl) -> None:
        nonlocal runs
        runs += 1
        raise ValueError

    async def the_daemon() -> None:
        async with asyncio.TaskGroup() as group:
            supervisor.start(group, TaskSpec("worker", "", dies, critical_deaths=3))
            await asyncio.sleep(10)

    with pytest.raises(ExceptionGroup) as caught:
        await the_daemon()
    (error,) = caught.value.exceptions
    assert isinstance(error, CriticalTaskError)
    assert str(error) == "worker died 3 times in a row"
    assert runs == 3


async def test_deaths_with_steady_work_between_them_are_not_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "STEADY_SECONDS", 0.01)
    supervisor = Supervisor()
    runs = 0

    async def dies_late(_: TaskControl) -> None:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0.02)
        raise ValueError

    async def then() -> None:
        await until(lambda: runs >= 5)

    await in_a_group(supervisor, TaskSpec("worker", "", dies_late, critical_deaths=2), then)


async def test_pause_resume_and_run_now() -> None:
    supervisor = Supervisor()
    rounds = 0

    async def counting(control: TaskControl) -> None:
        nonlocal rounds
        while not control.stopping.is_set():
            await control.until_resumed()
            rounds += 1
            await control.rest(60)

    async def then() -> None:
        await until(lambda: rounds == 1)
        assert supervisor.command("worker", "run-now").state is TaskState.RUNNING
        await until(lambda: rounds == 2)
        assert supervisor.command("worker", "pause").state is TaskState.PAUSED
        supervisor.wake("worker")  # work arrived: not while it is paused
        with pytest.raises(ConflictError, match="resume it first"):
            supervisor.command("worker", "run-now")
        for _ in range(20):
            await asyncio.sleep(0)
        assert rounds == 2
        assert supervisor.command("worker", "resume").state is TaskState.RUNNING
        await until(lambda: rounds == 3)

    await in_a_group(supervisor, TaskSpec("worker", "", counting), then)


async def test_a_paused_task_can_be_stopped() -> None:
    supervisor = Supervisor()

    async def then() -> None:
        await until(lambda: report(supervisor).state is TaskState.RUNNING)
        supervisor.command("worker", "pause")

    async with asyncio.timeout(2):
        await in_a_group(supervisor, TaskSpec("worker", "", works), then)
    assert report(supervisor).state is TaskState.STOPPED


async def test_run_now_ends_a_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_DELAY_SECONDS", 60)
    monkeypatch.setattr(supervision, "LONGEST_DELAY_SECONDS", 60)
    supervisor = Supervisor()
    runs = 0

    async def dies_once(control: TaskControl) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ValueError
        await works(control)

    async def then() -> None:
        await until(lambda: report(supervisor).state is TaskState.BACKING_OFF)
        supervisor.command("worker", "run-now")
        await until(lambda: report(supervisor).state is TaskState.RUNNING, seconds=1)

    await in_a_group(supervisor, TaskSpec("worker", "", dies_once), then)


async def test_what_cannot_be_commanded() -> None:
    supervisor = Supervisor()
    async with asyncio.TaskGroup() as group:
        supervisor.start(group, TaskSpec("off", "", works, enabled=False))
        supervisor.start(group, TaskSpec("worker", "", works))
        with pytest.raises(NotFoundError):
            supervisor.command("nobody", "pause")
        with pytest.raises(ConflictError):
            supervisor.command("off", "resume")
        with pytest.raises(NotFoundError):
            supervisor.command("worker", "explode")
        supervisor.wake("nobody")  # work for a task of another daemon
        assert report(supervisor, "off").state is TaskState.DISABLED
        await supervisor.stop(["off", "worker", "nobody"], 1)
    assert report(supervisor, "off").state is TaskState.DISABLED


async def test_a_task_that_does_not_beat_is_overdue_until_it_does() -> None:
    supervisor = Supervisor()
    go_on = asyncio.Event()

    async def silent(control: TaskControl) -> None:
        await go_on.wait()
        await works(control)

    async def then() -> None:
        await until(lambda: report(supervisor).overdue)
        assert report(supervisor).beat_age_seconds >= 0.0
        go_on.set()
        await until(lambda: not report(supervisor).overdue)

    await in_a_group(supervisor, TaskSpec("worker", "", silent, beat_seconds=0.05), then)


async def test_how_often_a_task_must_beat_may_change_while_it_runs() -> None:
    supervisor = Supervisor()
    longest = 600.0

    async def silent(control: TaskControl) -> None:
        await control.stopping.wait()

    async def then() -> None:
        nonlocal longest
        await until(lambda: report(supervisor).beat_age_seconds > 0)
        assert not report(supervisor).overdue
        longest = 0.05
        await until(lambda: report(supervisor).overdue)
        longest = 600.0
        assert not report(supervisor).overdue

    await in_a_group(supervisor, TaskSpec("worker", "", silent, beat_seconds=lambda: longest), then)


async def test_a_task_that_does_not_stop_in_time_is_cancelled(logs: list[EventDict]) -> None:
    supervisor = Supervisor()
    cancelled = False

    async def deaf(_: TaskControl) -> None:
        nonlocal cancelled
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled = True
            raise

    async with asyncio.TaskGroup() as group:
        supervisor.start(group, TaskSpec("worker", "", deaf))
        await until(lambda: report(supervisor).state is TaskState.RUNNING)
        async with asyncio.timeout(2):
            await supervisor.stop(["worker"], 0.05)
    assert cancelled
    assert [line["event"] for line in logs] == ["task did not end in time and was cancelled"]


@pytest.fixture
def control() -> TaskControl:
    return TaskControl()


async def test_rest_ends_when_woken_also_before_it_began(control: TaskControl) -> None:
    control.wake()
    async with asyncio.timeout(1):
        await control.rest(60)
    resting = asyncio.create_task(control.rest(60))
    await asyncio.sleep(0)
    control.wake()
    async with asyncio.timeout(1):
        await resting
    before = control.beat_at
    await control.rest(0.01)
    assert control.beat_at > before
