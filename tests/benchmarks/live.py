"""``python -m tests.benchmarks.live``: many viewers of one camera; what the fan-out costs, and what each viewer gets.

A real daemon with its embedded MariaDB, one simulated agent that streams 10 pictures a second of real footage in 720p,
and the viewers in a process of their own, which reads WebSockets and throws away what it read.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import psutil

from tests.harness import DaemonProcess
from tests.streams import footage_pictures, streaming_agent

CAMERA: Final = "camera_1"
CPU_LIMIT_PERCENT: Final = 30.0
FRAMES_LIMIT: Final = 9.0
WARM_UP_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class LiveFacts:
    """What was measured. Rates are of the slowest and the middle viewer."""

    viewers: int
    seconds: float
    cpu_percent: float
    slowest_frames_per_second: float
    median_frames_per_second: float
    frame_kilobytes: float
    upstream_connections: int
    reached: bool


async def _view(url: str, viewers: int, seconds: float, ready: Any) -> list[tuple[int, int]]:
    """Pictures and bytes that each viewer got within ``seconds`` after all had a picture."""
    counts = [[0, 0] for _ in range(viewers)]
    started = asyncio.Event()
    waiting = set(range(viewers))

    async def one(session: aiohttp.ClientSession, number: int) -> None:
        async with session.ws_connect(f"{url}/live/socket", max_msg_size=0) as socket:
            await socket.send_json({"watch": [CAMERA]})
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.BINARY:
                    continue
                counts[number][0] += 1
                counts[number][1] += len(message.data)
                waiting.discard(number)
                if not waiting:
                    started.set()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        tasks = [asyncio.create_task(one(session, number)) for number in range(viewers)]
        async with asyncio.timeout(60):
            await started.wait()
        await asyncio.sleep(WARM_UP_SECONDS)
        before = [tuple(count) for count in counts]
        ready.set()
        await asyncio.sleep(seconds)
        after = [tuple(count) for count in counts]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [(b[0] - a[0], b[1] - a[1]) for a, b in zip(before, after, strict=True)]


def _viewers(url: str, viewers: int, seconds: float, ready: Any, results: Any) -> None:
    results.put(asyncio.run(_view(url, viewers, seconds, ready)))


async def _agent(pictures: Sequence[bytes], on_open: Any, stop: Any) -> None:
    async with streaming_agent(CAMERA, "Front walk", pictures) as agent:
        on_open.put(agent.address)
        while not stop.is_set():  # noqa: ASYNC110 - set by another process
            await asyncio.sleep(0.2)


def _run_agent(on_open: Any, stop: Any) -> None:
    asyncio.run(_agent(footage_pictures(), on_open, stop))


def measure(daemon: DaemonProcess, viewers: int, seconds: float) -> LiveFacts:
    """Run agent and viewers beside a daemon that is up, and look at its CPU time."""
    spawn = multiprocessing.get_context("spawn")
    on_open, results, ready, stop = spawn.Queue(), spawn.Queue(), spawn.Event(), spawn.Event()
    agent = spawn.Process(target=_run_agent, args=(on_open, stop))
    agent.start()
    address = on_open.get(timeout=120)
    body = {"camera_id": CAMERA, "name": "Front walk", "location": "Gate", "ip_address": address}
    daemon.call("POST", "/api/v1/cameras/register", body)
    load = spawn.Process(target=_viewers, args=(daemon.url, viewers, seconds, ready, results))
    load.start()
    assert daemon.process is not None
    process = psutil.Process(daemon.process.pid)
    assert ready.wait(120), "the viewers got no pictures"
    before, began = process.cpu_times(), time.monotonic()
    upstream = [each for each in process.net_connections("tcp") if getattr(each.raddr, "ip", None) == address]
    counts = results.get(timeout=seconds + 120)
    after, passed = process.cpu_times(), time.monotonic() - began
    load.join()
    stop.set()
    agent.join()
    used = (after.user + after.system - before.user - before.system) / passed * 100
    rates = sorted(count / seconds for count, _ in counts)
    size = sum(size for _, size in counts) / max(1, sum(count for count, _ in counts)) / 1000
    streams = [each for each in upstream if each.status == psutil.CONN_ESTABLISHED]
    return LiveFacts(
        viewers,
        seconds,
        round(used, 1),
        round(rates[0], 2),
        round(rates[len(rates) // 2], 2),
        round(size, 1),
        len(streams),
        used < CPU_LIMIT_PERCENT and rates[0] >= FRAMES_LIMIT and len(streams) == 1,
    )


def main() -> int:
    """Measure, tell; 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.live", description=__doc__)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="scd-live-"))
    daemon = DaemonProcess(folder, folder / "footage")
    daemon.storage_root.mkdir()
    daemon.environment["SECURITYCAMD_LIVE__MAX_VIEWERS"] = str(max(100, arguments.viewers))
    try:
        facts = measure(daemon.start(), arguments.viewers, arguments.seconds)
    finally:
        daemon.stop(seconds=60)
        shutil.rmtree(folder, ignore_errors=True)
    if arguments.json:
        print(json.dumps(asdict(facts), indent=2))
    else:
        print(
            f"{facts.viewers} viewers of one camera, {facts.frame_kilobytes} kB a picture: daemon"
            f" {facts.cpu_percent} % of one core; slowest viewer {facts.slowest_frames_per_second} pictures/s, middle"
            f" {facts.median_frames_per_second}; {facts.upstream_connections} connection to the camera;"
            f" load average {os.getloadavg()[0]:.1f}{'' if facts.reached else '  <- missed'}"
        )
    return 0 if facts.reached else 1


if __name__ == "__main__":
    sys.exit(main())
