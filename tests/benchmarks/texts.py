"""What the seeded events say, findable: the words of their texts, and how often each occurs."""

import subprocess
from collections import Counter
from pathlib import Path

from securitycamd.db.event_index import word_series
from tests.benchmarks.seed import run_sql

# As securitycamd.domain.words writes them; the seeded texts hold ASCII only.
_SPLIT = "REGEXP_REPLACE(LOWER(CONCAT(ai_phrase, ' | ', ai_description, ' | person')), '[^a-z0-9|]+', ' ')"
_PADDED = f"REGEXP_REPLACE({_SPLIT}, '\\\\b([a-z0-9]{{1,3}}|from|with)\\\\b', '\\\\1___')"
_DATED = f"REGEXP_REPLACE({_PADDED}, '([a-z0-9_]+)', CONCAT('\\\\1_', DATE_FORMAT(timestamp, '%y%m')))"
_WORDS = (
    f"INSERT INTO event_texts (event_id, words) SELECT id, CONCAT(' ', REPLACE({_DATED}, '|', '.'), ' ')"
    " FROM events WHERE ai_description IS NOT NULL"
)


def seed_texts(socket: Path, database: str) -> None:
    """Make a seeded database's events findable."""
    run_sql(socket, database, [_WORDS, "DELETE FROM unread_texts", "ANALYZE TABLE event_texts"])
    command = [
        "mariadb",
        f"--socket={socket}",
        "-uroot",
        "-N",
        "--quick",
        database,
        "-e",
        "SELECT words FROM event_texts",
    ]
    counts: Counter[str] = Counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        for line in client.stdout:
            counts.update(set(line.split()) - {"."})
    rows = [
        f"('{word_series(word[:-5])}', 'month', '20{word[-4:-2]}-{word[-2:]}-01', {n})" for word, n in counts.items()
    ]
    size = 5000
    inserts = [
        f"INSERT INTO tallies (series, span, start, n) VALUES {', '.join(rows[start : start + size])}"
        for start in range(0, len(rows), size)
    ]
    run_sql(socket, database, [*inserts, "ANALYZE TABLE tallies"])
