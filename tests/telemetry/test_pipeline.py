import asyncio
import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars

from securitycamd.domain.models import NewLogLine
from securitycamd.domain.names import LogLevel
from securitycamd.telemetry import pipeline as module
from securitycamd.telemetry.pipeline import KeptLines, Pipeline, plain_message, start


class Output(io.StringIO):
    """A stream in memory, and what was written to it."""

    def lines(self) -> list[str]:
        return self.getvalue().splitlines()

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]


Start = Callable[..., tuple[Pipeline, Output]]


@pytest.fixture
def begin() -> Iterator[Start]:
    """Starts a pipeline; all is as before afterwards."""
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    started: list[Pipeline] = []

    def begin(level: str = "DEBUG", keep_level: str = "DEBUG", form: str = "json") -> tuple[Pipeline, Output]:
        output = Output()
        started.append(start(level, keep_level, form, stream=output))
        return started[-1], output

    yield begin
    for pipeline in started:
        pipeline.stop()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


def everything(kept: KeptLines) -> list[NewLogLine]:
    return kept.take(10**6)


# --- what is written ----------------------------------------------------------------------------------------


def test_a_line_of_json_has_its_time_level_logger_and_values(begin: Start) -> None:
    pipeline, output = begin()
    before = datetime.now(UTC)
    structlog.get_logger("securitycamd.test").warning("clip lost", event_id=7, path="Käfer/ü.mp4", at=before)
    pipeline.stop()
    [record] = output.records()
    assert before <= datetime.fromisoformat(record.pop("timestamp")) <= datetime.now(UTC)
    assert record == {
        "event": "clip lost",
        "level": "warning",
        "logger": "securitycamd.test",
        "event_id": 7,
        "path": "Käfer/ü.mp4",
        "at": str(before),
    }
    assert "ü" in output.getvalue()  # for people, too


@given(
    st.text(),
    st.dictionaries(st.from_regex(r"[a-z]{3,9}", fullmatch=True), st.text() | st.integers(), max_size=4),
)
def test_whatever_is_logged_stays_one_line_of_json(event: str, values: dict[str, str | int]) -> None:
    output = Output()
    pipeline = start("DEBUG", "DEBUG", "json", stream=output)
    values = {name: value for name, value in values.items() if name not in {"event", "level", "logger"}}
    logging.getLogger("plain").info("%s", event)
    structlog.get_logger("x").info("structured", **values)
    pipeline.stop()
    foreign, own = [json.loads(line) for line in output.getvalue().split("\n")[:-1]]
    assert foreign["event"] == event
    assert {name: own[name] for name in values} == values


def test_the_console_shows_the_same_for_people(begin: Start) -> None:
    pipeline, output = begin(form="console")
    structlog.get_logger("securitycamd.test").info("clip converted", event_id=7)
    pipeline.stop()
    [line] = output.lines()
    assert "clip converted" in line
    assert "event_id=7" in line
    assert "[info" in line
    assert "\x1b" not in line  # no colours where there is no terminal


def test_auto_is_json_where_there_is_no_terminal(begin: Start) -> None:
    pipeline, output = begin(form="auto")
    structlog.get_logger("x").info("hello")
    pipeline.stop()
    assert output.records()[0]["event"] == "hello"


def test_auto_is_console_on_a_terminal() -> None:
    class Terminal(Output):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    pipeline = start("DEBUG", "DEBUG", "auto", stream=terminal)
    structlog.get_logger("x").info("hello")
    pipeline.stop()
    assert terminal.getvalue().count("\x1b[") > 1


