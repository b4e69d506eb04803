"""A daemon that has answered thousands of requests and converted clips holds no more than one that did some."""

import json
import re
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.chaos.agents import Clip, Wire, make_still, post_clip
from tests.chaos.conftest import MakeDaemon, unfinished_jobs
from tests.harness import DaemonProcess, wait_until

REQUESTS = 200
CONVERSIONS = 20
CREEP_BYTES = 6 * 1024 * 1024
"""What a heap may grow by without a leak: the daemon's own caches fill, and Python's allocator keeps arenas."""

# The daemon as it is, but that a signal makes it write down its tasks.
SITE = """
import asyncio, json, os, signal
def tell(*_):
    names = sorted(task.get_name() for task in asyncio.all_tasks(asyncio.get_running_loop()))
    with open("tasks.new", "w") as file:
        json.dump(names, file)
    os.replace("tasks.new", "tasks")
signal.signal(signal.SIGUSR1, tell)
"""


@dataclass(frozen=True)
class Holding:
    """What a process holds."""

    descriptors: list[str]
    threads: int
    tasks: list[str]
    children: list[str]
    resident_bytes: int


def look(daemon: DaemonProcess) -> Holding:
    """What the daemon holds now."""
    assert daemon.process is not None
    process = psutil.Process(daemon.process.pid)
    told = daemon.folder / "tasks"
    told.unlink(missing_ok=True)
    daemon.process.send_signal(signal.SIGUSR1)
    wait_until(told.exists, seconds=5, what="it tells its tasks")
    links = [Path(f"/proc/{process.pid}/fd/{number.name}") for number in Path(f"/proc/{process.pid}/fd").iterdir()]
    return Holding(
        # Kinds, not numbers: "socket", "pipe", and the paths of files.
        sorted(str(link.readlink()).partition(":[")[0] for link in links if link.is_symlink()),
        process.num_threads(),
        json.loads(told.read_text()),
        sorted(child.name() for child in process.children(recursive=True)),
        process.memory_info().rss,
    )


def at_rest(daemon: DaemonProcess) -> Holding:
    """What it holds when connections that were hung up have been noticed: no task of a connection is left."""

    def rested() -> Holding | None:
        now = look(daemon)
        of_requests = [name for name in now.tasks if re.fullmatch(r"Task-\d+", name) and name != "Task-1"]
        return None if of_requests else now

    found = wait_until(rested, seconds=20, what="it is at rest", every=0.2)
    assert isinstance(found, Holding)
    return found


def hang_up(port: int) -> None:
    """Begin a request and go away in the middle of its body."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")


def all_kinds(port: int, event_id: int, playable: str, still: str) -> list[Callable[[Wire], Any]]:
    """One function for each kind of request."""
    event = {"camera_id": "camera_1", "timestamp": "2026-03-02T10:00:00", "motion_score": 1.0}
    line = {"source": "camera_1", "timestamp": "2026-03-02T10:00:00", "level": "INFO", "message": "hello"}
    camera = {"camera_id": "camera_1", "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    picture = {"file_type": "thumbnail", "file_path": still, "transferred": True}
    sent: list[tuple[str, str, Any]] = [
        *(
            ("GET", path, None)
            for path in (
                "/api/v1/health",
                "/api/v1/health/report",
                "/api/v1/cameras",
                "/api/v1/cameras/camera_1",
                "/api/v1/cameras/camera_1/stats",
                "/api/v1/cameras/nobody",
                "/api/v1/events",
                "/api/v1/events?camera_id=camera_1&date=today",
                "/api/v1/events?limit=0",
                f"/api/v1/events/{event_id}",
                f"/api/v1/events/{event_id}/jobs",
                "/api/v1/events/999999",
                "/api/v1/logs",
                "/api/v1/stats",
                "/api/v1/stats/cameras",
                "/api/v1/tasks",
                "/api/v1/nothing",
                "/",
                f"/events/{event_id}",
                "/docs",
                "/openapi.json",
                f"/media/{playable}",
                f"/media/{still}",
                "/media/camera_1/videos/none.mp4",
            )
        ),
        ("POST", "/api/v1/cameras/register", camera),
        ("POST", "/api/v1/events", event),
        ("POST", "/api/v1/events", {"camera_id": "camera_1"}),
        ("PATCH", f"/api/v1/events/{event_id}/files", picture),
        ("PATCH", f"/api/v1/events/{event_id}/status", {"status": "complete"}),
        ("POST", "/api/v1/logs", [line] * 20),
        ("POST", "/api/v1/logs", []),
    ]

    def sends(method: str, path: str, body: Any) -> Callable[[Wire], Any]:
        return lambda wire: wire.send(method, path, body)

    return [*(sends(*each) for each in sent), lambda _: hang_up(port)]


@pytest.mark.slow
def test_nothing_is_held_after_requests_and_conversions(
    make_daemon: MakeDaemon, clips: list[Clip], place: Path
) -> None:
    place.joinpath("sitecustomize.py").write_text(SITE)
    daemon = make_daemon(
        PYTHONPATH=str(place), SECURITYCAMD_ANALYSER__ENABLED="false", SECURITYCAMD_LOGGING__LEVEL="WARNING"
    ).start()
    assert daemon.process is not None
    numbers = iter(range(1000))

    def convert(count: int) -> None:
        for _ in range(count):
            post_clip(daemon.port, daemon.storage_root, clips[0], number=next(numbers))
        wait_until(lambda: not unfinished_jobs(daemon, "remux"), seconds=60, what="the clips are converted")

    convert(4)
    event_id = post_clip(daemon.port, daemon.storage_root, clips[0], number=next(numbers))
    wait_until(lambda: not unfinished_jobs(daemon, "remux"), seconds=20, what="the clip is converted")
    still = "camera_1/pictures/still.jpg"
    daemon.storage_root.joinpath("camera_1/pictures").mkdir(exist_ok=True)
    daemon.storage_root.joinpath(still).write_bytes(make_still())
    playable = daemon.call("GET", f"/api/v1/events/{event_id}")[1]["video_mp4_path"]
    kinds = all_kinds(daemon.port, event_id, playable, still)

    def requests(count: int) -> None:
        kept = Wire(daemon.port)
        for number in range(count):
            # One connection after another as well as one that stays.
            wire = kept if number % 2 else Wire(daemon.port)
            for kind in kinds:
                kind(wire)
            if wire is not kept:
                wire.close()
        kept.close()

    # From many sides at once: then all the threads and pooled connections are there that there may be.
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(requests, [4] * 16))
    before = at_rest(daemon)
    requests(REQUESTS)
    convert(CONVERSIONS)
    now = at_rest(daemon)
    assert now.descriptors == before.descriptors
    assert (now.threads, now.tasks, now.children) == (before.threads, before.tasks, before.children)
    grown = now.resident_bytes - before.resident_bytes
    print(f"{len(kinds)} kinds; resident {before.resident_bytes / 2**20:.1f} MB, then {grown / 2**20:+.1f} MB")
    print(f"{len(now.descriptors)} descriptors, {now.threads} threads, tasks {now.tasks}")
    assert grown < CREEP_BYTES
    assert not [name for name in now.children if name != "mariadbd"]
    requests(REQUESTS // 4)
    again = at_rest(daemon).resident_bytes - now.resident_bytes
    print(f"and {again / 2**20:+.1f} MB with a quarter as many again")
    assert again < CREEP_BYTES / 2
    assert daemon.stop() == 0
