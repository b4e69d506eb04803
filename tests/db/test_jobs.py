import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from securitycamd.db import events, jobs
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.jobs import Job, JobKind, JobState
from securitycamd.domain.models import NewEvent
from tests.db.samples import add_events, register_all

WHEN: Final = datetime(2025, 10, 28, tzinfo=UTC)
REMUX: Final = JobKind.REMUX


@pytest.fixture
async def event_ids(database: Database) -> list[int]:
    """Events, oldest first, each with a remux job."""
    await register_all(database)
    new = [NewEvent("camera_1", WHEN + timedelta(minutes=n), 1.0) for n in range(12)]
    await add_events(database, new)
    async with database.session() as session:
        found, _ = await events.by_keys(session, {(event.camera_id, event.timestamp) for event in new})
    ids = sorted(event.id for event in found.values())
    for event_id in ids:
        await enqueue(database, event_id)
    return ids


async def enqueue(database: Database, event_id: int, kind: JobKind = REMUX) -> None:
    async def work(transaction: Transaction) -> None:
        await jobs.enqueue(transaction, event_id, kind)

    await database.transact(work)


async def claim(database: Database, owner: str, *, lease_seconds: float = 60, kind: JobKind = REMUX) -> Job | None:
    async def work(transaction: Transaction) -> Job | None:
        return await jobs.claim(transaction, kind, owner=owner, lease_seconds=lease_seconds)

    return await database.transact(work)


async def finish(database: Database, job: Job, state: JobState, **options: Any) -> bool:
    async def work(transaction: Transaction) -> bool:
        chosen: dict[str, Any] = {"delay_seconds": 0, "error": None, "costs_attempt": True} | options
        return await jobs.finish(transaction, job, state, **chosen)

    return await database.transact(work)


async def state_of(database: Database, event_id: int) -> tuple[str, int, str | None]:
    async with database.session() as session:
        [row] = await session.script(f"SELECT state, attempts, last_error FROM jobs WHERE event_id = {event_id}")
    state, attempts, error = row
    return state, attempts, error


async def test_claims_take_the_newest_event_first_and_each_job_once(database: Database, event_ids: list[int]) -> None:
    taken: list[Job] = []
    while (job := await claim(database, f"a:{len(taken)}")) is not None:
        taken.append(job)
        assert (job.kind, job.attempt, job.owner) == (REMUX, 1, f"a:{len(taken) - 1}")
    assert [job.event_id for job in taken] == event_ids[::-1]
    assert await claim(database, "a:x", kind=JobKind.ANALYSE) is None


async def test_priority_goes_before_age(database: Database, event_ids: list[int]) -> None:
    async with database.session() as session:
        await session.script(f"UPDATE jobs SET priority = 1 WHERE event_id = {event_ids[3]}")
        await session.script(f"UPDATE jobs SET priority = -1 WHERE event_id = {event_ids[-1]}")
    first, second = await claim(database, "a:1"), await claim(database, "a:2")
    assert first is not None
    assert second is not None
    assert (first.event_id, second.event_id) == (event_ids[3], event_ids[-2])


async def test_claimers_at_once_never_get_the_same_job_and_never_wait(database: Database, event_ids: list[int]) -> None:
    """Whoever holds a row for a moment is passed by."""
    async with database.transaction() as holding:
        held = await jobs.claim(holding, REMUX, owner="slow:1", lease_seconds=60)
        assert held is not None
        async with asyncio.timeout(4):  # less than the lock wait time-out
            others = await asyncio.gather(*(claim(database, f"b:{n}") for n in range(9)))
    claimed = [job.event_id for job in others if job is not None]
    assert held.event_id not in claimed
    assert len(claimed) == len(set(claimed)) > 0


async def test_each_of_many_jobs_is_done_by_exactly_one(database: Database, event_ids: list[int]) -> None:
    done: list[int] = []

    async def worker(name: str) -> None:
        turn = 0
        while len(done) < len(event_ids):
            turn += 1
            job = await claim(database, f"{name}:{turn}")
            if job is None:
                await asyncio.sleep(0.001)
            elif await finish(database, job, JobState.DONE):
                done.append(job.event_id)

    async with asyncio.timeout(30):
        await asyncio.gather(*(worker(name) for name in "abcd"))
    assert sorted(done) == event_ids


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.QUEUED])
async def test_an_end_is_written_once_and_only_by_who_holds_the_job(
    database: Database, event_ids: list[int], state: JobState
) -> None:
    job = await claim(database, "a:1")
    assert job is not None
    stranger = Job(job.id, job.event_id, job.kind, job.attempt, "b:1", job.first_due)
    assert not await finish(database, stranger, state)
    assert await finish(database, job, state, error="x" * 900)
    assert await state_of(database, job.event_id) == (state, 1, "x" * jobs.ERROR_LIMIT)
    assert not await finish(database, job, state)
    assert not await jobs.renew(database, job, lease_seconds=60)


