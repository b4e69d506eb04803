"""Supervised tasks: restarted with jittered back-off when they die, watched by their heartbeat, paused and resumed."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import structlog

from securitycamd.domain.errors import ConflictError, InvalidError, NotFoundError

log = structlog.get_logger(__name__)

FIRST_DELAY_SECONDS: Final = 0.2
LONGEST_DELAY_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""A task that ran so long starts again at the first delay."""


class TaskState(StrEnum):
    """What a task is doing."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    BACKING_OFF = "backing off"
    DISABLED = "disabled"
    STOPPED = "stopped"


class CriticalTaskError(Exception):
    """A task without which the daemon is no use keeps dying; the process must end and be started anew."""


class TaskControl:
    """A task's side of the supervision."""

    def __init__(self) -> None:
        self.beat_at = time.monotonic()
        self.stopping = asyncio.Event()
        self._resumed = asyncio.Event()
        self._resumed.set()
        self._wake = asyncio.Event()

    def beat(self) -> None:
        """Say that the task is alive; to be called at least as often as its spec promises."""
        self.beat_at = time.monotonic()

    @property
    def paused(self) -> bool:
        """Whether an operator paused the task."""
        return not self._resumed.is_set()

    def wake(self) -> None:
        """End the task's present :meth:`rest`."""
        self._wake.set()

    def pause(self) -> None:
        """Have the task take up nothing new."""
        self._resumed.clear()

    def resume(self) -> None:
        """Let the task go on."""
        self._resumed.set()
        self._wake.set()

    async def rest(self, seconds: float) -> bool:
        """Wait until woken, at most so long; whether woken. Beats."""
        self.beat()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        woken = self._wake.is_set()
        self._wake.clear()
        self.beat()
        return woken

    async def until_resumed(self) -> None:
        """Wait while paused; beats."""
        while self.paused and not self.stopping.is_set():
            await self.rest(5.0)


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What is to run. ``run`` returns only when ``control.stopping`` is set or it is cancelled; else it has died."""

    name: str
    purpose: str
    run: Callable[[TaskControl], Awaitable[None]]
    beat_seconds: float | Callable[[], float] = 30.0
    """The longest time between two heartbeats of a healthy task; asked for at each look where a setting bounds it."""
    critical_deaths: int | None = None
    """So many deaths in a row end the process; ``None``: it is tried for ever."""
    enabled: bool = True
    on_run_now: Callable[[float | None], None] | None = None
    """Of a task that works at certain times only: lets it work now, for so many minutes or until it is done."""
    takes_commands: bool = True
    """Whether an operator may pause, resume and wake it; not where the daemon would be no use without it."""


@dataclass(frozen=True, slots=True)
class TaskReport:
    """A task's state for people."""

    name: str
    purpose: str
    state: TaskState
    restarts: int
    last_error: str | None
    since: datetime
    beat_age_seconds: float
    overdue: bool
    """It runs, but has not beaten as often as promised."""
    takes_commands: bool
    """Whether an operator may pause, resume and wake it now."""


