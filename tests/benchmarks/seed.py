"""A year of a busy site, made inside the database: a million events of 27 cameras, two million log lines of 30 days."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from securitycamd.db.events import ALL_CAMERAS
from securitycamd.db.tallies import EVENT_LADDER, LOG_LADDER

CAMERAS = 27
_STARTS = {
    "month": "DATE_FORMAT(timestamp, '%Y-%m-01')",
    "day": "DATE_FORMAT(timestamp, '%Y-%m-%d')",
    "hour": "DATE_FORMAT(timestamp, '%Y-%m-%d %H:00:00')",
    "minute": "DATE_FORMAT(timestamp, '%Y-%m-%d %H:%i:00')",
}


@dataclass(frozen=True)
class Seed:
    """How much to make."""

    events: int = 1_000_000
    log_lines: int = 2_000_000

    def statements(self) -> list[str]:
        """Everything, in order."""
        return [*self._cameras(), *self._events(), *self._logs(), "ANALYZE TABLE cameras, events, logs, tallies, jobs"]

    def _cameras(self) -> list[str]:
        insert = (
            "INSERT INTO cameras (camera_id, name, location, ip_address, last_seen, created_at, updated_at)"
            " SELECT CONCAT('camera_', seq), CONCAT('Camera ', seq), 'Garden', CONCAT('192.168.1.', seq),"
            f" UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM seq_1_to_{CAMERAS}"
        )
        return [insert]

    def _events(self) -> list[str]:
        # Evenly over a year up to now, cameras in turn with some disorder.
        step = 365 * 86_400_000_000 // self.events
        path = {
            name: f"CONCAT('camera_', 1 + (seq * 7) % 27, '/{folder}/', seq, '_20251028_143022_{end}')"
            for name, folder, end in (
                ("image_a_path", "pictures", "a.jpg"),
                ("image_b_path", "pictures", "b.jpg"),
                ("thumbnail_path", "thumbs", "thumb.jpg"),
                ("video_mp4_path", "videos", "video.mp4"),
            )
        }
        insert = (
            "INSERT INTO events (id, camera_id, timestamp, motion_score, confidence_score, status,"
            f" {', '.join(path)}, video_duration, image_a_transferred, image_b_transferred,"
            " thumbnail_transferred, video_transferred, mp4_conversion_status, mp4_converted_at, ai_processed,"
            " ai_processed_at, ai_person_detected, ai_confidence, ai_objects, ai_description, ai_phrase, created_at)"
            " SELECT seq, CONCAT('camera_', 1 + (seq * 7) % 27),"
            f" UTC_TIMESTAMP(6) - INTERVAL ({self.events} - seq) * {step} MICROSECOND,"
            " 500 + (seq * 37) % 9000, (seq * 13) % 110, 'complete',"
            f" {', '.join(path.values())}, 40 + seq % 20, 1, 1, 1, 1, 'complete', UTC_TIMESTAMP(6), 1,"
            ' UTC_TIMESTAMP(6), seq % 3 = 0, 0.87, \'[{{"label":"person","count":1}}]\','
            " 'A person in a dark jacket walks along the path from the left and stops near the parked van; in the"
            " second picture the van door is open. Nothing else in the scene changed.',"
            " 'Person walks toward the parked van', UTC_TIMESTAMP(6)"
            " FROM seq_{first}_to_{last}"
        )
        size = 100_000
        chunks = [
            insert.format(first=first, last=min(first + size - 1, self.events))
            for first in range(1, self.events + 1, size)
        ]
        tally = (
            "INSERT INTO tallies (series, span, start, n) SELECT {series}, '{span}', {start} AS s, COUNT(*)"
            " FROM events GROUP BY {group} s"
        )
        counts = []
        for span in EVENT_LADDER.spans:
            counts.append(tally.format(series=f"'{ALL_CAMERAS}'", span=span, start=_STARTS[span], group=""))
            counts.append(
                tally.format(
                    series=f"CONCAT('{ALL_CAMERAS}|', camera_id)", span=span, start=_STARTS[span], group="camera_id,"
                )
            )
        return chunks + counts

    def _logs(self) -> list[str]:
        step = 30 * 86_400_000_000 // self.log_lines
        insert = (
            "INSERT INTO logs (source, timestamp, level, message)"
            " SELECT CONCAT('camera_', 1 + (seq * 7) % 27),"
            f" UTC_TIMESTAMP(6) - INTERVAL ({self.log_lines} - seq) * {step} MICROSECOND,"
            " ELT(1 + (seq * 11) % 10, 'INFO','INFO','INFO','INFO','INFO','INFO','DEBUG','DEBUG','WARNING','ERROR'),"
            " CONCAT('Motion detector: frame ', seq, ' processed, score 1234.5, background updated')"
            " FROM seq_{first}_to_{last}"
        )
        size = 200_000
        chunks = [
            insert.format(first=first, last=min(first + size - 1, self.log_lines))
            for first in range(1, self.log_lines + 1, size)
        ]
        counts = []
        for span in LOG_LADDER.spans:
            for source, level in ((0, 0), (1, 0), (0, 1), (1, 1)):
                series = f"CONCAT('logs|', {'source' if source else repr('')}, '|', {'level' if level else repr('')})"
                group = ("source," if source else "") + ("level," if level else "")
                counts.append(
                    f"INSERT INTO tallies (series, span, start, n) SELECT {series}, '{span}', {_STARTS[span]} AS s,"
                    f" COUNT(*) FROM logs GROUP BY {group} s ON DUPLICATE KEY UPDATE n = n + VALUES(n)"
                )
        return chunks + counts


def run_sql(socket: Path, database: str, statements: list[str]) -> None:
    """Run statements through the command-line client."""
    subprocess.run(
        ["mariadb", f"--socket={socket}", "-uroot", database],
        input=";\n".join(statements) + ";\n",
        text=True,
        check=True,
    )
