"""Newest first, and yet an old backlog moves however many new jobs arrive; an operator's wish goes before both."""

from typing import Any

import pytest

from securitycamd.domain.jobs import JobKind, JobOutcome
from securitycamd.services.jobs import OLDEST_EVERY
from securitycamd.services.retries import RETRY_PRIORITY
from tests.services.conftest import LEASE_SECONDS, Bench


async def work_off(bench: Bench, claims: int) -> list[int]:
    """Take and finish so many jobs; their events."""
    taken = []
    for _ in range(claims):
        job = await bench.claim()
        await bench.shared.jobs.done(job)
        bench.shared.jobs.let_go(job)
        taken.append(job.event_id)
    return taken


async def test_a_backlog_is_worked_off_while_new_jobs_stream_in(bench: Bench) -> None:
    backlog = [await bench.clip(None) for _ in range(6)]
    taken: list[int] = []
    turns = 0
    while not set(backlog) <= set(taken):
        # As many arrive as are done: without its turn the backlog would wait for ever.
        await bench.clip(None)
        taken += await work_off(bench, 1)
        turns += 1
        assert turns <= len(backlog) * OLDEST_EVERY
    old = [event_id for event_id in taken if event_id in backlog]
    assert old == backlog  # the oldest first
    new = [event_id for event_id in taken if event_id not in backlog]
    assert len(new) >= turns * (OLDEST_EVERY - 1) / OLDEST_EVERY - 1  # and the newest at once


async def test_most_claims_take_the_newest(bench: Bench) -> None:
    ids = [await bench.clip(None) for _ in range(8)]
    assert await work_off(bench, 8) == [ids[7], ids[6], ids[5], ids[0], ids[4], ids[3], ids[2], ids[1]]


async def test_turns_are_counted_by_kind(bench: Bench) -> None:
    ids = [await bench.clip(None) for _ in range(6)]
    await work_off(bench, OLDEST_EVERY - 1)
    assert await bench.shared.jobs.claim(JobKind.ANALYSE, lease_seconds=LEASE_SECONDS) is None
    assert await work_off(bench, 1) == [ids[0]]


async def test_what_is_retried_goes_before_the_oldest_and_the_newest(bench: Bench) -> None:
    ids = [await bench.clip(None) for _ in range(6)]
    await bench.sql(f"UPDATE jobs SET priority = {RETRY_PRIORITY} WHERE event_id IN ({ids[2]}, {ids[3]})")
    await bench.sql(f"UPDATE jobs SET priority = -1 WHERE event_id = {ids[0]}")
    assert await work_off(bench, 6) == [ids[3], ids[2], ids[5], ids[1], ids[4], ids[0]]


async def test_what_is_not_due_is_no_oldest(bench: Bench) -> None:
    ids = [await bench.clip(None) for _ in range(6)]
    await work_off(bench, OLDEST_EVERY - 1)
    await bench.sql(f"UPDATE jobs SET run_after = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR WHERE event_id = {ids[0]}")
    assert await work_off(bench, 1) == [ids[1]]


async def test_progress_is_shown_while_a_job_is_worked_on(bench: Bench) -> None:
    event_id = await bench.clip(None)
    assert (await bench.job(event_id)).progress is None  # nobody works on it
    job = await bench.claim()
    tell = bench.shared.jobs.progress_of(job)
    tell(0.25)
    assert (await bench.job(event_id)).progress == 0.25
    async with bench.shared.database.transaction() as transaction:
        await bench.shared.jobs.finish(transaction, job, JobOutcome.DONE)
    bench.shared.jobs.let_go(job)
    assert (await bench.job(event_id)).progress is None


async def test_a_conversion_tells_its_progress(bench: Bench, clip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    event_id = await bench.clip(clip)
    seen: list[float | None] = []
    publish = bench.shared.files.publish

    async def look(*arguments: Any, **options: Any) -> None:
        seen.append((await bench.job(event_id)).progress)
        await publish(*arguments, **options)

    monkeypatch.setattr(bench.shared.files, "publish", look)
    job = await bench.claim()
    await bench.shared.conversion.convert(job)
    assert seen == [1.0]
    bench.shared.jobs.let_go(job)
    assert (await bench.job(event_id)).progress is None
