"""Cameras without a share send their files over HTTP, also when the line breaks, up to a clip that is described."""

import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from securitycamd.domain.names import FileType
from securitycamd.simulator.agent import AgentPlan
from securitycamd.simulator.fleet import plan_fleet
from securitycamd.simulator.scenes import Scene
from securitycamd.simulator.upload import Delivery, LineBrokenError, Upload
from tests.simulator.conftest import StartCamera, until
from tests.simulator.fake_server import FakeServer
from tests.simulator.test_agent import found
from tests.simulator.test_demo import command

CONTENT = bytes(range(256)) * 2000


async def test_all_files_of_an_event_are_sent(
    start: StartCamera, plan: AgentPlan, server: FakeServer, tmp_path: Path
) -> None:
    camera = await start(replace(plan, delivery=Delivery.UPLOAD))
    camera.trigger()
    await until(lambda: server.of("PATCH", "/status"))
    assert [key for key, _ in server.ranges] == ["1/image_a", "1/thumbnail", "1/image_b", "1/video"]
    assert {told for _, told in server.ranges} == {None}
    assert server.events[1]["video"] == {"video_duration": "2.0"}
    assert server.events[1]["status"] == "complete"
    assert not server.of("PATCH", "/files")
    assert set(camera.traces[0].files) == set(FileType)
    assert not found(tmp_path, "*"), "there is no share"


async def test_a_clip_whose_line_breaks_is_gone_on_with(
    start: StartCamera, plan: AgentPlan, server: FakeServer
) -> None:
    camera = await start(replace(plan, delivery=Delivery.UPLOAD, cut_uploads=True))
    camera.trigger()
    await until(lambda: server.of("PATCH", "/status"))
    first, second = [told for key, told in server.ranges if key == "1/video"]
    size = len(server.arrived["1/video"])
    assert first is None
    assert second == f"bytes {size // 2}-{size - 1}/{size}"
    assert server.events[1]["status"] == "complete"


async def test_a_server_that_refuses_everything_ends_the_event_as_failed(
    start: StartCamera, plan: AgentPlan, server: FakeServer
) -> None:
    server.faults["PUT"].extend([503, 507, 500, 409, 503])
    camera = await start(replace(plan, delivery=Delivery.UPLOAD))
    camera.trigger()
    await until(lambda: server.of("PATCH", "/status"))
    assert server.events[1]["status"] == "failed"
    assert set(camera.traces[0].files) == set(FileType) - {FileType.IMAGE_A}


@pytest.mark.parametrize(
    ("answer", "start"),
    [({"received_bytes": 300}, 300), ({"received_bytes": len(CONTENT)}, 0), ({"received_bytes": "x"}, 0), ([], 0)],
)
async def test_where_a_try_begins(answer: object, start: int) -> None:
    upload = Upload(7, FileType.VIDEO, CONTENT, 2.5)
    upload.received(200, answer)
    assert b"".join([piece async for piece in upload.pieces()]) == CONTENT[start:]
    assert upload.headers["Content-Length"] == str(len(CONTENT) - start)
    told = upload.headers.get("Content-Range")
    assert told == (f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}" if start else None)
    assert upload.target == "/events/7/files/video?video_duration=2.5"


async def test_a_line_that_breaks() -> None:
    sent = b""

    async def send() -> None:
        nonlocal sent
        async for piece in Upload(7, FileType.VIDEO, CONTENT, None).pieces(cut_at=100_000):
            sent += piece

    with pytest.raises(LineBrokenError):
        await send()
    assert sent == CONTENT[:100_000]


def test_a_mixed_fleet_sends_every_second_cameras_files(scenes: list[Scene]) -> None:
    found = {
        how: [plan.delivery for plan in plan_fleet(scenes, 3, deliver=how)] for how in ("share", "upload", "mixed")
    }
    assert found == {
        "share": [Delivery.SHARE] * 3,
        "upload": [Delivery.UPLOAD] * 3,
        "mixed": [Delivery.SHARE, Delivery.UPLOAD, Delivery.SHARE],
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_whole_chain_over_http(tmp_path: Path, scenes: list[Scene]) -> None:
    """With the real daemon: two cameras without a share, whose clips all break off once."""
    assert scenes  # fetched before the clock starts
    _, environment = command(tmp_path)
    environment.pop("SECURITYCAMD_DATABASE__URL")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "securitycamd", "demo", "--check", "--deliver", "upload", "--cameras", "2", "--json"]
    words += ["--timeout", "200", "--port", str(port), "--state", str(tmp_path / "state")]
    ended = subprocess.run(words, env=environment, check=False, capture_output=True, text=True, timeout=280)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert report["ok"] is True
    assert [bool(camera["description"] and camera["playable_seconds"]) for camera in report["cameras"]] == [True, True]
    left = {path.suffix for path in (tmp_path / "state" / "footage").glob("*/*/*")}
    assert left <= {".jpg", ".mp4", ".h264"}, "no part of an upload is left"
