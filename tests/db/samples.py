"""Moments and rows for the tests of the database room."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from securitycamd.db import cameras, events, logs
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.models import CameraRegistration, NewEvent, NewLogLine
from securitycamd.domain.times import EARLIEST

_ONE = timedelta(microseconds=1)
# Where spans begin and end, and a hair to both sides.
EDGES = [
    edge + shift
    for edge in (
        datetime(2024, 2, 29, tzinfo=UTC),
        datetime(2025, 1, 1, tzinfo=UTC),
        datetime(2025, 3, 1, tzinfo=UTC),
        datetime(2025, 3, 14, 9, tzinfo=UTC),
        datetime(2025, 3, 14, 9, 26, tzinfo=UTC),
    )
    for shift in (-_ONE, timedelta(0), _ONE)
]


def random_moments(chance: random.Random, count: int) -> list[datetime]:
    """Moments in clusters far apart, on the edges of spans, and repeated, with empty months between."""
    clusters = [
        datetime(2024, 2, 28, 22, tzinfo=UTC),
        datetime(2024, 12, 31, 23, 30, tzinfo=UTC),
        datetime(2025, 3, 1, tzinfo=UTC),
        datetime(2025, 3, 14, 8, 59, tzinfo=UTC),
        datetime(2031, 7, 1, tzinfo=UTC),
    ]
    found: list[datetime] = []
    for _ in range(count):
        match chance.randrange(6):
            case 0:
                found.append(chance.choice(EDGES))
            case 1 if found:
                found.append(chance.choice(found))
            case 2:
                found.append(EARLIEST + timedelta(days=chance.randrange(20_000)))
            case _:
                spread = chance.choice((60, 7200, 3 * 86400)) * 10**6
                found.append(chance.choice(clusters) + timedelta(microseconds=chance.randrange(spread)))
    return found


CAMERAS = ("camera_1", "camera_2", "camera_3")
SOURCES = ("camera_1", "camera_2", "central")


async def register_all(database: Database) -> None:
    """The records of :data:`CAMERAS`."""

    async def work(transaction: Transaction) -> None:
        for camera_id in CAMERAS:
            await cameras.register(transaction, CameraRegistration(camera_id, "Front", "Garden", "127.0.0.1"))

    await database.transact(work)


async def add_events(database: Database, new: Sequence[NewEvent]) -> None:
    """Insert and count events in one transaction."""

    async def work(transaction: Transaction) -> None:
        await events.add(transaction, new, datetime.now(UTC))

    await database.transact(work)


async def add_lines(database: Database, lines: Sequence[NewLogLine]) -> None:
    """Insert and count log lines in one transaction."""

    async def work(transaction: Transaction) -> None:
        await logs.add(transaction, lines)

    await database.transact(work)


async def seed_events(database: Database, count: int) -> None:
    """Very many plain events of all cameras, one a minute each, and their finished jobs; not counted."""
    async with database.session() as session:
        for number, camera_id in enumerate(CAMERAS):
            await session.script(
                "INSERT INTO events"
                " (camera_id, timestamp, motion_score, status, mp4_conversion_status, created_at)"
                f" SELECT '{camera_id}', '2025-01-01' + INTERVAL seq MINUTE + INTERVAL {number} SECOND, 1,"
                f" 'complete', 'complete', '2025-01-01' FROM seq_1_to_{count // len(CAMERAS)}"
            )
        await session.script("ANALYZE TABLE events")
