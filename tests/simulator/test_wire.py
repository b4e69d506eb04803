import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from securitycamd.domain.names import EventStatus, FileType, LogLevel
from securitycamd.simulator.wire import AgentClient, LogEntry, Pace
from tests.simulator.conftest import IDENTITY, until
from tests.simulator.fake_server import FakeServer

WHEN = datetime(2025, 10, 28, 14, 30, 22, 186476)  # noqa: DTZ001 - agents send naive local time
FILES = "/files"
VERY_FAST = Pace(100.0)


@pytest.fixture
def troubles() -> list[str]:
    return []


@pytest.fixture
async def client(server: FakeServer, troubles: list[str]) -> AsyncIterator[AgentClient]:
    async with AgentClient(server.url, IDENTITY, pace=VERY_FAST, on_trouble=troubles.append) as client:
        yield client


async def test_says_who_it_is(client: AgentClient, server: FakeServer) -> None:
    await client.register()
    (call,) = server.calls
    assert call.path == "/cameras/register"
    assert call.agent == "SecurityCamera/camera_7"
    assert call.body == {
        "camera_id": "camera_7",
        "name": "Front walk",
        "location": "Gate",
        "ip_address": "127.0.0.1",
    }


async def test_registers_after_0_5_10_and_then_every_30_seconds(client: AgentClient, server: FakeServer) -> None:
    server.faults["/cameras/register"].extend([503, 500, "garbage", "lost", 404])
    began = time.monotonic()
    await client.register()
    passed = (time.monotonic() - began) * VERY_FAST.speed
    assert len(server.calls) == 6
    assert 0 + 5 + 10 + 30 + 30 + 30 <= passed < 2 * 105


async def test_posts_the_same_event_until_it_is_accepted(
    client: AgentClient, server: FakeServer, troubles: list[str]
) -> None:
    server.faults["/events"].extend([503, "lost", "garbage"])
    assert await client.post_event(WHEN, 812.0, 101.5) == 1
    bodies = [call.body for call in server.of("POST", "/events")]
    assert bodies == [bodies[0]] * 4
    assert bodies[0] == {
        "camera_id": "camera_7",
        "timestamp": "2025-10-28T14:30:22.186476",
        "motion_score": 812.0,
        "confidence_score": 101.5,
    }
    assert len(server.events) == 1
    assert len(troubles) == 3


async def test_an_answer_without_an_integer_id_is_none(client: AgentClient, server: FakeServer) -> None:
    server.events[1] = {"camera_id": "camera_7", "timestamp": WHEN.isoformat(), "id": "one"}
    posting = asyncio.create_task(client.post_event(WHEN, 1.0, 1.0))
    await until(lambda: len(server.calls) >= 3)
    assert not posting.done()
    posting.cancel()


@pytest.mark.parametrize(("failures", "arrives"), [(0, True), (2, True), (3, False)])
async def test_a_file_is_reported_three_times_at_most(
    client: AgentClient, server: FakeServer, failures: int, arrives: bool
) -> None:
    event_id = await client.post_event(WHEN, 1.0, 1.0)
    server.faults[FILES].extend([500] * failures)
    told = await client.report_file(
        event_id, FileType.VIDEO, "camera_7/videos/x.h264", transferred=True, video_duration=45.0
    )
    assert told is arrives
    reports = server.of("PATCH", "/files")
    assert len(reports) == min(failures + 1, 3)
    assert reports[0].body == {
        "file_type": "video",
        "file_path": "camera_7/videos/x.h264",
        "transferred": True,
        "video_duration": 45.0,
    }


async def test_a_status_is_told_once(client: AgentClient, server: FakeServer) -> None:
    await client.post_event(WHEN, 1.0, 1.0)
    server.faults["/events/1/status"].append(500)
    assert not await client.set_status(1, EventStatus.COMPLETE)
    assert await client.set_status(1, EventStatus.COMPLETE)
    assert [call.body for call in server.of("PATCH", "/status")] == [{"status": "complete"}] * 2


@pytest.mark.parametrize(("failures", "arrives"), [(1, True), (2, False)])
async def test_log_lines_are_sent_twice_at_most(
    client: AgentClient, server: FakeServer, failures: int, arrives: bool
) -> None:
    server.faults["/logs"].extend([503] * failures)
    assert await client.post_logs([LogEntry(WHEN, LogLevel.DEBUG, "looking")]) is arrives
    calls = server.of("POST", "/logs")
    assert len(calls) == 2
    assert calls[0].body == [
        {
            "source": "camera_7",
            "timestamp": "2025-10-28T14:30:22.186476",
            "level": "DEBUG",
            "message": "looking",
        }
    ]


async def test_keeps_one_connection(client: AgentClient, server: FakeServer) -> None:
    await client.register()
    await client.post_event(WHEN, 1.0, 1.0)
    await client.set_status(1, EventStatus.COMPLETE)
    assert len({id(call.connection) for call in server.calls}) == 1


async def test_knows_a_healthy_server(client: AgentClient, server: FakeServer) -> None:
    assert await client.server_is_healthy()
    server.faults["/health"].append(503)
    assert not await client.server_is_healthy()
    assert await client.statistics() is None
