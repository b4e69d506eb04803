"""The analyser's workers while the AI server is away, lacks a model, or fails at one event only."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.typing import EventDict

from securitycamd.domain.jobs import JobState
from securitycamd.domain.names import AnalysisState
from securitycamd.services import analysis, breaker
from securitycamd.services.breaker import BreakerState
from securitycamd.settings import AnalyserSettings
from securitycamd.supervision import TaskControl
from securitycamd.tasks import workers
from securitycamd.tasks.workers import JobWorkers
from tests.ai.conftest import jpeg
from tests.ollama_server import VISION, OllamaServer, Reply
from tests.services.conftest import Bench
from tests.services.test_analysis import KIND, is_described, record, server, still, stills
from tests.services.test_analysis import bench as bench_on_server

__all__ = ["bench_on_server", "server", "still"]


@pytest.fixture
def bench(bench_on_server: Bench) -> Bench:
    return bench_on_server


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "FIRST_SECONDS", 0.05)
    monkeypatch.setattr(breaker, "LONGEST_SECONDS", 0.2)
    monkeypatch.setattr(workers, "IDLE_SECONDS", 0.02)
    monkeypatch.setattr(analysis, "FAULT_FIRST_SECONDS", 0.02)
    monkeypatch.setattr(analysis, "FAULT_GROWTH", 1.0)


@asynccontextmanager
async def working(bench: Bench, slots: Callable[[], int] | None = None) -> AsyncIterator[TaskControl]:
    """The analyser's loop, as the roster makes it."""
    gate = bench.shared.ai_gate
    loop = JobWorkers(
        KIND,
        bench.shared.jobs,
        bench.shared.analysis.analyse,
        slots=slots or (lambda: gate.slots),
        lease_seconds=lambda: 30.0,
        admit=gate.admit,
    )
    control = TaskControl()
    running = asyncio.create_task(loop.run(control))
    try:
        async with asyncio.timeout(60):
            yield control
        control.stopping.set()
        control.wake()
        async with asyncio.timeout(10):
            await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[object] | object]) -> None:
    while True:
        found = condition()
        if await found if isinstance(found, Awaitable) else found:
            return
        await asyncio.sleep(0.01)


async def probes(bench: Bench, count: int = 3) -> None:
    """Wait until the server was looked after so many times more."""
    gate = bench.shared.ai_gate
    for _ in range(count):
        gate.last_look = None
        await until(lambda: gate.last_look)


async def all_described(bench: Bench, events: list[int]) -> None:
    for event_id in events:

        async def is_done(event_id: int = event_id) -> bool:
            return (await bench.seen(event_id)).ai_processed

        await until(is_done)
        await is_described(bench, event_id)


def state_of(bench: Bench) -> BreakerState:
    return bench.shared.ai_gate.breaker.state


async def test_with_the_server_away_nothing_is_claimed_and_all_is_done_when_it_is_back(
    bench: Bench, server: OllamaServer, still: bytes, logs: list[EventDict]
) -> None:
    events = [await stills(bench, still, still) for _ in range(4)]
    await server.stop()
    async with working(bench):
        await until(lambda: state_of(bench) is BreakerState.OPEN)
        await probes(bench)
        for event_id in events:
            job = await bench.job(event_id, KIND)
            assert (job.state, job.attempts) == (JobState.QUEUED, 0)
        report = bench.shared.ai_gate.breaker.report()
        assert "cannot be reached" in (report.reason or "")
        await server.start()
        await all_described(bench, events)
        assert state_of(bench) is BreakerState.CLOSED
    waits = [line for line in logs if line["event"] == "descriptions wait"]
    assert len(waits) == 1, "it is said once, however often it is looked"
    assert [line for line in logs if line["event"] == "descriptions go on"]


async def test_a_missing_model_pauses_all_says_what_to_run_and_fails_nothing(
    bench: Bench, server: OllamaServer, still: bytes, logs: list[EventDict]
) -> None:
    events = [await stills(bench, still, still) for _ in range(2)]
    del server.models["moondream:latest"]
    async with working(bench):
        await until(lambda: state_of(bench) is BreakerState.OPEN)
        (line,) = [line for line in logs if line["event"] == "descriptions wait"]
        assert "run: securitycamd ai pull" in line["reason"]
        assert line["missing_models"] == ["moondream"]
        assert server.chats == [], "nothing was even tried"
        await probes(bench)
        assert [(await bench.job(event_id, KIND)).state for event_id in events] == [JobState.QUEUED] * 2
        server.models["moondream:latest"] = VISION
        await all_described(bench, events)


