import asyncio
import re
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import cv2
import pytest

from securitycamd.domain.names import EventStatus, FileType
from securitycamd.simulator.agent import AgentPlan, SimulatedCamera
from securitycamd.simulator.control import AgentPorts
from securitycamd.simulator.share import NEWER
from tests.simulator.conftest import StartCamera, until
from tests.simulator.fake_server import FakeServer


def found(folder: Path, pattern: str) -> list[Path]:
    return list(folder.rglob(pattern))


async def test_an_event_from_motion_to_complete(camera: SimulatedCamera, server: FakeServer, tmp_path: Path) -> None:
    await until(lambda: server.of("PATCH", "/status"))
    assert [(call.method, re.sub(r"\d+", "N", call.path)) for call in server.calls if call.path != "/logs"] == [
        ("POST", "/cameras/register"),
        ("POST", "/events"),
        *[("PATCH", "/events/N/files")] * 4,
        ("PATCH", "/events/N/status"),
    ]
    reports = [call.body for call in server.of("PATCH", "/files")]
    assert [report["file_type"] for report in reports] == ["image_a", "thumbnail", "image_b", "video"]
    assert all(report["transferred"] for report in reports)
    assert [report.get("video_duration") for report in reports] == [None, None, None, 2.0]
    moment = datetime.fromisoformat(server.events[1]["timestamp"])
    assert moment.tzinfo is None
    stamp = f"{moment:%Y%m%d_%H%M%S}"
    assert [report["file_path"] for report in reports] == [
        f"camera_7/pictures/1_{stamp}_a.jpg",
        f"camera_7/thumbs/1_{stamp}_thumb.jpg",
        f"camera_7/pictures/1_{stamp}_b.jpg",
        f"camera_7/videos/1_{stamp}_video.h264",
    ]
    pictures = [cv2.imread(str(tmp_path / report["file_path"])) for report in reports[:3]]
    assert [picture.shape[:2] for picture in pictures if picture is not None] == [
        (1080, 1920),
        (270, 480),
        (1080, 1920),
    ]
    assert server.events[1]["status"] == "complete"
    assert not found(tmp_path, "*.tmp")


async def test_a_file_is_whole_when_it_is_reported(
    start: StartCamera, plan: AgentPlan, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real = Path.replace

    def replace_and_note(self: Path, target: Path) -> Path:
        order.append(self.name)
        assert target.name not in str([call.body for call in server.of("PATCH", "/files")])
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace_and_note)
    camera = await start(plan)
    camera.trigger()
    await until(lambda: server.of("PATCH", "/status"))
    assert [name.rpartition("_")[2] for name in order] == [
        "a.jpg.tmp",
        "thumb.jpg.tmp",
        "b.jpg.tmp",
        "video.h264.tmp",
    ]


async def test_a_newer_agent_names_files_otherwise_and_leaves_a_ready_file(
    start: StartCamera, plan: AgentPlan, server: FakeServer, tmp_path: Path
) -> None:
    camera = await start(replace(plan, dialect=NEWER))
    camera.trigger()
    await until(lambda: server.of("PATCH", "/status"))
    names = [Path(call.body["file_path"]).name for call in server.of("PATCH", "/files")]
    assert names[0].endswith("_picA.jpg")
    assert names[2].endswith("_picB.jpg")
    (ready,) = found(tmp_path, "*.READY")
    assert ready.name == f"{names[3]}.READY"
    assert ready.stat().st_size == 0


async def test_is_blind_until_the_event_is_accepted(start: StartCamera, plan: AgentPlan, server: FakeServer) -> None:
    server.faults["/events"].extend([503, "lost"])
    camera = await start(replace(plan, pace=replace(plan.pace, speed=100.0)))
    camera.trigger()
    await until(lambda: camera.state == "posting")
    await until(lambda: server.of("PATCH", "/status"))
    posts = server.of("POST", "/events")
    assert [post.body for post in posts] == [posts[0].body] * 3
    assert len(server.events) == 1


async def test_finds_motion_by_itself(start: StartCamera, plan: AgentPlan, server: FakeServer) -> None:
    await start(plan)
    await until(lambda: server.events)
    assert server.events[1]["motion_score"] >= 400
    assert server.events[1]["confidence_score"] >= 50


async def test_looks_again_after_the_quiet_time(start: StartCamera, plan: AgentPlan, server: FakeServer) -> None:
    await start(replace(plan, quiet_seconds=2.0))
    await until(lambda: len(server.of("PATCH", "/status")) >= 2)


async def test_its_clock_is_in_its_zone(start: StartCamera, plan: AgentPlan, server: FakeServer) -> None:
    await start(replace(plan, zone=ZoneInfo("Asia/Tokyo")))
    await until(lambda: server.events)
    ahead = datetime.fromisoformat(server.events[1]["timestamp"]) - datetime.now(UTC).replace(tzinfo=None)
    assert abs(ahead - timedelta(hours=9)) < timedelta(minutes=1)


async def test_a_share_that_is_away_makes_the_event_fail(
    start: StartCamera, plan: AgentPlan, server: FakeServer, tmp_path: Path
) -> None:
    (tmp_path / "camera_7").write_text("a file where the folder should be")
    camera = await start(plan)
    await until(lambda: server.of("PATCH", "/status"))
    assert {call.body["transferred"] for call in server.of("PATCH", "/files")} == {False}
    assert server.events[1]["status"] == "failed"
    assert camera.traces[0].files == {}
    await until(lambda: "could not be written" in str([call.body for call in server.of("POST", "/logs")]))


