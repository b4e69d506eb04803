"""The daemon, or the AI server, dies in the middle of an analysis, again and again: each event is described once."""

import asyncio
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from securitycamd.db.engine import DatabaseAddress
from tests.ai.conftest import jpeg
from tests.chaos.conftest import MakeDaemon, retry_what_was_given_up, unfinished_jobs
from tests.chaos.forks import ForkServer
from tests.harness import DaemonProcess, wait_until
from tests.ollama_server import OllamaServer, Reply

DAEMON_DEATHS = 10
SERVER_DEATHS = 20
STAGE_SECONDS = 0.25
"""How long each model takes: most moments are in the middle of one."""


class MortalServer:
    """The stand-in in a thread of its own, that can be killed and started again at the same address."""

    def __init__(self) -> None:
        self.server = OllamaServer(always=Reply(delay_seconds=STAGE_SECONDS))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ollama", daemon=True)
        self._thread.start()

    def start(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.start(), self._loop).result(10)

    def die(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(), self._loop).result(10)

    def close(self) -> None:
        self.die()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def mortal() -> Iterator[MortalServer]:
    server = MortalServer()
    server.start()
    yield server
    server.close()


PICTURES = (jpeg(160, 90), jpeg(80, 90))


def report_event(daemon: DaemonProcess, number: int) -> int:
    """An event with both stills, told again until the daemon has taken it, as agents do."""

    def told(method: str, path: str, body: dict[str, Any]) -> Any:
        with suppress(OSError):
            status, reply = daemon.call(method, path, body)
            return reply if status < 300 else None
        return None

    camera = {"camera_id": "camera_1", "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    wait_until(lambda: told("POST", "/api/v1/cameras/register", camera), seconds=30, what="the camera is taken")
    body = {
        "camera_id": "camera_1",
        "timestamp": f"2026-03-01T10:{number // 60:02}:{number % 60:02}",
        "motion_score": 1,
    }
    event = wait_until(lambda: told("POST", "/api/v1/events", body), seconds=30, what="the event is taken")
    for letter, picture in zip("ab", PICTURES, strict=True):
        path = f"camera_1/pictures/{event['id']}_{letter}.jpg"
        (daemon.storage_root / path).parent.mkdir(parents=True, exist_ok=True)
        (daemon.storage_root / path).write_bytes(picture)
        file = {"file_type": f"image_{letter}", "file_path": path, "transferred": True}
        wait_until(
            lambda file=file: told("PATCH", f"/api/v1/events/{event['id']}/files", file), seconds=30, what="told of"
        )
    return int(event["id"])


def in_the_middle(mortal: MortalServer, chance: random.Random) -> str:
    """Come back at a moment when a model is at work; which stage that is."""
    before = len(mortal.server.chats)
    wait_until(lambda: len(mortal.server.chats) > before, seconds=60, what="a model is asked", every=0.01)
    time.sleep(chance.uniform(0.0, 1.2 * STAGE_SECONDS))  # the moment of the kill
    return "text" if mortal.server.chats[-1].schema else "vision"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_event_is_described_exactly_once(
    make_daemon: MakeDaemon, mortal: MortalServer, fresh_database: DatabaseAddress, forks: ForkServer
) -> None:
    seed = int(os.environ.get("CHAOS_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}: CHAOS_SEED={seed} makes the same choices again")
    chance = random.Random(seed)
    # A database beside the daemon: it starts in a moment, and its deaths are those of the daemon alone.
    database = f"mysql://root@localhost/{fresh_database.name}?unix_socket={fresh_database.socket}"
    daemon = make_daemon(
        SECURITYCAMD_DATABASE__URL=database,
        SECURITYCAMD_ANALYSER__URL=mortal.server.url,
        SECURITYCAMD_ANALYSER__CONCURRENCY="2",
        SECURITYCAMD_CONVERTER__ENABLED="false",
        SECURITYCAMD_SITE__TIME_ZONE="UTC",
    )
    daemon.fork = forks.start
    daemon.start()
    deaths = ["daemon"] * DAEMON_DEATHS + ["server"] * SERVER_DEATHS
    chance.shuffle(deaths)
    events: list[int] = []
    hits: Counter[str] = Counter()
    started = time.monotonic()
    for victim in deaths:
        # One during which the daemon died three times in a row is set aside, by another rule.
        retry_what_was_given_up(daemon)
        # As many as are under way, and one in line: there is always something to die in the middle of.
        while len(events) < 3 or unfinished_jobs(daemon, "analyse") < 3:
            events.append(report_event(daemon, len(events)))
        stage = in_the_middle(mortal, chance)
        hits[f"{victim} in the {stage} stage"] += 1
        print(f"{time.monotonic() - started:.1f} s: {victim} dies in the {stage} stage, {len(events)} events")
        if victim == "daemon":
            daemon.kill()
            daemon.start()
        else:
            mortal.die()
            time.sleep(chance.uniform(0.0, 0.3))
            mortal.start()
    print(dict(hits), f"{len(events)} events, {len(mortal.server.chats)} questions")

    def all_done() -> bool:
        retry_what_was_given_up(daemon)
        return not unfinished_jobs(daemon, "analyse")

    wait_until(all_done, seconds=180, what="all jobs are done", every=1.0)
    for event_id in events:
        event = daemon.call("GET", f"/api/v1/events/{event_id}")[1]
        assert event["ai_processed"] is True
        assert event["ai_error"] is None
        analysis = daemon.call("GET", f"/api/v1/events/{event_id}/analysis")[1]
        assert (analysis["state"], analysis["runs"], analysis["read_by"]) == ("done", 1, "schema")
        assert analysis["vision_model"] == "moondream"
    finished = [line for line in daemon.log_lines() if line["event"] == "event described"]
    assert Counter(line["event_id"] for line in finished).most_common(1)[0][1] == 1
    # Each death costs at most what was under way; all else is asked once.
    wasted = len(mortal.server.chats) - 2 * len(events)
    assert 0 <= wasted <= 2 * len(deaths) + 2
    assert daemon.stop() == 0
