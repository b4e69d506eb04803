import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from securitycamd import __version__
from securitycamd.cli import main

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(main.commands)


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("SECURITYCAMD_")]:
        monkeypatch.delenv(name)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="securitycamd")


def test_the_commands_there_are() -> None:
    assert {"check-config", "demo", "serve"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does_and_how_it_ends(command: str) -> None:
    shown = run(command, "--help")
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"Usage: securitycamd {command} [OPTIONS]")
    assert "Ends with 0" in shown.stdout
    assert run(command, "-h").stdout == shown.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str) -> None:
    after_options = run(command, "--help").stdout.split("Options:")[1]
    assert re.search(rf"^ +(\w+=\S+ )?securitycamd {command}\b", after_options, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained(command: str) -> None:
    options = [option for option in main.commands[command].params if isinstance(option, click.Option)]
    for option in options:
        assert option.help, option.name
        assert option.help.endswith("."), option.name


def test_help_lists_every_command_and_says_where_settings_come_from() -> None:
    shown = run("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\S", shown, re.MULTILINE)
    assert "SECURITYCAMD_CONFIG" in shown


def test_the_version() -> None:
    assert run("--version").stdout == f"securitycamd, version {__version__}\n"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["version"]["path"] == "securitycamd/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


@pytest.mark.parametrize("arguments", [["nonsense"], ["serve", "--nonsense"], ["check-config", "extra"]])
def test_a_wrong_command_line_is_told(arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.exit_code == 2
    assert "Error: " in ended.stderr
    assert ended.stdout == ""


# --- check-config -------------------------------------------------------------------------------------------


def test_good_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "good.toml"
    path.write_text('[site]\ntime_zone = "Asia/Tokyo"', encoding="utf-8")
    ended = run("check-config", "--config", str(path))
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert f"The settings are good ({path} and the environment)" in ended.stdout
    assert "Asia/Tokyo" in ended.stdout
    monkeypatch.setenv("SECURITYCAMD_CONFIG", str(path))
    assert run("check-config").stdout == ended.stdout
    monkeypatch.delenv("SECURITYCAMD_CONFIG")
    assert "the defaults and the environment" in run("check-config").stdout


def test_the_settings_that_are_shipped_are_good() -> None:
    assert run("check-config", "-c", str(ROOT / "config" / "securitycamd.toml")).exit_code == 0


@pytest.mark.parametrize("command", ["check-config", "serve", "demo"])
def test_wrong_settings_end_any_command_with_2_and_a_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[server]\nport = 99999\nprt = 1\n[converter]\nprocesses = 0", encoding="utf-8")
    monkeypatch.setenv("SECURITYCAMD_CONFIG", str(path))
    ended = run(command)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == [
        "server.port = 99999: should be less than or equal to 65535",
        "server.prt = 1: no such setting",
        "converter.processes = 0: should be greater than or equal to 1",
    ]


def test_a_settings_file_that_is_missing_ends_with_2(tmp_path: Path) -> None:
    ended = run("check-config", "-c", str(tmp_path / "missing.toml"))
    assert ended.exit_code == 2
    assert ended.stderr == f"{tmp_path / 'missing.toml'}: cannot be read: No such file or directory\n"


# --- serve, as a process ------------------------------------------------------------------------------------


def serve(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SECURITYCAMD_")}
    return subprocess.run(
        [sys.executable, "-m", "securitycamd", "serve"],
        env=clean
        | {
            "SECURITYCAMD_STATE_DIRECTORY": str(folder / "state"),
            "SECURITYCAMD_STORAGE__ROOT": str(folder / "footage"),
            "SECURITYCAMD_SERVER__HOST": "127.0.0.1",
            "SECURITYCAMD_SERVER__PORT": "0",
        }
        | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_state_folder_that_cannot_be_used_ends_with_3_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file", encoding="ascii")
    ended = serve(tmp_path)
    assert ended.returncode == 3, ended.stderr
    assert ended.stderr.startswith("securitycamd: the state folder ")
    assert len(ended.stderr.splitlines()) == 1
    assert "Traceback" not in ended.stdout


def test_a_state_folder_in_use_ends_with_3_and_one_line(tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "state").mkdir()
    with (tmp_path / "state" / "lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        ended = serve(tmp_path)
    assert ended.returncode == 3, ended.stderr
    assert ended.stderr == f"securitycamd: another securitycamd runs with the state folder {tmp_path / 'state'}\n"


def test_wrong_settings_end_serve_with_2_before_anything_is_made(tmp_path: Path) -> None:
    ended = serve(tmp_path, SECURITYCAMD_SERVER__PORT="x")
    assert ended.returncode == 2
    assert ended.stderr.startswith("server.port = 'x': ")
    assert list(tmp_path.iterdir()) == []
