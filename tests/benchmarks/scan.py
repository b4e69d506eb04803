"""``python -m tests.benchmarks.scan``: how long a scan of all footage takes, and what the API's callers feel of it.

A real daemon with its embedded database; a share of so many files whose events know them, and some that nobody
reported. While the scan runs, callers ask for the newest events.
"""

import argparse
import http.client
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from tests.benchmarks.seed import run_sql
from tests.harness import DaemonProcess, wait_until

SECONDS_LIMIT = 20.0
P99_LIMIT_MS = 50.0
CALLERS = 2
PAUSE_SECONDS = 0.01
CAMERAS = 4
FILES_AN_EVENT = 4
UNREPORTED_EVERY = 50
"""Of so many events one had an agent that fell silent."""
START = "2026-03-01 10:00:00"
ENVIRONMENT = {
    "SECURITYCAMD_SITE__TIME_ZONE": "UTC",
    "SECURITYCAMD_ANALYSER__ENABLED": "false",
    # What comes of the links is not what is measured here.
    "SECURITYCAMD_CONVERTER__ENABLED": "false",
}


def make_events_sql(events: int) -> list[str]:
    """Events a second apart, all but the unreported ones with the paths of :func:`make_share`."""
    stem = f"seq, '_', DATE_FORMAT('{START}' + INTERVAL seq SECOND, '%Y%m%d_%H%i%s'), '_"
    camera = f"CONCAT('camera_', 1 + seq % {CAMERAS})"
    told = f"seq % {UNREPORTED_EVERY} <> 0"

    def path(folder: str, end: str) -> str:
        return f"IF({told}, CONCAT({camera}, '/{folder}/', {stem}{end}'), NULL)"

    cameras = (
        "INSERT IGNORE INTO cameras (camera_id, name, location, ip_address, last_seen, created_at, updated_at)"
        f" SELECT {camera}, 'Camera', 'Garden', '127.0.0.1', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)"
        f" FROM seq_1_to_{CAMERAS}"
    )
    rows = (
        "INSERT INTO events (id, camera_id, timestamp, motion_score, status, image_a_path, image_b_path,"
        " thumbnail_path, video_mp4_path, image_a_transferred, image_b_transferred, thumbnail_transferred,"
        " video_transferred, mp4_conversion_status, ai_processed, created_at)"
        f" SELECT seq, {camera}, '{START}' + INTERVAL seq SECOND, 5, 'complete', {path('pictures', 'a.jpg')},"
        f" {path('pictures', 'b.jpg')}, {path('thumbs', 'thumb.jpg')}, {path('videos', 'video.mp4')},"
        f" {told}, {told}, {told}, {told}, IF({told}, 'complete', 'pending'), 1, UTC_TIMESTAMP(6)"
        f" FROM seq_1_to_{events}"
    )
    return [cameras, rows]


def seed_events(daemon: DaemonProcess, events: int) -> None:
    """Put them into a running daemon's database."""
    run_sql(daemon.folder / "state/mariadb/mariadbd.sock", "securitycam", make_events_sql(events))


def make_share(root: Path, events: int) -> int:
    """The files of those events, in a site whose zone is UTC; how many nobody reported."""
    start = datetime.fromisoformat(f"{START}+00:00").timestamp()
    for camera in range(1, CAMERAS + 1):
        for folder in ("pictures", "thumbs", "videos"):
            (root / f"camera_{camera}" / folder).mkdir(parents=True, exist_ok=True)
    unreported = 0
    for number in range(1, events + 1):
        is_told = number % UNREPORTED_EVERY != 0
        stamp = time.strftime("%Y%m%d_%H%M%S", time.gmtime(start + number))
        for folder, end in (
            ("pictures", "a.jpg"),
            ("pictures", "b.jpg"),
            ("thumbs", "thumb.jpg"),
            ("videos", "video.mp4" if is_told else "video.h264"),
        ):
            target = root / f"camera_{1 + number % CAMERAS}" / folder / f"{number}_{stamp}_{end}"
            target.write_bytes(b"x")
            os.utime(target, (start + number, start + number))
        unreported += 0 if is_told else FILES_AN_EVENT
    return unreported


class Callers:
    """Ask for the newest events again and again, until told to stop."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ended = threading.Event()
        self.milliseconds: list[float] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(CALLERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._ended.wait(PAUSE_SECONDS):
            began = time.perf_counter()
            connection.request("GET", "/api/v1/events?limit=20")
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            self.milliseconds.append((time.perf_counter() - began) * 1000)
        connection.close()

    def p99(self) -> float:
        """In milliseconds."""
        return statistics.quantiles(self.milliseconds, n=100)[98]


@dataclass(frozen=True)
class ScanResult:
    """What was measured."""

    files: int
    linked: int
    seconds: float
    quiet_p99_ms: float
    scan_p99_ms: float
    scan_max_ms: float
    calls: int
    reached: bool


def scan_line(daemon: DaemonProcess) -> Any:
    """What the daemon logged of its last scan; ``None`` before the first."""
    lines = [line for line in daemon.log_lines() if line["event"] == "footage scanned"]
    return lines[-1] if lines else None


def measure(daemon: DaemonProcess, files: int) -> ScanResult:
    """Have everything scanned while callers ask."""
    with Callers(daemon.port) as quiet:
        time.sleep(3)
    with Callers(daemon.port) as busy:
        status, _ = daemon.call("POST", "/api/v1/tasks/linker/run-now")
        assert status == 200
        line = wait_until(lambda: scan_line(daemon), seconds=600, what="the scan ends", every=0.2)
    p99 = busy.p99()
    return ScanResult(
        files=line["files"],
        linked=line["linked"],
        seconds=line["seconds"],
        quiet_p99_ms=round(quiet.p99(), 1),
        scan_p99_ms=round(p99, 1),
        scan_max_ms=round(max(busy.milliseconds), 1),
        calls=len(busy.milliseconds),
        reached=line["files"] == files and line["seconds"] <= SECONDS_LIMIT and p99 <= P99_LIMIT_MS,
    )


def main() -> int:
    """Measure and print; whether the targets were reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    events = parser.parse_args().files // FILES_AN_EVENT
    with tempfile.TemporaryDirectory(prefix="scan-") as name:
        folder = Path(name)
        root = folder / "footage"
        make_share(root, events)
        daemon = DaemonProcess(folder / "daemon", root, environment=dict(ENVIRONMENT)).start()
        try:
            seed_events(daemon, events)
            result = measure(daemon, events * FILES_AN_EVENT)
        finally:
            daemon.stop()
    print(json.dumps(asdict(result), indent=1))
    return 0 if result.reached else 1


if __name__ == "__main__":
    sys.exit(main())
