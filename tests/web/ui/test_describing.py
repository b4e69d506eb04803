"""What the system page says of the descriptions, in every state they can be in."""

from dataclasses import replace
from datetime import timedelta

import pytest

from securitycamd.ai.client import AiState
from securitycamd.services.ai_status import AiStatus, Backlog
from securitycamd.services.breaker import BreakerReport, BreakerState
from securitycamd.settings import AnalyserSettings
from securitycamd.supervision import TaskReport, TaskState
from securitycamd.web.ui.describing_view import describing_view
from securitycamd.web.ui.system_contexts import DescribingView
from tests.web.ui.samples import NOW, SITE

READY = AiState(True, (), "The AI server answers and has its models.", ready=True)
BACKLOG = Backlog(0, 0, 0, None, 4.2, 800, 0.0, keeps_up=True)
WELL = AiStatus(
    AnalyserSettings(url="http://me:hunter2@ai.lan:11434"),
    "3",
    READY,
    BreakerReport(BreakerState.CLOSED, NOW, None, None),
    BACKLOG,
)
OPEN = BreakerReport(
    BreakerState.OPEN, NOW - timedelta(minutes=5), "The AI server cannot be reached.", NOW + timedelta(seconds=20)
)


def view(ai: AiStatus, state: TaskState = TaskState.RUNNING) -> DescribingView:
    return describing_view(
        ai,
        [TaskReport("analyser", "", state, 0, None, NOW, 1.0, overdue=False, takes_commands=True)],
        site=SITE,
        now=NOW,
    )


def facts(ai: AiStatus) -> dict[str, str]:
    return {fact.label: fact.value for fact in view(ai).facts}


def test_all_is_well() -> None:
    shown = view(WELL)
    assert (shown.mood, shown.state, shown.reason, shown.command) == ("ok", READY.message, "", "")
    assert facts(WELL) == {
        "Server": "ai.lan:11434",
        "Models": "moondream and deepseek-r1",
        "At a time": "1 event",
        "Wait": "0",
        "Under way": "0",
        "Takes": "4.2 s an event",
        "Come a day": "800 events",
        "Done": "nothing waits",
    }


def test_an_open_breaker_says_since_when_why_and_when_it_is_tried_again() -> None:
    shown = view(replace(WELL, breaker=OPEN, look=AiState(False, (), "Away.")))
    assert (shown.mood, shown.state) == ("warning", "Held back since 18:38:30, for 5 min.")
    assert shown.reason == "The AI server cannot be reached."
    assert shown.next_step == "The server is looked after again in 20 s. Events wait, and nothing is lost."
    long_ago = replace(OPEN, since=NOW - timedelta(days=1), next_probe_at=NOW)
    shown = view(replace(WELL, breaker=long_ago))
    assert shown.state == "Held back since Yesterday, 18:43:30, for 24 h."
    assert shown.next_step.startswith("The server is looked after again now.")


@pytest.mark.parametrize("breaker", [OPEN, WELL.breaker], ids=["open", "closed"])
def test_missing_models_come_with_what_to_run(breaker: BreakerReport) -> None:
    look = AiState(True, ("moondream",), "The AI server lacks the model moondream; run: securitycamd ai pull")
    shown = view(replace(WELL, look=look, breaker=breaker))
    assert (shown.mood, shown.command) == ("warning", "securitycamd ai pull")
    assert shown.reason == "The AI server lacks the model moondream."
    both = replace(look, missing_models=("moondream", "deepseek-r1"))
    assert view(replace(WELL, look=both)).reason == "The AI server lacks the models moondream and deepseek-r1."


@pytest.mark.parametrize(
    ("ai", "state", "mood", "words"),
    [
        (replace(WELL, settings=AnalyserSettings(enabled=False)), TaskState.DISABLED, "quiet", "switched off"),
        (WELL, TaskState.PAUSED, "quiet", "Paused by an operator"),
        (replace(WELL, look=None), TaskState.RUNNING, "quiet", "not been looked at yet"),
        (
            replace(WELL, breaker=replace(OPEN, state=BreakerState.HALF_OPEN)),
            TaskState.RUNNING,
            "warning",
            "one event is tried",
        ),
    ],
    ids=["off", "paused", "first", "half open"],
)
def test_the_other_states(ai: AiStatus, state: TaskState, mood: str, words: str) -> None:
    shown = view(ai, state)
    assert (shown.mood, shown.command) == (mood, "")
    assert words in shown.state


def test_a_backlog_is_told_with_an_estimate() -> None:
    waiting = replace(BACKLOG, waiting=1200, running=1, failed=2, oldest=NOW - timedelta(hours=3), seconds_left=7200.0)
    shown = facts(replace(WELL, backlog=waiting))
    assert (shown["Wait"], shown["Failed"], shown["Done"]) == ("1,200, the oldest for 3 h", "2", "in about 2 h")
    held = replace(WELL, backlog=replace(waiting, seconds_each=0.01), breaker=OPEN)
    assert (facts(held)["Done"], facts(held)["Takes"]) == ("about 2 h after it goes on", "under 0.1 s an event")
    assert {"Done": "about 2 h after it goes on"}.items() <= {
        fact.label: fact.value for fact in view(replace(WELL, backlog=waiting), TaskState.PAUSED).facts
    }.items()
    off = replace(WELL, backlog=waiting, settings=AnalyserSettings(enabled=False))
    assert facts(off)["Done"] == "about 2 h after it goes on"
    behind = facts(replace(WELL, backlog=replace(waiting, seconds_left=None, keeps_up=False)))
    assert behind["Done"] == "never at this pace; smaller models are faster"
    unknown = facts(replace(WELL, backlog=replace(waiting, seconds_left=None, seconds_each=None, keeps_up=None)))
    assert unknown["Done"] == "not known yet"
    assert "Takes" not in unknown
    assert facts(replace(WELL, backlog=None))["Backlog"] == "not known while the database is away"
