"""``securitycamd storage check`` against an API that answers as the daemon does."""

import importlib
import json
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from securitycamd.cli import main
from securitycamd.services.storage_check import CheckReport, CheckState, FindingKind
from securitycamd.web.schemas.storage_check import check_reply
from tests.web.ui.samples import NOW, ZONE

# Under its name in the package stands the command.
storage = importlib.import_module("securitycamd.cli.storage")


class Api:
    """Answers with one report after another; the last stays."""

    def __init__(self, *reports: CheckReport) -> None:
        self._replies = [json.loads(json.dumps(check_reply(report, ZONE), default=str)) for report in reports]
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, _settings: object, method: str, path: str, body: Any = None) -> Any:
        self.asked.append((method, path, body))
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]


def report(state: CheckState = CheckState.DONE, **facts: Any) -> CheckReport:
    return CheckReport(state, started_at=NOW, **facts)


def found() -> CheckReport:
    made = report(events=20, files=30)
    made.add(FindingKind.MISSING, "camera_1/videos/1.mp4", 1, "Event 1 names it; it is not there.")
    made.add(FindingKind.ORPHANED, "camera_1/videos/2.mp4", None, "No event names it.")
    return made


def run(monkeypatch: pytest.MonkeyPatch, api: Api, *options: str) -> Result:
    monkeypatch.setattr(storage, "call", api)
    monkeypatch.setattr(storage, "POLL_SECONDS", 0.0)
    return CliRunner().invoke(main, ["storage", "check", *options])


def test_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(report(CheckState.WAITING), report(CheckState.RUNNING), report(events=1200, files=4800))
    result = run(monkeypatch, api)
    assert result.exit_code == 0
    assert result.stdout == "Looked at 1,200 events and 4,800 files.\nNothing is wrong.\n"
    assert [asked[:2] for asked in api.asked] == [("POST", "/storage/check")] + [("GET", "/storage/check")] * 2


def test_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, Api(found()))
    assert result.exit_code == 1
    assert "1 file that a row names is not there" in result.stdout
    assert "camera_1/videos/1.mp4  Event 1 names it; it is not there." in result.stdout
    assert "--repair` mends what is safe" in result.stdout


def test_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    made = found()
    made.repair = True
    made.mended.update({FindingKind.MISSING: 1, FindingKind.ORPHANED: 1})
    api = Api(made)
    result = run(monkeypatch, api, "--repair", "--force")
    assert result.exit_code == 0
    assert api.asked[0] == ("POST", "/storage/check/repair", {"force": True})
    assert result.stdout.endswith("All was mended.\n")


def test_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = found()
    made.refused = "50% of all footage is not on the disk."
    result = run(monkeypatch, Api(made), "--repair")
    assert result.exit_code == 1
    assert result.stdout.endswith("50% of all footage is not on the disk.\n")


def test_what_was_left_out_is_no_clean_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    made = report(events=3, events_left_out=2, skipped=["The footage folder of camera camera_2 is not there."])
    result = run(monkeypatch, Api(made))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == [
        "Looked at 3 events and 0 files.",
        "Left out: 2 events of the last 15 minutes, being removed, or of a camera below.",
    ]
    assert "Nothing is wrong" not in result.stdout


def test_it_could_not_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, Api(report(CheckState.FAILED, error="The footage storage does not answer.")))
    assert result.exit_code == 4
    assert "The footage storage does not answer." in result.stdout


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, Api(found()), "--json")
    assert (result.exit_code, json.loads(result.stdout)["counts"]["missing"]) == (1, 1)


def test_nobody_answers() -> None:
    result = CliRunner().invoke(main, ["storage", "check"], env={"SECURITYCAMD_SERVER__PORT": "9"})
    assert result.exit_code == 3


def test_force_alone_is_a_mistake() -> None:
    assert CliRunner().invoke(main, ["storage", "check", "--force"]).exit_code == click.UsageError.exit_code


@pytest.mark.parametrize("phase", ["", "events", "files", "mending"])
def test_every_phase_has_words(phase: str) -> None:
    assert storage.progress_text(check_reply(report(phase=phase, events=3, events_total=9), ZONE))
