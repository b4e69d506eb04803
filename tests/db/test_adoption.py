import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from securitycamd.db import events, migrate, older_rows, older_tables
from securitycamd.db.engine import Database, DatabaseAddress, Transaction
from securitycamd.db.migrate import MigrationError, read_migrations
from securitycamd.domain.models import EventFilter
from securitycamd.domain.names import Category, ConversionStatus, EventStatus
from securitycamd.domain.principal import DAEMON
from securitycamd.services.adoption import Adoption, AdoptionStoppedError
from tests.conftest import Site
from tests.db.described import of_database, of_tables
from tests.db.older import EVENT_IDS, NEXT_ID, ORDINARY, make_older

STEPS = read_migrations()
BERLIN = ZoneInfo("Europe/Berlin")
_OLDER_SUMS = (
    "CHECKSUM TABLE older_cameras, older_events, older_logs",
    "CHECKSUM TABLE cameras, events, logs",
)


def adoption(address: DatabaseAddress, **options: Any) -> Adoption:
    return Adoption(address, BERLIN, Path("/srv/footage"), 30, **options)


async def start(address: DatabaseAddress, **options: Any) -> bool:
    """What a daemon does with its database before it is ready."""
    is_older = await older_tables.put_aside(address)
    await migrate.migrate(address, STEPS)
    if is_older:
        await adoption(address, **options).run()
    return is_older


@pytest.fixture
async def database(fresh_database: DatabaseAddress) -> AsyncIterator[Database]:
    """An older database, not adopted yet; an application of the tests has this one."""
    await make_older(fresh_database)
    pool = Database(fresh_database, pool_size=5, wait_seconds=5, statement_seconds=15)
    await pool.open()
    yield pool
    await pool.close()


async def scripted(database: Database, statement: str) -> list[tuple[Any, ...]]:
    async with database.session() as session:
        return await session.script(statement)


async def sums(database: Database, statement: str) -> list[int]:
    return [row[1] for row in await scripted(database, statement)]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # year to microsecond: never so many that they reach tzinfo


