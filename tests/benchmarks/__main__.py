"""``make bench``: how fast the API is with a million events and two million log lines.

One daemon with its embedded MariaDB and durable commits; the load shares the machine's cores with it.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import psutil

from tests.benchmarks.load import Case, Measured, found, measure
from tests.benchmarks.seed import Seed
from tests.benchmarks.seeded import seeded_daemon
from tests.harness import DaemonProcess

RESIDENT_LIMIT_MB = 90.0
READY_LIMIT_SECONDS = 3.0

_POST_EVENT = (
    'body = string.format(\'{"camera_id":"camera_%d","timestamp":"2026-0%d-%02dT%02d:%02d:%02d.%06d",'
    '"motion_score":1234.5,"confidence_score":61.5}\', 1 + n % 27, 1 + n % 9, 1 + n % 28, n % 24, n % 60,'
    " (n // 60) % 60, n % 1000000)".replace("//", "/")
)
_POST_LOGS = (
    "local lines = {} for i = 1, 100 do lines[i] = string.format("
    '\'{"source":"camera_%d","timestamp":"%s","level":"INFO","message":"Motion detector: frame %d processed,'
    ' score 1234.5, background updated"}\', 1 + n % 27, os.date("!%Y-%m-%dT%H:%M:%S.123456Z"), i) end'
    ' body = "[" .. table.concat(lines, ",") .. "]"'
)
_PATCH_FILES = (
    'path = string.format("/api/v1/events/%d/files", 1 + n % 900000)'
    ' body = \'{"file_type":"thumbnail","file_path":"camera_1/thumbs/1_20251028_143022_thumb.jpg","transferred":true}\''
)
_TODAY = 'path = "/api/v1/stats/timeline?step=hour&start=" .. os.date("!%Y-%m-%d")'
CASES = [
    Case("GET /health", "/api/v1/health", 4000),
    Case("GET /cameras (27)", "/api/v1/cameras", 2000),
    Case("GET /events?limit=50", "/api/v1/events?limit=50", 300),
    Case("GET /events?limit=50&camera_id=...", "/api/v1/events?limit=50&camera_id=camera_5", 300),
    Case("GET /events?limit=50&offset=500000", "/api/v1/events?limit=50&offset=500000", 200),
    Case("find: a category", "/api/v1/events?limit=24&category=animal", 50, p99_ms=100, finds=True),
    Case(
        "find: rare, of one camera",
        "/api/v1/events?limit=24&camera_id=camera_5&category=package",
        50,
        p99_ms=100,
        finds=True,
    ),
    Case("find: starred", "/api/v1/events?limit=24&starred=true", 50, p99_ms=100, finds=True),
    Case(
        "find: three things at once",
        "/api/v1/events?limit=24&status=failed&person=true&reviewed=true",
        20,
        p99_ms=200,
        finds=True,
    ),
    Case("find: nothing there", "/api/v1/events?limit=24&min_confidence=1", 20, p99_ms=200),
    Case("timeline: a day by the hour", "/api/v1/stats/timeline?start=today&step=hour", 100, p99_ms=50, lua=_TODAY),
    Case("search: a common word", "/api/v1/events?limit=24&q=person", 30, p99_ms=100, finds=True),
    Case("search: a word of one in 170", "/api/v1/events?limit=24&q=ladder", 30, p99_ms=100, finds=True),
    Case("search: a word of one in 1000", "/api/v1/events?limit=24&q=parcel", 30, p99_ms=100, finds=True),
    Case("search: a word of 50 events", "/api/v1/events?limit=24&q=1abc", 30, p99_ms=100, finds=True),
    Case("search: two words that seldom meet", "/api/v1/events?limit=24&q=ladder+parcel", 30, p99_ms=100, finds=True),
    Case(
        "search: a beginning, one camera",
        "/api/v1/events?limit=24&q=wheelb*&camera_id=camera_5",
        30,
        p99_ms=100,
        finds=True,
    ),
    Case("search: ranked", "/api/v1/events?limit=24&q=person+ladder&sort=rank", 20, p99_ms=200, finds=True),
    Case("GET /events/{id}", "/api/v1/events/1", 1200, lua='path = "/api/v1/events/" .. (1 + (n * 7919) % 1000000)'),
    Case("GET /logs?limit=100", "/api/v1/logs?limit=100", 400),
    Case("POST /events", "/api/v1/events", 700, "POST", lua=_POST_EVENT),
    Case("POST /logs, 100 lines", "/api/v1/logs", 350, "POST", lua=_POST_LOGS),
    Case("PATCH /events/{id}/files", "/api/v1/events/1/files", 700, "PATCH", lua=_PATCH_FILES),
]


def main() -> int:
    """Seed, measure, tell; 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="make bench BENCH_FLAGS=...", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--log-lines", type=int, default=2_000_000)
    parser.add_argument("--seconds", type=int, default=8, help="for each case")
    parser.add_argument("--only", help="cases whose name holds this")
    parser.add_argument("--keep", type=Path, help="a folder to keep the seeded database in, for further runs")
    parser.add_argument("--memory", action="store_true", help="show the daemon's memory after each case")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with seeded_daemon(Seed(arguments.events, arguments.log_lines), arguments.keep) as daemon:
        rows, facts = _run(daemon, arguments)
    if arguments.json:
        print(json.dumps({"cases": rows, **facts}, indent=2))
    missed = [row for row in rows if not row["reached"]]
    return 1 if missed or not facts["reached"] else 0


