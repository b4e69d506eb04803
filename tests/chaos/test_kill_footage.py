"""``kill -9`` at any moment of uploads, conversion, optimisation and expiry: nothing is lost, nothing is left lying."""

import asyncio
import base64
import contextlib
import hashlib
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from securitycamd.db.server import DATABASE_NAME, EmbeddedServer
from securitycamd.media.mp4 import Mp4Error, read_facts
from tests.chaos.agents import Agent, Refused, Reply, Told, make_clips
from tests.chaos.conftest import MakeDaemon, children_named, processes_of, retry_what_was_given_up
from tests.chaos.forks import ForkServer
from tests.chaos.test_kill_daemon import all_events, check_event, temporaries
from tests.chaos.whole import is_whole, packets
from tests.footage import Footage
from tests.harness import DaemonProcess, wait_until

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "100"))
CHECKED_EVERY = 25
LIVES_IN_START_UP = 0.45
"""The share of rounds in which the daemon is killed before it is ready."""
AIMED = 0.25
"""The share of rounds in which the kill waits for a short-lived state of the share to show itself."""
DATABASE_TOO = 0.1
"""The share of rounds in which its database is killed with it, as when the power goes."""
OWN_DATABASE = 0.15
"""The share of rounds in which the daemon runs the database itself; in the others that outlives it."""
STARRED = 0.15
"""The share of rounds in which an event is starred."""
CAMERA_BYTES = 300_000
ALL_BYTES = 800_000
AT_WORK_AT_ONCE = 4
"""So many events at most are worked on, and passed over by an expiry: two remuxes, one optimisation, one of stills."""
ENVIRONMENT = {
    "SECURITYCAMD_SITE__TIME_ZONE": "UTC",
    "SECURITYCAMD_ANALYSER__ENABLED": "false",
    "SECURITYCAMD_CONVERTER__LEASE_SECONDS": "3",
    "SECURITYCAMD_CONVERTER__STILLS_AFTER_SECONDS": "0.2",
    "SECURITYCAMD_OPTIMISER__ENABLED": "true",
    "SECURITYCAMD_OPTIMISER__ENCODER": "libx264",  # choosing one takes longer than most lives here
    "SECURITYCAMD_OPTIMISER__WINDOW_START": "00:00",
    "SECURITYCAMD_OPTIMISER__WINDOW_END": "00:00",
    "SECURITYCAMD_OPTIMISER__MIN_AGE_HOURS": "0",
    "SECURITYCAMD_OPTIMISER__LEASE_SECONDS": "3",
    "SECURITYCAMD_RETENTION__ENABLED": "true",
    "SECURITYCAMD_RETENTION__MAX_GIGABYTES": str(ALL_BYTES / 1e9),
    "SECURITYCAMD_RETENTION__FREE_FLOOR_GIGABYTES": "0",
    "SECURITYCAMD_RETENTION__CAMERAS": json.dumps({"share": {"max_gigabytes": CAMERA_BYTES / 1e9}}),
}
PLAYABLE: Final = frozenset({"complete", "optimized"})
URL: Final = "SECURITYCAMD_DATABASE__URL"
_TEMPORARY: Final = re.compile(r"\.(.+)\.[0-9a-f]{24}\.tmp")


