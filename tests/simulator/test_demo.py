"""The command as a process, with a fake daemon: what it prints, what it leaves behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import psutil
import pytest

from securitycamd.simulator.footage import cache_folder
from securitycamd.simulator.scenes import Scene

# The module; its package has a command of the same name.
command_module = import_module("securitycamd.cli.demo")

# The demo with its daemon replaced; everything else is what a user runs.
RUN = """
import sys
from securitycamd.cli.demo import demo
from securitycamd.simulator import demonstration
demonstration.SERVER_COMMAND = (sys.executable, "-m", "tests.simulator.fake_server")
demonstration.CLIP_SECONDS = 5.0
demo()
"""


def command(tmp_path: Path, *arguments: str, **environment: str) -> tuple[list[str], dict[str, str]]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("SECURITYCAMD_")}
    ours = {
        "SECURITYCAMD_CACHE": str(cache_folder()),
        # Nothing answers on the discard port, so that a real Ollama on a developer's machine is left alone.
        "SECURITYCAMD_ANALYSER__URL": "http://127.0.0.1:9",
        "SECURITYCAMD_DATABASE__URL": "mysql://operator:secret@127.0.0.1/production",
        "PYTHONUNBUFFERED": "1",
    }
    words = [sys.executable, "-c", RUN, "--state", str(tmp_path / "state"), *arguments]
    if "--port" not in arguments:
        # Not 8000 and up: other tests, in other processes, look for a port there at the same time.
        with socket.create_server(("127.0.0.1", 0)) as free:
            words += ["--port", str(free.getsockname()[1])]
    return words, inherited | ours | environment


def run(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words, variables = command(tmp_path, *arguments, **environment)
    return subprocess.run(words, env=variables, check=False, capture_output=True, text=True, timeout=60)


@pytest.fixture(autouse=True)
def prepared(scenes: list[Scene]) -> None:
    """Footage is fetched before the clock of a command starts."""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    words, variables = command(tmp_path, "--cameras", "1")
    with subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        yield process
        if process.poll() is None:
            process.kill()


def test_check_runs_the_chain_and_prints_times(tmp_path: Path) -> None:
    done = run(tmp_path, "--check", "--timeout", "40", "--cameras", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No Ollama answers at 127.0.0.1:9" in done.stdout
    assert "playable" in done.stdout
    assert "A street in view" in done.stdout
    log = (tmp_path / "state/daemon.log").read_text()
    settings = json.loads(log.partition("fake daemon ")[2].splitlines()[0])
    assert settings["SECURITYCAMD_STORAGE__ROOT"] == str(tmp_path / "state/footage")
    # The operator's database is none of the demo's business.
    assert "SECURITYCAMD_DATABASE__URL" not in settings


def test_a_busy_8000_makes_way(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(command_module, "DEFAULT_PORT", port)
        assert command_module._port(None, as_json=False) > port
    assert f"Port {port} is taken" in capsys.readouterr().out


def test_check_says_what_is_missing_and_shows_the_log(tmp_path: Path) -> None:
    done = run(tmp_path, "--check", "--timeout", "9", "--cameras", "1", "--json", FAKE_FAULT="converter")
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert result["ok"] is False
    assert result["cameras"][0]["missing"] == "event 1 lacks its MP4 (conversion is pending)"
    assert "Front walk (camera_1): event 1 lacks its MP4" in done.stderr
    assert "fake daemon" in done.stderr


def test_a_daemon_that_ends_ends_the_demo(tmp_path: Path) -> None:
    done = run(tmp_path, "--check", FAKE_FAULT="ends")
    assert done.returncode == 1
    assert "error: the server ended with code 1" in done.stderr
    assert "no database" in done.stderr


def test_a_taken_port_and_wrong_settings_are_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(tmp_path, "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "is taken" in done.stderr
    done = run(tmp_path, SECURITYCAMD_ANALYSER__URL="nonsense")
    assert done.returncode == 2
    assert "analyser.url" in done.stderr


def await_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"the demo ended without saying {text!r}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(running: subprocess.Popen[str], number: signal.Signals) -> None:
    await_line(running, "Ctrl-C stops everything")
    children = psutil.Process(running.pid).children(recursive=True)
    assert children
    began = time.monotonic()
    running.send_signal(number)
    await_line(running, "Stopped")
    assert running.wait(10) == 0
    assert time.monotonic() - began < 10
    assert not [child for child in children if child.is_running()]


def test_no_daemon_outlives_a_killed_demo(running: subprocess.Popen[str]) -> None:
    await_line(running, "Ctrl-C stops everything")
    children = psutil.Process(running.pid).children(recursive=True)
    running.kill()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive


def test_one_demo_a_folder(running: subprocess.Popen[str], tmp_path: Path) -> None:
    await_line(running, "Ctrl-C stops everything")
    done = run(tmp_path, "--check")
    assert done.returncode == 1
    assert "another demo runs" in done.stderr
