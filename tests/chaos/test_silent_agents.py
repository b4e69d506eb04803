"""An agent that posts its event, delivers its files and never tells of them loses nothing."""

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.chaos.agents import Clip
from tests.chaos.conftest import MakeDaemon
from tests.harness import DaemonProcess, wait_until

ZONE = "Europe/Berlin"


def put(root: Path, path: str, content: bytes) -> None:
    """As an agent does: under another name first. Its clock is right, and copying keeps the time."""
    target = root / path
    temporary = target.with_name(f"{target.name}.tmp")
    temporary.write_bytes(content)
    os.utime(temporary, (time.time() - 60, time.time() - 60))
    temporary.rename(target)


def deliver(daemon: DaemonProcess, clip: Clip, timestamp: str, *, kinds: tuple[str, str] = ("a", "b")) -> int:
    """An event and its files, none of them reported; its id."""
    body = {"camera_id": "camera_1", "timestamp": timestamp, "motion_score": 5.0}
    status, event = daemon.call("POST", "/api/v1/events", body)
    assert status == 201
    stem = f"{event['id']}_{datetime.fromisoformat(timestamp):%Y%m%d_%H%M%S}"
    for kind in kinds:
        put(daemon.storage_root, f"camera_1/pictures/{stem}_{kind}.jpg", b"\xff\xd8 no real picture")
    put(daemon.storage_root, f"camera_1/thumbs/{stem}_thumb.jpg", b"\xff\xd8 no real picture")
    put(daemon.storage_root, f"camera_1/videos/{stem}_video.h264", clip.content)
    (daemon.storage_root / f"camera_1/videos/{stem}_video.h264.READY").touch()
    return int(event["id"])


def is_whole(daemon: DaemonProcess, event_id: int) -> Any:
    """The event, once its clip is playable and all its files are known."""
    event = daemon.call("GET", f"/api/v1/events/{event_id}")[1]
    flags = ("image_a_transferred", "image_b_transferred", "thumbnail_transferred", "video_transferred")
    done = event["mp4_conversion_status"] in {"complete", "optimized"} and all(event[flag] for flag in flags)
    return event if done else None


@pytest.fixture
def daemon(make_daemon: MakeDaemon) -> DaemonProcess:
    daemon = make_daemon(
        SECURITYCAMD_SITE__TIME_ZONE=ZONE,
        SECURITYCAMD_AGENTS__FILES_OVERDUE_SECONDS="5",
        SECURITYCAMD_ANALYSER__ENABLED="false",
    )
    daemon.start()
    camera = {"camera_id": "camera_1", "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    assert daemon.call("POST", "/api/v1/cameras/register", camera)[0] in {200, 201}
    wait_until((daemon.storage_root / "camera_1/thumbs").is_dir, seconds=60, what="the camera has its folders")
    return daemon


@pytest.mark.slow
def test_everything_ends_converted(daemon: DaemonProcess, clips: list[Clip]) -> None:
    now = datetime.now(ZoneInfo(ZONE)).replace(tzinfo=None).isoformat()
    overdue = deliver(daemon, clips[0], now)
    # A day old by its time, as after a long outage: only the scan of everything finds it in any case.
    old = deliver(daemon, clips[0], "2025-10-26T02:30:00.500000", kinds=("picA", "picB"))
    event = wait_until(lambda: is_whole(daemon, overdue), seconds=60, what="overdue files are found by themselves")
    assert (daemon.storage_root / event["video_mp4_path"]).is_file()
    assert daemon.call("POST", "/api/v1/tasks/linker/run-now")[0] == 200
    wait_until(lambda: is_whole(daemon, old), seconds=30, what="the scan finds the rest")
    videos = daemon.storage_root / "camera_1/videos"
    wait_until(
        lambda: all(path.name.endswith(".mp4") for path in videos.glob("[0-9]*")),
        seconds=15,
        what="sources and their .READY go once the clips are there",
    )


@pytest.mark.slow
def test_a_check_on_the_command_line(daemon: DaemonProcess) -> None:
    put(daemon.storage_root, "camera_1/pictures/99_20251026_023000_a.jpg", b"x")
    command = [sys.executable, "-m", "securitycamd", "storage", "check", "--json"]
    environment = os.environ | {"SECURITYCAMD_SERVER__PORT": str(daemon.port)}
    for options, left in (([], 1), (["--repair"], 1)):
        ended = subprocess.run(
            [*command, *options], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        report = json.loads(ended.stdout)
        assert (ended.returncode, report["counts"]["orphaned"], report["left"]) == (1, 1, left)
    strays = daemon.call("GET", "/api/v1/storage/strays")[1]["strays"]
    assert [stray["reason"] for stray in strays] == ["There is no event 99."]
    daemon.stop()
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 3