class _Supervised:
    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec
        self.control = TaskControl()
        self.state = TaskState.STARTING if spec.enabled else TaskState.DISABLED
        self.restarts = 0
        self.deaths_in_a_row = 0
        self.last_error: str | None = None
        self.since = datetime.now(UTC)

    def enter(self, state: TaskState) -> None:
        self.state = state
        self.since = datetime.now(UTC)

    async def run(self) -> None:
        while not self.control.stopping.is_set():
            started = time.monotonic()
            self.enter(TaskState.RUNNING)
            self.control.beat()
            try:
                await self.spec.run(self.control)
                if self.control.stopping.is_set():
                    break
                self.last_error = "ended without being asked to"
                log.error("task ended without being asked to", task=self.spec.name)
            except Exception as error:
                self.last_error = f"{type(error).__name__}: {error}"[:300]
                log.exception("task died", task=self.spec.name)
            if time.monotonic() - started > STEADY_SECONDS:
                self.deaths_in_a_row = 0
            self.deaths_in_a_row += 1
            limit = self.spec.critical_deaths
            if limit is not None and self.deaths_in_a_row >= limit:
                raise CriticalTaskError(f"{self.spec.name} died {self.deaths_in_a_row} times in a row")
            self.restarts += 1
            self.enter(TaskState.BACKING_OFF)
            full = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (self.deaths_in_a_row - 1))
            await self.control.rest(full * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
        self.enter(TaskState.STOPPED)

    def report(self) -> TaskReport:
        age = time.monotonic() - self.control.beat_at
        beat_seconds = self.spec.beat_seconds
        longest = beat_seconds() if callable(beat_seconds) else beat_seconds
        running = self.state is TaskState.RUNNING
        return TaskReport(
            self.spec.name,
            self.spec.purpose,
            TaskState.PAUSED if running and self.control.paused else self.state,
            self.restarts,
            self.last_error,
            self.since,
            round(age, 1),
            running and age > longest,
            self.spec.takes_commands and self.spec.enabled,
        )


class Supervisor:
    """Runs tasks inside a task group of the composition root."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Supervised] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, group: asyncio.TaskGroup, spec: TaskSpec) -> None:
        """Begin to run a task."""
        supervised = self._tasks[spec.name] = _Supervised(spec)
        if spec.enabled:
            self._running[spec.name] = group.create_task(supervised.run(), name=spec.name)

    def reports(self) -> list[TaskReport]:
        """Every task's state, in the order of their start."""
        return [task.report() for task in self._tasks.values()]

    def is_paused(self, name: str) -> bool:
        """Whether an operator paused a task that is there."""
        return name in self._tasks and self._tasks[name].report().state is TaskState.PAUSED

    def wake(self, name: str) -> None:
        """Have a task look for work at once, if it is there."""
        if name in self._tasks:
            self._tasks[name].control.wake()

    def command(self, name: str, action: str, *, minutes: float | None = None) -> TaskReport:
        """``pause``, ``resume`` or ``run-now`` a task; a task with a window may be told for how many minutes.

        Raises:
            NotFoundError: no such task.
            InvalidError: it has no window, so that it cannot be told for how long.
            ConflictError: it is switched off in the settings, always runs, or is paused and shall run now.
        """
        task = self._tasks.get(name)
        if task is None:
            raise NotFoundError(f"There is no task named {name}.")
        if task.state is TaskState.DISABLED:
            raise ConflictError(f"{name} is switched off in the settings.")
        if not task.spec.takes_commands:
            raise ConflictError(f"{name} always runs: the server would be no use without it.")
        if action == "run-now" and task.control.paused:
            # Not kept for later either: nobody thinks of it any more when the task is resumed.
            raise ConflictError(f"{name} is paused and does nothing; resume it first.")
        match action:
            case "pause":
                task.control.pause()
            case "resume":
                task.control.resume()
            case "run-now":
                if task.spec.on_run_now is not None:
                    task.spec.on_run_now(minutes)
                elif minutes is not None:
                    raise InvalidError("minutes", f"{name} works at any time")
                task.control.wake()
            case _:
                raise NotFoundError(f"A task can pause, resume or run-now, not {action}.")
        log.info("task commanded", task=name, action=action)
        return task.report()

    def ask_to_stop(self, *names: str) -> None:
        """Have tasks take up nothing new and end."""
        for name in names or list(self._tasks):
            if name in self._tasks:
                self._tasks[name].control.stopping.set()
                self._tasks[name].control.wake()

    async def stop(self, names: list[str], timeout_seconds: float) -> None:
        """Ask tasks to end, wait so long (0: not at all), cancel what is left and wait for that."""
        self.ask_to_stop(*names)
        running = [self._running[name] for name in names if name in self._running]
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=timeout_seconds)
        for task in late:
            if timeout_seconds:
                log.warning("task did not end in time and was cancelled", task=task.get_name())
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=max(1.0, timeout_seconds))
