"""``securitycamd cameras`` against a running daemon."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from securitycamd.cli import main
from tests.harness import DaemonProcess, wait_until


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    folder, root = tmp_path_factory.mktemp("daemon"), tmp_path_factory.mktemp("footage")
    # Silent for a second is offline: these cameras have no agent.
    process = DaemonProcess(folder, root, {"SECURITYCAMD_AGENTS__OFFLINE_AFTER_SECONDS": "1"}).start()
    yield process
    process.stop()


def run(daemon: DaemonProcess, *arguments: str, answer: str | None = None) -> Result:
    environment = {"SECURITYCAMD_SERVER__PORT": str(daemon.port), "SECURITYCAMD_SERVER__HOST": "127.0.0.1"}
    return CliRunner(env=environment).invoke(main, ["cameras", *arguments], input=answer, prog_name="securitycamd")


def ask(daemon: DaemonProcess, *arguments: str) -> Any:
    ended = run(daemon, *arguments, "--json")
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def furnish(daemon: DaemonProcess, camera_id: str, events: int) -> list[str]:
    """A camera with events, each with a picture; the pictures' paths."""
    body = {"camera_id": camera_id, "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    assert daemon.call("POST", "/api/v1/cameras/register", body)[0] == 201
    paths = []
    for number in range(events):
        motion = {"camera_id": camera_id, "timestamp": f"2026-03-01T10:00:{number:02}", "motion_score": 1}
        event_id = daemon.call("POST", "/api/v1/events", motion)[1]["id"]
        path = f"{camera_id}/pictures/{event_id}_20260301_1000{number:02}_a.jpg"
        (daemon.storage_root / path).parent.mkdir(parents=True, exist_ok=True)
        (daemon.storage_root / path).write_bytes(b"picture")
        report = {"file_type": "image_a", "file_path": path, "transferred": True}
        assert daemon.call("PATCH", f"/api/v1/events/{event_id}/files", report)[0] == 200
        paths.append(path)
    wait_until(
        lambda: daemon.call("GET", f"/api/v1/cameras/{camera_id}")[1]["status"] == "offline", seconds=20, what="offline"
    )
    return paths


def test_cameras_are_listed_shown_renamed_and_hidden(daemon: DaemonProcess) -> None:
    assert "register by themselves" in run(daemon, "list").stdout
    furnish(daemon, "camera_1", 2)
    assert run(daemon, "rename", "camera_1", "Gate", "--location", "Street").stdout == (
        "camera_1 is called Gate (Street).\n"
    )
    head, line = run(daemon, "list").stdout.splitlines()
    assert head.split() == ["CAMERA", "STATE", "NAME", "LOCATION", "ADDRESS", "LAST", "HEARD", "OF"]
    assert line.split()[:4] == ["camera_1", "offline", "Gate", "Street"]
    shown = run(daemon, "show", "camera_1", "--refresh").stdout
    for words in ("Name:           Gate", "Events:         2, 0 today", "Last 24 hours:  "):
        assert words in shown
    assert ask(daemon, "show", "camera_1")["agent_name"] == "Front"
    assert run(daemon, "hide", "camera_1").stdout == "camera_1 is hidden; it records on.\n"
    assert ask(daemon, "list") == []
    assert [one["camera_id"] for one in ask(daemon, "list", "--all")] == ["camera_1"]
    assert run(daemon, "hide", "camera_1", "--undo").stdout == "camera_1 is shown in lists again.\n"
    assert len(ask(daemon, "list")) == 1


def test_a_camera_is_removed_with_its_footage(daemon: DaemonProcess) -> None:
    paths = furnish(daemon, "camera_2", 25)
    no = run(daemon, "remove", "camera_2", "--with-footage", answer="n\n")
    assert no.exit_code == 1
    assert "Remove camera_2? 25 events, " in no.stderr
    assert "go for good." in no.stderr
    assert all((daemon.storage_root / path).exists() for path in paths)
    done = run(daemon, "remove", "camera_2", "--with-footage", answer="y\n")
    assert (done.exit_code, done.stdout) == (0, "camera_2 is gone.\n")
    assert not any((daemon.storage_root / path).exists() for path in paths)
    assert daemon.call("GET", "/api/v1/cameras/camera_2")[0] == 404


def test_a_camera_is_removed_without_its_footage_and_comes_back(daemon: DaemonProcess) -> None:
    paths = furnish(daemon, "camera_3", 3)
    done = run(daemon, "remove", "camera_3", "--keep-footage", "--yes")
    assert done.stdout == "camera_3 is removed; its events are still here.\n"
    assert all((daemon.storage_root / path).exists() for path in paths)
    assert "camera_3" not in run(daemon, "list").stdout
    assert run(daemon, "restore", "camera_3").exit_code == 0
    assert "camera_3" in run(daemon, "list").stdout
    again = run(daemon, "restore", "camera_3")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "not being removed" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["show", "nobody"], 1, "There is no camera 'nobody'."),
        (["rename", "nobody", "x" * 101], 1, "at most 100 characters"),
        (["remove", "camera_1"], 2, "Say --with-footage or --keep-footage."),
        (["remove", "a/b", "--keep-footage", "--yes"], 1, "no camera"),
        (["restore", "nobody"], 1, "There is no camera 'nobody'."),
    ],
)
def test_what_cannot_be_done_is_told(daemon: DaemonProcess, arguments: list[str], code: int, told: str) -> None:
    ended = run(daemon, *arguments)
    assert (ended.exit_code, ended.stdout) == (code, "")
    assert told in ended.stderr


def test_a_camera_that_is_online_is_removed_by_force_only(daemon: DaemonProcess) -> None:
    body = {"camera_id": "camera_4", "name": "Shed", "location": "Garden", "ip_address": "127.0.0.1"}

    def is_refused() -> bool:
        daemon.call("POST", "/api/v1/cameras/register", body)
        return run(daemon, "remove", "camera_4", "--keep-footage", "--yes").exit_code == 1

    wait_until(is_refused, seconds=20, what="refused while it is online")
    done = run(daemon, "remove", "camera_4", "--keep-footage", "--yes", "--force")
    assert done.stdout == "camera_4 is gone.\n"