async def test_a_model_that_goes_while_it_works_pauses_all_too(
    bench: Bench, server: OllamaServer, still: bytes
) -> None:
    async with working(bench):
        first = await stills(bench, still, still)
        await all_described(bench, [first])
        del server.models["deepseek-r1:latest"]
        second = await stills(bench, still, still)
        await until(lambda: state_of(bench) is BreakerState.OPEN)
        assert (await record(bench, second)).state is AnalysisState.DESCRIBED
        server.models["deepseek-r1:latest"] = VISION
        await all_described(bench, [second])
    assert [chat.model for chat in server.chats].count("moondream") == 2


async def test_other_settings_are_looked_at_at_once(bench: Bench, server: OllamaServer, still: bytes) -> None:
    old = bench.shared.settings.current
    changed = AnalyserSettings.model_validate(old.analyser.model_dump() | {"url": "http://127.0.0.1:9"})
    bench.shared.settings.current = old.model_copy(update={"analyser": changed})
    event_id = await stills(bench, still, still)
    async with working(bench):
        await until(lambda: state_of(bench) is BreakerState.OPEN)
        bench.shared.settings.current = old
        await all_described(bench, [event_id])


async def test_an_event_at_which_the_server_fails_is_given_up_and_holds_up_nobody(
    bench: Bench, server: OllamaServer, still: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner crashes on one picture, each time; all others are described meanwhile."""
    bad = jpeg(64, 48)
    usual = server._send

    async def crashes(request: Any, reply: Reply, body: dict[str, Any]) -> Any:
        images = server.chats[-1].images
        return await usual(request, Reply.failing() if any(len(image) < 5000 for image in images) else reply, body)

    monkeypatch.setattr(server, "_send", crashes)
    async with working(bench):
        before = [await stills(bench, still, still) for _ in range(2)]
        poison = await stills(bench, bad, jpeg(64, 52))
        others: list[int] = []

        async def is_given_up() -> bool:
            # New events keep coming; each is described although the bad one is tried again and again.
            others.append(await stills(bench, still, still))
            await all_described(bench, others[-1:])
            return (await bench.job(poison, KIND)).state is JobState.FAILED

        await until(is_given_up)
        await all_described(bench, before)
    event = await bench.seen(poison)
    assert event.ai_error is not None
    assert event.ai_error.startswith(f"The AI server failed at this event {analysis.FAULT_LIMIT} times")
    assert not event.ai_processed
    assert len(others) < 60


async def test_when_the_server_fails_at_all_none_is_given_up(bench: Bench, server: OllamaServer, still: bytes) -> None:
    events = [await stills(bench, still, still) for _ in range(3)]
    server.always = Reply.failing()
    async with working(bench):
        await until(lambda: len(server.chats) >= 3 * analysis.FAULT_LIMIT)
        for event_id in events:
            assert (await bench.job(event_id, KIND)).state is not JobState.FAILED
            assert (await record(bench, event_id)).faults <= 1
        server.always = None
        await all_described(bench, events)
        assert (await record(bench, events[0])).faults == 0


async def test_while_it_is_not_known_that_the_server_works_one_event_tries(
    bench: Bench, server: OllamaServer, still: bytes
) -> None:
    old = bench.shared.settings.current
    four = old.analyser.model_copy(update={"concurrency": 4})
    bench.shared.settings.current = old.model_copy(update={"analyser": four})
    events = [await stills(bench, still, still) for _ in range(6)]
    server.always = Reply.failing()
    async with working(bench):
        await until(lambda: state_of(bench) is not BreakerState.CLOSED)
        await until(lambda: len(server.chats) >= 12)
        assert bench.shared.ai_gate.slots == 1
        server.always = Reply(delay_seconds=0.05)
        await until(lambda: bench.shared.ai_gate.slots == 4)
        server.always = None
        await all_described(bench, events)
