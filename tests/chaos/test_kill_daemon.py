"""``kill -9`` of the daemon at any moment: what was acknowledged is there, clips are whole, nothing is left lying."""

import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from securitycamd.media.mp4 import Mp4Error, read_facts
from tests.chaos.agents import Agent, Clip, Told
from tests.chaos.conftest import MakeDaemon, children_named, processes_of, retry_what_was_given_up, unfinished_jobs
from tests.chaos.forks import ForkServer
from tests.chaos.whole import is_whole, packets
from tests.harness import DaemonProcess, wait_until
from tests.ollama_server import OllamaServer

ROUNDS = 30
LIVES_IN_START_UP = 0.25
"""The share of rounds in which the daemon is killed before it is ready."""
AIMED = 0.25
"""The share of rounds in which the kill waits for a short-lived state of the share to show itself."""
DATABASE_TOO = 0.3
"""The share of rounds in which its database is killed with it, as when the power goes."""


def temporaries(root: Path) -> set[Path]:
    """The daemon's own unfinished files."""
    return set(root.glob("*/*/.*.tmp"))


@dataclass(frozen=True)
class Found:
    """What the storage root looked like at the moment of a death."""

    unfinished: set[Path]
    both: set[int]
    """Events whose clips had source and MP4: killed between the renaming and the removal."""


def look(root: Path, agents: list[Agent]) -> Found:
    """Look at the clips on the share while no daemon runs: each is still source, or a whole MP4, or both."""
    both = set()
    for event in (event for agent in agents for event in list(agent.told)):
        path = event.delivered.get("video")
        if path is None:
            continue
        source, playable = root / path, (root / path).with_suffix(".mp4")
        has_source, has_playable = source.exists(), playable.exists()
        assert has_source or has_playable, f"the clip of event {event.id} is lost"
        if has_source and has_playable:
            both.add(event.id)
        if has_source:
            assert source.read_bytes() == event.clip.content
        if has_playable:
            try:
                assert read_facts(playable).frames == event.clip.frames
            except Mp4Error as error:
                pytest.fail(f"{playable} is not whole: {error}")
    return Found(temporaries(root), both)


def await_state(root: Path, *, removal: bool) -> None:
    """Return at the moment a remux is under way, or an MP4 stands beside its source; or after a second without."""
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        names = {path.name for path in root.glob("*/videos/*")}
        playable = {name.removesuffix(".mp4") + ".h264" for name in names if name.endswith(".mp4")}
        if playable & names if removal else temporaries(root):
            return
        time.sleep(0.002)  # what is looked for lasts some milliseconds


def all_events(daemon: DaemonProcess) -> dict[int, dict[str, Any]]:
    """Every event that the daemon lists, by id. Newer ones may arrive meanwhile and shift the pages, not hide one."""
    found: dict[int, dict[str, Any]] = {}
    offset = 0
    while True:
        status, page = daemon.call("GET", f"/api/v1/events?limit=200&offset={offset}")
        assert status == 200
        found |= {event["id"]: event for event in page["events"]}
        offset += len(page["events"])
        if len(page["events"]) < 200:
            return found


def check_event(told: Told, event: dict[str, Any]) -> None:
    """Hold an event against what the agent was told."""
    assert event["camera_id"] == told.camera_id
    assert datetime.fromisoformat(event["timestamp"]) == told.timestamp
    assert event["motion_score"] == told.motion_score
    for file_type in ("image_a", "image_b", "thumbnail"):
        if file_type in told.reported:
            assert event[f"{file_type}_path"] == told.delivered[file_type]
            assert event[f"{file_type}_transferred"] is True
    if "video" in told.reported:
        assert event["video_transferred"] is True
        assert event["video_h264_path"] == told.delivered["video"] or event["video_mp4_path"]


def live_a_while(daemon: DaemonProcess, agents: list[Agent], chance: random.Random, found: Found) -> str:
    """Start, hold what is there against what was acknowledged, and come back at the moment of the kill; its kind."""
    # As it is now: the agents go on reporting while the daemon is asked.
    acknowledged = [replace(event, reported=set(event.reported)) for agent in agents for event in list(agent.told)]
    if acknowledged and chance.random() < LIVES_IN_START_UP:
        daemon.start(ready=False)
        time.sleep(chance.uniform(0.05, 1.5))  # the moment of the kill
        return "starting"
    daemon.start()
    wait_until(
        lambda: not found.unfinished & temporaries(daemon.storage_root), seconds=20, what="an earlier life's are swept"
    )
    listed = all_events(daemon)
    for event in acknowledged:
        check_event(event, listed[event.id])
    if not agents[0].is_alive():
        for agent in agents:
            agent.start()
    if acknowledged and chance.random() < AIMED:
        removal = chance.random() < 0.5
        await_state(daemon.storage_root, removal=removal)
        return "aimed at removal" if removal else "aimed at remux"
    time.sleep(chance.uniform(0.0, 1.2))  # the moment of the kill
    return "ready"


