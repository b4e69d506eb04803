"""``securitycamd ai`` against a stand-in for the AI server and a running daemon."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from securitycamd.cli import main
from tests.ai.conftest import jpeg
from tests.harness import DaemonProcess, free_port, wait_until
from tests.ollama_server import DESCRIPTION, STRUCTURE, OllamaServer, Reply


@pytest.fixture
def ollama() -> Iterator[OllamaServer]:
    """An AI server that answers, in a thread of its own."""
    server = OllamaServer()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    yield server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def run(url: str, *arguments: str, **environment: str) -> Result:
    environment = {"SECURITYCAMD_ANALYSER__URL": url, "SECURITYCAMD_ANALYSER__TIMEOUT_SECONDS": "10", **environment}
    return CliRunner(env=environment).invoke(main, ["ai", *arguments], prog_name="securitycamd")


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Commands run in this process: no other test's logging is theirs."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[str, str]:
    paths = tmp_path / "a.jpg", tmp_path / "b.jpg"
    paths[0].write_bytes(jpeg(320, 180))
    paths[1].write_bytes(jpeg(160, 90))
    return str(paths[0]), str(paths[1])


def test_the_models_of_the_settings_are_fetched(ollama: OllamaServer) -> None:
    ollama.models.clear()
    ended = run(ollama.url, "pull")
    assert ended.exit_code == 0, ended.output
    assert set(ollama.models) == {"moondream:latest", "deepseek-r1:latest"}
    lines = ended.stdout.splitlines()
    assert "moondream: pulling manifest" in lines
    assert "moondream: pulling 75382d2899df, 100 MB" in lines
    assert lines[-1] == "deepseek-r1: there."


def test_in_one_call_only_the_vision_model_is_fetched(ollama: OllamaServer) -> None:
    ollama.models.clear()
    assert run(ollama.url, "pull", SECURITYCAMD_ANALYSER__ONE_CALL="true").exit_code == 0
    assert set(ollama.models) == {"moondream:latest"}


def test_a_named_model_is_fetched_with_progress_as_json(ollama: OllamaServer) -> None:
    ended = run(ollama.url, "pull", "qwen2.5vl:3b", "--json")
    assert ended.exit_code == 0, ended.output
    steps = [json.loads(line) for line in ended.stdout.splitlines()]
    assert {step["model"] for step in steps} == {"qwen2.5vl:3b"}
    assert {"status": "pulling 75382d2899df", "completed_bytes": 50_000_000, "total_bytes": 100_000_000}.items() <= (
        steps[3].items()
    )
    assert steps[-1]["status"] == "success"


def test_a_model_that_does_not_exist_ends_with_1(ollama: OllamaServer) -> None:
    ollama.unknown_models.add("moondrean")
    ended = run(ollama.url, "pull", "moondrean")
    assert ended.exit_code == 1
    assert "cannot fetch moondrean: pull model manifest: file does not exist" in ended.stderr


def test_without_a_server_pull_and_test_end_with_3(pictures: tuple[str, str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for arguments in (["pull"], ["test", *pictures]):
        ended = run(url, *arguments)
        assert ended.exit_code == 3, ended.output
        assert "is Ollama running there?" in ended.stderr
        assert ended.stdout == ""


def test_trying_out_shows_prompts_replies_reading_and_times(ollama: OllamaServer, pictures: tuple[str, str]) -> None:
    ollama.enqueue(Reply(), Reply(text="Sure!"), Reply())
    ended = run(ollama.url, "test", *pictures)
    assert ended.exit_code == 0, ended.output
    for expected in (
        "== Question 1 to moondream, 2 pictures",
        "The second was taken 4 seconds after",
        DESCRIPTION,
        "== Question 2 to deepseek-r1",
        "Sure!",
        "== Question 3 to deepseek-r1",
        "phrase           Man walking up the driveway",
        "objects          1 x person, 1 x car",
        "category         person",
        "read_by          repeat",
        "still_notes      none",
        "vision_seconds   ",
    ):
        assert expected in ended.stdout, ended.stdout


def test_trying_out_gives_json(ollama: OllamaServer, pictures: tuple[str, str]) -> None:
    ended = run(ollama.url, "test", pictures[0], "--json")
    assert ended.exit_code == 0, ended.output
    told = json.loads(ended.stdout)
    assert [each["pictures"] for each in told["exchanges"]] == [1, 0]
    assert told["result"]["phrase"] == STRUCTURE["phrase"]
    assert told["result"]["still_notes"] == ["single"]
    assert told["result"]["vision_seconds"] >= 0


def test_trying_out_what_is_no_picture_ends_with_1(ollama: OllamaServer, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"no picture")
    ended = run(ollama.url, "test", str(path))
    assert ended.exit_code == 1
    assert "cannot be decoded" in ended.stderr


def test_replies_cannot_play_with_the_terminal(ollama: OllamaServer, pictures: tuple[str, str]) -> None:
    ollama.enqueue(Reply(text="A man\x1b]0;owned\x07 walks\x1b[2J."))
    ended = run(ollama.url, "test", *pictures)
    assert "\x1b" not in ended.stdout
    assert "\x07" not in ended.stdout


@pytest.mark.parametrize("arguments", [[], ["--event", "1", "--failed"], ["--all", "--date", "today"]])
def test_a_rerun_must_say_of_what(arguments: list[str]) -> None:
    ended = run("http://127.0.0.1:9", "rerun", *arguments)
    assert ended.exit_code == 2
    assert "Say which" in ended.output


def test_without_a_daemon_status_and_rerun_end_with_3() -> None:
    for arguments in (["status"], ["rerun", "--all"]):
        assert run("http://127.0.0.1:9", *arguments, SECURITYCAMD_SERVER__PORT=str(free_port())).exit_code == 3


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory, ollama: OllamaServer) -> Iterator[DaemonProcess]:
    folder, root = tmp_path_factory.mktemp("daemon"), tmp_path_factory.mktemp("footage")
    environment = {"SECURITYCAMD_ANALYSER__URL": ollama.url, "SECURITYCAMD_SITE__TIME_ZONE": "UTC"}
    process = DaemonProcess(folder, root, environment).start()
    yield process
    process.stop()


def event_with_stills(daemon: DaemonProcess, second: int) -> int:
    camera = {"camera_id": "camera_1", "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    daemon.call("POST", "/api/v1/cameras/register", camera)
    body = {"camera_id": "camera_1", "timestamp": f"2026-03-01T10:00:{second:02}", "motion_score": 1}
    event_id = int(daemon.call("POST", "/api/v1/events", body)[1]["id"])
    for letter in "ab":
        path = f"camera_1/pictures/{event_id}_20260301_1000{second:02}_{letter}.jpg"
        (daemon.storage_root / path).parent.mkdir(parents=True, exist_ok=True)
        (daemon.storage_root / path).write_bytes(jpeg(160 if letter == "a" else 80, 90))
        told = {"file_type": f"image_{letter}", "file_path": path, "transferred": True}
        assert daemon.call("PATCH", f"/api/v1/events/{event_id}/files", told)[0] == 200
    return event_id


@pytest.mark.slow
def test_status_and_reruns_of_a_daemon(daemon: DaemonProcess, ollama: OllamaServer) -> None:
    def ask(*arguments: str, code: int = 0) -> Any:
        ended = run(ollama.url, *arguments, SECURITYCAMD_SERVER__PORT=str(daemon.port))
        assert ended.exit_code == code, ended.output
        return ended.stdout

    def runs(event_id: int) -> int:
        return int(daemon.call("GET", f"/api/v1/events/{event_id}/analysis")[1]["runs"])

    events = [event_with_stills(daemon, second) for second in range(3)]
    wait_until(lambda: all(runs(event_id) == 1 for event_id in events), seconds=30, what="all are described")
    shown = ask("status")
    assert "The AI server answers and has its models." in shown
    assert "moondream, then deepseek-r1" in shown
    assert "0 wait, 0 under way, 0 failed" in shown
    assert "stills    960 px, quality 85" in shown
    assert json.loads(ask("status", "--json"))["breaker"]["state"] == "closed"

    assert ask("rerun", "--event", str(events[0])).strip() == "1 event is described once more."
    wait_until(lambda: runs(events[0]) == 2, seconds=30, what="it is described once more")
    assert json.loads(ask("rerun", "--camera", "camera_1", "--date", "2026-03-01", "--json")) == {"queued": 3}
    wait_until(lambda: [runs(event_id) for event_id in events] == [3, 2, 2], seconds=30, what="all once more")
    assert ask("rerun", "--failed").strip() == "0 events are described once more."
    assert ask("rerun", "--event", "4711", code=1) == ""
    assert ask("rerun", "--camera", "camera_99", code=1) == ""

    ollama.models.clear()
    wait_until(lambda: not daemon.call("GET", "/api/v1/ai")[1]["ready"], seconds=60, what="the models are missed")
    assert "run: securitycamd ai pull" in ask("status", code=1)
    problems = daemon.call("GET", "/api/v1/health/report")[1]["findings"]
    assert any("securitycamd ai pull" in finding["message"] for finding in problems)
