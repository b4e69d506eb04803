"""``kill -9`` while a camera goes with its footage: it goes on by itself, and nothing else goes."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import DaemonProcess, wait_until

pytestmark = pytest.mark.slow
KILLS = 3
EVENTS = 120


def furnish(daemon: DaemonProcess, camera_id: str, events: int) -> set[str]:
    """A camera whose events have a picture each; the pictures' paths."""
    body = {"camera_id": camera_id, "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    assert daemon.call("POST", "/api/v1/cameras/register", body)[0] == 201
    paths = set()
    for number in range(events):
        moment = f"2026-03-01T10:{number // 60:02}:{number % 60:02}"
        motion = {"camera_id": camera_id, "timestamp": moment, "motion_score": 1}
        event_id = daemon.call("POST", "/api/v1/events", motion)[1]["id"]
        path = f"{camera_id}/pictures/{event_id}_20260301_100000_a.jpg"
        (daemon.storage_root / path).parent.mkdir(parents=True, exist_ok=True)
        (daemon.storage_root / path).write_bytes(b"picture")
        told = {"file_type": "image_a", "file_path": path, "transferred": True}
        assert daemon.call("PATCH", f"/api/v1/events/{event_id}/files", told)[0] == 200
        paths.add(path)
    return paths


def pictures(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*.jpg")}


def test_killed_while_a_camera_goes(make_daemon: Callable[..., DaemonProcess]) -> None:
    daemon = make_daemon().start()
    going = furnish(daemon, "camera_1", EVENTS)
    staying = furnish(daemon, "camera_2", 10)
    assert daemon.call("DELETE", "/api/v1/cameras/camera_1?footage=true&force=true")[0] == 202
    chance = random.Random(11)
    left = []
    for _ in range(KILLS):
        wait_until(lambda: pictures(daemon.storage_root) != going | staying, seconds=60, what="it has begun")
        time.sleep(chance.uniform(0, 0.3))
        daemon.kill()
        left.append(len(pictures(daemon.storage_root)))
        daemon.start()
    wait_until(lambda: daemon.call("GET", "/api/v1/cameras/camera_1")[0] == 404, seconds=120, what="the camera is gone")
    assert pictures(daemon.storage_root) == staying
    status, page = daemon.call("GET", "/api/v1/events?limit=200")
    assert status == 200
    assert {event["image_a_path"] for event in page["events"]} == staying
    assert page["total"] == len(staying)
    print("files left at each kill:", left)
    # A kill was in the middle of it, not only before or after.
    assert any(len(staying) < count < len(going | staying) for count in left)
    assert daemon.stop() == 0
