"""Whole daemons for tests that harm them; nothing of them outlives its test."""

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from securitycamd.services.jobs import CRASHED
from tests.chaos.agents import Agent, Clip, make_clips
from tests.chaos.forks import ForkServer
from tests.footage import Footage
from tests.harness import DaemonProcess
from tests.ollama_server import OllamaServer

MakeDaemon = Callable[..., DaemonProcess]


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return Footage(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def clips(footage: Footage) -> list[Clip]:
    return make_clips(footage)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path, as the sockets in it may have no long one; all that runs in it ends with the test."""
    folder = Path(tempfile.mkdtemp(prefix="scc-"))
    yield folder
    end_processes_of(folder)
    shutil.rmtree(folder)


@pytest.fixture
def make_daemon(place: Path) -> Iterator[MakeDaemon]:
    """A function that makes a daemon (not started) with a folder of its own; keyword arguments are its environment."""
    made: list[DaemonProcess] = []

    def make(name: str = "daemon", *, storage_root: Path | None = None, **environment: str) -> DaemonProcess:
        folder = place / name
        root = storage_root or folder / "footage"
        root.mkdir(parents=True, exist_ok=True)
        # What depends on the time of the day or on the room on the disk has no place here.
        quiet = {"SECURITYCAMD_OPTIMISER__ENABLED": "false", "SECURITYCAMD_RETENTION__ENABLED": "false"}
        daemon = DaemonProcess(folder, root, environment=quiet | environment)
        made.append(daemon)
        return daemon

    yield make
    for daemon in made:
        if daemon.process is not None and daemon.process.poll() is None:
            daemon.process.terminate()
            try:
                daemon.process.wait(15)
            except subprocess.TimeoutExpired:
                daemon.kill()


@pytest.fixture(scope="session")
def forks() -> Iterator[ForkServer]:
    """Where tests of many lives get them: ``daemon.fork = forks.start``."""
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture
def agents() -> Iterator[list[Agent]]:
    """Put agents in here, and they end with the test, also when it fails."""
    running: list[Agent] = []
    yield running
    for agent in running:
        if agent.is_alive():
            agent.abort()


@pytest.fixture
def ollama() -> Iterator[OllamaServer]:
    """An AI server that answers, in a thread of its own."""
    server = OllamaServer()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="ollama", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    yield server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def unfinished_jobs(daemon: DaemonProcess, kind: str) -> int:
    """How many jobs of a kind wait, run or failed."""
    queues = daemon.call("GET", "/api/v1/stats")[1]["queues"]
    return sum(int(queue["jobs"]) for queue in queues if queue["kind"] == kind)


def retry_what_was_given_up(daemon: DaemonProcess) -> None:
    """Do what a person does about jobs during which the daemon was killed too often: have them tried again."""
    for kind in ("remux", "stills", "optimise", "analyse"):
        failed = daemon.call("GET", f"/api/v1/jobs?state=failed&kind={kind}")[1]
        if any(job["last_error"] == CRASHED for job in failed):
            assert daemon.call("POST", f"/api/v1/jobs/{kind}/retry-failed")[0] == 200


def children_named(daemon: DaemonProcess, name: str) -> list[psutil.Process]:
    """The daemon's children that run this program."""
    assert daemon.process is not None
    found = []
    for child in psutil.Process(daemon.process.pid).children():
        with suppress(psutil.NoSuchProcess):  # FFmpeg comes and goes
            if child.name() == name:
                found.append(child)
    return found


def processes_of(folder: Path) -> list[psutil.Process]:
    """Processes that work in ``folder`` or name it in their command, but for zombies."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        command = " ".join(process.info["cmdline"] or [])
        inside = str(folder) in command or (process.info["cwd"] or "").startswith(str(folder))
        if inside and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def end_processes_of(folder: Path) -> None:
    """End what a test left; a database gets the time to close."""
    left = processes_of(folder)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(left, timeout=10)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=10)
