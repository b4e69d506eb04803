"""``kill -9`` of the embedded MariaDB: 503 meanwhile, never 500; it comes back; nothing acknowledged is lost."""

import contextlib
import http.client
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.chaos.agents import Agent, Clip, Reply, Wire
from tests.chaos.conftest import MakeDaemon, children_named, processes_of, unfinished_jobs
from tests.harness import DaemonProcess, wait_until

KILLS = 6
LONGEST_SECONDS = 8.0
"""The pool's wait (5 s) and some room for a busy machine: no request may take longer, whatever happens."""
READS = ("/api/v1/events?limit=20", "/api/v1/cameras", "/api/v1/logs", "/api/v1/stats", "/api/v1/events/1", "/")


class Reader(threading.Thread):
    """Asks for this and that, without a pause, and keeps what it got."""

    def __init__(self, port: int) -> None:
        super().__init__(name="reader", daemon=True)
        self.replies: list[tuple[str, Reply]] = []
        self.broken: list[str] = []
        self._wire = Wire(port)
        self._ended = threading.Event()

    def run(self) -> None:
        """Ask until told to end."""
        while not self._ended.wait(0.01):
            for path in READS:
                try:
                    self.replies.append((path, self._wire.send("GET", path)))
                except (OSError, http.client.HTTPException) as error:
                    self.broken.append(f"{path}: {error!r}")
        self._wire.close()

    def end(self) -> None:
        """Ask no more."""
        self._ended.set()
        self.join(30)
        assert not self.is_alive(), "a request hangs"


def database_of(daemon: DaemonProcess) -> psutil.Process:
    """The daemon's MariaDB."""
    (found,) = wait_until(lambda: children_named(daemon, "mariadbd"), seconds=10, what="the database runs")
    assert isinstance(found, psutil.Process)
    return found


def is_connected(daemon: DaemonProcess) -> bool:
    return bool(daemon.call("GET", "/api/v1/health")[1]["database_connected"])


@pytest.mark.slow
def test_killed_again_and_again_under_load(
    make_daemon: MakeDaemon, agents: list[Agent], clips: list[Clip], place: Path
) -> None:
    daemon = make_daemon(SECURITYCAMD_ANALYSER__ENABLED="false")
    daemon.start()
    agents += [
        Agent(daemon.port, f"camera_{number}", daemon.storage_root, clips, pace_seconds=0.03) for number in range(3)
    ]
    readers = [Reader(daemon.port), Reader(daemon.port)]
    for thread in (*agents, *readers):
        thread.start()
    away_seconds = []
    for number in range(KILLS):
        before = sum(len(agent.told) for agent in agents)
        wait_until(
            lambda before=before: sum(len(agent.told) for agent in agents) >= before + 5,
            seconds=30,
            what="events are taken",
        )
        database_of(daemon).kill()
        killed_at = time.monotonic()
        if number == 3:  # and once more while it comes up and repairs itself
            database_of(daemon).kill()
        wait_until(lambda: not is_connected(daemon), seconds=10, what="the daemon sees that it is away")
        wait_until(lambda: is_connected(daemon), seconds=30, what="the supervisor brought it back")
        away_seconds.append(round(time.monotonic() - killed_at, 2))
    for reader in readers:
        reader.end()
    for agent in agents:
        agent.finish()
    wait_until(lambda: not unfinished_jobs(daemon, "remux"), seconds=60, what="all clips are converted")

    statuses = Counter(reply.status for reader in readers for _, reply in reader.replies)
    refused = [refusal.reply for agent in agents for refusal in agent.refused]
    slowest = max(*(r.seconds for reader in readers for _, r in reader.replies), *(a.slowest for a in agents))
    print(f"away {away_seconds} s, reads {dict(statuses)}, refused posts {Counter(r.status for r in refused)}")
    print(f"slowest reply {slowest:.2f} s")
    assert [line for reader in readers for line in reader.broken] == []
    assert set(statuses) == {200, 503}
    assert {reply.status for reply in refused} == {503}
    away = [reply for reader in readers for _, reply in reader.replies if reply.status == 503] + refused
    assert all(int(reply.headers["retry-after"]) > 0 and reply.body["detail"] for reply in away)
    assert slowest < LONGEST_SECONDS

    told = [event for agent in agents for event in agent.told]
    assert daemon.call("GET", "/api/v1/events")[1]["total"] == len(told)
    for event in told:
        now = daemon.call("GET", f"/api/v1/events/{event.id}")[1]
        assert now["camera_id"] == event.camera_id
        assert now["motion_score"] == event.motion_score
        assert now["mp4_conversion_status"] == "complete"
        assert now["video_duration"] == pytest.approx(event.clip.seconds)
    errors = [line for line in daemon.log_lines() if line["level"] in {"error", "critical"}]
    # What the log may complain of: the database that is away, and the task that watched it.
    complaints = {"the database is away", "mariadbd ended at once", "task died"}
    assert {line["event"] for line in errors} <= complaints
    assert {line.get("task") for line in errors} <= {None, "database"}
    assert daemon.stop() == 0
    assert processes_of(place) == []


