"""A real file system that stops answering: its server, a process, is stopped and later goes on."""

import http.client
import shutil
import signal
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.agents import Clip, Wire, post_clip
from tests.chaos.conftest import MakeDaemon
from tests.harness import DaemonProcess, wait_until

pytestmark = pytest.mark.slow
CRITICAL_SECONDS = 10.0
ANSWER_SECONDS = 0.2
FILE_SECONDS = 4.0
"""``storage.file_timeout_seconds``."""
BIG_BYTES = 48 * 1024 * 1024
BIG = "camera_1/videos/1_big.mp4"


@dataclass
class Mount:
    """A file system in user space, a mirror of a folder."""

    point: Path
    server: "subprocess.Popen[bytes]"

    def hang(self) -> None:
        self.server.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.server.send_signal(signal.SIGCONT)


@pytest.fixture
def mount(place: Path) -> Iterator[Mount]:
    """Where file systems in user space can be mounted."""
    if shutil.which("bindfs") is None or not Path("/dev/fuse").exists():
        pytest.skip("needs bindfs and /dev/fuse")
    behind, point = place / "behind", place / "mount"
    behind.mkdir()
    point.mkdir()
    # Nothing of it is remembered by the kernel: what is asked is asked of the process.
    options = "attr_timeout=0,entry_timeout=0"
    server = subprocess.Popen(["bindfs", "-f", "-o", options, behind, point], stdin=subprocess.DEVNULL)
    try:
        if not wait_until(lambda: point.is_mount() or server.poll() is not None, seconds=10, what="it is mounted"):
            raise AssertionError
        if server.poll() is not None:
            pytest.skip("file systems cannot be mounted here")
        yield Mount(point, server)
    finally:
        server.send_signal(signal.SIGCONT)
        with suppress(subprocess.CalledProcessError):
            subprocess.run(["umount", "--lazy", point], check=True)
        server.wait(10)


@dataclass
class Asker:
    """Asks the same again and again, and notes how long each answer took."""

    port: int
    asks: dict[str, Callable[[Wire], tuple[int, ...]]]
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    critical_at: float | None = None

    def run(self, seconds: float) -> None:
        wire = Wire(self.port)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for name, ask in self.asks.items():
                began = time.monotonic()
                ask(wire)
                self.seconds[name].append(time.monotonic() - began)
            self._look(wire)
            time.sleep(0.05)
        wire.close()

    def _look(self, wire: Wire) -> None:
        report = wire.send("GET", "/api/v1/health/report").body
        (storage,) = [finding for finding in report["findings"] if finding["rule"] == "storage"]
        if storage["level"] == "critical" and self.critical_at is None:
            self.critical_at = time.monotonic()


def get(path: str, *expected: int, accept: str = "*/*") -> Callable[[Wire], tuple[int, ...]]:
    def ask(wire: Wire) -> tuple[int, ...]:
        reply = wire.send("GET", path, headers={"Accept": accept})
        assert reply.status in expected, (path, reply)
        if reply.status == 503:
            assert reply.body["detail"].startswith("The footage storage does not answer"), reply.body
        return (reply.status,)

    return ask


def events(wire: Wire) -> Any:
    return wire.send("GET", "/api/v1/events").body["events"]


def begin_download(port: int, stack: ExitStack) -> http.client.HTTPResponse:
    """Ask for a large file and read only its first bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    stack.callback(connection.close)
    connection.request("GET", f"/media/{BIG}")
    response = stack.enter_context(connection.getresponse())
    assert response.status == 200
    assert len(response.read(1000)) == 1000
    return response


def how_it_ended(response: http.client.HTTPResponse) -> tuple[int, float]:
    """How many more bytes came of a download that does not come to its end, and how long that took."""
    began, size_bytes = time.monotonic(), 0
    try:
        while piece := response.read1(65536):
            size_bytes += len(piece)
    except (http.client.IncompleteRead, ConnectionError):
        pass
    return size_bytes, time.monotonic() - began


def start(make_daemon: MakeDaemon, mount: Mount) -> DaemonProcess:
    return make_daemon(
        storage_root=mount.point / "footage",
        SECURITYCAMD_STORAGE__FILE_TIMEOUT_SECONDS=str(FILE_SECONDS),
        SECURITYCAMD_RETENTION__ENABLED="true",
    ).start()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is to be closed in the end."""
    with ExitStack() as stack:
        yield stack