async def test_every_row_is_adopted_and_the_older_ones_stay(database: Database, make_site: Callable[..., Any]) -> None:
    before = await sums(database, _OLDER_SUMS[1])
    assert await start(database.address)
    assert await sums(database, _OLDER_SUMS[0]) == before
    await held(database)

    found = await events.by_ids(database, EVENT_IDS)
    assert sorted(found) == EVENT_IDS
    whole = found[101]
    assert whole.timestamp == utc(2025, 7, 1, 9, 0, 0, 500_000)
    assert (whole.created_at, whole.mp4_converted_at) == (utc(2025, 7, 1, 9, 0, 2), utc(2025, 7, 1, 9, 5))
    assert (whole.motion_score, whole.confidence_score, whole.status) == (1250.5, 62.0, EventStatus.COMPLETE)
    assert whole.video_mp4_path == "camera_1/videos/101_video.mp4"
    assert (whole.ai_category, whole.ai_person_detected, whole.ai_confidence) == (Category.PERSON, True, 0.85)
    assert json.loads(whole.ai_objects or "") == [{"label": "person", "count": 1}, {"label": "dog", "count": 2}]

    # The repeated hour, in the order in which it was written; and what was there more than once.
    assert [found[number].timestamp for number in (201, 202, 203)] == [
        utc(2025, 10, 26, 0, 10), utc(2025, 10, 26, 0, 50), utc(2025, 10, 26, 1, 10),
    ]  # fmt: skip
    assert [found[number].timestamp.microsecond for number in (301, 302, 303, 304)] == [1, 0, 2, 3]
    assert {found[number].camera_id for number in (301, 304)} == {"camera_1"}

    odd = found[501]
    assert (odd.camera_id, odd.motion_score, odd.status) == ("gone", 0.0, EventStatus.COMPLETE)
    assert (odd.image_a_path, odd.video_mp4_path) == (None, "gone/videos/501.mp4")
    assert (odd.mp4_conversion_status, odd.ai_confidence) == (ConversionStatus.COMPLETE, 0.85)
    assert (odd.ai_phrase, odd.ai_objects) == ("é" * 200, '[{"label":"car","count":2}]')
    odd = found[502]
    assert (odd.camera_id, odd.timestamp) == ("unknown", utc(2025, 11, 3, 7, 0, 2))
    assert (odd.image_a_path, odd.ai_confidence) == (None, None)

    site: Site = await make_site()
    cameras = {camera.camera_id: camera for camera in await site.shared.cameras.everything(DAEMON)}
    assert {name: camera.id for name, camera in cameras.items() if camera.id < 8} == {"camera_1": 3, "cam_2": 7}
    assert cameras.keys() == {"camera_1", "cam_2", "gone", "unknown"}
    assert cameras["camera_1"].last_seen == utc(2025, 7, 1, 10)
    assert cameras["gone"].last_seen == utc(2025, 11, 3, 7)

    # Agents and people go on where they were.
    shown = await site.json("GET", "/api/v1/events/101")
    assert (shown["id"], shown["image_a_path"]) == (101, "camera_1/pictures/101_a.jpg")
    listed = await site.json("GET", "/api/v1/events?limit=2&offset=3")
    assert listed["total"] == len(EVENT_IDS)
    for page in ("/", "/events/501", "/events/502", "/events/403", "/cameras", "/cameras/unknown", "/live", "/logs"):
        async with site.client.get(page, headers={"Accept": "text/html"}) as response:
            assert response.status == 200, page
    await site.shared.finding.take_in_texts()
    async with database.session() as session:
        assert await session.script("SELECT COUNT(*) FROM unread_texts") == [(0,)]
    assert (await site.json("GET", "/api/v1/events?q=dog"))["total"] == ORDINARY
    assert (await site.event())["id"] == NEXT_ID


async def test_the_older_foreign_key_stays_under_a_name_that_is_free(database: Database) -> None:
    await older_tables.put_aside(database.address)
    keys = await scripted(
        database,
        "SELECT constraint_name, table_name, referenced_table_name, delete_rule"
        " FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE()",
    )
    assert keys == [("older_fk_events_camera_id", "older_events", "older_cameras", "CASCADE")]


async def held(database: Database) -> None:
    """Counts are those of the rows, and there is work where work is left."""
    for span, form in (("month", "%Y-%m-01"), ("day", "%Y-%m-%d"), ("hour", "%Y-%m-%d %H:00:00")):
        kinds = "COALESCE(ai_category, 'pending')"
        real: set[tuple[Any, ...]] = set()
        for name in ("'events'", "CONCAT('events|', camera_id)", f"CONCAT('kind|', camera_id, '|', {kinds})",
                     f"CONCAT('kind||', {kinds})"):  # fmt: skip
            real |= set(await scripted(
                database,
                f"SELECT {name} AS s, CAST(DATE_FORMAT(timestamp, '{form}') AS DATETIME) AS t, COUNT(*) FROM events"
                " GROUP BY s, t",
            ))  # fmt: skip
        kept = f"SELECT series, start, n FROM tallies WHERE span = '{span}' AND n <> 0 AND series NOT LIKE 'logs|%'"
        assert set(await scripted(database, kept)) == real
    assert await events.count(database, EventFilter()) == len(EVENT_IDS)
    row = await scripted(database, "SELECT SUM(n) FROM tallies WHERE series = 'logs||' AND span = 'day'")
    assert row == await scripted(database, "SELECT COUNT(*) FROM logs") == [(3,)]
    assert await scripted(database, "SELECT level, LEFT(source, 7), LENGTH(message) FROM logs ORDER BY id") == [
        ("INFO", "camera_", 6), ("WARNING", "unknown", 7), ("ERROR", "sssssss", 65535),
    ]  # fmt: skip
    jobs = await scripted(database, "SELECT event_id, kind, state FROM jobs ORDER BY event_id, kind")
    assert jobs == [
        (401, "analyse", "queued"), (401, "remux", "queued"), (402, "remux", "queued"), (403, "remux", "failed"),
    ]  # fmt: skip
    clips = await scripted(database, "SELECT id, mp4_conversion_status, ai_error FROM events WHERE id IN (401,402,403)")
    assert clips == [(401, "pending", None), (402, "pending", None), (403, "failed", "no stills")]
    unread = await scripted(database, "SELECT COUNT(*) FROM unread_texts")
    assert unread == [(ORDINARY + 1,)]
    state = await scripted(database, "SELECT part, found, moved FROM older_adoption WHERE done_at IS NOT NULL")
    assert sorted(state) == [("cameras", 2, 0), ("events", len(EVENT_IDS), 2), ("logs", 3, 0)]
    async with database.session() as session:
        built = {name: table for name, table in (await of_database(session)).items() if not name.startswith("older_")}
    assert built == of_tables()