@pytest.mark.slow
def test_a_database_that_keeps_dying_ends_the_daemon(make_daemon: MakeDaemon, place: Path) -> None:
    """The service manager starts it anew, and says so; better than a daemon that takes no events."""
    place.joinpath("sitecustomize.py").write_text(
        "from securitycamd import supervision\nsupervision.LONGEST_DELAY_SECONDS = 0.5\n"
    )
    daemon = make_daemon(SECURITYCAMD_ANALYSER__ENABLED="false", PYTHONPATH=str(place))
    daemon.start()
    assert daemon.process is not None
    wreck = daemon.folder / "state" / "mariadb" / "data" / "ibdata1"
    wreck.write_bytes(b"not a table space" * 1000)
    database_of(daemon).kill()
    assert daemon.process.wait(90) == 1
    assert "database died 10 times in a row" in daemon.log_tail()
    assert processes_of(place) == []


@pytest.mark.slow
def test_a_database_that_hangs_holds_no_request_for_long(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(
        SECURITYCAMD_ANALYSER__ENABLED="false",
        SECURITYCAMD_DATABASE__WAIT_SECONDS="1",
        SECURITYCAMD_DATABASE__STATEMENT_SECONDS="1",
    )
    daemon.start()
    body = {"camera_id": "camera_1", "name": "a", "location": "b", "ip_address": "127.0.0.1"}
    assert daemon.call("POST", "/api/v1/cameras/register", body)[0] == 201
    database = database_of(daemon)
    wires = [Wire(daemon.port) for _ in range(20)]  # more than the pool has connections
    replies: list[Reply] = []
    event = {"camera_id": "camera_1", "timestamp": "2026-03-01T10:00:00", "motion_score": 1.0}
    database.send_signal(signal.SIGSTOP)
    try:
        asking = [
            threading.Thread(target=lambda w=w: replies.append(w.send("POST", "/api/v1/events", event)))
            for w in wires[:10]
        ] + [threading.Thread(target=lambda w=w: replies.append(w.send("GET", "/api/v1/cameras"))) for w in wires[10:]]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join(LONGEST_SECONDS)
        assert [reply.status for reply in replies] == [503] * 20
        assert all("retry-after" in reply.headers for reply in replies)
    finally:
        database.send_signal(signal.SIGCONT)
        for wire in wires:
            with contextlib.suppress(OSError):
                wire.close()
    wait_until(
        lambda: daemon.call("POST", "/api/v1/events", event)[0] in {200, 201},
        seconds=10,
        what="events are taken again",
    )
    assert daemon.call("GET", "/api/v1/events")[1]["total"] == 1
    assert daemon.stop() == 0