async def test_a_file_nobody_was_told_of_is_on_the_share(
    start: StartCamera, plan: AgentPlan, server: FakeServer, tmp_path: Path
) -> None:
    server.faults["/files"].extend([500] * 3)
    camera = await start(plan)
    await until(lambda: server.of("PATCH", "/status"))
    assert FileType.IMAGE_A not in camera.traces[0].files
    assert len(found(tmp_path, "*_a.jpg")) == 1
    assert server.events[1]["status"] == "complete"


async def test_sends_its_log(camera: SimulatedCamera, server: FakeServer) -> None:
    def lines() -> list[dict[str, str]]:
        return [line for call in server.of("POST", "/logs") for line in call.body]

    await until(lambda: "Event 1: complete" in [line["message"] for line in lines()])
    assert {line["source"] for line in lines()} == {"camera_7"}
    assert "Camera registered as camera_7" in [line["message"] for line in lines()]
    assert all(datetime.fromisoformat(line["timestamp"]).tzinfo is None for line in lines())


def control(camera: SimulatedCamera) -> str:
    assert camera.server is not None
    return f"http://127.0.0.1:{camera.server.control_port}/api"


async def test_tells_how_it_is(camera: SimulatedCamera) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("ping", "health"):
            async with session.get(f"{control(camera)}/{path}") as response:
                health = await response.json()
            assert health["camera_id"] == "camera_7"
            assert health["name"] == "Front walk"
            assert health["streaming"] is False
            assert {"status", "motion_state", "uptime_seconds"} <= health.keys()
        async with session.get(f"{control(camera)}/version") as response:
            version = await response.json()
        assert version["success"] is True
        assert version["camera_name"] == "Front walk"
        assert {"version", "uptime_seconds"} <= version.keys()


async def test_streams_when_told_to(camera: SimulatedCamera) -> None:
    async with aiohttp.ClientSession() as session:

        async def tell(action: str) -> tuple[int, bool]:
            async with session.post(f"{control(camera)}/stream?action={action}") as response:
                return response.status, (await response.json())["success"]

        assert await tell("stop") == (400, False)
        assert await tell("dance") == (400, False)
        assert await tell("start") == (200, True)
        assert await tell("start") == (400, False)
        assert camera.server is not None
        server = camera.server
        await until(lambda: server.stream_port)
        url = f"http://127.0.0.1:{server.stream_port}/stream.mjpg"
        first = await session.get(url)
        assert first.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=FRAME"
        head = await first.content.readuntil(b"\r\n\r\n")
        assert head.startswith(b"--FRAME\r\nContent-Type: image/jpeg\r\n")
        length = int(re.findall(rb"Content-Length: (\d+)", head)[0])
        assert (await first.content.readexactly(length))[:2] == b"\xff\xd8"
        # A second viewer gets nothing while the first is there, and everything once it has left.
        second = asyncio.create_task(session.get(url))
        await asyncio.sleep(0.3)
        assert not second.done()
        first.close()
        async with asyncio.timeout(5):
            late = await second
            assert await late.content.readuntil(b"\r\n\r\n")
        assert await tell("stop") == (200, True)
        assert await tell("stop") == (400, False)
        late.close()
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)


async def test_works_on_without_its_control_port(start: StartCamera, plan: AgentPlan, server: FakeServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = AgentPorts(control=taken.getsockname()[1], stream=0)
        camera = await start(replace(plan, ports=ports))
        await until(lambda: server.of("PATCH", "/status"))
    assert camera.server is None
    await until(lambda: "control API cannot be opened" in str([c.body for c in server.of("POST", "/logs")]))


async def test_a_taken_stream_port_lets_the_camera_watch_on(
    start: StartCamera, plan: AgentPlan, server: FakeServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = AgentPorts(control=0, stream=taken.getsockname()[1])
        camera = await start(replace(plan, ports=ports, quiet_seconds=0.1))
        await until(lambda: len(server.events) == 1)
        async with aiohttp.ClientSession() as session:
            await session.post(f"{control(camera)}/stream?action=start")
        assert camera.server is not None
        agent = camera.server
        await until(lambda: not agent.streaming)
        await until(lambda: len(server.of("PATCH", "/status")) >= 2)


async def test_streaming_interrupts_the_event_and_pauses_motion(
    start: StartCamera, plan: AgentPlan, server: FakeServer
) -> None:
    camera = await start(replace(plan, clip_seconds=2000.0, quiet_seconds=0.1))
    await until(lambda: len(server.of("PATCH", "/files")) == 3)
    async with aiohttp.ClientSession() as session:
        await session.post(f"{control(camera)}/stream?action=start")
        await until(lambda: server.of("PATCH", "/status"))
        assert server.events[1]["status"] == "interrupted"
        assert camera.traces[0].status is EventStatus.INTERRUPTED
        await until(lambda: camera.state == "paused")
        await asyncio.sleep(0.3)
        assert len(server.events) == 1
        await session.post(f"{control(camera)}/stream?action=stop")
        await until(lambda: len(server.events) == 2)