class KeptAgent(Agent):
    """Can be held, and takes it that events go: what the server says is not there (any more) it reports no more."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.refused_as_gone: set[int] = set()
        self.idle = threading.Event()
        self._may_go_on = threading.Event()
        self._may_go_on.set()

    def hold(self) -> None:
        """Report what there is, then wait."""
        self._may_go_on.clear()

    def go_on(self) -> None:
        """Go on."""
        self.idle.clear()
        self._may_go_on.set()

    def _post_event(self) -> Told:
        if not self._may_go_on.is_set():
            while not self._tell_again():
                self._pause(0.05)
            self.idle.set()
            while not self._may_go_on.is_set():
                self._pause(0.05)
        return super()._post_event()

    def _files_of(self, event: Told) -> dict[str, tuple[str, bytes]]:
        files = super()._files_of(event)
        if event.id % 4 == 1:
            del files["thumbnail"]  # the server makes one
        return files

    def _report(self, event: Told, file_type: str) -> bool:
        refused = len(self.refused)
        if self._bring(event, file_type):
            return True
        if any(one.reply.status == 404 for one in self.refused[refused:]):
            self.refused_as_gone.add(event.id)
            event.reported.add(file_type)
            return True
        return False

    def _bring(self, event: Told, file_type: str) -> bool:
        return super()._report(event, file_type)


class UploadingAgent(KeptAgent):
    """Has no share: sends files over HTTP, in parts, and goes on after a broken connection where the server says."""

    def _put(self, event: Told, path: str, content: bytes) -> None:
        """Nowhere; see :meth:`_bring`."""

    def _bring(self, event: Told, file_type: str) -> bool:
        content = self._files_of(event)[file_type][1]
        where = f"/api/v1/events/{event.id}/files/{file_type}"
        told = self._once("GET", where, None)
        if told is None:
            return False
        start = int(told.body["received_bytes"])
        if start >= len(content):
            start = 0  # whole, but without its name: no part is left to be sent
        step = -(-len(content) // (4 if file_type == "video" else 1))
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        while start < len(content):
            end = min(len(content), start + step)
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Range": f"bytes {start}-{end - 1}/{len(content)}",
                "Content-Digest": f"sha-256=:{digest}:",
            }
            reply = self._send(where, content[start:end], headers)
            if reply is None:
                return False
            if reply.status == 201:
                event.reported.add(file_type)
                return True
            start = end
            self._pause(0.005)
        return False

    def _send(self, path: str, content: bytes, headers: dict[str, str]) -> Reply | None:
        try:
            reply = self._wire.send("PUT", path, content, headers=headers)
        except (OSError, http.client.HTTPException):
            return None
        if reply.status in {201, 202}:
            return reply
        self.refused.append(Refused("PUT", path, reply))
        return None


@dataclass
class Row:
    """An event as the database has it."""

    id: int
    camera_id: str
    at: str
    protected: bool
    size_bytes: int
    saved_bytes: int
    status: str
    paths: frozenset[str]
    video: str | None


@dataclass
class Site:
    """The daemon under test, what surrounds it, and what was seen."""

    daemon: DaemonProcess
    agents: list[KeptAgent]
    chance: random.Random
    starred: set[int] = field(default_factory=set)
    hits: Counter[str] = field(default_factory=Counter)
    left: set[Path] = field(default_factory=set)
    """Unfinished files of the life before."""

    def __post_init__(self) -> None:
        # The daemon's own, by its folder, so that both kinds of lives go on with the same rows.
        self.database = EmbeddedServer(self.daemon.folder / "state" / "mariadb", buffer_pool_mb=64, max_connections=60)
        self._runner = asyncio.Runner()

    @property
    def root(self) -> Path:
        return self.daemon.storage_root

    def told(self) -> list[Told]:
        """What was acknowledged so far."""
        return [event for agent in self.agents for event in list(agent.told)]

    def ask(self, statement: str) -> list[list[Any]]:
        """Ask the database; the statement selects one JSON array a row."""
        command = [
            "mariadb",
            f"--socket={self.database.address.socket}",
            "-uroot",
            DATABASE_NAME,
            "-N",
            "-B",
            "--raw",
            "-e",
            statement,
        ]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [json.loads(line) for line in output.splitlines()]

    def rows(self) -> dict[int, Row]:
        """All events."""
        found = self.ask(
            "SELECT JSON_ARRAY(id, camera_id, timestamp, protected, size_bytes, saved_bytes, mp4_conversion_status,"
            " image_a_path, image_b_path, thumbnail_path, video_h264_path, video_mp4_path) FROM events"
        )
        return {
            row[0]: Row(
                row[0], row[1], row[2], bool(row[3]), row[4], row[5], row[6], frozenset(filter(None, row[7:])), row[11]
            )
            for row in found
        }

    def files(self) -> dict[str, int]:
        """Path and size of all that lies in the cameras' folders."""
        return {str(path.relative_to(self.root)): path.stat().st_size for path in self.root.glob("*/*/*")}

    # --- a life ---

    def start(self, *, own_database: bool, ready: bool = True) -> None:
        """Begin a life, with a database that is the daemon's child or one that outlives it."""
        if own_database:
            self.end_database()
            self.daemon.environment.pop(URL, None)
        else:
            if self.database.pid is None:
                self._runner.run(self.database.start())
            address = self.database.address
            self.daemon.environment[URL] = f"mysql://root@localhost/{address.name}?unix_socket={address.socket}"
        self.daemon.start(ready=ready)

    def kill_database(self, children: list[psutil.Process]) -> None:
        """``kill -9`` for the one that outlives the daemon, and those that were its children."""
        for process in children:
            process.kill()
        if self.database.pid is not None:
            os.kill(self.database.pid, signal.SIGKILL)
            self._runner.run(self.database.wait())

    def end_database(self) -> None:
        """Shut the database that outlives the daemon down, if it runs."""
        self._runner.run(self.database.stop())

    def close(self) -> None:
        """End what the test itself runs."""
        self.end_database()
        self._runner.close()

    def drive(self, seconds: float) -> None:
        """Star something now and then, and have the daemon expire again and again."""
        until = time.monotonic() + seconds
        if self.chance.random() < STARRED and (told := self.told()):
            self._star(self.chance.choice(told[-12:]).id)
        self._press(until)

    def _press(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            assert self.daemon.call("POST", "/api/v1/tasks/retention/run-now")[0] == 200
            time.sleep(max(0.0, min(left, 0.15)))

    def _star(self, event_id: int) -> None:
        status, event = self.daemon.call("PUT", f"/api/v1/events/{event_id}/protection")
        assert status in {200, 404, 409}, event
        if status == 200:
            assert event["protected"] is True
            self.starred.add(event_id)

    def await_state(self, what: str) -> None:
        """Kill it at the moment something unfinished shows itself; or return after two seconds without."""
        # Expiry leaves no name of its own on the share, but it begins with the pictures of the oldest events.
        oldest = list(self._pictures())
        until = time.monotonic() + 2.0
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(self._press, until)
            while time.monotonic() < until:
                if not all(path.exists() for path in oldest) if what == "removal" else self._looks()[what]:
                    self.daemon.kill()  # before anything else
                    break
                time.sleep(0.001)
            with contextlib.suppress(OSError, http.client.HTTPException):  # it has just been killed
                asked.result()

    def _pictures(self) -> Iterator[Path]:
        for agent in self.agents:
            left = [event.delivered["image_a"] for event in list(agent.told) if "image_a" in event.reported]
            yield from [path for name in left if (path := self.root / name).exists()][:8]

    def _looks(self) -> dict[str, int]:
        names = {path.relative_to(self.root): path for path in self.root.glob("*/*/*")}
        finals = [relative.with_name(match[1]) for relative in names if (match := _TEMPORARY.fullmatch(relative.name))]
        return {
            "remux": sum(final.suffix == ".mp4" and final not in names for final in finals),
            "optimisation": sum(final.suffix == ".mp4" and final in names for final in finals),
            "picture": sum(final.suffix == ".jpg" for final in finals),
            "upload": sum(name.name.endswith(".part") for name in names),
        }

    def look(self) -> dict[str, int]:
        """Look at the share while no daemon runs: clips under their names are whole; what is starred is there."""
        found = self._looks()
        found["removal"] = 0
        for event in self.told():
            if "video" not in event.delivered:
                continue
            playable = (self.root / event.delivered["video"]).with_suffix(".mp4")
            source = self.root / event.delivered["video"]
            if playable.exists():
                self._check_clip(playable, event)
            if source.exists():
                assert source.read_bytes() == event.clip.content
            there = playable.exists() or source.exists()
            if "video" in event.reported:
                assert there or event.id not in self.starred, f"the clip of starred event {event.id} is lost"
                pictures = [event.delivered[name] for name in ("image_a", "image_b") if name in event.reported]
                found["removal"] += there and not all((self.root / picture).exists() for picture in pictures)
        return found

    def _check_clip(self, path: Path, event: Told) -> None:
        try:
            assert read_facts(path).frames == event.clip.frames, path
        except Mp4Error as error:
            pytest.fail(f"{path} is not whole: {error}")

    # --- at rest ---

    def settle(self, *, finally_: bool) -> None:
        """Wait until what is under way has come to its end, the optimiser's work too if it is the end."""
        waiting = "('remux', 'stills', 'optimise')" if finally_ else "('remux', 'stills')"
        status = "'optimized'" if finally_ else "'optimized', 'complete'"
        statement = (
            f"SELECT JSON_ARRAY((SELECT COUNT(*) FROM jobs WHERE state = 'running'"
            f" OR (state = 'queued' AND kind IN {waiting})), (SELECT COUNT(*) FROM removals),"
            f" (SELECT COUNT(*) FROM events WHERE mp4_conversion_status NOT IN ({status})))"
        )

        def rests() -> bool:
            retry_what_was_given_up(self.daemon)
            self.daemon.call("POST", "/api/v1/tasks/retention/run-now")
            return self.ask(statement) == [[0, 0, 0]] and self._is_within_limits() and not self._wrong_sizes()

        try:
            wait_until(rests, seconds=90, every=0.25, what="all is done")
        except AssertionError:
            print("not settled:", self.ask(statement), self._used(), self._wrong_sizes())
            print(
                self.ask("SELECT JSON_ARRAY(event_id, kind, state, attempts, last_error) FROM jobs WHERE state<>'done'")
            )
            print(self.ask("SELECT JSON_ARRAY(event_id, reason, marked_at) FROM removals"))
            raise

    def _used(self) -> dict[str, int]:
        statement = "SELECT JSON_ARRAY(camera_id, CAST(SUM(size_bytes) AS SIGNED)) FROM events GROUP BY camera_id"
        return {camera_id: int(size_bytes) for camera_id, size_bytes in self.ask(statement)}

    def _is_within_limits(self) -> bool:
        used = self._used()
        return used.get("share", 0) <= CAMERA_BYTES and sum(used.values()) <= ALL_BYTES

    def _wrong_sizes(self) -> dict[int, tuple[int, int]]:
        files = self.files()
        sizes = {
            row.id: (row.size_bytes, sum(files.get(path, 0) for path in row.paths)) for row in self.rows().values()
        }
        return {event_id: pair for event_id, pair in sizes.items() if pair[0] != pair[1]}

    def check(self, *, finally_: bool) -> None:
        """Hold rows, files, counts and what was acknowledged against one another."""
        rows, files, told = self.rows(), self.files(), {event.id: event for event in self.told()}
        assert rows.keys() <= told.keys()
        listed = all_events(self.daemon)
        assert listed.keys() == rows.keys()
        assert self.daemon.call("GET", "/api/v1/events")[1]["total"] == len(rows)
        self._check_expiry(rows, told)
        self._check_events(rows, listed, told, files, finally_=finally_)
        strays = {stray["path"] for stray in self.daemon.call("GET", "/api/v1/storage/strays?limit=200")[1]["strays"]}
        named = {path for row in rows.values() for path in row.paths}
        assert strays == set(), "strays"
        assert named - files.keys() == set(), "rows without their files"
        assert files.keys() - named == set(), "files without their rows"
        self._check_counts(rows)
        gone = {event_id for agent in self.agents for event_id in agent.refused_as_gone}
        assert not gone & rows.keys()
        assert self.ask("SELECT JSON_ARRAY(event_id, kind, last_error) FROM jobs WHERE state = 'failed'") == []
        print(
            f"at rest: {len(told)} events, {len(rows)} kept, {len(self.starred)} starred, {len(files)} files,"
            f" {Counter(row.status for row in rows.values())}, {self._used()}, {len(gone)} gone before reported"
        )

    def _check_expiry(self, rows: dict[int, Row], told: dict[int, Told]) -> None:
        assert self.starred <= rows.keys(), "a starred event expired"
        assert {row.id for row in rows.values() if row.protected} == self.starred
        passed_over = []
        for agent in self.agents:
            gone = [event.timestamp for event in agent.told if event.id not in rows]
            kept = [event for event in agent.told if event.id in rows and event.id not in self.starred]
            passed_over += [event.id for event in kept if gone and event.timestamp < max(gone)]
            # What goes is not more than must: what stays would not fit with the largest two events besides.
            largest = 2 * max(len(event.clip.content) for event in agent.told) + 4096
            if gone and agent.camera_id == "share":
                assert (len(kept) + 2) * largest > CAMERA_BYTES - sum(
                    rows[event.id].size_bytes for event in agent.told if event.id in self.starred
                )
        # What is worked on is passed over; what was so earlier goes first now.
        assert len(passed_over) <= AT_WORK_AT_ONCE, f"older than what expired: {passed_over}"

    def _check_events(
        self,
        rows: dict[int, Row],
        listed: dict[int, dict[str, Any]],
        told: dict[int, Told],
        files: dict[str, int],
        *,
        finally_: bool,
    ) -> None:
        for event_id, row in rows.items():
            event = told[event_id]
            check_event(event, listed[event_id])
            assert row.status in PLAYABLE, row
            assert row.video in files, row
            assert listed[event_id]["thumbnail_transferred"] is True, row
            assert len(row.paths) == 4, row
            assert listed[event_id]["video_duration"] == pytest.approx(event.clip.seconds)
            assert row.size_bytes == sum(files[path] for path in row.paths), row
            if row.saved_bytes:
                assert row.status == "optimized", row
                assert row.saved_bytes < len(event.clip.content) + 4096, row
            self._check_clip(self.root / (row.video or ""), event)
        if finally_:
            with ThreadPoolExecutor(2) as pool:
                frames = list(pool.map(lambda row: packets(self.root / (row.video or "")), rows.values()))
            assert frames == [told[event_id].clip.frames for event_id in rows]
            assert is_whole(self.root / (rows[max(rows)].video or ""))

    def _check_counts(self, rows: dict[int, Row]) -> None:
        """The kept counts against a recount, in every span."""
        expected: dict[str, int] = defaultdict(int)
        for row in rows.values():
            expected["events"] += 1
            expected[f"events|{row.camera_id}"] += 1
            expected[f"bytes|{row.camera_id}"] += row.size_bytes
            expected[f"saved|{row.camera_id}"] += row.saved_bytes
            if row.protected:
                expected[f"protected|{row.camera_id}"] += row.size_bytes
                expected[f"starred|{row.camera_id}"] += 1
        kept = self.ask(
            "SELECT JSON_ARRAY(series, span, CAST(SUM(n) AS SIGNED)) FROM tallies WHERE series NOT LIKE 'log%'"
            " GROUP BY series, span"
        )
        for span in ("month", "day", "hour"):
            found = {series: int(n) for series, name, n in kept if name == span and series.split("|")[0] in _SERIES}
            assert {series: n for series, n in found.items() if n} == {s: n for s, n in expected.items() if n}, span


_SERIES: Final = frozenset({"events", "bytes", "saved", "protected", "starred"})


@pytest.fixture
def no_blocking_calls() -> None:
    """Of a daemon's own process; here a loop only starts and ends the database."""


@pytest.fixture
def site(make_daemon: MakeDaemon, footage: Footage) -> Iterator[Site]:
    daemon = make_daemon(**ENVIRONMENT)
    clips = make_clips(footage, (0.4, 0.6, 1.2))
    agents: list[KeptAgent] = [
        KeptAgent(daemon.port, "share", daemon.storage_root, clips, pace_seconds=0.08),
        UploadingAgent(daemon.port, "wire", daemon.storage_root, clips, pace_seconds=0.05),
    ]
    seed = int(os.environ.get("CHAOS_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}: CHAOS_SEED={seed} makes the same choices again")
    forks = ForkServer()
    daemon.fork = lambda environment, log, folder: forks.start(environment=environment, log=log, folder=folder)
    site = Site(daemon, agents, random.Random(seed))
    yield site
    for agent in agents:
        if agent.is_alive():
            agent.abort()
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()
    site.close()
    forks.close()


def live(site: Site, number: int) -> None:
    """One life of the daemon, to its violent end."""
    chance, began = site.chance, time.monotonic()
    own = not number or chance.random() < OWN_DATABASE
    if number and chance.random() < LIVES_IN_START_UP:
        when, delay = "starting", chance.uniform(0.02, 1.0 if own else 0.6)
        site.start(own_database=own, ready=False)
        time.sleep(delay)
        database = children_named(site.daemon, "mariadbd")
    else:
        when, delay = "ready", chance.uniform(0.05, 1.0)
        site.start(own_database=own)
        # A task of its own sweeps what an earlier life left, so that the start does not wait for it.
        wait_until(lambda: not site.left & temporaries(site.root), seconds=20, what="what an earlier life left is gone")
        for agent in site.agents:
            if not number:
                agent.start()
            agent.go_on()
        database = children_named(site.daemon, "mariadbd")
        if chance.random() < AIMED:
            when = chance.choice(["optimisation", "removal", "upload"])
            site.drive(delay / 4)
            site.await_state(when)
        else:
            site.drive(delay)
    site.daemon.kill()
    if power := chance.random() < DATABASE_TOO:
        site.kill_database(database)
    site.left = temporaries(site.root)
    lived = time.monotonic() - began
    found = site.look()
    site.hits.update({name: bool(count) for name, count in found.items()})
    where = f"{when} {delay:.3f} s{', own database' if own else ''}{', database too' if power else ''}"
    print(
        f"round {number}, {lived:.1f} s and {time.monotonic() - began - lived:.1f} s for the look: {where},"
        f" {dict(+Counter(found))}"
    )


def check_at_rest(site: Site) -> None:
    """Let the agents wait and the daemon come to rest, check, and kill it once more."""
    began = time.monotonic()
    site.start(own_database=False)
    for agent in site.agents:
        agent.hold()
    for agent in site.agents:
        assert agent.idle.wait(30), f"{agent.name} still waits for replies"
    assert site.daemon.call("POST", "/api/v1/tasks/optimiser/pause")[0] == 200
    site.settle(finally_=False)
    settled = time.monotonic()
    site.check(finally_=False)
    print(f"{settled - began:.1f} s to come to rest, {time.monotonic() - settled:.1f} s to check")
    site.daemon.kill()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_footage_is_lost(site: Site, place: Path) -> None:
    began = time.monotonic()
    daemon = site.daemon
    for number in range(ROUNDS):
        live(site, number)
        if (number + 1) % CHECKED_EVERY == 0 and number + 1 < ROUNDS:
            check_at_rest(site)
    print(f"{dict(site.hits)} in {ROUNDS} rounds, {time.monotonic() - began:.0f} s")
    daemon.fork = None
    site.start(own_database=True)
    for agent in site.agents:
        agent.go_on()
        agent.finish()
    site.settle(finally_=True)
    print(f"all is done after {time.monotonic() - began:.0f} s")
    assert daemon.stop() == 0
    daemon.start()
    site.settle(finally_=True)
    print(f"and again after {time.monotonic() - began:.0f} s")
    assert daemon.call("POST", "/api/v1/tasks/linker/run-now")[0] == 200
    wait_until(
        lambda: daemon.call("GET", "/api/v1/storage/strays")[1]["scanned_at"], seconds=20, what="the share is scanned"
    )
    site.check(finally_=True)
    check_on_the_command_line(daemon)
    refused = Counter((one.method, one.reply.status) for agent in site.agents for one in agent.refused)
    print(f"refused: {dict(refused)}, {time.monotonic() - began:.0f} s in all")
    assert {status for _, status in refused} <= {404, 409, 503}
    if ROUNDS >= 40:
        assert all(site.hits[name] for name in ("remux", "optimisation", "upload", "removal")), "this shows little"
    assert daemon.stop() == 0
    assert processes_of(place) == []


def check_on_the_command_line(daemon: DaemonProcess) -> None:
    """``securitycamd storage check`` finds nothing."""
    environment = os.environ | {"SECURITYCAMD_SERVER__PORT": str(daemon.port)}
    command = [sys.executable, "-m", "securitycamd", "storage", "check", "--json"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    report = json.loads(ended.stdout)
    assert (ended.returncode, report["findings"], report["left"]) == (0, [], 0), report
