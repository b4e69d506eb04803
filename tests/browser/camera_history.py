"""A past for cameras: a month of being there, of silences, of a daemon that was down, and of events by the hour."""

import subprocess
from datetime import UTC, datetime, timedelta

from securitycamd.db.server import DATABASE_NAME
from tests.browser.world import World


def sql(world: World, text: str) -> str:
    """Run statements in the daemon's own database."""
    [socket] = world.daemon.folder.rglob("mariadbd.sock")
    done = subprocess.run(
        ["mariadb", f"--socket={socket}", "-uroot", "-N", "-B", DATABASE_NAME, "-e", text],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def give_past(world: World, camera_id: str = "camera_1") -> None:
    """A month in which the camera was silent for 2 h yesterday evening, and the daemon down for 3 h this morning."""
    now = datetime.now(UTC)

    def ago(hours: float) -> str:
        return f"{now - timedelta(hours=hours):%Y-%m-%d %H:%M:%S}"

    runs = [(720, 9), (6, 0)]
    there = [(720, 300), (299.5, 20), (18, 9), (6, 1.2), (0.9, 0.02)]
    lines = [f"UPDATE cameras SET created_at = '{ago(24 * 31)}' WHERE camera_id = '{camera_id}'"]
    lines += [f"INSERT IGNORE INTO daemon_runs VALUES ('before', '{ago(a)}', '{ago(b)}')" for a, b in runs]
    lines += [f"INSERT IGNORE INTO presence VALUES ('{camera_id}', '{ago(a)}', '{ago(b)}')" for a, b in there]
    hour = now.replace(minute=0, second=0, microsecond=0)
    for back in range(1, 720):
        at = hour - timedelta(hours=back)
        events = max(0, (at.hour * 7 + at.day * 5 + at.hour * at.day) % 23 - 12 + (6 if 6 <= at.hour <= 20 else -4))
        if events:
            lines.append(
                "INSERT INTO tallies (series, span, start, n)"
                f" VALUES ('events|{camera_id}', 'hour', '{at:%Y-%m-%d %H:%M:%S}', {events})"
                " ON DUPLICATE KEY UPDATE n = n + VALUES(n)"
            )
    sql(world, ";".join(lines))