def test_api_and_pages_answer_while_the_storage_hangs(
    make_daemon: MakeDaemon, mount: Mount, clips: list[Clip], stack: ExitStack
) -> None:
    daemon = start(make_daemon, mount)
    wire = Wire(daemon.port)
    stack.callback(wire.close)
    first = post_clip(daemon.port, daemon.storage_root, clips[0])

    def status_of(event_id: int) -> str:
        return str(daemon.call("GET", f"/api/v1/events/{event_id}")[1]["mp4_conversion_status"])

    wait_until(lambda: status_of(first) == "complete", seconds=30, what="a clip is converted")
    playable = daemon.call("GET", f"/api/v1/events/{first}")[1]["video_mp4_path"]
    (daemon.storage_root / BIG).write_bytes(bytes(BIG_BYTES))
    downloads = [begin_download(daemon.port, stack) for _ in range(6)]  # more than there are file threads

    mount.hang()
    hung_at = time.monotonic()
    moments = iter(range(10**6))

    def post(other: Wire) -> tuple[int, ...]:
        body = {"camera_id": "camera_1", "timestamp": f"2026-03-01T10:00:00.{next(moments):06}", "motion_score": 1.0}
        reply = other.send("POST", "/api/v1/events", body)
        assert reply.status == 201, reply
        path = f"camera_1/videos/{reply.body['id']}_video.h264"
        report = {"file_type": "video", "file_path": path, "transferred": True}
        told = other.send("PATCH", f"/api/v1/events/{reply.body['id']}/files", report)
        assert told.status == 200, told
        return (201, 200)

    asker = Asker(
        daemon.port,
        {
            "post an event and report its clip": post,
            "events": get("/api/v1/events", 200),
            "event": get(f"/api/v1/events/{first}", 200),
            "health": get("/api/v1/health", 200),
            "storage": get("/api/v1/storage", 200),
            "retention": get("/api/v1/retention", 200),
            "statistics": get("/api/v1/stats", 200),
            "gallery": get("/", 200, accept="text/html"),
            "event page": get(f"/events/{first}", 200, accept="text/html"),
            "storage page": get("/retention", 200, accept="text/html"),
            "clip": get(f"/media/{playable}", 200, 503),
            "upload's progress": get(f"/api/v1/events/{first}/files/image_a", 200, 503),
        },
    )
    asker.run(16)
    medians = {name: statistics.median(found) for name, found in asker.seconds.items()}
    print({name: f"{value * 1000:.0f} of {len(asker.seconds[name])}" for name, value in medians.items()}, "ms")
    print({name: f"{max(found):.1f}" for name, found in asker.seconds.items()}, "s at the most")
    assert min(map(len, asker.seconds.values())) >= 5
    assert max(medians.values()) < ANSWER_SECONDS, medians
    assert max(max(found) for found in asker.seconds.values()) < FILE_SECONDS + 3
    assert asker.critical_at is not None, "the health report does not tell"
    print(f"critical after {asker.critical_at - hung_at:.1f} s")
    assert asker.critical_at - hung_at < CRITICAL_SECONDS
    for name in ("event page", "storage page", "gallery", "retention", "statistics"):
        assert max(asker.seconds[name]) < FILE_SECONDS - 1, name
    # The downloads were given up, each in its time, though their readers had not got all; none came whole.
    for response in downloads:
        size_bytes, seconds = how_it_ended(response)
        assert size_bytes < BIG_BYTES - 1000
        assert seconds < 1
    storage = daemon.call("GET", "/api/v1/storage")[1]
    assert (storage["condition"], storage["sentence"]) == ("unreachable", "The footage storage does not answer.")

    mount.go_on()
    wait_until(
        lambda: daemon.call("GET", "/api/v1/storage")[1]["condition"] == "ok", seconds=15, what="the storage is back"
    )
    wait_until(lambda: daemon.is_healthy() and not _problems(daemon), seconds=20, what="health says so")
    with (daemon.storage_root / playable).open("rb") as file:
        assert wire.send("GET", f"/media/{playable}").status == 200
        assert file.read(8)
    second = post_clip(daemon.port, daemon.storage_root, clips[0], number=1)
    wait_until(lambda: status_of(second) == "complete", seconds=60, what="a new clip is converted")
    wait_until(lambda: not _open_files(daemon), seconds=15, what="what was read is closed")
    assert daemon.stop() == 0


def _problems(daemon: DaemonProcess) -> list[str]:
    return [name for name in daemon.call("GET", "/api/v1/health")[1]["problems"] if name == "storage"]


def _open_files(daemon: DaemonProcess) -> list[str]:
    """Clips that the daemon has open."""
    assert daemon.process is not None
    found = []
    for link in Path(f"/proc/{daemon.process.pid}/fd").iterdir():
        with suppress(OSError):
            found.append(str(link.readlink()))
    return [path for path in found if path.endswith(".mp4")]
