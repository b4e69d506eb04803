"""One upstream, the newest picture, and a camera that streams no longer than somebody watches."""

import asyncio

import pytest
from structlog.testing import capture_logs

from securitycamd.cameras.relay import Viewer
from securitycamd.domain.live import EndReason, StreamState
from tests.cameras.conftest import Bench, until
from tests.cameras.scripted import HEAD, ScriptedAgent, part, picture, steady


async def test_the_first_viewer_starts_it_and_the_last_ends_it(bench: Bench) -> None:
    one, two = bench.watch(), bench.watch()
    await until(lambda: bench.newest)
    assert (bench.agent.starts, bench.agent.connections, bench.relay.status().viewers) == (1, 1, 2)
    assert bench.relay.status().state is StreamState.LIVE
    bench.relay.leave(one)
    await asyncio.sleep(0.5)  # longer than the grace period: one is still there
    await bench.advances()
    bench.relay.leave(two)
    await until(lambda: not bench.agent.streaming)
    await until(lambda: not bench.relay.is_busy)
    assert (bench.agent.stops, bench.agent.connections) == (1, 1)
    assert bench.relay.frame is None
    assert bench.book.lines == [("opening", "camera_1"), ("closed", True)]


async def test_many_viewers_share_one_connection(bench: Bench) -> None:
    for _ in range(50):
        bench.watch()
    await until(lambda: bench.newest > 10)
    assert (bench.agent.starts, bench.agent.connections, bench.agent.most_open) == (1, 1, 1)


async def test_who_comes_back_within_the_grace_period_finds_it_running(bench: Bench) -> None:
    bench.limits = bench.limits.model_copy(update={"grace_seconds": 5.0})
    one = bench.watch()
    await until(lambda: bench.newest)
    bench.relay.leave(one)
    await asyncio.sleep(0.2)
    bench.watch()
    await bench.advances()
    assert (bench.agent.starts, bench.agent.stops, bench.agent.connections) == (1, 0, 1)


async def test_who_comes_while_it_is_being_stopped_gets_a_new_one(bench: Bench) -> None:
    bench.limits = bench.limits.model_copy(update={"grace_seconds": 0.0})
    one = bench.watch()
    await until(lambda: bench.newest)
    bench.relay.leave(one)
    await asyncio.sleep(0)
    two = bench.watch()
    await until(lambda: bench.agent.starts == 2)
    await bench.advances()
    assert not two.ended
    assert bench.agent.most_open == 1


async def test_who_comes_at_the_very_end_is_not_forgotten(bench: Bench) -> None:
    bench.limits = bench.limits.model_copy(update={"grace_seconds": 0.0})
    for turn in range(12):
        first = bench.watch()
        await until(lambda: bench.newest)
        bench.relay.leave(first)
        while bench.relay.is_busy:  # noqa: ASYNC110 - every turn of the loop is looked at
            await asyncio.sleep(0)
        for _ in range(turn % 4):
            await asyncio.sleep(0)
        second = bench.watch()
        await until(lambda: bench.newest)
        bench.relay.leave(second)
        await until(lambda: not bench.relay.is_busy)


async def test_who_leaves_before_it_began_leaves_nothing_running(bench: Bench) -> None:
    bench.relay.leave(bench.watch())
    await until(lambda: not bench.relay.is_busy)
    assert not bench.agent.streaming


async def test_the_time_limit_ends_it_for_all_and_they_may_watch_again(bench: Bench) -> None:
    bench.limits = bench.limits.model_copy(update={"max_minutes": 0.5 / 60})
    one, two = bench.watch(), bench.watch()
    await until(lambda: one.ended and two.ended)
    assert one.ended == two.ended == {"camera_1": EndReason.TIME_LIMIT}
    await until(lambda: not bench.agent.streaming)
    assert bench.relay.status().viewers == 0
    bench.limits = bench.limits.model_copy(update={"max_minutes": 30.0})
    bench.relay.join(one)
    await until(lambda: bench.newest)
    assert (one.ended, bench.relay.status().viewers) == ({}, 1)


async def test_a_viewer_who_takes_nothing_harms_nobody_and_then_gets_the_newest(bench: Bench) -> None:
    bench.watch()  # never looks
    reader = bench.watch()
    seen: list[int] = []
    async with asyncio.timeout(20):
        while len(seen) < 30:
            await reader.woken()
            if bench.newest:
                seen.append(bench.newest)
    assert seen == sorted(seen)
    await until(lambda: bench.newest > seen[-1] + 3)  # nobody waits for the reader either


async def test_an_agent_that_restarts_is_found_again(bench: Bench) -> None:
    viewer = bench.watch()
    await until(lambda: bench.newest)
    bench.agent.streaming = False  # it lost its state with its process
    bench.agent.cut()
    await until(lambda: bench.relay.status().state is StreamState.OFFLINE)
    status = bench.relay.status()
    assert status.reason
    assert status.retry_in_seconds is not None
    await until(lambda: bench.relay.status().state is StreamState.LIVE)
    await bench.advances()
    assert (bench.agent.starts, bench.agent.most_open, viewer.ended) == (2, 1, {})
    assert ("restarted", "camera_1") in bench.book.lines


async def test_a_camera_that_is_away_is_tried_again_at_once_when_it_is_heard_of(bench: Bench) -> None:
    bench.agent.answers = False
    bench.watch()
    await until(lambda: bench.relay.status().state is StreamState.OFFLINE)
    bench.agent.answers = True
    bench.relay.retry_now()
    await until(lambda: bench.newest)