async def test_a_delay_holds_a_job_back(database: Database, event_ids: list[int]) -> None:
    job = await claim(database, "a:1")
    assert job is not None
    await finish(database, job, JobState.QUEUED, delay_seconds=3600)
    following = await claim(database, "a:2")
    assert following is not None
    assert following.event_id == event_ids[-2]
    async with database.session() as session:
        [(seconds,)] = await session.script(
            f"SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), run_after) FROM jobs WHERE id = {job.id}"
        )
    assert 3590 < seconds <= 3600


async def test_what_is_released_costs_no_attempt(database: Database, event_ids: list[int]) -> None:
    attempts = []
    for turn, costs_attempt in enumerate((False, False, True, False, True)):
        job = await claim(database, f"a:{turn}")
        assert job is not None
        assert job.event_id == event_ids[-1]
        attempts.append(job.attempt)
        await finish(database, job, JobState.QUEUED, costs_attempt=costs_attempt)
    assert attempts == [1, 1, 1, 2, 2]


async def test_a_lease_that_ran_out_is_recovered_and_its_owner_is_void(
    database: Database, event_ids: list[int]
) -> None:
    gone, alive = await claim(database, "gone:1", lease_seconds=0), await claim(database, "alive:1")
    assert gone is not None
    assert alive is not None
    assert await jobs.recover(database) == 1
    assert await jobs.recover(database) == 0
    assert await state_of(database, gone.event_id) == (JobState.QUEUED, 1, None)
    again = await claim(database, "b:1")
    assert again is not None
    assert (again.id, again.attempt) == (gone.id, 2)
    assert not await finish(database, gone, JobState.DONE)
    assert await finish(database, alive, JobState.DONE)
    assert await finish(database, again, JobState.DONE)


async def test_a_lease_that_is_renewed_does_not_run_out(database: Database, event_ids: list[int]) -> None:
    job = await claim(database, "a:1", lease_seconds=0)
    assert job is not None
    assert await jobs.renew(database, job, lease_seconds=60)
    assert await jobs.recover(database) == 0


async def test_an_instance_gives_back_its_own_and_nobody_elses(database: Database, event_ids: list[int]) -> None:
    mine = [await claim(database, f"00aa:{n}") for n in range(3)]
    await claim(database, "00ab:1")
    await claim(database, "100aa:1")
    assert await jobs.give_back(database, "00aa") == 3
    for job in mine:
        assert job is not None
        assert await state_of(database, job.event_id) == (JobState.QUEUED, 0, None)
    assert await jobs.give_back(database, "00aa") == 0


async def test_a_job_is_queued_again_only_after_it_had_failed(database: Database, event_ids: list[int]) -> None:
    ends = {}
    for state in (JobState.DONE, JobState.FAILED, JobState.QUEUED, JobState.RUNNING):
        job = await claim(database, f"a:{state}")
        assert job is not None
        if state is not JobState.RUNNING:
            await finish(database, job, state, delay_seconds=3600, error="why")
        ends[state] = job.event_id
    for event_id in ends.values():
        await enqueue(database, event_id)
    assert {state: await state_of(database, event_id) for state, event_id in ends.items()} == {
        JobState.DONE: ("done", 1, "why"),
        JobState.FAILED: ("queued", 0, "why"),
        JobState.QUEUED: ("queued", 1, "why"),
        JobState.RUNNING: ("running", 1, None),
    }
    again = await claim(database, "b:1")
    assert again is not None
    assert again.event_id == ends[JobState.FAILED]  # due at once; the one that waits still waits
    assert again.first_due > WHEN


async def test_depths_count_what_is_not_done(database: Database, event_ids: list[int]) -> None:
    chance = random.Random(4)
    expected = {JobState.QUEUED: len(event_ids)}
    for number in range(6):
        job = await claim(database, f"a:{number}")
        assert job is not None
        state = chance.choice([JobState.DONE, JobState.FAILED, JobState.RUNNING])
        if state is not JobState.RUNNING:
            await finish(database, job, state)
        expected[JobState.QUEUED] -= 1
        if state is not JobState.DONE:
            expected[state] = expected.get(state, 0) + 1
    found = await jobs.depths(database, list(JobKind))
    assert {JobState(state): count for _, state, count, _ in found} == expected
    assert await jobs.depths(database, [JobKind.ANALYSE]) == []


async def test_why_jobs_failed(database: Database, event_ids: list[int]) -> None:
    job = await claim(database, "a:1")
    assert job is not None
    await finish(database, job, JobState.FAILED, error="The file is not H.264 video.")
    assert await jobs.errors(database, event_ids, REMUX) == [[job.event_id, "The file is not H.264 video."]]
    assert await jobs.errors(database, event_ids, JobKind.ANALYSE) == []


async def test_an_events_jobs_go_with_it(database: Database, event_ids: list[int]) -> None:
    async with database.session() as session:
        await session.script(f"DELETE FROM events WHERE id = {event_ids[0]}")
    assert await jobs.of_event(database, event_ids[0]) == []
