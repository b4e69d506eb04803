import ast
import configparser
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from annotated_types import Le

from securitycamd import daemon
from securitycamd.cli.options import EXIT_KEPT_FAILING, EXIT_SETTINGS, EXIT_START
from securitycamd.config import load_settings
from securitycamd.db import server
from securitycamd.settings import ServerSettings
from securitycamd.telemetry import pipeline

ROOT: Final = Path(__file__).parents[1]
UNIT: Final = ROOT / "systemd" / "securitycamd.service"
LARGEST_EXPOSURE: Final = 25
"""In tenths: 2.5, "OK" as `systemd-analyze security` says."""

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


class _Unit(configparser.RawConfigParser):
    def __init__(self) -> None:
        # Keys may come again, and are told apart by case.
        super().__init__(strict=False, interpolation=None)

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    unit = _Unit()
    unit.read(UNIT, encoding="utf-8")
    return unit["Service"]


def environment() -> dict[str, str]:
    lines = [
        line.removeprefix("Environment=") for line in UNIT.read_text().splitlines() if line.startswith("Environment=")
    ]
    return dict(line.split("=", 1) for line in lines)


@needs_systemd
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    # The program and the user are there only once it is installed.
    text = UNIT.read_text(encoding="utf-8").replace("/opt/securitycamd/.venv/bin/securitycamd", "/bin/true")
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace("User=securitycamd", "User=root").replace("Group=securitycamd", "Group=root"))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=yes", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in checked.stderr.splitlines() if UNIT.name in line]
    assert ours == []
    assert checked.returncode == 0, checked.stderr


@needs_systemd
def test_the_service_is_well_confined() -> None:
    checked = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            f"--threshold={LARGEST_EXPOSURE}",
            "--no-pager",
            str(UNIT),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_stopping_takes_less_than_systemd_gives(service: configparser.SectionProxy) -> None:
    """Each stage of the stop has its time; their sum stays below TimeoutStopSec."""
    stages = sum(
        ast.unparse(node).count("STAGE_SECONDS")
        for node in ast.walk(ast.parse(Path(daemon.__file__).read_text(encoding="utf-8")))
        if isinstance(node, ast.AsyncFunctionDef) and node.name == "_stop"
    )
    assert stages >= 4
    [longest_requests] = [
        bound.le for bound in ServerSettings.model_fields["stop_seconds"].metadata if isinstance(bound, Le)
    ]
    assert isinstance(longest_requests, int)
    longest = (
        longest_requests
        + 2 * stages * daemon.STAGE_SECONDS  # a task that does not end in time is cancelled and waited for once more
        + 3.0  # the pool
        + server.STOP_TIMEOUT_SECONDS
        + 2 * pipeline.STOP_SECONDS
    )
    assert longest < float(service["TimeoutStopSec"])


def test_starting_may_take_as_long_as_the_first_set_up(service: configparser.SectionProxy) -> None:
    assert float(service["TimeoutStartSec"]) >= server.INSTALL_TIMEOUT_SECONDS + server.READY_TIMEOUT_SECONDS


def test_systemd_starts_anew_what_a_restart_can_mend(service: configparser.SectionProxy) -> None:
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"].split() == [str(EXIT_SETTINGS)]
    assert len({0, EXIT_SETTINGS, EXIT_START, EXIT_KEPT_FAILING}) == 4


def test_the_daemon_is_told_of_reloads_and_watched(service: configparser.SectionProxy) -> None:
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "main")
    assert float(service["WatchdogSec"]) >= 10
    assert service["KillMode"] == "mixed"  # the daemon ends its own children in order


def test_the_command_and_the_settings_of_the_unit_are_good(monkeypatch: pytest.MonkeyPatch) -> None:
    command = next(line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart="))
    assert command.endswith("/securitycamd serve --config /etc/securitycamd/securitycamd.toml")
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    settings = load_settings(ROOT / "config" / "securitycamd.toml")
    assert str(settings.state_directory) == "/var/lib/securitycamd"


def test_what_the_daemon_writes_may_be_written(service: configparser.SectionProxy) -> None:
    """The file system is read-only but for the state folder and the storage root."""
    assert service["ProtectSystem"] == "strict"
    assert environment()["SECURITYCAMD_STATE_DIRECTORY"] == f"/var/lib/{service['StateDirectory']}"
    assert environment()["SECURITYCAMD_STORAGE__ROOT"] in service["ReadWritePaths"].replace("-/", "/").split()
