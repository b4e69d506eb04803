import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from structlog.testing import capture_logs

from securitycamd.ai.client import AiState
from securitycamd.db.engine import Database, DatabaseAddress
from securitycamd.domain.errors import DatabaseUnavailableError, StorageUnavailableError
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.health import ai, monitor, queues, storage, tasks
from securitycamd.health import database as database_rule
from securitycamd.health.monitor import HealthMonitor
from securitycamd.health.report import Finding, Level, Report, Rule
from securitycamd.services.ai_gate import AiGate
from securitycamd.services.breaker import Breaker
from securitycamd.services.jobs import JobQueue, QueueDepth
from securitycamd.services.storage import StorageService
from securitycamd.storage.errors import GuardCondition, GuardState
from securitycamd.storage.files import Files
from securitycamd.supervision import Supervisor, TaskReport, TaskState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def answering(answer: object) -> Callable[[], Awaitable[object]]:
    """A method that answers so, or fails so."""

    async def method() -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return method


def part(**methods: object) -> object:
    """A stand-in for the part that a rule looks at."""
    return SimpleNamespace(**methods)


# --- database -----------------------------------------------------------------------------------------------


async def test_a_database_that_answers(database: Database) -> None:
    rule = database_rule.rule(database)
    assert await rule.check() == Finding("database", Level.OK, "The database answers.")


async def test_a_database_that_is_away_is_critical() -> None:
    nowhere = Database(
        DatabaseAddress("root", "", "x", socket="/nowhere"), pool_size=1, wait_seconds=1, statement_seconds=1
    )
    await nowhere.open()
    finding = await database_rule.rule(nowhere).check()
    await nowhere.close()
    assert (finding.level, finding.message) == (Level.CRITICAL, "The database does not answer.")
    assert "database.url" in finding.advice


# --- storage ------------------------------------------------------------------------------------------------


GOOD = GuardState(GuardCondition.OK, "The footage storage is the right one.")
LOST = GuardState(GuardCondition.MISSING, "The disk is not mounted.", "Mount it.")


def storage_rule(
    disk: object, state: GuardState = GOOD, cameras: dict[str, GuardState] | None = None, *, floor: float = 0
) -> Rule:
    guard = SimpleNamespace(state=state, camera_states=cameras or {})
    service = cast("StorageService", SimpleNamespace(guard=guard))
    return storage.rule(cast("Files", part(disk=answering(disk))), service, lambda _: int(floor * 10**9))


def disk_of(free: float, total: float) -> object:
    return SimpleNamespace(free_bytes=free * 10**9, total_bytes=total * 10**9)


@pytest.mark.parametrize(
    ("free", "total", "floor", "level", "message"),
    [
        (50, 100, 0, Level.OK, "50.0 GB of 100.0 GB are free."),
        (5, 100, 0, Level.OK, "5.0 GB of 100.0 GB are free."),
        (4.9, 100, 0, Level.WARNING, "4.9 GB of 100.0 GB are free."),
        # Used up to its floor: nobody has to do anything.
        (2, 1000, 2, Level.OK, "2.0 GB of 1.0 TB are free."),
        (0.9, 1000, 2, Level.WARNING, "900.0 MB of 1.0 TB are free; 2.0 GB should be."),
        (0.04, 1000, 2, Level.CRITICAL, "The disk is full: 40.0 MB of 1.0 TB are free."),
        (0.012, 0.064, 0.016, Level.OK, "12.0 MB of 64.0 MB are free."),
        (0, 0.064, 0.016, Level.CRITICAL, "The disk is full: 0 bytes of 64.0 MB are free."),
        (0, 0, 0, Level.CRITICAL, "The disk is full: 0 bytes of 0 bytes are free."),
    ],
)
async def test_room_on_the_disk(free: float, total: float, floor: float, level: Level, message: str) -> None:
    finding = await storage_rule(disk_of(free, total), floor=floor).check()
    assert (finding.level, finding.message) == (level, message)
    assert bool(finding.advice) == (level is not Level.OK)


async def test_a_storage_that_does_not_answer_is_critical() -> None:
    finding = await storage_rule(StorageUnavailableError()).check()
    assert (finding.rule, finding.level) == ("storage", Level.CRITICAL)
    assert "does not answer" in finding.message
    assert "storage.root" in finding.advice


async def test_a_storage_that_is_not_the_right_one_is_critical_however_much_room_it_has() -> None:
    finding = await storage_rule(disk_of(50, 100), LOST).check()
    assert finding == Finding("storage", Level.CRITICAL, "The disk is not mounted.", "Mount it.")


