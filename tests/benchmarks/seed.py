"""A year of a busy site, made inside the database: a million events of 27 cameras, two million log lines of 30 days."""

import subprocess
from dataclasses import dataclass
from itertools import accumulate
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


PENDING = 400
"""The newest events that nobody has looked at yet."""
CATEGORIES = {
    "person": 350, "vehicle": 280, "light": 160, "vegetation": 110, "nothing": 58, "animal": 30, "unknown": 11,
    "package": 1,
}  # fmt: skip
STATUSES = {"complete": 970, "interrupted": 22, "failed": 8}
SUBJECTS = {
    "Person walks along the path": 350, "Car drives past the gate": 280, "Sunlight moves over the lawn": 160,
    "Branches move in the wind": 110, "Nothing changed": 58, "Cat crosses the driveway": 30, "Unclear movement": 11,
    "Parcel left at the door": 1,
}  # fmt: skip
DETAILS = {
    "in a dark jacket": 400, "near the parked van": 300, "from the left": 200, "beside the garden fence": 70,
    "with an umbrella": 15, "with a bicycle": 10, "carrying a ladder": 3, "under scaffolding": 1,
    "with a wheelbarrow": 1,
}  # fmt: skip


def _chance(salt: int) -> str:
    """A number from 0 to 999 that looks random, and is the same for the same event and salt."""
    return f"(CONV(SUBSTR(MD5(CONCAT(seq, '-{salt}')), 1, 8), 16, 10) % 1000)"


def _share(shares: dict[str, int], salt: int) -> str:
    """One of the words, each as often among a thousand as it says."""
    bounds = ", ".join(str(bound) for bound in accumulate(shares.values()))
    return f"ELT(1 + INTERVAL({_chance(salt)}, {bounds}), {', '.join(map(repr, shares))})"


# The last word is of one event in twenty thousand.
_SENTENCE = (
    f"{_share(SUBJECTS, 1)}, ', ', {_share(DETAILS, 2)}, '; in the second picture ', {_share(DETAILS, 8)},"
    " '. Nothing else in the scene has changed. Plate ', HEX(seq % 20000 + 4096), '.'"
)


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
        looked_at = f"seq <= {self.events} - {PENDING}"
        values = {
            "id": "seq",
            "camera_id": "CONCAT('camera_', 1 + (seq * 7) % 27)",
            "timestamp": f"UTC_TIMESTAMP(6) - INTERVAL ({self.events} - seq) * {step} MICROSECOND",
            "motion_score": "500 + (seq * 37) % 9000",
            "confidence_score": "(seq * 13) % 110",
            "status": f"IF(seq > {self.events} - 20, 'processing', {_share(STATUSES, 3)})",
            **path,
            "video_duration": "40 + seq % 20",
            "image_a_transferred": "1",
            "image_b_transferred": "1",
            "thumbnail_transferred": "1",
            "video_transferred": "1",
            "mp4_conversion_status": "'complete'",
            "mp4_converted_at": "UTC_TIMESTAMP(6)",
            "ai_processed": looked_at,
            "ai_processed_at": f"IF({looked_at}, UTC_TIMESTAMP(6), NULL)",
            "ai_category": f"IF({looked_at}, {_share(CATEGORIES, 1)}, NULL)",
            "ai_person_detected": f"IF({looked_at}, {_chance(1)} < 350 OR {_chance(4)} < 20, NULL)",
            "ai_confidence": f"IF({looked_at}, 0.3 + {_chance(5)} * 0.0007, NULL)",
            "ai_objects": "JSON_ARRAY(JSON_OBJECT('label', 'person', 'count', 1))",
            "ai_description": f"IF({looked_at}, CONCAT({_SENTENCE}), NULL)",
            "ai_phrase": f"IF({looked_at}, {_share(SUBJECTS, 1)}, NULL)",
            "created_at": "UTC_TIMESTAMP(6)",
            "protected": f"{_chance(6)} < 1",
            "reviewed": f"seq < {self.events} - {self.events // 12} AND {_chance(7)} < 970",
        }
        names, made = ", ".join(values), ", ".join(values.values())
        insert = f"INSERT INTO events ({names}) SELECT {made} FROM seq_{{first}}_to_{{last}}"
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
            kind = "CONCAT('kind|', camera_id, '|', COALESCE(ai_category, 'pending'))"
            counts.append(tally.format(series=kind, span=span, start=_STARTS[span], group="camera_id, ai_category,"))
            everywhere = "CONCAT('kind||', COALESCE(ai_category, 'pending'))"
            counts.append(tally.format(series=everywhere, span=span, start=_STARTS[span], group="ai_category,"))
            starred = tally.format(
                series="CONCAT('starred|', camera_id)", span=span, start=_STARTS[span], group="camera_id,"
            )
            counts.append(starred.replace(" FROM events ", " FROM events WHERE protected "))
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
