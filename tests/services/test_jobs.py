"""The queue as its users see it, on a real MariaDB."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from structlog.typing import EventDict

from securitycamd.db import jobs as rows
from securitycamd.db.engine import Database, DatabaseAddress, Transaction
from securitycamd.domain.errors import DatabaseUnavailableError
from securitycamd.domain.jobs import MAX_ATTEMPTS, MAX_CRASHES, Job, JobKind, JobOutcome, JobState, next_state
from securitycamd.domain.names import ConversionStatus
from securitycamd.domain.principal import TRUSTED_OPERATOR
from securitycamd.services import jobs as jobs_module
from securitycamd.services.jobs import OLDEST_EVERY, JobQueue, LeaseLostError
from tests.conftest import INSTANCE
from tests.services.conftest import CAMERA, LEASE_SECONDS, Bench, MakeBench, Severed

OTHER = "00000000000000bb"
KIND = JobKind.REMUX


@pytest.fixture
def other(database: Database) -> JobQueue:
    """The queue of another daemon on the same database."""
    return JobQueue(database, OTHER)


async def take_over(bench: Bench, other: JobQueue) -> Job:
    """The lease runs out, and another daemon has the job."""
    await bench.run_out()
    assert await other.recover_stale() == 1
    job = await other.claim(KIND, lease_seconds=LEASE_SECONDS)
    assert job is not None
    return job


async def finish(queue: JobQueue, database: Database, job: Job, outcome: JobOutcome) -> JobState:
    async def work(transaction: Transaction) -> JobState:
        return await queue.finish(transaction, job, outcome, error="why")

    return await database.transact(work)


# --- claims ----------------------------------------------------------------------------------------------------------


async def test_a_claim_moves_the_events_outward_status(bench: Bench) -> None:
    event_id = await bench.clip(None)
    assert (await bench.seen(event_id)).mp4_conversion_status is ConversionStatus.PENDING
    job = await bench.claim()
    assert (job.event_id, job.attempt) == (event_id, 1)
    assert (await bench.seen(event_id)).mp4_conversion_status is ConversionStatus.PROCESSING


async def test_two_daemons_never_get_the_same_job_and_wait_for_no_lock(bench: Bench, other: JobQueue) -> None:
    events = [await bench.clip(None) for _ in range(12)]
    queues = (bench.shared.jobs, other)
    async with asyncio.timeout(4):  # less than a wait for a lock may take
        jobs = await asyncio.gather(*(queues[n % 2].claim(KIND, lease_seconds=LEASE_SECONDS) for n in range(14)))
    assert sorted(job.event_id for job in jobs if job) == events
    assert jobs.count(None) == 2


async def test_newest_event_first_but_every_so_often_the_oldest(bench: Bench) -> None:
    events = [await bench.clip(None) for _ in range(OLDEST_EVERY + 2)]
    taken = [(await bench.claim()).event_id for _ in range(OLDEST_EVERY + 1)]
    newest = events[::-1]
    assert taken == [*newest[: OLDEST_EVERY - 1], events[0], newest[OLDEST_EVERY - 1]]


# --- leases ----------------------------------------------------------------------------------------------------------


async def test_a_lease_is_renewed_while_its_work_lasts(bench: Bench, other: JobQueue) -> None:
    await bench.clip(None)
    job = await bench.shared.jobs.claim(KIND, lease_seconds=1.5)
    assert job is not None
    async with bench.shared.jobs.holding(job, lease_seconds=1.5):
        for _ in range(10):
            await asyncio.sleep(0.25)  # the work
            assert await other.recover_stale() == 0
            assert await other.claim(KIND, lease_seconds=1) is None
        assert await finish(bench.shared.jobs, bench.shared.database, job, JobOutcome.DONE) is JobState.DONE


async def test_work_ends_when_its_lease_is_lost(bench: Bench, other: JobQueue) -> None:
    event_id = await bench.clip(None)
    job = await bench.claim()
    steps: list[str] = []
    taken: list[Job] = []

    async def work() -> None:
        async with asyncio.timeout(5), bench.shared.jobs.holding(job, lease_seconds=0.3):
            taken.append(await take_over(bench, other))
            steps.append("taken over")
            await asyncio.sleep(60)
            steps.append("never")

    with pytest.raises(LeaseLostError):
        await work()
    assert steps == ["taken over"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "the loss is an error, not a cancellation that goes on"
    assert (taken[0].event_id, taken[0].attempt) == (event_id, 2)
    assert (await bench.job(event_id)).state is JobState.RUNNING


async def test_a_lost_lease_voids_the_result(bench: Bench, other: JobQueue) -> None:
    event_id = await bench.clip(None)
    job = await bench.claim()
    taken = await take_over(bench, other)
    for outcome in JobOutcome:
        with pytest.raises(LeaseLostError):
            await finish(bench.shared.jobs, bench.shared.database, job, outcome)
    with pytest.raises(LeaseLostError):
        await bench.shared.jobs.release(job, delay_seconds=0)
    with pytest.raises(LeaseLostError):
        await bench.shared.jobs.fail_attempt(job, error="why")

    async def record(transaction: Transaction) -> None:
        await bench.shared.jobs.check_held(transaction, job, lease_seconds=LEASE_SECONDS)

    with pytest.raises(LeaseLostError):
        await bench.shared.database.transact(record)
    assert (await bench.job(event_id)).state is JobState.RUNNING
    assert await finish(other, bench.shared.database, taken, JobOutcome.DONE) is JobState.DONE


async def test_a_cancellation_from_outside_stays_one(bench: Bench) -> None:
    await bench.clip(None)
    job = await bench.claim()
    held = asyncio.Event()

    async def work() -> None:
        async with bench.shared.jobs.holding(job, lease_seconds=LEASE_SECONDS):
            held.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await held.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [t for t in asyncio.all_tasks() if t.get_name().startswith("lease of")] == []


async def test_a_lease_outlives_a_database_that_is_away_for_a_moment(
    make_bench: MakeBench, severed: Severed, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await make_bench(on_database=severed.database)
    event_id = await bench.clip(None)
    job = await bench.shared.jobs.claim(KIND, lease_seconds=2.4)
    assert job is not None
    failed, transact = asyncio.Event(), severed.database.transact

    async def noting(work: Callable[[Transaction], Awaitable[Any]]) -> Any:
        try:
            return await transact(work)
        except DatabaseUnavailableError:
            failed.set()
            raise

    monkeypatch.setattr(severed.database, "transact", noting)
    [[first_end]] = await bench.sql("SELECT lease_until FROM jobs")
    async with bench.shared.jobs.holding(job, lease_seconds=2.4):
        await severed.line.cut()
        await failed.wait()
        await severed.line.mend()
        while await bench.sql(f"SELECT 1 FROM DUAL WHERE UTC_TIMESTAMP(6) <= '{first_end}'"):
            assert await JobQueue(database, OTHER).recover_stale() == 0
            await asyncio.sleep(0.05)
        assert await JobQueue(database, OTHER).recover_stale() == 0
        assert await finish(bench.shared.jobs, severed.database, job, JobOutcome.DONE) is JobState.DONE
    assert (await bench.job(event_id)).state is JobState.DONE


# --- jobs that take the daemon down ---------------------------------------------------------------------------------


async def crash(database: Database) -> JobQueue:
    """The daemon is killed and starts anew."""
    queue = JobQueue(database, INSTANCE)
    await queue.give_back_own(crashed=True)
    return queue


async def test_a_job_that_always_takes_the_daemon_down_is_given_up_and_others_go_on(
    bench: Bench, database: Database
) -> None:
    innocent = await bench.clip(None)
    bad = await bench.clip(None)
    queue = JobQueue(database, INSTANCE)
    for _ in range(MAX_CRASHES):
        job = await queue.claim(KIND, lease_seconds=LEASE_SECONDS)
        assert job is not None
        assert (job.event_id, job.attempt) == (bad, 1), "a crash costs no attempt"
        queue = await crash(database)
    job = await queue.claim(KIND, lease_seconds=LEASE_SECONDS)
    assert job is not None
    assert job.event_id == innocent
    given_up = await bench.job(bad)
    assert given_up.state is JobState.FAILED
    assert given_up.last_error == jobs_module.CRASHED
    assert "3 times" in jobs_module.CRASHED
    assert (await bench.seen(bad)).mp4_conversion_status is ConversionStatus.FAILED
    # A person has it tried again, and it gets as many chances as before.
    await bench.shared.retries.retry(TRUSTED_OPERATOR, bad, KIND)
    assert (await bench.seen(bad)).mp4_conversion_status is ConversionStatus.PENDING
    for _ in range(MAX_CRASHES):
        job = await queue.claim(KIND, lease_seconds=LEASE_SECONDS)
        assert job is not None
        assert job.event_id == bad
        queue = await crash(database)


async def test_an_end_of_any_kind_forgets_the_crashes_before(bench: Bench, database: Database) -> None:
    event_id = await bench.clip(None)
    queue = JobQueue(database, INSTANCE)
    for _ in range(MAX_CRASHES - 1):
        assert await queue.claim(KIND, lease_seconds=LEASE_SECONDS)
        queue = await crash(database)
    job = await queue.claim(KIND, lease_seconds=LEASE_SECONDS)
    assert job is not None
    await queue.release(job, delay_seconds=0)
    for _ in range(MAX_CRASHES - 1):
        assert await queue.claim(KIND, lease_seconds=LEASE_SECONDS)
        queue = await crash(database)
    assert (await bench.job(event_id)).state is JobState.QUEUED
    assert await queue.claim(KIND, lease_seconds=LEASE_SECONDS)


async def test_a_stop_in_order_is_no_crash(bench: Bench, database: Database) -> None:
    await bench.clip(None)
    queue = JobQueue(database, INSTANCE)
    for _ in range(2 * MAX_CRASHES):
        assert await queue.claim(KIND, lease_seconds=LEASE_SECONDS)
        await queue.give_back_own()
        queue = await crash(database)
    assert await queue.claim(KIND, lease_seconds=LEASE_SECONDS)


# --- giving back -----------------------------------------------------------------------------------------------------


async def test_a_start_gives_back_what_an_earlier_life_held_at_once(
    bench: Bench, other: JobQueue, database: Database
) -> None:
    mine, others = await bench.clip(None), await bench.clip(None)
    taken = await other.claim(KIND, lease_seconds=LEASE_SECONDS)
    assert taken is not None
    assert taken.event_id == others
    await bench.claim()
    next_life = JobQueue(database, INSTANCE)
    assert await next_life.give_back_own() == 1
    assert (await bench.job(mine)).state is JobState.QUEUED
    assert (await bench.job(mine)).attempts == 0
    assert (await bench.job(others)).state is JobState.RUNNING
    again = await next_life.claim(KIND, lease_seconds=LEASE_SECONDS)
    assert again is not None
    assert (again.event_id, again.attempt) == (mine, 1)


async def test_what_nobody_works_on_is_given_back_and_what_is_worked_on_stays(bench: Bench, other: JobQueue) -> None:
    lost, held = await bench.clip(None), await bench.clip(None)
    foreign = await bench.clip(None)
    assert (await other.claim(KIND, lease_seconds=LEASE_SECONDS)) is not None
    working, silent = await bench.claim(), await bench.claim()
    assert (working.event_id, silent.event_id) == (held, lost)
    assert await bench.shared.jobs.give_back_lost() == 0
    bench.shared.jobs.let_go(silent)  # its outcome could not be recorded
    assert await bench.shared.jobs.give_back_lost() == 1
    states = {event_id: (await bench.job(event_id)).state for event_id in (lost, held, foreign)}
    assert states == {lost: JobState.QUEUED, held: JobState.RUNNING, foreign: JobState.RUNNING}
    assert (await bench.job(lost)).attempts == 0
    with pytest.raises(LeaseLostError):
        await finish(bench.shared.jobs, bench.shared.database, silent, JobOutcome.DONE)


async def test_a_claim_whose_reply_is_lost_is_given_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    event_id = await bench.clip(None)
    real = bench.shared.database.transact

    async def commits_and_breaks(work: Any) -> Any:
        await real(work)
        raise DatabaseUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(bench.shared.database, "transact", commits_and_breaks)
        with pytest.raises(DatabaseUnavailableError):
            await bench.shared.jobs.claim(KIND, lease_seconds=LEASE_SECONDS)
    assert (await bench.job(event_id)).state is JobState.RUNNING
    assert await bench.shared.jobs.give_back_lost() == 1
    assert (await bench.claim()).attempt == 1


async def test_stale_leases_of_a_daemon_that_went_silent_are_recovered(
    bench: Bench, other: JobQueue, logs: list[EventDict]
) -> None:
    event_id = await bench.clip(None)
    await bench.claim()
    assert await other.recover_stale() == 0
    await bench.run_out()
    assert await other.recover_stale() == 1
    job = await bench.job(event_id)
    # Whoever held it may have died of it: the attempt counts.
    assert (job.state, job.attempts) == (JobState.QUEUED, 1)
    assert "jobs of a daemon that went silent are queued again" in {line["event"] for line in logs}


# --- outcomes --------------------------------------------------------------------------------------------------------


async def test_a_failure_backs_off_longer_each_time_and_in_the_end_stays(bench: Bench) -> None:
    event_id = await bench.clip(None)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        await bench.due_now()
        job = await bench.claim()
        assert job.attempt == attempt
        state = await finish(bench.shared.jobs, bench.shared.database, job, JobOutcome.RETRY)
        ((delay,),) = await bench.sql("SELECT TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), run_after) / 1e6 FROM jobs")
        if attempt < MAX_ATTEMPTS:
            assert state is JobState.QUEUED
            full = 2.0**attempt
            assert full / 2 - 1 < float(delay) <= full
            assert await bench.shared.jobs.claim(KIND, lease_seconds=1) is None, "not before its time"
    assert (await bench.job(event_id)).state is JobState.FAILED
    assert (await bench.job(event_id)).last_error == "why"
    await bench.due_now()
    assert await bench.shared.jobs.claim(KIND, lease_seconds=1) is None


async def test_a_release_costs_no_attempt_however_often(bench: Bench) -> None:
    event_id = await bench.clip(None)
    for _ in range(MAX_ATTEMPTS + 2):
        job = await bench.claim()
        assert job.attempt == 1
        await bench.shared.jobs.release(job, delay_seconds=0, reason="not yet")
    job_now = await bench.job(event_id)
    assert (job_now.state, job_now.attempts, job_now.last_error) == (JobState.QUEUED, 0, "not yet")


async def test_an_unforeseen_failure_is_tried_again_but_not_for_ever(bench: Bench) -> None:
    event_id = await bench.clip(None)
    for _ in range(MAX_ATTEMPTS):
        assert (await bench.job(event_id)).state is JobState.QUEUED
        await bench.due_now()
        await bench.shared.jobs.fail_attempt(await bench.claim(), error="Something went wrong on our side.")
    assert (await bench.job(event_id)).state is JobState.FAILED
    assert (await bench.seen(event_id)).mp4_conversion_status is ConversionStatus.FAILED


# --- all at once -----------------------------------------------------------------------------------------------------


async def test_claimers_renewers_and_recoverers_in_each_others_way(
    bench: Bench, other: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every job is done exactly once and no statement fails, however the transactions meet."""
    # Renewed every 20 ms, but far from running out, however busy the machine is.
    monkeypatch.setattr(jobs_module, "RENEWALS_A_LEASE", LEASE_SECONDS / 0.02)
    events = [await bench.clip(None) for _ in range(60)]
    done: Counter[int] = Counter()
    chance = random.Random(11)
    database = bench.shared.database

    async def worker(queue: JobQueue) -> None:
        while (job := await queue.claim(KIND, lease_seconds=LEASE_SECONDS)) is not None:
            async with queue.holding(job, lease_seconds=LEASE_SECONDS):
                await asyncio.sleep(chance.uniform(0, 0.03))
                if chance.random() < 0.2:
                    await queue.release(job, delay_seconds=0)
                else:
                    assert await finish(queue, database, job, JobOutcome.DONE) is JobState.DONE
                    done[job.event_id] += 1
            queue.let_go(job)

    async def recoverer(queue: JobQueue) -> None:
        while True:
            await queue.recover_stale()
            await queue.give_back_lost()
            await asyncio.sleep(0.001)

    recoverers = [asyncio.create_task(recoverer(queue)) for queue in (bench.shared.jobs, other)]
    try:
        async with asyncio.timeout(60):
            await asyncio.gather(*(worker(queue) for queue in (bench.shared.jobs, other) for _ in range(4)))
            # A release by one worker may have met the end of all others.
            await worker(other)
        assert not any(task.done() for task in recoverers)
    finally:
        for task in recoverers:
            task.cancel()
        await asyncio.gather(*recoverers, return_exceptions=True)
    assert done == Counter(events)


