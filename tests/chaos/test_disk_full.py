"""A small file system that agents fill: the floor makes room in time; without one nothing crashes, no row is lost."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.footage import Footage
from tests.harness import DaemonProcess, wait_until

MB = 1_000_000
DISK_BYTES = 64 * MB

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of 64 MB."""
    folder = place / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield folder / "footage"
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@dataclass
class Writer:
    """An agent that delivers pictures as fast as it is told, and says so."""

    daemon: DaemonProcess
    megabytes_a_second: float
    written: int = 0
    failures: list[str] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    made: list[int] = field(default_factory=list)

    def run(self, seconds: float, *, enough_bytes: float = float("inf")) -> None:
        start = time.monotonic()
        first = datetime.now(UTC) - timedelta(hours=5)
        while (passed := time.monotonic() - start) < seconds and self.written < enough_bytes:
            if self.written > passed * self.megabytes_a_second * MB:
                time.sleep(0.005)
                continue
            moment = first + timedelta(seconds=len(self.made))
            body = {"camera_id": "camera_1", "timestamp": moment.isoformat(), "motion_score": 1.0}
            status, told = self.call("POST", "/api/v1/events", body)
            assert status == 201, told
            self.made.append(told["id"])
            path = f"camera_1/pictures/{told['id']}_20260301_100000_a.jpg"
            try:
                (self.daemon.storage_root / path).write_bytes(bytes(MB))
            except OSError as error:
                self.failures.append(str(error))
                time.sleep(0.05)
                continue
            self.written += MB
            file = {"file_type": "image_a", "file_path": path, "transferred": True}
            assert self.call("PATCH", f"/api/v1/events/{told['id']}/files", file)[0] == 200

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        began = time.monotonic()
        answer = self.daemon.call(method, path, body)
        self.delays.append(time.monotonic() - began)
        return answer


def start(make_daemon: Callable[..., DaemonProcess], disk: Path, **settings: str) -> DaemonProcess:
    disk.mkdir()
    daemon = make_daemon(storage_root=disk, **{"SECURITYCAMD_RETENTION__ENABLED": "true"} | settings).start()
    camera = {"camera_id": "camera_1", "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    assert daemon.call("POST", "/api/v1/cameras/register", camera)[0] == 201
    for kind in ("pictures", "videos", "thumbs"):
        (disk / "camera_1" / kind).mkdir(parents=True, exist_ok=True)
    return daemon


@pytest.mark.parametrize("megabytes_a_second", [4, 10])
def test_the_floor_makes_room_before_the_disk_is_full(
    make_daemon: Callable[..., DaemonProcess], small_disk: Path, megabytes_a_second: int
) -> None:
    # 4 MB/s fill what is above the floor in 12 s, and the floor in 4 s; a round comes every 30 s.
    daemon = start(make_daemon, small_disk, SECURITYCAMD_RETENTION__FREE_FLOOR_GIGABYTES="0.016")
    writer = Writer(daemon, megabytes_a_second)
    lowest = [DISK_BYTES]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            found = os.statvfs(small_disk)
            lowest.append(found.f_bavail * found.f_frsize)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        writer.run(60, enough_bytes=0.4 * megabytes_a_second * DISK_BYTES)
    finally:
        done.set()
        watching.join()
    assert writer.failures == []
    assert writer.written > 0.39 * megabytes_a_second * DISK_BYTES
    assert min(lowest) > 0
    delays = sorted(writer.delays)
    print(
        f"lowest free {min(lowest) / MB:.1f} MB, {writer.written / MB:.0f} MB written,"
        f" p50 {delays[len(delays) // 2] * 1000:.1f} ms, p99 {delays[int(len(delays) * 0.99)] * 1000:.1f} ms"
    )
    # The oldest went, the newest are there, each with its file.
    wait_until(lambda: os.statvfs(small_disk).f_bavail * 4096 >= 16 * MB, seconds=10, what="there is room again")

    def left() -> list[int]:
        return [event["id"] for event in daemon.call("GET", "/api/v1/events?limit=200")[1]["events"]]

    def there() -> set[int]:
        return {int(path.name.partition("_")[0]) for path in (small_disk / "camera_1" / "pictures").glob("*.jpg")}

    wait_until(lambda: set(left()) == there(), seconds=10, what="rows and files agree")
    found = left()
    assert found == writer.made[: -len(found) - 1 : -1]
    assert daemon.is_healthy()
    assert daemon.stop() == 0


def test_a_full_disk_harms_neither_daemon_nor_rows(
    make_daemon: Callable[..., DaemonProcess], small_disk: Path, footage: Footage
) -> None:
    daemon = start(make_daemon, small_disk, SECURITYCAMD_RETENTION__FREE_FLOOR_GIGABYTES="0")
    clip = footage.clip(seconds=1.0).read_bytes()
    body = {"camera_id": "camera_1", "timestamp": "2026-03-01T10:00:00", "motion_score": 1.0}
    event_id = daemon.call("POST", "/api/v1/events", body)[1]["id"]
    path = f"camera_1/videos/{event_id}_20260301_100000_video.h264"
    (small_disk / path).write_bytes(clip)
    filler = small_disk.parent / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(65536)):
                pass
        except OSError:
            pass
    told = {"file_type": "video", "file_path": path, "transferred": True, "video_duration": 1.0}
    assert daemon.call("PATCH", f"/api/v1/events/{event_id}/files", told)[0] == 200

    def job() -> Any:
        return daemon.call("GET", f"/api/v1/events/{event_id}/jobs")[1][0]

    wait_until(lambda: job()["last_error"], seconds=20, what="the conversion met the full disk")
    assert job()["last_error"] == "The footage storage is full."
    assert (job()["state"], job()["attempts"]) == ("queued", 0)
    writer = Writer(daemon, 1)
    writer.run(2)
    assert writer.failures
    assert daemon.call("GET", "/api/v1/events")[1]["total"] == 1 + len(writer.made)
    assert (small_disk / path).read_bytes() == clip
    filler.unlink()

    def status() -> str:
        return str(daemon.call("GET", f"/api/v1/events/{event_id}")[1]["mp4_conversion_status"])

    wait_until(lambda: status() == "complete", seconds=30, what="the clip is converted once there is room")
    assert not list(small_disk.rglob(".*.tmp"))
    assert daemon.call("GET", "/api/v1/events")[1]["total"] == 1 + len(writer.made)
    assert not [line for line in daemon.log_lines() if line.get("event") == "task died"]
    assert daemon.stop() == 0
