"""Log lines go by day, and the counts with them."""

import asyncio
from datetime import UTC, datetime, timedelta

from securitycamd.db import logs as rows
from securitycamd.domain.models import LogFilter, NewLogLine
from securitycamd.domain.names import LogLevel
from securitycamd.domain.times import Span
from tests.services.conftest import Bench, MakeBench

NOW = datetime.now(UTC)
TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)


async def add(bench: Bench, *days_ago: float, source: str = "camera_1") -> None:
    await bench.shared.logs.add_own(
        [NewLogLine(source, NOW - timedelta(days=days), LogLevel.INFO, f"{days} days ago") for days in days_ago]
    )


async def expire_all(bench: Bench) -> None:
    """Until no older day is left: the lock on partitions is of the whole server, which tests share."""
    before = rows.partition_name((TODAY - timedelta(days=3)).date())
    async with asyncio.timeout(30):
        while [name for name in await partitions(bench) if "p_2" <= name < before]:
            await bench.shared.logs.expire()
    await bench.shared.logs.expire()


async def partitions(bench: Bench) -> list[str]:
    found = await bench.sql(
        "SELECT partition_name FROM information_schema.partitions WHERE table_schema = DATABASE()"
        " AND table_name = 'logs' ORDER BY partition_ordinal_position"
    )
    return [name for (name,) in found]


async def check_counts(bench: Bench) -> int:
    """Every count is that of the rows; how many there are."""
    database = bench.shared.database
    ((there,),) = await bench.sql("SELECT COUNT(*) FROM logs")
    assert await rows.count(database, LogFilter()) == there
    for source in ("camera_1", "camera_2"):
        ((of_source,),) = await bench.sql(f"SELECT COUNT(*) FROM logs WHERE source = '{source}'")
        assert await rows.count(database, LogFilter(source=source)) == of_source
        assert await rows.count(database, LogFilter(source=source, level=LogLevel.INFO)) == of_source
    assert await rows.count(database, LogFilter(span=Span(NOW - timedelta(days=9000)))) == there
    assert not await bench.sql("SELECT series FROM tallies WHERE series LIKE 'logs|%' AND n < 0")
    return int(there)


async def make_old_partitions(bench: Bench) -> None:
    """As a daemon makes them that has run for ten days."""
    await bench.sql("DELETE FROM logs")
    await bench.sql("ALTER TABLE logs REMOVE PARTITIONING")
    await bench.sql(
        "ALTER TABLE logs PARTITION BY RANGE COLUMNS (timestamp) (PARTITION p_past VALUES LESS THAN ('2026-01-01'),"
        " PARTITION p_future VALUES LESS THAN (MAXVALUE))"
    )
    for ago in (10, 0):
        async with bench.shared.database.session() as session:
            await rows._make_missing(session, (NOW - timedelta(days=ago)).date())


async def test_old_lines_go_with_their_days_and_their_counts(make_bench: MakeBench) -> None:
    bench = await make_bench(retention={"log_days": 3})
    await make_old_partitions(bench)
    await add(bench, 0, 1, 2.9, 4, 5, 6, 9)
    await add(bench, 0, 400, 500, 8.5, source="camera_2")
    assert await check_counts(bench) == 11
    await expire_all(bench)
    kept = [
        NOW - timedelta(days=days) for days in (0, 0, 1, 2.9) if NOW - timedelta(days=days) >= TODAY - timedelta(days=3)
    ]
    assert await check_counts(bench) == len(kept)
    left = await partitions(bench)
    assert left[0] == "p_past"
    assert left[1] >= rows.partition_name((TODAY - timedelta(days=3)).date())
    assert rows.partition_name(NOW.date()) in left
    assert left[-1] == "p_future"
    ((counts,),) = await bench.sql(
        f"SELECT COUNT(*) FROM tallies WHERE series LIKE 'logs|%' AND start < '{TODAY - timedelta(days=3):%Y-%m-%d}'"
    )
    assert counts == 0
    # Told late: it is kept, counted, and goes with the next round.
    await add(bench, 7, 30)
    assert await check_counts(bench) == len(kept) + 2
    assert await bench.shared.logs.expire() == 2
    assert await check_counts(bench) == len(kept)
    assert await bench.shared.logs.expire() == 0


async def test_a_crash_after_a_day_was_dropped_is_mended(make_bench: MakeBench) -> None:
    bench = await make_bench(retention={"log_days": 3})
    await make_old_partitions(bench)
    await add(bench, 0, 6, 9)
    async with bench.shared.database.session() as session:
        while await rows._drop_oldest(session, TODAY - timedelta(days=3)):
            pass
    await bench.shared.logs.expire()
    assert await check_counts(bench) == 1


async def test_a_table_in_use_is_left_for_the_next_time(make_bench: MakeBench) -> None:
    bench = await make_bench(retention={"log_days": 3})
    await make_old_partitions(bench)
    await add(bench, 0, 9)
    async with bench.shared.database.transaction() as reading:
        await reading.script("SELECT COUNT(*) FROM logs")
        async with bench.shared.database.session() as session:
            assert await rows._drop_oldest(session, TODAY - timedelta(days=3)) is None
    await expire_all(bench)
    assert await check_counts(bench) == 1


async def test_no_limit_no_loss(make_bench: MakeBench) -> None:
    bench = await make_bench(retention={"log_days": 0})
    await add(bench, 0, 400)
    assert await bench.shared.logs.expire() == 0
    assert await check_counts(bench) == 2