async def test_a_daemon_that_is_killed_at_any_batch_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of 7 rows; every one of them is begun, broken off at its end, and done by the next start."""
    note = older_rows.note
    broken: set[tuple[str, int]] = set()

    async def note_or_die(transaction: Transaction, part: str, state: older_rows.Progress) -> None:
        await note(transaction, part, state)
        if (part, state.copied_to) not in broken:
            broken.add((part, state.copied_to))
            raise ZeroDivisionError

    monkeypatch.setattr(older_rows, "note", note_or_die)
    starts = 0
    while True:
        starts += 1
        try:
            assert await start(database.address, batch_rows=7)
            break
        except ZeroDivisionError:
            continue
    assert starts == len(broken) + 1 > len(EVENT_IDS) / 7
    await held(database)
    assert await start(database.address)  # and nothing is copied twice
    await held(database)


async def test_of_daemons_that_start_together_one_copies(database: Database) -> None:
    assert any(await asyncio.gather(*(start(database.address, batch_rows=20) for _ in range(3))))
    await held(database)


async def test_a_crash_around_the_renaming_is_made_up_for(database: Database) -> None:
    async with database.session() as session:
        await session.script(older_tables._CREATE)
    assert await older_tables.put_aside(database.address)
    # Here it ends, before there is a table of ours; and then in the middle of the migrations.
    assert await older_tables.put_aside(database.address)
    await migrate.migrate(database.address, STEPS[:1])
    with pytest.raises(AdoptionStoppedError):
        await start(database.address, is_stopping=lambda: True)
    assert await start(database.address)
    await held(database)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("DROP TABLE logs", "which has a table logs"),
        ("ALTER TABLE events DROP COLUMN motion_score", "whose table events has a column motion_score"),
        ("ALTER TABLE events MODIFY timestamp VARCHAR(40)", r"events\.timestamp is of type varchar"),
        ("ALTER TABLE logs MODIFY id BIGINT, DROP PRIMARY KEY", r"its logs\.id is no key"),
        ("CREATE TABLE jobs (id INT)", "one that is called jobs"),
        ("UPDATE events SET id = -4 WHERE id = 404", "numbered from -4"),
    ],
)
async def test_what_is_not_quite_theirs_is_refused_and_left_alone(database: Database, change: str, why: str) -> None:
    await scripted(database, change)
    tables = await scripted(database, "SHOW TABLES")
    rows = await sums(database, "CHECKSUM TABLE cameras, events")
    with pytest.raises(MigrationError, match=why):
        await start(database.address)
    assert await scripted(database, "SHOW TABLES") == tables
    assert await sums(database, "CHECKSUM TABLE cameras, events") == rows


async def test_an_empty_database_and_ours_are_no_older_ones(fresh_database: DatabaseAddress) -> None:
    assert not await start(fresh_database)
    assert not await start(fresh_database)