async def test_a_cameras_folder_that_is_not_the_right_one_is_critical_and_named() -> None:
    finding = await storage_rule(disk_of(50, 100), cameras={"camera_2": LOST, "camera_1": LOST}).check()
    assert finding == Finding("storage", Level.CRITICAL, "camera_1, camera_2: The disk is not mounted.", "Mount it.")


# --- the AI server ------------------------------------------------------------------------------------------


def gate(state: AiState | None, breaker: Breaker | None = None) -> AiGate:
    return cast("AiGate", part(look=answering(state), breaker=breaker or Breaker()))


async def test_analysis_that_is_switched_off_is_no_trouble() -> None:
    finding = await ai.rule(gate(None)).check()
    assert finding.level is Level.OK
    assert "analyser.enabled" in finding.message


READY = AiState(reachable=True, missing_models=(), message="It answers.", ready=True)


@pytest.mark.parametrize(
    ("state", "level"),
    [
        (READY, Level.OK),
        (
            AiState(reachable=True, missing_models=("moondream",), message="Run: securitycamd ai pull"),
            Level.WARNING,
        ),
        (AiState(reachable=True, missing_models=(), message="It cannot see."), Level.WARNING),
        (AiState(reachable=False, missing_models=(), message="It does not answer."), Level.WARNING),
    ],
)
async def test_the_state_of_the_ai_server(state: AiState, level: Level) -> None:
    finding = await ai.rule(gate(state)).check()
    assert (finding.rule, finding.level, finding.message) == ("ai", level, state.message)
    assert bool(finding.advice) == (level is not Level.OK)  # footage is safe, and it says so


async def test_a_server_that_answers_but_does_not_work_is_told() -> None:
    breaker = Breaker()
    breaker.trip("The AI server failed; its own log says why.")
    finding = await ai.rule(gate(READY, breaker)).check()
    assert finding.level is Level.WARNING
    assert finding.message.endswith("its own log says why.")
    breaker.answers()
    assert (await ai.rule(gate(READY, breaker)).check()).level is Level.OK
    breaker.succeeded()
    assert (await ai.rule(gate(READY, breaker)).check()).message == "It answers."


# --- queues -------------------------------------------------------------------------------------------------


def queue_of(answer: list[QueueDepth] | Exception) -> JobQueue:
    return cast("JobQueue", part(depths=answering(answer)))


def depth(kind: JobKind, state: JobState, jobs: int, age_seconds: float) -> QueueDepth:
    return QueueDepth(kind, state, jobs, datetime.now(UTC) - timedelta(seconds=age_seconds))


async def test_queues_that_keep_up() -> None:
    depths = [
        depth(JobKind.REMUX, JobState.QUEUED, 3, 590),
        depth(JobKind.ANALYSE, JobState.QUEUED, 4, 5 * 3600),
        depth(JobKind.REMUX, JobState.RUNNING, 2, 90_000),
        depth(JobKind.REMUX, JobState.FAILED, 9, 90_000),
    ]
    assert await queues.rule(queue_of(depths)).check() == Finding("queues", Level.OK, "7 jobs wait, none for long.")
    assert await queues.rule(queue_of([])).check() == Finding("queues", Level.OK, "No job waits.")


async def test_queues_that_do_not() -> None:
    late = depth(JobKind.REMUX, JobState.QUEUED, 3, 610)
    finding = await queues.rule(queue_of([late, depth(JobKind.ANALYSE, JobState.QUEUED, 4, 60)])).check()
    assert finding.level is Level.WARNING
    assert finding.message == f"3 remux jobs wait, the oldest since {late.oldest:%Y-%m-%d %H:%M} UTC."
    assert finding.advice
    both = [late, depth(JobKind.ANALYSE, JobState.QUEUED, 4, 7 * 3600)]
    assert "; 4 analyse jobs wait" in (await queues.rule(queue_of(both)).check()).message


async def test_queues_are_unknown_while_the_database_is_away() -> None:
    finding = await queues.rule(queue_of(DatabaseUnavailableError())).check()
    assert (finding.level, "unknown" in finding.message) == (Level.WARNING, True)


def test_every_kind_of_job_has_a_time_after_which_it_is_late() -> None:
    assert queues.LATE_SECONDS.keys() == set(JobKind)


# --- tasks --------------------------------------------------------------------------------------------------