def test_lines_of_other_libraries_come_the_same_way(begin: Start) -> None:
    pipeline, output = begin()
    with bound_contextvars(request_id="abc"):
        logging.getLogger("aiohttp.server").error("Unhandled %s", "exception")
    pipeline.stop()
    [record] = output.records()
    assert (record["event"], record["logger"], record["level"], record["request_id"]) == (
        "Unhandled exception",
        "aiohttp.server",
        "error",
        "abc",
    )
    assert everything(pipeline.kept)[0].message == "Unhandled exception request_id=abc"


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("foreign", [False, True])
def test_an_exception_comes_with_its_traceback(begin: Start, form: str, *, foreign: bool) -> None:
    pipeline, output = begin(form=form)
    log: Any = logging.getLogger("other") if foreign else structlog.get_logger("securitycamd.test")
    cameras: dict[str, int] = {}
    try:
        cameras["camera_1"]
    except KeyError:
        log.exception("task died")
    pipeline.stop()
    text = output.getvalue()
    assert "task died" in text
    assert "Traceback (most recent call last)" in text
    assert "KeyError: 'camera_1'" in text
    assert [line.message for line in everything(pipeline.kept)] == ["task died | KeyError: 'camera_1'"]
    if form == "json":
        assert output.records()[0]["exception"].endswith("KeyError: 'camera_1'")


async def test_what_is_bound_is_on_every_line_inside_and_on_no_other(begin: Start) -> None:
    pipeline, output = begin()
    log = structlog.get_logger("x")

    async def work(number: int) -> None:
        with bound_contextvars(event_id=number):
            log.info("begin")
            await asyncio.sleep(0)
            await asyncio.to_thread(logging.getLogger("other").info, "thread")
            log.info("end")

    log.info("outside")
    await asyncio.gather(work(1), work(2), work(3))
    log.info("outside")
    await asyncio.to_thread(pipeline.stop)
    records = output.records()
    assert [record["event"] for record in records if "event_id" not in record] == ["outside"] * 2
    for number in (1, 2, 3):
        assert [record["event"] for record in records if record.get("event_id") == number] == [
            "begin",
            "thread",
            "end",
        ]


def test_a_value_that_cannot_be_written_as_json_is_written_as_text(begin: Start) -> None:
    pipeline, output = begin()
    structlog.get_logger("x").info("odd", value={1, 2}, error=ValueError("no"))
    pipeline.stop()
    assert output.records()[0]["value"] == "{1, 2}"


# --- levels -------------------------------------------------------------------------------------------------


def test_the_level_decides_what_is_written_and_can_change(begin: Start) -> None:
    pipeline, output = begin(level="WARNING", keep_level="DEBUG")
    log = structlog.get_logger("x")
    log.info("one")
    log.warning("two")
    pipeline.set_level("DEBUG")
    log.debug("three")
    pipeline.set_level("ERROR")
    log.warning("four")
    logging.getLogger("other").warning("five")
    pipeline.stop()
    assert [record["event"] for record in output.records()] == ["two", "three"]


def test_what_is_kept_has_a_level_of_its_own(begin: Start) -> None:
    pipeline, output = begin(level="DEBUG", keep_level="WARNING")
    log = structlog.get_logger("x")
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(log, level)(level)
    pipeline.stop()
    assert len(output.records()) == 5
    assert [(line.level, line.message) for line in everything(pipeline.kept)] == [
        (LogLevel.WARNING, "warning"),
        (LogLevel.ERROR, "error"),
        (LogLevel.ERROR, "critical"),
    ]


@pytest.mark.parametrize("name", ["httpx", "aiohttp.access", "asyncio", "PIL"])
def test_chatty_libraries_speak_only_of_trouble(begin: Start, name: str) -> None:
    pipeline, output = begin(level="DEBUG")
    logging.getLogger(name).info("chatter")
    logging.getLogger(name).warning("trouble")
    pipeline.stop()
    assert [record["event"] for record in output.records()] == ["trouble"]


# --- what is kept -------------------------------------------------------------------------------------------


def test_a_kept_line_is_the_daemons_with_its_values(begin: Start) -> None:
    pipeline, _ = begin()
    before = datetime.now(UTC)
    structlog.get_logger("securitycamd.test").info("clip converted", event_id=7, seconds=0.25)
    [line] = everything(pipeline.kept)
    assert (line.source, line.level, line.message) == (
        "central",
        LogLevel.INFO,
        "clip converted event_id=7 seconds=0.25",
    )
    assert before <= line.timestamp <= datetime.now(UTC)
    assert line.timestamp.tzinfo is not None


