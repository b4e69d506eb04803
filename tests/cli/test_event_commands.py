"""``securitycamd events`` and ``securitycamd digest`` against a running daemon."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from securitycamd.cli import main
from tests.harness import DaemonProcess, wait_until


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    environment = {
        "SECURITYCAMD_SITE__TIME_ZONE": "UTC",
        "SECURITYCAMD_ANALYSER__ENABLED": "false",
        # From seven in the morning on a report would be begun by itself.
        "SECURITYCAMD_DIGEST__ENABLED": "false",
    }
    process = DaemonProcess(tmp_path_factory.mktemp("daemon"), tmp_path_factory.mktemp("footage"), environment).start()
    camera = {"camera_id": "camera_1", "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    process.call("POST", "/api/v1/cameras/register", camera)
    for number in range(3):
        body = {"camera_id": "camera_1", "timestamp": f"2026-03-01T10:00:0{number}", "motion_score": 1}
        process.call("POST", "/api/v1/events", body)
    # As if they were older than the search: the daemon takes them in by itself.
    statements = (
        "UPDATE events SET ai_phrase = CONCAT('A \x1b[31m ladder at the wall, ', id);"
        "INSERT INTO unread_texts SELECT id FROM events WHERE id < 3;"
    )
    socket = process.folder / "state" / "mariadb" / "mariadbd.sock"
    subprocess.run(["mariadb", f"--socket={socket}", "-uroot", "securitycam"], input=statements, text=True, check=True)
    wait_until(lambda: ask(process, "events", "search", "ladder")["total"] == 2, seconds=60, what="texts are taken in")
    yield process
    process.stop()


def run(daemon: DaemonProcess, *arguments: str, zone: str = "UTC") -> Result:
    environment = {
        "SECURITYCAMD_SERVER__PORT": str(daemon.port),
        "SECURITYCAMD_SERVER__HOST": "127.0.0.1",
        "SECURITYCAMD_SITE__TIME_ZONE": zone,
    }
    return CliRunner(env=environment).invoke(main, arguments, prog_name="securitycamd")


def ask(daemon: DaemonProcess, *arguments: str) -> Any:
    ended = run(daemon, *arguments, "--json")
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def test_events_are_listed_page_by_page(daemon: DaemonProcess) -> None:
    first = ask(daemon, "events", "list", "--limit", "2", "--unreviewed", "--camera", "camera_1")
    assert [event["id"] for event in first["events"]] == [3, 2]
    rest = ask(daemon, "events", "list", "--limit", "2", "--unreviewed", "--before", first["older"])
    assert [event["id"] for event in rest["events"]] == [1]
    shown = run(daemon, "events", "list", "--limit", "2")
    assert f"--before {first['older']}" in shown.stderr
    assert "2 of 3" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert ask(daemon, "events", "list", "--starred")["events"] == []


def test_times_are_shown_as_the_sites_clock_says_them(daemon: DaemonProcess) -> None:
    assert "2026-03-01 19:00:02" in run(daemon, "events", "list", zone="Asia/Tokyo").stdout
    heard = ask(daemon, "cameras", "list")[0]["last_seen"]
    expected = f"{datetime.fromisoformat(heard) + timedelta(hours=9):%Y-%m-%d %H:%M:%S}"
    assert expected in run(daemon, "cameras", "list", zone="Asia/Tokyo").stdout
    assert f"Last heard of:  {expected}" in run(daemon, "cameras", "show", "camera_1", zone="Asia/Tokyo").stdout


def test_events_are_searched(daemon: DaemonProcess) -> None:
    found = ask(daemon, "events", "search", "the wall", "ladder", "?!")
    assert [event["id"] for event in found["events"]] == [2, 1]
    assert found["ignored"] == ["?!"]
    assert {piece["text"] for snippet in found["snippets"] for piece in snippet["pieces"] if piece["is_hit"]} == {
        "the wall",
        "ladder",
    }
    assert len(ask(daemon, "events", "search", "ladd*", "--best")["events"]) == 2
    # Quoted for the shell as one, with marks of their own: no phrase.
    assert len(ask(daemon, "events", "search", "wall ladd*")["events"]) == 2
    assert len(ask(daemon, "events", "search", "ladder -door")["events"]) == 2
    assert ask(daemon, "events", "search", "wall ladder")["events"] == []
    daemon.call("PATCH", "/api/v1/events/3", {"note": "Key of the shed is with Ann"})
    shown = run(daemon, "events", "search", "shed").stdout
    assert "note: Key of the shed is with Ann\n" in shown, "where it was found, as the phrase does not say it"
    assert "cannot be searched for: ?!" in run(daemon, "events", "search", "ladder", "?!").stderr


def test_an_event_is_shown(daemon: DaemonProcess) -> None:
    shown = run(daemon, "events", "show", "2")
    assert shown.exit_code == 0
    assert "ladder at the wall, 2" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert run(daemon, "events", "show", "77").exit_code == 1


def test_the_report_of_a_day_is_asked_for_and_shown(daemon: DaemonProcess) -> None:
    assert "There is no report yet." in run(daemon, "digest").stdout
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    assert ask(daemon, "digest", yesterday, "--write")["date"] == yesterday
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert "waits to be written" in run(daemon, "digest", today, "--write").stdout
    wait_until(lambda: ask(daemon, "digest", yesterday)["state"] == "quiet", seconds=60, what="the report is written")
    shown = run(daemon, "digest", "yesterday")
    assert f"{yesterday}: 0 events" in shown.stdout
    assert "No camera saw motion on this day." in shown.stdout
    assert run(daemon, "digest", "2020-01-01").exit_code == 1
    assert run(daemon, "digest", "soon").exit_code == 1
