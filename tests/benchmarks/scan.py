"""``python -m tests.benchmarks.scan``: a walk over 100,000 files, and what the loop and the guard feel of it."""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from securitycamd.storage import Files, StorageGuard, find_for_event, scan

SCAN_LIMIT_SECONDS = 20.0
LATENESS_LIMIT_MS = 25.0
TICK_SECONDS = 0.002


def make(root: Path, files: int, cameras: int) -> None:
    """Events with two pictures, a thumbnail and a video each, all cameras alike."""
    kinds = (("pictures", "a.jpg"), ("pictures", "b.jpg"), ("thumbs", "thumb.jpg"), ("videos", "video.mp4"))
    for camera in range(cameras):
        for kind in ("pictures", "thumbs", "videos"):
            (root / f"camera_{camera}" / kind).mkdir(parents=True)
    for event in range(files // len(kinds)):
        for kind, end in kinds:
            (root / f"camera_{event % cameras}" / kind / f"{event + 1}_20251028_143022_{end}").touch()


async def lateness(stop: asyncio.Event) -> list[float]:
    """How late the loop wakes a sleeper, in seconds."""
    late = []
    while not stop.is_set():
        due = time.perf_counter() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        late.append(time.perf_counter() - due)
    return late


def p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98] * 1000


async def measure(root: Path, files: int) -> bool:
    storage = Files(root, threads=4, timeout_seconds=10)
    guard = storage.guard = StorageGuard(storage, "benchmark")
    await guard.establish(adopt=True)

    async def quiet() -> int:
        await asyncio.sleep(3)
        return files

    async def walk() -> int:
        return sum([len(batch) async for batch in scan(storage)])

    results = {}
    for name, work in (("quiet", quiet), ("scan", walk)):
        stop = asyncio.Event()
        sleeper = asyncio.create_task(lateness(stop))
        started = time.perf_counter()
        count = await work()
        seconds = time.perf_counter() - started
        stop.set()
        results[name] = seconds, p99(await sleeper)
        print(f"{name}: {count} files, {seconds:.2f} s, loop late by p99 {results[name][1]:.2f} ms")
        if count != files:
            raise RuntimeError("files are missing")

    for name, call in (
        ("find_for_event", lambda: find_for_event(storage, "camera_0", 1)),
        ("guard.check", guard.check),
        ("remove of nothing, guarded", lambda: storage.remove("camera_0/videos/none.mp4")),
    ):
        times = []
        for _ in range(50):
            started = time.perf_counter()
            await call()
            times.append(time.perf_counter() - started)
        print(f"{name}: median {statistics.median(times) * 1000:.2f} ms")
    storage.close()
    return results["scan"][0] < SCAN_LIMIT_SECONDS and results["scan"][1] < LATENESS_LIMIT_MS


def main() -> int:
    """Make the files, measure, tell; 1 when a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--cameras", type=int, default=5)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="scan-"))
    try:
        make(folder, arguments.files, arguments.cameras)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return 0 if runner.run(measure(folder, arguments.files)) else 1
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
