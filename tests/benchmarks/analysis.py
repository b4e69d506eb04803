"""``python -m tests.benchmarks.analysis``: what the daemon adds to the work of the models.

Three questions: how long two 1080p stills take to be made ready on one core; how much time of its own the daemon
spends on an analysis besides that (reading the stills, the queue, the database); and whether 10,000 analyses in the
queue, with the analyser at work on them, make the API slower. The models are a stand-in that answers at once, or after
a moment, and notes when it was asked and when it had answered.
"""

import argparse
import asyncio
import http.client
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from securitycamd.ai.stills import prepare_stills
from tests.ai.conftest import jpeg
from tests.benchmarks.seed import run_sql
from tests.harness import DaemonProcess, wait_until
from tests.ollama_server import OllamaServer, Reply

STILLS_LIMIT_MS = 150.0
OWN_LIMIT_MS = 50.0
LATENCY_RATIO_LIMIT = 1.25
"""What "no measurable latency" means where two runs of the same differ by a tenth."""
REQUESTS = ("/api/v1/health", "/api/v1/events?limit=50", "/api/v1/events/1", "/api/v1/stats")


@dataclass(frozen=True)
class Result:
    """A figure and what it must reach."""

    name: str
    value: float
    limit: float
    unit: str

    @property
    def reached(self) -> bool:
        return self.value <= self.limit


class TimedServer(OllamaServer):
    """The stand-in, which notes when each question came and when it had been answered."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[tuple[bool, float, float]] = []
        """Whether it was about pictures, when it came, when the answer was gone."""

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        came = time.perf_counter()
        response = await super()._chat(request)
        self.times.append((bool(self.chats[-1].images), came, time.perf_counter()))
        return response


def stills_ms(pair: tuple[bytes, bytes], rounds: int) -> tuple[float, float]:
    """Wall and processor time of making a pair ready, medians."""
    walls, works = [], []
    for _ in range(rounds):
        wall, work = time.perf_counter(), time.thread_time()
        prepare_stills(pair)
        walls.append(time.perf_counter() - wall)
        works.append(time.thread_time() - work)
    return statistics.median(walls) * 1000, statistics.median(works) * 1000


def add_events(daemon: DaemonProcess, number: int, stills: tuple[bytes, bytes], first: int = 0) -> None:
    """Events whose stills lie on the share, told over HTTP."""
    camera = {"camera_id": "camera_1", "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    daemon.call("POST", "/api/v1/cameras/register", camera)
    folder = daemon.storage_root / "camera_1" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for count in range(first, first + number):
        timestamp = f"2026-03-01T{count // 3600:02}:{count // 60 % 60:02}:{count % 60:02}"
        body = {"camera_id": "camera_1", "timestamp": timestamp, "motion_score": 1}
        event_id = daemon.call("POST", "/api/v1/events", body)[1]["id"]
        for letter, content in zip("ab", stills, strict=True):
            path = f"camera_1/pictures/{event_id}_{letter}.jpg"
            (daemon.storage_root / path).write_bytes(content)
            file = {"file_type": f"image_{letter}", "file_path": path, "transferred": True}
            daemon.call("PATCH", f"/api/v1/events/{event_id}/files", file)


def own_ms(daemon: DaemonProcess, server: TimedServer, stills: tuple[bytes, bytes], number: int) -> float:
    """From one answer to the next question: all that the daemon does between and beside, median of an analysis."""
    assert daemon.call("POST", "/api/v1/tasks/analyser/pause")[0] == 200
    add_events(daemon, number, stills)
    server.times.clear()
    assert daemon.call("POST", "/api/v1/tasks/analyser/resume")[0] == 200
    wait_until(lambda: len(server.times) == 2 * number, seconds=300, what="all are described")
    gaps = []
    for before, vision, text in zip(server.times[1::2], server.times[2::2], server.times[3::2], strict=False):
        assert vision[0]
        assert not text[0]
        gaps.append((vision[1] - before[2]) + (text[1] - vision[2]))
    return statistics.median(gaps) * 1000


def latencies(daemon: DaemonProcess, rounds: int) -> list[float]:
    """Milliseconds of each request, on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    seen = []
    for count in range(rounds):
        started = time.perf_counter()
        connection.request("GET", REQUESTS[count % len(REQUESTS)])
        connection.getresponse().read()
        seen.append((time.perf_counter() - started) * 1000)
    connection.close()
    return seen


