"""``securitycamd tasks`` and ``securitycamd jobs`` against a running daemon that makes a clip smaller when told."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from securitycamd.cli import main
from tests.footage import Footage
from tests.harness import DaemonProcess, free_port, wait_until


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    folder = tmp_path_factory.mktemp("daemon")
    root = tmp_path_factory.mktemp("footage")
    environment = {
        "SECURITYCAMD_OPTIMISER__MIN_AGE_HOURS": "0",
        "SECURITYCAMD_OPTIMISER__ENCODER": "libx264",
        "SECURITYCAMD_OPTIMISER__PRESET": "ultrafast",
        "SECURITYCAMD_CONVERTER__STILLS_AFTER_SECONDS": "0.1",
        # Closed now, whenever that is: the test may not run for a whole day.
        "SECURITYCAMD_SITE__TIME_ZONE": "UTC",
        "SECURITYCAMD_OPTIMISER__WINDOW_START": f"{(_hour() + 12) % 24:02}:00",
        "SECURITYCAMD_OPTIMISER__WINDOW_END": f"{(_hour() + 13) % 24:02}:00",
    }
    process = DaemonProcess(folder, root, environment).start()
    yield process
    process.stop()


def _hour() -> int:
    return time.gmtime().tm_hour


def run(daemon: DaemonProcess, *arguments: str) -> Result:
    environment = {"SECURITYCAMD_SERVER__PORT": str(daemon.port), "SECURITYCAMD_SERVER__HOST": "127.0.0.1"}
    return CliRunner(env=environment).invoke(main, arguments, prog_name="securitycamd")


def ask(daemon: DaemonProcess, *arguments: str) -> Any:
    ended = run(daemon, *arguments, "--json")
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def report(daemon: DaemonProcess, second: int, content: bytes) -> int:
    camera = {"camera_id": "camera_1", "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    daemon.call("POST", "/api/v1/cameras/register", camera)
    body = {"camera_id": "camera_1", "timestamp": f"2026-03-01T10:00:{second:02}", "motion_score": 1}
    event_id = int(daemon.call("POST", "/api/v1/events", body)[1]["id"])
    path = f"camera_1/videos/{event_id}_20260301_1000{second:02}_video.h264"
    (daemon.storage_root / path).parent.mkdir(parents=True, exist_ok=True)
    (daemon.storage_root / path).write_bytes(content)
    status, _ = daemon.call(
        "PATCH",
        f"/api/v1/events/{event_id}/files",
        {"file_type": "video", "file_path": path, "transferred": True},
    )
    assert status == 200
    return event_id


def event(daemon: DaemonProcess, event_id: int) -> Any:
    return daemon.call("GET", f"/api/v1/events/{event_id}")[1]


def test_the_optimiser_works_when_told(daemon: DaemonProcess, tmp_path: Path) -> None:
    content = Footage(tmp_path).clip(extra=":crf=8").read_bytes()
    event_id = report(daemon, 1, content)
    wait_until(lambda: event(daemon, event_id)["mp4_conversion_status"] == "complete", seconds=15, what="playable")
    # The agent brought none of its pictures.
    wait_until(lambda: event(daemon, event_id)["thumbnail_transferred"], seconds=15, what="pictures made")
    shown = run(daemon, "tasks", "list").stdout
    assert "optimiser" in shown
    assert "Makes clips smaller, at night" in shown
    assert "optimiser: paused\n" in run(daemon, "tasks", "pause", "optimiser").stdout
    # A script is told that nothing comes of it.
    refused = run(daemon, "tasks", "run-now", "optimiser", "--minutes", "5")
    assert refused.exit_code == 1
    assert "optimiser is paused and does nothing; resume it first." in refused.stderr
    assert ask(daemon, "tasks", "resume", "optimiser")["state"] == "running"
    assert "looks for work now" in run(daemon, "tasks", "run-now", "optimiser", "--minutes", "5").stdout
    wait_until(lambda: event(daemon, event_id)["mp4_conversion_status"] == "optimized", seconds=20, what="optimised")
    saved = daemon.call("GET", "/api/v1/stats")[1]["storage"]["saved_bytes"]
    assert saved > 0
    (task,) = [task for task in ask(daemon, "tasks", "list") if task["name"] == "optimiser"]
    assert (task["state"], task["restarts"]) == ("running", 0)


def test_what_failed_is_listed_and_retried(daemon: DaemonProcess) -> None:
    event_id = report(daemon, 2, b"no video at all")
    wait_until(lambda: event(daemon, event_id)["mp4_conversion_status"] == "failed", seconds=15, what="refused")
    (job,) = [job for job in ask(daemon, "jobs", "list") if job["event_id"] == event_id]
    assert (job["kind"], job["state"]) == ("remux", "failed")
    assert f"event {event_id}  camera_1  remux  failed  {job['last_error']}\n" in run(daemon, "jobs", "list").stdout
    assert run(daemon, "jobs", "list", "--kind", "analyse", "--state", "running").stdout == "No job is running.\n"
    assert run(daemon, "jobs", "retry", "--event", str(event_id)).stdout == "1 remux job queued again.\n"
    wait_until(lambda: event(daemon, event_id)["mp4_conversion_status"] == "failed", seconds=15, what="refused again")
    assert ask(daemon, "jobs", "retry", "--all") == {"kind": "remux", "queued": 1}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["jobs", "retry", "--event", "999999"], 1, "There is no event 999999."),
        (["tasks", "pause", "cook"], 1, "There is no task named cook."),
        (["tasks", "run-now", "converter", "--minutes", "5"], 1, "minutes: converter works at any time"),
        (["jobs", "retry"], 2, "Name an event with --event, or say --all."),
        (["jobs", "retry", "--event", "1", "--all"], 2, "Name an event with --event, or say --all."),
    ],
)
def test_what_cannot_be_done_is_told(daemon: DaemonProcess, arguments: list[str], code: int, told: str) -> None:
    ended = run(daemon, *arguments)
    assert (ended.exit_code, ended.stdout) == (code, "")
    assert told in ended.stderr


def test_no_daemon(daemon: DaemonProcess) -> None:
    environment = {"SECURITYCAMD_SERVER__PORT": str(free_port())}
    ended = CliRunner(env=environment).invoke(main, ["tasks", "list"], prog_name="securitycamd")
    assert ended.exit_code == 3
    assert "is it running?" in ended.stderr


def test_a_stop_gives_back_what_is_in_hand(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Leaves this module's daemon stopped; no process, no half file, and the clip as it was."""
    content = Footage(tmp_path).clip(seconds=20.0, size="1280x720").read_bytes()
    event_id = report(daemon, 3, content)
    wait_until(lambda: event(daemon, event_id)["mp4_conversion_status"] == "complete", seconds=15, what="playable")
    clip = daemon.storage_root / event(daemon, event_id)["video_mp4_path"]
    before = clip.read_bytes()
    ask(daemon, "tasks", "run-now", "optimiser")

    def progress() -> Any:
        jobs = daemon.call("GET", f"/api/v1/events/{event_id}/jobs")[1]
        return [job for job in jobs if job["kind"] == "optimise" and job["progress"]]

    wait_until(progress, seconds=15, what="being optimised")
    assert daemon.stop() == 0
    assert clip.read_bytes() == before
    assert not list(daemon.storage_root.rglob(".*.tmp"))
    daemon.start()
    jobs = daemon.call("GET", f"/api/v1/events/{event_id}/jobs")[1]
    (job,) = [job for job in jobs if job["kind"] == "optimise"]
    # Given back at no cost; run-now did not outlive the daemon, and the window is closed.
    assert (job["state"], job["attempts"]) == ("queued", 0)