def _run(daemon: DaemonProcess, arguments: argparse.Namespace) -> tuple[list[dict[str, object]], dict[str, object]]:
    started = time.monotonic()
    daemon.start()
    ready = time.monotonic() - started
    rows: list[dict[str, object]] = []
    print(f"{'request':38}{'requests/s':>12}{'target':>9}{'median ms':>11}{'p99 ms':>9}", file=sys.stderr)
    for case in CASES:
        if arguments.only and arguments.only not in case.name:
            continue
        if case.finds and not found(daemon.url, case):
            raise RuntimeError(
                f"{case.name}: nothing was found; was the database of --keep seeded by an older version?"
            )
        measure(daemon.url, case, 1)
        seen = measure(daemon.url, case, arguments.seconds)
        rows.append(_row(case, seen))
        if arguments.memory:
            print(f"    resident {_resident_mb(daemon):.1f} MB", file=sys.stderr)
    resident = _resident_mb(daemon)
    print(f"ready after {ready:.1f} s with the database; resident {resident:.0f} MB", file=sys.stderr)
    return rows, {
        "ready_seconds": round(ready, 2),
        "resident_mb": round(resident, 1),
        "reached": ready <= READY_LIMIT_SECONDS and resident <= RESIDENT_LIMIT_MB,
    }


def _resident_mb(daemon: DaemonProcess) -> float:
    assert daemon.process is not None
    return float(psutil.Process(daemon.process.pid).memory_info().rss) / 1e6


def _row(case: Case, seen: Measured) -> dict[str, object]:
    reached = seen.requests_a_second >= case.target and seen.p99_ms < case.p99_ms and not seen.errors
    mark = "" if reached else "  <- missed" + (f", {seen.errors} errors" if seen.errors else "")
    print(
        f"{case.name:38}{seen.requests_a_second:12,.0f}{case.target:9,.0f}"
        f"{seen.median_ms:11.2f}{seen.p99_ms:9.2f}{mark}",
        file=sys.stderr,
    )
    return {
        "name": case.name,
        "requests_a_second": round(seen.requests_a_second, 1),
        "target": case.target,
        "median_ms": round(seen.median_ms, 2),
        "p99_ms": round(seen.p99_ms, 2),
        "errors": seen.errors,
        "reached": reached,
    }


if __name__ == "__main__":
    sys.exit(main())