async def stalled(agent: ScriptedAgent, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + part(picture(1)) + part(picture(2))[:500])
    await asyncio.sleep(3600)


async def silent(_agent: ScriptedAgent, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def cut(_agent: ScriptedAgent, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + part(picture(1)) + part(picture(2))[:500])
    await writer.drain()


async def page(_agent: ScriptedAgent, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<p>Log in")
    await writer.drain()


async def huge(_agent: ScriptedAgent, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"--FRAME\r\nContent-Length: 99999999\r\n\r\n\xff\xd8")
    while True:
        writer.write(bytes(64 * 1024))
        await writer.drain()


async def noise(_agent: ScriptedAgent, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    while True:
        writer.write(b"nothing like it" * 5000)
        await writer.drain()


@pytest.mark.parametrize("script", [stalled, silent, cut, page, huge, noise], ids=lambda script: str(script.__name__))
async def test_a_stream_that_fails_is_said_to_and_works_again_later(bench: Bench, script: object) -> None:
    bench.agent.script = script  # type: ignore[assignment]  # each is a Script
    bench.limits = bench.limits.model_copy(update={"max_frame_bytes": 64 * 1024})
    bench.watch()
    await until(lambda: bench.relay.status().state is StreamState.OFFLINE)
    assert bench.relay.status().reason.endswith(".") or bench.relay.status().reason.endswith(")")
    bench.agent.script = steady
    bench.agent.cut()
    bench.relay.retry_now()
    await until(lambda: bench.relay.status().state is StreamState.LIVE and bench.newest > 2)
    assert bench.agent.most_open <= 2  # the new one may come before the old one is seen to be gone


async def test_garbled_parts_between_pictures_are_passed_over(bench: Bench) -> None:
    async def garbled(agent: ScriptedAgent, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        while True:
            agent.pictures += 1
            good = part(picture(agent.pictures))
            writer.write(part(b"\xff\xd8 no end", length=5) + good[:700] + good + b"\0\r\n--FRAMEnoise\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    bench.agent.script = garbled
    bench.watch()
    await until(lambda: bench.newest > 20)
    assert bench.agent.connections == 1


async def test_closing_stops_the_camera_and_tells_the_viewers(bench: Bench) -> None:
    viewer = bench.watch()
    await until(lambda: bench.newest)
    await bench.relay.close()
    assert not bench.agent.streaming
    assert viewer.ended == {"camera_1": EndReason.SERVER_STOPS}
    bench.relay.join(Viewer())
    assert not bench.relay.is_busy


async def test_a_camera_that_cannot_be_told_to_stop_is_told_later(bench: Bench) -> None:
    viewer = bench.watch()
    await until(lambda: bench.newest)
    bench.agent.answers = False
    bench.relay.leave(viewer)
    await until(lambda: not bench.relay.is_busy)
    assert bench.relay.left_on
    assert not await bench.relay.switch_off()
    assert bench.agent.is_on
    bench.agent.answers = True
    assert await bench.relay.switch_off()
    assert (bench.agent.is_on, bench.relay.left_on) == (False, False)
    assert bench.book.lines[-1] == ("closed", True)


async def test_a_camera_that_never_answered_is_not_asked_to_stop(bench: Bench) -> None:
    bench.agent.answers = False
    viewer = bench.watch()
    await until(lambda: bench.relay.status().state is StreamState.OFFLINE)
    bench.relay.leave(viewer)
    await until(lambda: not bench.relay.is_busy)
    assert not bench.relay.left_on
    assert bench.book.lines[-1] == ("closed", False)


async def test_a_start_whose_answer_was_lost_is_undone(bench: Bench) -> None:
    await bench.control.ask("camera_1", bench.agent.address)  # its ports are known
    bench.agent.answers = False
    viewer = bench.watch()
    await until(lambda: bench.relay.status().state is StreamState.OFFLINE)
    bench.agent.streaming = bench.agent.answers = True
    bench.relay.leave(viewer)
    await until(lambda: not bench.relay.is_busy)
    assert not bench.agent.is_on


async def test_a_camera_in_use_is_not_switched_off(bench: Bench) -> None:
    bench.watch()
    await until(lambda: bench.newest)
    await bench.relay.switch_off()
    assert bench.agent.streaming
    assert bench.agent.stops == 0


async def test_a_camera_that_was_removed_ends_its_stream(bench: Bench) -> None:
    viewer = bench.watch()
    await until(lambda: bench.newest)
    bench.gone = True
    bench.agent.cut()
    await until(lambda: viewer.ended)
    assert viewer.ended == {"camera_1": EndReason.CAMERA_GONE}
    # Its agent is there still: it must not stay blind.
    await until(lambda: not bench.relay.is_busy)
    assert (bench.agent.is_on, bench.relay.left_on) == (False, False)


async def test_a_fault_of_ours_ends_it_and_the_camera_is_stopped_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_camera_id: str) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(bench.book, "opening", broken)
    with capture_logs() as lines:
        viewer = bench.watch()
        await until(lambda: viewer.ended)
        assert viewer.ended == {"camera_1": EndReason.FAULT}
        await until(lambda: not bench.relay.is_busy)
    assert "the relay of a camera failed" in [line["event"] for line in lines]


async def test_the_status_counts_pictures_and_time(bench: Bench) -> None:
    bench.watch()
    await until(lambda: bench.newest > 40)
    status = bench.relay.status()
    assert 10 < status.frames_per_second <= 60
    assert status.paused_seconds > 0
    assert status.ends_in_seconds is not None
    assert 29 * 60 < status.ends_in_seconds <= 30 * 60
