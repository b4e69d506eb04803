"""A daemon with its agents and its share, its lives, and what must hold of rows, files and counts at rest."""

import asyncio
import contextlib
import http.client
import json
import os
import random
import re
import signal
import subprocess
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
from tests.chaos.agents import Told
from tests.chaos.conftest import retry_what_was_given_up
from tests.chaos.kept_agents import KeptAgent
from tests.chaos.test_kill_daemon import all_events, check_event
from tests.chaos.whole import is_whole, packets
from tests.harness import DaemonProcess, wait_until

STARRED = 0.15
"""The share of rounds in which an event is starred."""
CAMERA_BYTES = 300_000
ALL_BYTES = 800_000
AT_WORK_AT_ONCE = 4
"""So many events at most are worked on, and passed over by an expiry: two remuxes, one optimisation, one of stills."""
PLAYABLE: Final = frozenset({"complete", "optimized"})
READY_SECONDS = 0.7
"""What a start takes on two cores that have nothing else to do."""
MOST_SLOWNESS = 4.0
URL: Final = "SECURITYCAMD_DATABASE__URL"
_TEMPORARY: Final = re.compile(r"\.(.+)\.[0-9a-f]{24}\.tmp")


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
    slowness: float = 1.0
    """How much longer all takes than on a machine that has nothing else to do: lives are as much longer."""

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
        began = time.monotonic()
        self.daemon.start(ready=ready)
        if ready:
            self.slowness = min(MOST_SLOWNESS, max(1.0, (time.monotonic() - began) / READY_SECONDS))

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
        """Kill it at the moment something unfinished shows itself; or return after two seconds or more without."""
        # Expiry leaves no name of its own on the share, but it begins with the pictures of the oldest events.
        oldest = list(self._pictures())
        until = time.monotonic() + 2.0 * self.slowness
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
