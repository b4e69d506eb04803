"""``kill -9`` while footage goes: what is left is whole, what should stay stays, what was begun is finished."""

import random
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.harness import DaemonProcess, wait_until

pytestmark = pytest.mark.slow
KILLS = 3
EVENTS = 180


def put(daemon: DaemonProcess, days_ago: float, number: int) -> int:
    """An event with two files."""
    moment = datetime.now(UTC) - timedelta(days=days_ago, seconds=number)
    body = {"camera_id": "camera_1", "timestamp": moment.isoformat(), "motion_score": 1.0}
    status, event = daemon.call("POST", "/api/v1/events", body)
    assert status == 201
    for file_type, folder, end in (("image_a", "pictures", "a"), ("thumbnail", "thumbs", "thumb")):
        path = f"camera_1/{folder}/{event['id']}_20260301_100000_{end}.jpg"
        (daemon.storage_root / path).parent.mkdir(parents=True, exist_ok=True)
        (daemon.storage_root / path).write_bytes(b"picture")
        told = {"file_type": file_type, "file_path": path, "transferred": True}
        assert daemon.call("PATCH", f"/api/v1/events/{event['id']}/files", told)[0] == 200
    return int(event["id"])


def rows(daemon: DaemonProcess) -> dict[int, set[str]]:
    """Paths of every event, by its id."""
    found: dict[int, set[str]] = {}
    total = 1
    while len(found) < total:
        page: Any = daemon.call("GET", f"/api/v1/events?limit=200&offset={len(found)}")[1]
        total = page["total"]
        for event in page["events"]:
            found[event["id"]] = {event["image_a_path"], event["thumbnail_path"]}
    return found


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*.jpg")}


def test_killed_while_footage_goes(make_daemon: Callable[..., DaemonProcess], place: Path) -> None:
    settings = place / "settings.toml"
    settings.write_text("[retention]\nfree_floor_gigabytes = 0\n", encoding="utf-8")
    daemon = make_daemon(SECURITYCAMD_CONFIG=str(settings), SECURITYCAMD_RETENTION__ENABLED="true").start()
    camera = {"camera_id": "camera_1", "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    assert daemon.call("POST", "/api/v1/cameras/register", camera)[0] == 201
    kept = {put(daemon, 0, number) for number in range(5)}
    old = [put(daemon, 9, number) for number in range(EVENTS)]
    starred = set(old[::60])
    for event_id in starred:
        assert daemon.call("PUT", f"/api/v1/events/{event_id}/protection")[0] == 200
    settings.write_text("[retention]\nfree_floor_gigabytes = 0\nmax_age_days = 1\n", encoding="utf-8")
    chance = random.Random(5)
    left = []
    for _ in range(KILLS):
        daemon.kill()
        daemon.start(ready=False)
        wait_until(daemon.is_healthy, seconds=60, what="it is back", every=0.01)
        time.sleep(chance.uniform(0, 0.5))
        left.append(len(files(daemon.storage_root)))
    daemon.kill()
    # Of what was not begun nothing is missing, and no file is without its row: seen from a life without rules.
    settings.write_text("[retention]\nfree_floor_gigabytes = 0\n", encoding="utf-8")
    daemon.start()
    assert daemon.call("POST", "/api/v1/tasks/retention/run-now")[0] == 200

    def whole() -> bool:
        return set().union(*rows(daemon).values()) == files(daemon.storage_root)

    wait_until(whole, seconds=10, what="rows and files agree")
    assert kept | starred <= set(rows(daemon))
    settings.write_text("[retention]\nfree_floor_gigabytes = 0\nmax_age_days = 1\n", encoding="utf-8")
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    applied = "settings reloaded"
    wait_until(lambda: any(line["event"] == applied for line in daemon.log_lines()), seconds=20, what=applied)
    assert daemon.call("POST", "/api/v1/tasks/retention/run-now")[0] == 200
    wait_until(lambda: set(rows(daemon)) == kept | starred, seconds=90, what="what is to go is gone", every=0.5)
    assert whole()
    print("files left at each kill:", left)
    assert left[-1] < 2 * (EVENTS + 5)
    assert daemon.stop() == 0
