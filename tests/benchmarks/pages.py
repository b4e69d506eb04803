"""How long the server takes for each page: ``python -m tests.benchmarks.pages --keep FOLDER``.

One request at a time over one connection, as a person turns pages; the whole answer is read. ``--keep`` shares the
seeded database of ``make bench BENCH_FLAGS='--keep FOLDER'``.
"""

import argparse
import http.client
import statistics
import sys
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tests.benchmarks.seed import Seed
from tests.benchmarks.seeded import seeded_daemon
from tests.browser.pages import PAGES
from tests.harness import DaemonProcess

LIMIT_MS: Final = 30.0
LIMIT_BYTES: Final = 150_000
GALLERY: Final = (
    "/?date=today",
    "/?date=30days&limit=100",
    "/?camera_id=camera_5&camera_id=camera_7",
    "/?category=person&reviewed=no",
    "/?starred=yes",
    "/?person=no&min_confidence=0.9",
    f"/?q={quote('parked van')}",
    "/fragments/events?ids=" + ",".join(str(number) for number in range(1000, 1024)),
    "/fragments/cameras",
)


def main() -> int:
    """Seed, measure, tell; 1 when a page takes too long or is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=30, help="requests of each page")
    parser.add_argument("--keep", type=Path, help="a folder to keep the seeded database in")
    arguments = parser.parse_args()
    seed = Seed(arguments.events, 2 * arguments.events)
    with seeded_daemon(seed, arguments.keep) as daemon:
        return _run(daemon.start(), seed, arguments.turns)


def _run(daemon: DaemonProcess, seed: Seed, turns: int) -> int:
    paths = [path.format(event=seed.events // 2, camera="camera_5") for path in PAGES.values()]
    missed = 0
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    print(f"{'page':52}{'median ms':>11}{'largest ms':>12}{'kB':>8}")
    for path in (*paths, *GALLERY):
        taken, size = _measure(connection, path, turns)
        middle = statistics.median(taken)
        is_missed = middle > LIMIT_MS or size > LIMIT_BYTES
        missed += is_missed
        mark = "  <- missed" if is_missed else ""
        print(f"{path[:50]:52}{middle:11.1f}{max(taken):12.1f}{size / 1000:8.1f}{mark}")
    return 1 if missed else 0


def _measure(connection: http.client.HTTPConnection, path: str, turns: int) -> tuple[list[float], int]:
    taken, size = [], 0
    for turn in range(turns + 1):
        started = time.perf_counter()
        connection.request("GET", path, headers={"Accept": "text/html", "Accept-Encoding": "gzip"})
        response = connection.getresponse()
        size = len(response.read())
        if response.status not in {200, 404}:
            raise RuntimeError(f"{path}: {response.status}")
        if turn:  # the first one fills caches
            taken.append(1000 * (time.perf_counter() - started))
    return taken, size


if __name__ == "__main__":
    sys.exit(main())