ALIVE = TaskReport(
    "converter", "Makes clips playable", TaskState.RUNNING, 0, None, NOW, 1.0, overdue=False, takes_commands=True
)


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (ALIVE, None),
        (replace(ALIVE, state=TaskState.PAUSED), None),
        (replace(ALIVE, state=TaskState.DISABLED), None),
        (replace(ALIVE, last_error="KeyError: 1", restarts=3), None),  # long since well again
        (
            replace(ALIVE, state=TaskState.BACKING_OFF, last_error="OSError: no"),
            "converter is backing off (OSError: no).",
        ),
        (replace(ALIVE, overdue=True, last_error="OSError: no"), "converter is silent."),
    ],
)
async def test_tasks(report: TaskReport, message: str | None) -> None:
    supervisor = cast("Supervisor", part(reports=lambda: [ALIVE, report]))
    finding = await tasks.rule(supervisor).check()
    expected = (Level.OK, "All tasks are alive.") if message is None else (Level.WARNING, message)
    assert (finding.level, finding.message) == expected


async def test_all_troubled_tasks_are_named() -> None:
    troubled = [replace(ALIVE, name="a", overdue=True), replace(ALIVE, name="b", state=TaskState.BACKING_OFF)]
    finding = await tasks.rule(cast("Supervisor", part(reports=lambda: troubled))).check()
    assert finding.message == "a is silent; b is backing off."


# --- the report and its monitor -----------------------------------------------------------------------------


def rule_of(name: str, *levels: Level) -> Rule:
    """Finds one level after the other."""
    left = list(levels)

    async def check() -> Finding:
        level = left.pop(0) if len(left) > 1 else left[0]
        return Finding(name, level, f"{name} is {level.name}")

    return Rule(name, check)


def test_a_report_is_as_bad_as_its_worst_finding() -> None:
    fine, odd = Finding("a", Level.OK, ""), Finding("b", Level.WARNING, "")
    bad = Finding("c", Level.CRITICAL, "")
    assert (Report(NOW, ()).level, Report(NOW, ()).problems) == (Level.OK, ())
    assert (Report(NOW, (fine,)).level, Report(NOW, (fine,)).problems) == (Level.OK, ())
    assert (Report(NOW, (odd, fine, bad)).level, Report(NOW, (odd, fine, bad)).problems) == (
        Level.CRITICAL,
        ("b", "c"),
    )


async def test_the_monitor_holds_the_last_report() -> None:
    health = HealthMonitor([rule_of("a", Level.OK), rule_of("b", Level.WARNING, Level.OK)], lambda: True)
    assert health.report.level is Level.OK
    before = datetime.now(UTC)
    report = await health.examine()
    assert report is health.report
    assert before <= report.at <= datetime.now(UTC)
    assert report.problems == ("b",)
    assert (await health.examine()).problems == ()


async def test_a_rule_that_takes_too_long_is_a_finding_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(monitor, "RULE_TIMEOUT_SECONDS", 0.05)

    async def hang() -> Finding:
        await asyncio.Event().wait()
        raise AssertionError

    health = HealthMonitor([Rule("slow", hang), rule_of("a", Level.OK)], lambda: True)
    async with asyncio.timeout(10):
        report = await health.examine()
    assert [(each.rule, each.level) for each in report.findings] == [("slow", Level.WARNING), ("a", Level.OK)]
    assert "No answer within" in report.findings[0].message


async def test_rules_run_at_once() -> None:
    both_run = asyncio.Barrier(2)

    def meeting(name: str) -> Rule:
        async def check() -> Finding:
            async with asyncio.timeout(5):
                await both_run.wait()
            return Finding(name, Level.OK, "")

        return Rule(name, check)

    assert (await HealthMonitor([meeting("a"), meeting("b")], lambda: True).examine()).level is Level.OK


async def test_a_change_of_level_is_logged_once() -> None:
    health = HealthMonitor([rule_of("a", Level.OK, Level.WARNING, Level.WARNING, Level.OK)], lambda: True)
    seen = []
    for _ in range(4):
        with capture_logs() as logged:
            await health.examine()
        seen.append([(each["log_level"], each["rule"], each["level"]) for each in logged])
    assert seen == [[], [("warning", "a", "warning")], [], [("info", "a", "ok")]]


def test_the_monitor_knows_of_the_database_without_asking_it() -> None:
    states = iter([True, False])
    health = HealthMonitor([], lambda: next(states))
    assert [health.database_connected, health.database_connected] == [True, False]
