"""``kill -9`` at any moment of uploads, conversion, optimisation and expiry: nothing is lost, nothing is left lying."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.agents import make_clips
from tests.chaos.conftest import MakeDaemon, children_named, processes_of
from tests.chaos.forks import ForkServer
from tests.chaos.kept_agents import KeptAgent, UploadingAgent
from tests.chaos.kept_site import ALL_BYTES, CAMERA_BYTES, Site
from tests.chaos.test_kill_daemon import temporaries
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


@pytest.fixture
def no_blocking_calls() -> None:
    """Of a daemon's own process; here a loop only starts and ends the database."""


@pytest.fixture
def site(make_daemon: MakeDaemon, footage: Footage, forks: ForkServer) -> Iterator[Site]:
    daemon = make_daemon(**ENVIRONMENT)
    clips = make_clips(footage, (0.4, 0.6, 1.2))
    agents: list[KeptAgent] = [
        KeptAgent(daemon.port, "share", daemon.storage_root, clips, pace_seconds=0.08),
        UploadingAgent(daemon.port, "wire", daemon.storage_root, clips, pace_seconds=0.05),
    ]
    seed = int(os.environ.get("CHAOS_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}: CHAOS_SEED={seed} makes the same choices again")
    daemon.fork = forks.start
    site = Site(daemon, agents, random.Random(seed))
    yield site
    for agent in agents:
        if agent.is_alive():
            agent.abort()
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()
    site.close()


def live(site: Site, number: int) -> None:
    """One life of the daemon, to its violent end."""
    chance, began = site.chance, time.monotonic()
    own = not number or chance.random() < OWN_DATABASE
    if number and chance.random() < LIVES_IN_START_UP:
        when, delay = "starting", chance.uniform(0.02, 1.0 if own else 0.6) * site.slowness
        site.start(own_database=own, ready=False)
        time.sleep(delay)
        database = children_named(site.daemon, "mariadbd")
    else:
        site.start(own_database=own)
        when, delay = "ready", chance.uniform(0.05, 1.0) * site.slowness
        # A task of its own sweeps what an earlier life left, so that the start does not wait for it.
        wait_until(lambda: not site.left & temporaries(site.root), seconds=20, what="what an earlier life left is gone")
        for agent in site.agents:
            if not number:
                agent.start()
            agent.go_on()
        database = children_named(site.daemon, "mariadbd")
        if chance.random() < AIMED:
            when = chance.choice(["remux", "optimisation", "removal", "upload"])
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