# --- against a model -------------------------------------------------------------------------------------------------


@dataclass
class Expected:
    """What a job should be like."""

    state: JobState = JobState.QUEUED
    attempts: int = 0
    owner: str | None = None
    due: bool = True
    """Queued, and not waiting for a delay to pass."""
    ran_out: bool = False
    crashes: int = 0


@dataclass
class Claim:
    """A claim that was made, whatever became of it since."""

    daemon: int
    job: Job


@dataclass
class World:
    """The queue of two daemons, for a test that is not a coroutine."""

    address: DatabaseAddress
    runner: asyncio.Runner = field(default_factory=lambda: asyncio.Runner(loop_factory=uvloop.new_event_loop))

    def __post_init__(self) -> None:
        self.database = Database(self.address, pool_size=2, wait_seconds=5, statement_seconds=15)
        self.run(self.database.open())
        self.daemons = [JobQueue(self.database, INSTANCE), JobQueue(self.database, OTHER)]

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        async def ask() -> list[tuple[Any, ...]]:
            async with self.database.session() as session:
                return await session.script(statement)

        found: list[tuple[Any, ...]] = self.run(ask())
        return found

    def close(self) -> None:
        self.run(self.database.close())
        self.runner.close()


class QueueMachine(RuleBasedStateMachine):
    """Anything that daemons, leases and agents may do to the queue; the table must say what the model says."""

    address: DatabaseAddress
    claims: Bundle[Claim] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.address)
        self.world.sql("DELETE FROM jobs")
        self.world.sql("DELETE FROM events")
        self.world.sql("DELETE FROM cameras")
        self.world.sql(
            "INSERT INTO cameras (camera_id, name, location, ip_address, last_seen, created_at, updated_at)"
            f" VALUES ('{CAMERA}', 'a', 'b', 'c', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))"
        )
        for number in range(1, 4):
            self.world.sql(
                "INSERT INTO events (id, camera_id, timestamp, motion_score, status, mp4_conversion_status, created_at)"
                f" VALUES ({number}, '{CAMERA}', '2026-03-01 10:00:0{number}', 1, 'processing', 'pending',"
                " UTC_TIMESTAMP(6))"
            )
        self.model: dict[int, Expected] = {}
        self.claimed = [0, 0]
        """How many claims each daemon has made in its present life."""

    def teardown(self) -> None:
        self.world.close()

    @rule(event_id=st.integers(1, 3))
    def enqueue(self, event_id: int) -> None:
        async def work(transaction: Transaction) -> None:
            await rows.enqueue(transaction, event_id, KIND)

        self.world.run(self.world.database.transact(work))
        job = self.model.get(event_id)
        if job is None or job.state is JobState.FAILED:
            self.model[event_id] = Expected()

    @rule(target=claims, daemon=st.integers(0, 1))
    def claim(self, daemon: int) -> Any:
        job = self.world.run(self.world.daemons[daemon].claim(KIND, lease_seconds=LEASE_SECONDS))
        while True:
            due = [event_id for event_id, job in self.model.items() if job.state is JobState.QUEUED and job.due]
            if not due:
                assert job is None
                return multiple()
            takes_oldest = self.claimed[daemon] % OLDEST_EVERY == OLDEST_EVERY - 1
            self.claimed[daemon] += 1
            expected = self.model[min(due) if takes_oldest else max(due)]
            if expected.crashes < MAX_CRASHES:
                break
            # Given up where it would have been taken; the next one comes in its place.
            expected.state, expected.attempts, expected.crashes = JobState.FAILED, expected.attempts + 1, 0
        assert job.event_id == (min(due) if takes_oldest else max(due))
        expected.state, expected.attempts, expected.owner = JobState.RUNNING, expected.attempts + 1, job.owner
        expected.ran_out = False
        assert job.attempt == expected.attempts
        return Claim(daemon, job)

    @rule(claim=consumes(claims), outcome=st.sampled_from(JobOutcome))
    def finish(self, claim: Claim, outcome: JobOutcome) -> None:
        expected = self.model[claim.job.event_id]
        queue = self.world.daemons[claim.daemon]
        # A lease that ran out is still the holder's until somebody takes the job over.
        ours = expected.owner == claim.job.owner
        try:
            state = self.world.run(finish(queue, self.world.database, claim.job, outcome))
        except LeaseLostError:
            assert not ours
        else:
            assert ours
            assert state is next_state(outcome, claim.job.attempt)
            expected.state, expected.owner, expected.crashes = state, None, 0
            if outcome is JobOutcome.RELEASE:
                expected.attempts -= 1
            expected.due = state is not JobState.QUEUED
        queue.let_go(claim.job)

    @rule(claim=claims)
    def renew(self, claim: Claim) -> None:
        expected = self.model[claim.job.event_id]
        held = self.world.run(
            self.world.database.transact(
                lambda transaction: rows.renew(transaction, claim.job, lease_seconds=LEASE_SECONDS)
            )
        )
        assert held == (expected.owner == claim.job.owner)
        if held:
            expected.ran_out = False

    @rule(claim=claims)
    def run_out(self, claim: Claim) -> None:
        self.world.sql(
            "UPDATE jobs SET lease_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND"
            f" WHERE state = 'running' AND lease_owner = '{claim.job.owner}'"
        )
        expected = self.model[claim.job.event_id]
        expected.ran_out = expected.ran_out or expected.owner == claim.job.owner

    @rule(daemon=st.integers(0, 1))
    def recover(self, daemon: int) -> None:
        stale = [job for job in self.model.values() if job.state is JobState.RUNNING and job.ran_out]
        assert self.world.run(self.world.daemons[daemon].recover_stale()) == len(stale)
        for job in stale:
            job.state, job.owner, job.due, job.ran_out = JobState.QUEUED, None, True, False
            job.crashes += 1

    @rule(daemon=st.integers(0, 1))
    def restart(self, daemon: int) -> None:
        """The daemon is killed and starts anew: it knows of no claims, and gives back those of its earlier life."""
        instance = (INSTANCE, OTHER)[daemon]
        self.world.daemons[daemon] = JobQueue(self.world.database, instance)
        self.claimed[daemon] = 0
        held = [job for job in self.model.values() if (job.owner or "").startswith(instance)]
        self._given_back(held, self.world.run(self.world.daemons[daemon].give_back_own(crashed=True)))
        for job in held:
            job.crashes += 1

    @rule(claim=claims)
    def lose(self, claim: Claim) -> None:
        """The outcome of a work could not be recorded."""
        queue = self.world.daemons[claim.daemon]
        queue.let_go(claim.job)
        lost = [job for job in self.model.values() if job.owner == claim.job.owner]
        self._given_back(lost, self.world.run(queue.give_back_lost()))

    @rule()
    def wait(self) -> None:
        """Time passes: every delay is over."""
        self.world.sql("UPDATE jobs SET run_after = UTC_TIMESTAMP(6)")
        for job in self.model.values():
            job.due = True

    @invariant()
    def table_and_model_agree(self) -> None:
        found = self.world.sql("SELECT event_id, state, attempts, lease_owner, lease_until IS NULL, crashes FROM jobs")
        assert {row[0]: row[1:] for row in found} == {
            event_id: (job.state.value, job.attempts, job.owner, int(job.owner is None), job.crashes)
            for event_id, job in self.model.items()
        }

    @staticmethod
    def _given_back(jobs: list[Expected], count: int) -> None:
        assert count == len(jobs)
        for job in jobs:
            job.state, job.attempts, job.owner = JobState.QUEUED, job.attempts - 1, None
            job.due, job.ran_out = True, False


def test_the_queue_against_a_model(worker_database: DatabaseAddress) -> None:
    class Machine(QueueMachine):
        address = worker_database

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