@given(st.text(), st.dictionaries(st.from_regex(r"[a-z]{3,9}", fullmatch=True), st.text(), max_size=3))
def test_a_kept_message_is_one_bounded_line_that_is_not_empty(event: str, values: dict[str, str]) -> None:
    message = plain_message({"event": event, **values})
    assert 0 < len(message) <= module.MESSAGE_LIMIT
    assert len(message.splitlines()) <= 1
    assert not any(sign < " " or "\x7f" <= sign <= "\x9f" for sign in message)


def test_a_kept_message_is_cut_and_cleaned() -> None:
    assert plain_message({"event": "a\x1b[31m\x00b\r\nc\td"}) == "a [31m b  c d"
    assert plain_message({"event": "x" * 9999}) == "x" * module.MESSAGE_LIMIT
    assert plain_message({}) == "-"
    assert plain_message({"event": "died", "exception": "Traceback\n  File\nKeyError: 1\n"}) == "died | KeyError: 1"


def line(number: int) -> NewLogLine:
    return NewLogLine(
        "central", datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=number), LogLevel.INFO, str(number)
    )


def numbers(lines: list[NewLogLine]) -> list[str]:
    return [each.message for each in lines]


def test_lines_are_taken_oldest_first_as_many_as_wanted() -> None:
    kept = KeptLines()
    for number in range(5):
        kept.put(line(number))
    assert len(kept) == 5
    assert numbers(kept.take(2)) == ["0", "1"]
    assert numbers(kept.take(9)) == ["2", "3", "4"]
    assert kept.take(9) == []


def test_the_oldest_are_dropped_counted_and_told_once() -> None:
    kept = KeptLines(limit=3)
    for number in range(10):
        kept.put(line(number))
    *lines, told = kept.take(9)
    assert numbers(lines) == ["7", "8", "9"]
    assert (told.level, told.message) == (
        LogLevel.WARNING,
        "7 log lines were not kept: the database was away too long",
    )
    kept.put(line(10))
    assert numbers(kept.take(9)) == ["10"]


def test_lines_that_could_not_be_stored_go_back_to_the_front() -> None:
    kept = KeptLines(limit=5)
    for number in range(4):
        kept.put(line(number))
    taken = kept.take(3)
    kept.put(line(4))
    kept.put_back(taken)
    assert numbers(kept.take(9)) == ["0", "1", "2", "3", "4"]


def test_of_lines_that_go_back_the_newest_find_room() -> None:
    kept = KeptLines(limit=4)
    for number in range(4):
        kept.put(line(number))
    taken = kept.take(3)
    kept.put(line(4))
    kept.put(line(5))
    kept.put_back(taken)
    *lines, told = kept.take(9)
    assert numbers(lines) == ["2", "3", "4", "5"]
    assert told.message.startswith("2 log lines were not kept")


@given(
    st.integers(1, 8),
    st.lists(st.tuples(st.sampled_from(["put", "take", "fail"]), st.integers(1, 6)), max_size=40),
)
def test_no_line_is_lost_unseen(limit: int, steps: list[tuple[str, int]]) -> None:
    """Every line is taken, still waits, or is among the dropped that were told."""
    kept = KeptLines(limit)
    stored: list[str] = []
    put = told = 0

    def read(lines: list[NewLogLine]) -> list[NewLogLine]:
        nonlocal told
        if lines and "were not kept" in lines[-1].message:
            told += int(lines.pop().message.split()[0])
        return lines

    for step, count in steps:
        if step == "put":
            for _ in range(count):
                kept.put(line(put))
                put += 1
        elif step == "take":
            stored += numbers(read(kept.take(count)))
        else:
            kept.put_back(read(kept.take(count)))
        assert len(kept) <= limit
    stored += numbers(read(kept.take(limit)))
    assert len(stored) + told == put
    assert stored == sorted(stored, key=int)


