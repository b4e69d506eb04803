"""``securitycamd logs`` against a running daemon."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from securitycamd.cli import main
from tests.harness import DaemonProcess, wait_until


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    process = DaemonProcess(tmp_path_factory.mktemp("daemon"), tmp_path_factory.mktemp("footage")).start()
    yield process
    process.stop()


def environment(daemon: DaemonProcess) -> dict[str, str]:
    return {"SECURITYCAMD_SERVER__PORT": str(daemon.port), "SECURITYCAMD_SERVER__HOST": "127.0.0.1"}


def run(daemon: DaemonProcess, *arguments: str) -> Result:
    return CliRunner(env=environment(daemon)).invoke(main, ["logs", *arguments], prog_name="securitycamd")


def post(daemon: DaemonProcess, source: str, *messages: str, level: str = "INFO", minutes_ago: float = 0.0) -> None:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    body = [
        {
            "source": source,
            "timestamp": (at + timedelta(milliseconds=number)).isoformat(),
            "level": level,
            "message": message,
        }
        for number, message in enumerate(messages)
    ]
    assert daemon.call("POST", "/api/v1/logs", body)[0] == 201


def test_lines_are_chosen_and_shown_the_newest_last(daemon: DaemonProcess) -> None:
    post(daemon, "cam_a", "old disk", minutes_ago=90)
    post(daemon, "cam_a", "Disk one", "other", "disk\x1b[31m two")
    post(daemon, "cam_b", "disk three", level="ERROR")
    ended = run(daemon, "--source", "cam_a", "--source", "cam_b", "--grep", "DISK", "--since", "1h")
    assert ended.exit_code == 0, ended.output
    assert [line[24:] for line in ended.output.splitlines()] == [
        "INFO    cam_a: Disk one",
        "INFO    cam_a: disk [31m two",
        "ERROR   cam_b: disk three",
    ]
    ended = run(daemon, "--source", "cam_b", "--level", "ERROR", "--json")
    assert [json.loads(line)["message"] for line in ended.output.splitlines()] == ["disk three"]


def test_more_lines_than_one_answer_holds(daemon: DaemonProcess) -> None:
    post(daemon, "cam_many", *(f"line {number}" for number in range(1500)))
    ended = run(daemon, "--source", "cam_many", "--lines", "1400")
    lines = ended.output.splitlines()
    assert (len(lines), lines[0].rpartition(": ")[2], lines[-1].rpartition(": ")[2]) == (1400, "line 100", "line 1499")


@pytest.mark.parametrize("value", ["soon", "5y", "-3h"])
def test_a_time_that_is_none_is_told(daemon: DaemonProcess, value: str) -> None:
    ended = run(daemon, "--since", value)
    assert ended.exit_code == 2
    assert "must be like 15m" in ended.output


def test_following_shows_what_comes(daemon: DaemonProcess, tmp_path: Path) -> None:
    post(daemon, "cam_f", "before")
    shown = tmp_path / "shown.txt"
    with shown.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "securitycamd", "logs", "--source", "cam_f", "--follow"],
            stdout=output,
            env={**os.environ, **environment(daemon), "PYTHONUNBUFFERED": "1"},
        )
    try:
        wait_until(lambda: "before" in shown.read_text(), seconds=30, what="what was there is shown")
        post(daemon, "cam_f", "a late line", minutes_ago=0.5)
        wait_until(lambda: "a late line" in shown.read_text(), seconds=30, what="what came is shown")
    finally:
        process.terminate()
        process.wait(10)
    assert shown.read_text().count("before") == 1
