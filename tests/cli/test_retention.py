"""The commands about retention, against a running daemon."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import DaemonProcess, free_port, wait_until


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """One with an event from long ago, no age limit yet."""
    folder = tmp_path_factory.mktemp("retention", numbered=True)
    made = DaemonProcess(folder, folder / "footage")
    made.storage_root.mkdir()
    settings = folder / "settings.toml"
    settings.write_text("[retention]\nmax_age_days = 30000\n", encoding="utf-8")
    made.environment["SECURITYCAMD_CONFIG"] = str(settings)
    made.start()
    camera = {"camera_id": "camera_1", "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    assert made.call("POST", "/api/v1/cameras/register", camera)[0] == 201
    event = {"camera_id": "camera_1", "timestamp": "2025-10-28T14:30:22", "motion_score": 1.0}
    status, told = made.call("POST", "/api/v1/events", event)
    assert status == 201
    path = f"camera_1/pictures/{told['id']}_20251028_143022_a.jpg"
    (made.storage_root / path).parent.mkdir(parents=True, exist_ok=True)
    (made.storage_root / path).write_bytes(bytes(5000))
    file = {"file_type": "image_a", "file_path": path, "transferred": True}
    assert made.call("PATCH", f"/api/v1/events/{told['id']}/files", file)[0] == 200
    yield made
    made.stop()


def run(port: int, *arguments: str, settings: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"SECURITYCAMD_SERVER__PORT": str(port), "PATH": "/usr/bin:/bin", "COLUMNS": "100"}
    if settings is not None:
        environment["SECURITYCAMD_CONFIG"] = str(settings)
    return subprocess.run(
        [sys.executable, "-m", "securitycamd", "retention", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_is_planned_is_shown_then_done(daemon: DaemonProcess) -> None:
    ended = run(daemon.port, "plan")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Nothing goes in the coming two weeks" in ended.stdout
    assert "camera_1" in ended.stdout
    # The rule changes while the daemon runs.
    settings = Path(daemon.environment["SECURITYCAMD_CONFIG"])
    settings.write_text("[retention]\nmax_age_days = 30\n", encoding="utf-8")
    assert daemon.call("POST", "/api/v1/tasks/retention/pause")[0] == 200
    assert daemon.process is not None
    daemon.process.send_signal(1)

    def planned() -> str:
        return next((line for line in run(daemon.port, "plan").stdout.splitlines() if "older than 30 days" in line), "")

    line = wait_until(planned, seconds=10, what="the plan names the event", every=0.2)
    assert line.split()[:4] == ["now", "camera_1", "2025-10-28", "1"]
    told = json.loads(run(daemon.port, "plan", "--json").stdout)
    assert [item["reason"] for item in told["plan"]] == ["age"]
    refused = run(daemon.port, "run")
    assert (refused.returncode, "retention is paused" in refused.stderr) == (1, True)
    assert daemon.call("POST", "/api/v1/tasks/retention/resume")[0] == 200
    ended = run(daemon.port, "run")
    assert (ended.returncode, "being carried out" in ended.stdout) == (0, True)

    def gone() -> bool:
        return bool(daemon.call("GET", "/api/v1/events")[1]["total"] == 0)

    wait_until(gone, seconds=10, what="the event is gone")
    assert not list(daemon.storage_root.rglob("*.jpg"))


def test_without_a_daemon_it_ends_with_3() -> None:
    for command in ("plan", "run"):
        ended = run(free_port(), command)
        assert (ended.returncode, ended.stdout) == (3, "")
        assert "no daemon answers" in ended.stderr


def test_wrong_settings_end_with_2(tmp_path: Path) -> None:
    settings = tmp_path / "bad.toml"
    settings.write_text("[retention]\nmax_age_days = -1\n", encoding="utf-8")
    ended = run(free_port(), "plan", settings=settings)
    assert ended.returncode == 2
    assert ended.stderr.startswith("retention.max_age_days = -1: ")


@pytest.mark.parametrize("command", ["plan", "run"])
def test_help_has_an_example_and_says_how_it_ends(command: str) -> None:
    shown = run(1, command, "--help").stdout
    assert f"securitycamd retention {command}" in shown.partition("Options:")[2]
    assert "Ends with 0" in shown