def test_many_threads_may_log_at_once(begin: Start) -> None:
    pipeline, output = begin()
    log = structlog.get_logger("x")

    def work(name: int) -> None:
        for number in range(200):
            log.info("line", thread=name, number=number)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipeline.stop()
    seen = [(record["thread"], record["number"]) for record in output.records()]
    assert sorted(seen) == [(name, number) for name in range(4) for number in range(200)]
    assert len(everything(pipeline.kept)) == 800


# --- an output that is stuck --------------------------------------------------------------------------------


class Stuck(Output):
    """A terminal whose reader stopped reading, until it goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = threading.Event()
        self.waits = threading.Event()

    def write(self, text: str) -> int:
        self.waits.set()
        assert self.reads.wait(60)
        return super().write(text)


def test_a_stuck_output_holds_nobody_up_and_what_was_dropped_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OUTPUT_LINES_LIMIT", 10)
    stuck = Stuck()
    pipeline = start("INFO", "INFO", "json", stream=stuck)
    log = structlog.get_logger("x")
    log.info("first")
    assert stuck.waits.wait(10)  # the writer holds it
    started = time.monotonic()
    for number in range(100):
        log.info("line", number=number)
    assert time.monotonic() - started < 5
    assert len(everything(pipeline.kept)) == 101  # the database is another matter
    stuck.reads.set()
    pipeline.stop()
    records = stuck.records()
    assert [record["number"] for record in records if record["event"] == "line"] == list(range(10))
    [told] = [record for record in records if "dropped" in record["event"]]
    assert (told["event"], told["level"]) == ("90 log lines were dropped: the output was stuck", "warning")


def test_the_end_does_not_wait_for_a_stuck_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.1)
    stuck = Stuck()
    pipeline = start("INFO", "INFO", "json", stream=stuck)
    structlog.get_logger("x").info("line")
    assert stuck.waits.wait(10)
    started = time.monotonic()
    pipeline.stop()
    assert time.monotonic() - started < 5
    stuck.reads.set()
    pipeline.stop()


def test_stopping_twice_does_no_harm(begin: Start) -> None:
    pipeline, _ = begin()
    pipeline.stop()
    pipeline.stop()


@pytest.mark.parametrize("lines", [1000, 12_000])
def test_a_process_whose_output_nobody_reads_ends(lines: int) -> None:
    """With a pipe that is full, as of `securitycamd serve | less`; be the queue full as well or not."""
    code = (
        "import structlog; from securitycamd.telemetry import pipeline as p; p.STOP_SECONDS = 0.2;"
        "logs = p.start('INFO', 'INFO', 'json'); log = structlog.get_logger('x');"
        f"[log.info('line', pad='x' * 200) for _ in range({lines})]; logs.stop()"
    )
    reader, writer = os.pipe()
    try:
        ended = subprocess.run(
            [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
        )
    finally:
        os.close(writer)
        os.close(reader)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_process_whose_reader_went_away_goes_on() -> None:
    code = (
        "import structlog; from securitycamd.telemetry import pipeline as p;"
        "logs = p.start('INFO', 'INFO', 'json'); log = structlog.get_logger('x');"
        "[log.info('line') for _ in range(100)]; logs.stop(); import sys; print('done', file=sys.stderr)"
    )
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"done\n")


def test_lines_go_through_a_real_pipe_in_order_and_whole() -> None:
    code = (
        "import structlog; from securitycamd.telemetry import pipeline as p;"
        "logs = p.start('INFO', 'INFO', 'json'); log = structlog.get_logger('x');"
        "[log.info('ü', number=n, pad='x' * 5000) for n in range(500)]; logs.stop()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert [json.loads(each)["number"] for each in ended.stdout.splitlines()] == list(range(500))