def queue_many(daemon: DaemonProcess, number: int) -> None:
    """Events with an analysis in the queue each, past the API."""
    run_sql(
        daemon.folder / "state" / "mariadb" / "mariadbd.sock",
        "securitycam",
        [
            (
                "INSERT INTO events (camera_id, timestamp, motion_score, status, image_a_transferred,"
                " image_b_transferred, image_a_path, image_b_path, mp4_conversion_status, created_at)"
                " SELECT 'camera_1', '2025-01-01' + INTERVAL seq SECOND, 1, 'complete', 1, 1,"
                " 'camera_1/pictures/1_a.jpg', 'camera_1/pictures/1_b.jpg', 'pending', UTC_TIMESTAMP(6)"
                f" FROM seq_1_to_{number}"
            ),
            (
                "INSERT INTO jobs (event_id, kind, state, run_after, created_at, updated_at)"
                " SELECT id, 'analyse', 'queued', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM events"
                " WHERE timestamp < '2025-12-31'"
            ),
        ],
    )


def main() -> int:
    """Measure and tell; 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.analysis", description=__doc__)
    parser.add_argument("--analyses", type=int, default=60)
    parser.add_argument("--queued", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    stills = (jpeg(1920, 1080), jpeg(1920, 1080))
    wall_ms, work_ms = stills_ms(stills, 15)
    results = [Result("two 1080p stills, one core", work_ms, STILLS_LIMIT_MS, "ms")]
    folder = Path(tempfile.mkdtemp(prefix="scd-bench-"))
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    server = TimedServer()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    daemon = DaemonProcess(folder, folder / "footage", {"SECURITYCAMD_ANALYSER__URL": server.url})
    (folder / "footage").mkdir()
    try:
        daemon.start()
        total_ms = own_ms(daemon, server, stills, arguments.analyses)
        results.append(Result("own time of an analysis", max(0.0, total_ms - wall_ms), OWN_LIMIT_MS, "ms"))
        before = latencies(daemon, arguments.requests)
        server.always = Reply(delay_seconds=0.2)
        queue_many(daemon, arguments.queued)
        after = latencies(daemon, arguments.requests)
        waiting = daemon.call("GET", "/api/v1/ai")[1]["backlog"]["waiting"]
        ratio = statistics.median(after) / statistics.median(before)
        results.append(Result(f"API median with {waiting} queued, to without", ratio, LATENCY_RATIO_LIMIT, ""))
    finally:
        daemon.stop(seconds=60)
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        shutil.rmtree(folder, ignore_errors=True)
    facts: dict[str, Any] = {
        "stills_wall_ms": round(wall_ms, 1),
        "latency_ms": {
            name: {"median": round(statistics.median(seen), 2), "p99": round(statistics.quantiles(seen, n=100)[98], 2)}
            for name, seen in (("without", before), ("with", after))
        },
        "load": [round(each, 1) for each in os.getloadavg()],
    }
    if arguments.json:
        print(
            json.dumps({"results": [asdict(each) | {"reached": each.reached} for each in results], **facts}, indent=2)
        )
    else:
        for each in results:
            verdict = "reached" if each.reached else "MISSED"
            print(f"{each.name:<48} {each.value:8.2f} {each.unit:<3} (at most {each.limit:g})  {verdict}")
        print(facts)
    return 0 if all(each.reached for each in results) else 1


if __name__ == "__main__":
    sys.exit(main())