def check_all_done(daemon: DaemonProcess, told: list[Told]) -> None:
    """Every event has come to the end of the chain, and nothing else is there."""
    root = daemon.storage_root
    listed = all_events(daemon)
    assert listed.keys() == {event.id for event in told}
    assert daemon.call("GET", "/api/v1/events")[1]["total"] == len(told)
    for event in told:
        now = listed[event.id]
        check_event(event, now)
        assert now["mp4_conversion_status"] == "complete"
        assert now["video_h264_path"] is None
        assert now["video_mp4_path"] == event.delivered["video"].removesuffix(".h264") + ".mp4"
        assert now["video_duration"] == pytest.approx(event.clip.seconds)
        assert now["ai_processed"] is True
        jobs = daemon.call("GET", f"/api/v1/events/{event.id}/jobs")[1]
        states = {job["kind"]: job["state"] for job in jobs}
        assert (states["remux"], states["analyse"]) == ("done", "done")
    with ThreadPoolExecutor(2) as pool:
        frames = list(pool.map(lambda event: packets(root / listed[event.id]["video_mp4_path"]), told))
    assert frames == [event.clip.frames for event in told]
    assert is_whole(root / listed[told[-1].id]["video_mp4_path"])
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    ours = [path for path in files if not path.parts[0].startswith(".securitycamd-")]  # beside the guard's markers
    left = [path for path in ours if path.suffix not in {".jpg", ".mp4"} and path.name != ".securitycamd-camera"]
    assert left == [], "left lying on the share"
    assert len(list(root.glob("*/videos/*"))) == len(told)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_random_moments(
    make_daemon: MakeDaemon,
    agents: list[Agent],
    clips: list[Clip],
    ollama: OllamaServer,
    place: Path,
    forks: ForkServer,
) -> None:
    seed = int(os.environ.get("CHAOS_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}: CHAOS_SEED={seed} makes the same choices again")
    chance = random.Random(seed)
    daemon = make_daemon(
        SECURITYCAMD_ANALYSER__URL=ollama.url,
        SECURITYCAMD_ANALYSER__CONCURRENCY="2",
        SECURITYCAMD_SITE__TIME_ZONE="UTC",
    )
    daemon.fork = forks.start
    root = daemon.storage_root
    agents += [
        Agent(daemon.port, f"camera_{number}", root, clips, pace_seconds=0.08 + 0.04 * number) for number in range(3)
    ]
    hits: Counter[str] = Counter()
    found = Found(set(), set())
    for number in range(ROUNDS):
        when = live_a_while(daemon, agents, chance, found)
        database = children_named(daemon, "mariadbd")
        daemon.kill()
        if power := chance.random() < DATABASE_TOO:
            for process in database:
                process.kill()
        before, found = found, look(root, agents)
        hits[when] += 1
        hits["remux under way"] += bool(found.unfinished)
        hits["source not removed yet"] += bool(found.both - before.both)
        hits["database too"] += power
        print(
            f"round {number}: {when}, database {'killed' if power else 'closed'},"
            f" {sum(len(agent.told) for agent in agents)} events,"
            f" {len(found.unfinished)} unfinished, {len(found.both)} with source and MP4"
        )
    print(dict(hits))
    assert hits["remux under way"] >= 2, "hardly a kill came while a clip was being converted: this shows little"

    daemon.fork = None
    daemon.start()
    for agent in agents:
        agent.finish()
    # What a rest takes: leases of killed lives are given back at the start, so nothing waits for one to run out.

    def rests() -> bool:
        # Some are given up, for the daemon was killed during them three times in a row.
        retry_what_was_given_up(daemon)
        return not unfinished_jobs(daemon, "remux") and not unfinished_jobs(daemon, "analyse")

    ended = time.monotonic()
    wait_until(rests, seconds=60, what="all jobs are done")
    rested = time.monotonic()
    check_all_done(daemon, [event for agent in agents for event in agent.told])
    print(f"{rested - ended:.1f} s to come to rest, {time.monotonic() - rested:.1f} s to check")
    assert daemon.stop() == 0
    assert processes_of(place) == []


@pytest.mark.slow
def test_killed_while_it_sets_up_its_database(make_daemon: MakeDaemon) -> None:
    """The first start makes the database; it is made whole by whichever start comes to its end."""
    daemon = make_daemon()
    installed = daemon.folder / "state" / "mariadb" / "data"
    chance = random.Random(7)
    for _ in range(4):
        daemon.start(ready=False)
        wait_until(
            lambda: list(installed.parent.glob("data.new*")) or installed.exists(),
            seconds=30,
            what="the database is being set up",
        )
        time.sleep(chance.uniform(0.0, 0.6))  # the moment of the kill
        daemon.kill()
    daemon.start()
    assert daemon.call("GET", "/api/v1/events")[1]["total"] == 0
    assert list(installed.parent.glob("data.new*")) == []
    assert daemon.stop() == 0
