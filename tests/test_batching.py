import asyncio
import contextlib
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from securitycamd.batching import Batcher


class FullError(Exception):
    pass


class Runs:
    """What a batcher was asked to run; each run waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()

    async def __call__(self, batch: Sequence[int]) -> Sequence[str | Exception]:
        self.batches.append(list(batch))
        await self.gate.wait()
        return [ValueError(str(call)) if call < 0 else f"<{call}>" for call in batch]


def make(runs: Runs, *, limit: int = 10, waiting_limit: int = 100) -> Batcher[int, str]:
    return Batcher(runs, limit=limit, waiting_limit=waiting_limit, full=FullError)


async def start(batcher: Batcher[int, str], *calls: int) -> list[asyncio.Task[str]]:
    """Make the calls, and let them come as far as they can."""
    tasks = [asyncio.create_task(batcher(call)) for call in calls]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_calls_that_come_while_a_run_is_under_way_are_the_next_run() -> None:
    runs = Runs()
    batcher = make(runs)
    tasks = await start(batcher, 1)
    tasks += await start(batcher, 2, 3, 4)
    assert runs.batches == [[1]], "one run at a time"
    runs.gate.set()
    assert await asyncio.gather(*tasks) == ["<1>", "<2>", "<3>", "<4>"]
    assert runs.batches == [[1], [2, 3, 4]]


async def test_no_run_is_longer_than_the_limit() -> None:
    runs = Runs()
    batcher = make(runs, limit=2)
    tasks = await start(batcher, 1, 2, 3, 4, 5)
    runs.gate.set()
    assert await asyncio.gather(*tasks) == ["<1>", "<2>", "<3>", "<4>", "<5>"]
    assert [len(batch) for batch in runs.batches] == [2, 2, 1]


async def test_too_many_waiting_calls_are_refused_at_once() -> None:
    runs = Runs()
    batcher = make(runs, limit=1, waiting_limit=2)
    tasks = await start(batcher, 1)
    tasks += await start(batcher, 2, 3)
    with pytest.raises(FullError):
        await batcher(4)
    runs.gate.set()
    assert await asyncio.gather(*tasks) == ["<1>", "<2>", "<3>"]
    assert await batcher(5) == "<5>", "there is room again"


async def test_an_answer_that_is_an_exception_is_for_its_caller_alone() -> None:
    runs = Runs()
    runs.gate.set()
    batcher = make(runs)
    good, bad, other = await asyncio.gather(batcher(1), batcher(-2), batcher(3), return_exceptions=True)
    assert (good, other) == ("<1>", "<3>")
    assert isinstance(bad, ValueError)


async def test_a_run_that_fails_fails_its_callers_and_not_the_next() -> None:
    batches: list[list[int]] = []

    async def run(batch: Sequence[int]) -> Sequence[str | Exception]:
        batches.append(list(batch))
        await asyncio.sleep(0)
        if 1 in batch:
            raise KeyError("away")
        return ["ok"] * len(batch)

    batcher: Batcher[int, str] = Batcher(run, limit=2, waiting_limit=10, full=FullError)
    results = await asyncio.gather(*(batcher(call) for call in (1, 2, 3, 4)), return_exceptions=True)
    assert batches == [[1, 2], [3, 4]]
    assert [type(result) for result in results] == [KeyError, KeyError, str, str]


async def test_a_run_that_answers_too_few_leaves_nobody_waiting() -> None:
    async def run(batch: Sequence[int]) -> Sequence[str | Exception]:
        return ["only one"]

    batcher: Batcher[int, str] = Batcher(run, limit=5, waiting_limit=10, full=FullError)
    async with asyncio.timeout(5):
        results = await asyncio.gather(batcher(1), batcher(2), return_exceptions=True)
    assert [type(result) for result in results] == [RuntimeError, RuntimeError]


async def test_a_caller_that_goes_away_harms_nobody() -> None:
    runs = Runs()
    batcher = make(runs)
    tasks = await start(batcher, 1, 2)
    tasks[0].cancel()
    tasks += await start(batcher, 3)
    tasks[2].cancel()
    await asyncio.sleep(0)
    runs.gate.set()
    assert await tasks[1] == "<2>"
    assert await batcher(4) == "<4>"
    assert [task.cancelled() for task in tasks] == [True, False, True]


async def test_a_call_reads_what_was_written_before_it() -> None:
    """A run that had begun before the call came does not answer it."""
    stored = 0
    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def run(batch: Sequence[int]) -> Sequence[int | Exception]:
        seen = stored
        begun.set()
        await go_on.wait()
        return [seen] * len(batch)

    batcher: Batcher[int, int] = Batcher(run, limit=5, waiting_limit=10, full=FullError)
    first = asyncio.create_task(batcher(1))
    await begun.wait()
    stored = 7
    second = asyncio.create_task(batcher(2))
    await asyncio.sleep(0)
    go_on.set()
    assert (await first, await second) == (0, 7)


async def test_no_task_is_left_when_nothing_is_asked() -> None:
    runs = Runs()
    runs.gate.set()
    batcher = make(runs)
    assert await batcher(1) == "<1>"
    await asyncio.sleep(0)
    assert [task for task in asyncio.all_tasks() if task.get_name() == "batcher"] == []
    assert await batcher(2) == "<2>"


async def test_a_run_that_is_cancelled_cancels_its_callers_and_the_rest_is_run_with_the_next() -> None:
    runs = Runs()
    batcher = make(runs, limit=1)
    tasks = await start(batcher, 1, 2)
    (worker,) = [task for task in asyncio.all_tasks() if task.get_name() == "batcher"]
    worker.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await worker
    runs.gate.set()
    assert await batcher(3) == "<3>"
    assert await tasks[1] == "<2>"
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]


async def test_a_run_does_not_inherit_who_happened_to_call_first() -> None:
    caller: ContextVar[str] = ContextVar("caller", default="nobody")

    async def run(batch: Sequence[int]) -> Sequence[str | Exception]:
        return [caller.get()] * len(batch)

    batcher: Batcher[int, str] = Batcher(run, limit=5, waiting_limit=10, full=FullError)
    caller.set("the first")
    assert await batcher(1) == "nobody"
