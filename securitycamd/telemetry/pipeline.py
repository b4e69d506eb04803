"""The one log pipeline: structlog and the standard library's loggers, to standard output and to a bounded queue.

Console for people, JSON lines for machines. What is bound with :func:`structlog.contextvars.bind_contextvars`
(``request_id``, ``event_id``) is on every line made inside.
"""

import logging
import os
import queue
import re
import select
import sys
import threading
from collections import deque
from collections.abc import MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import QueueHandler
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor

from securitycamd.domain.models import NewLogLine
from securitycamd.domain.names import CENTRAL_SOURCE, LogLevel

KEPT_LINES_LIMIT: Final = 10_000
OUTPUT_LINES_LIMIT: Final = 10_000
MESSAGE_LIMIT: Final = 4000
STOP_SECONDS: Final = 2.0
"""How long the last lines may take to be written when the process ends."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LEVELS: Final = {
    "debug": LogLevel.DEBUG,
    "info": LogLevel.INFO,
    "warning": LogLevel.WARNING,
    "error": LogLevel.ERROR,
    "critical": LogLevel.ERROR,
}
_SEVERITY: Final = {LogLevel.DEBUG: 10, LogLevel.INFO: 20, LogLevel.WARNING: 30, LogLevel.ERROR: 40}


class KeptLines:
    """Lines on their way to the ``logs`` table: bounded, never blocks; the oldest go first when nobody takes them."""

    def __init__(self, limit: int = KEPT_LINES_LIMIT) -> None:
        self._lines: deque[NewLogLine] = deque(maxlen=limit)
        self._lock = threading.Lock()
        self._dropped = 0

    def put(self, line: NewLogLine) -> None:
        """Add a line; callable from any thread."""
        with self._lock:
            if len(self._lines) == self._lines.maxlen:
                self._dropped += 1
            self._lines.append(line)

    def take(self, limit: int) -> list[NewLogLine]:
        """Remove the oldest lines; a line about what was dropped comes with them."""
        with self._lock:
            taken = [self._lines.popleft() for _ in range(min(limit, len(self._lines)))]
            dropped, self._dropped = self._dropped, 0
        if dropped:
            text = f"{dropped} log lines were not kept: the database was away too long"
            taken.append(NewLogLine(CENTRAL_SOURCE, datetime.now(UTC), LogLevel.WARNING, text))
        return taken

    def put_back(self, lines: list[NewLogLine]) -> None:
        """Return lines that could not be stored to the front, as far as there is room."""
        with self._lock:
            room = (self._lines.maxlen or 0) - len(self._lines)
            self._dropped += max(0, len(lines) - room)
            self._lines.extendleft(reversed(lines[len(lines) - min(room, len(lines)) :]))

    def __len__(self) -> int:
        return len(self._lines)


class Pipeline:
    """Configured once by :func:`start`; writes in a thread of its own, so that a slow terminal never holds the loop."""

    def __init__(self, stream: TextIO, level: str, keep_level: str, *, as_json: bool) -> None:
        self.kept = KeptLines()
        self._keep_from = _SEVERITY[LogLevel(keep_level)]
        shared: list[Processor] = [
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            self._keep,
        ]
        renderer: Processor = (
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
            if as_json
            else structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=40
            )
        )
        # Rendered by the thread that logs (contextvars live there), written by a thread of its own.
        self._lines: queue.Queue[str | None] = queue.Queue(OUTPUT_LINES_LIMIT)
        self._output = _Output(stream)
        self._handler = _DroppingHandler(self._lines)
        self._handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=shared,
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            )
        )
        root = logging.getLogger()
        for old in root.handlers[:]:
            root.removeHandler(old)
        root.addHandler(self._handler)
        self.set_level(level)
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                *shared,
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=False,
        )
        self._writer = threading.Thread(target=self._write, name="log output", daemon=True)
        self._writer.start()

    def set_level(self, level: str) -> None:
        """Change what is written, live."""
        logging.getLogger().setLevel(level)
        for chatty in ("aiohttp.access", "httpx", "httpcore", "asyncio", "PIL"):
            logging.getLogger(chatty).setLevel(logging.WARNING)

    def stop(self) -> None:
        """Write what is queued and end the thread; gives up after a while, when nobody takes the output."""
        if not self._writer.is_alive():
            return
        with suppress(queue.Full):
            self._lines.put(None, timeout=STOP_SECONDS)
        self._writer.join(STOP_SECONDS)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            self._output.write(line)
            if dropped := self._handler.take_dropped():
                text = f"{dropped} log lines were dropped: the output was stuck"
                told = logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)
                self._output.write(self._handler.format(told))  # past the queue, which may still be full

    def _keep(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        level = _LEVELS.get(str(event.get("level")), LogLevel.INFO)
        if _SEVERITY[level] >= self._keep_from:
            when = datetime.fromisoformat(str(event["timestamp"]))
            self.kept.put(NewLogLine(CENTRAL_SOURCE, when, level, plain_message(event)))
        return event


class _DroppingHandler(QueueHandler):
    """Never blocks: with the output stuck, lines are dropped, and counted, rather than the daemon held up."""

    def __init__(self, lines: queue.Queue[str | None]) -> None:
        super().__init__(lines)
        self._lines = lines
        self._dropped = 0

    def prepare(self, record: logging.LogRecord) -> str:
        return self.format(record)

    def enqueue(self, record: str) -> None:  # type: ignore[override]  # what prepare() made of the record
        try:
            self._lines.put_nowait(record)
        except queue.Full:
            self._dropped += 1

    def take_dropped(self) -> int:
        """How many lines were dropped since the last call."""
        self.acquire()  # as whoever logs does
        try:
            dropped, self._dropped = self._dropped, 0
        finally:
            self.release()
        return dropped


class _Output:
    """Writes past the stream's buffer: its lock, held by a write that is stuck, would hold up the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = stream.encoding or "utf-8"
        try:
            stream.flush()
            self._descriptor: int | None = stream.fileno()
        except OSError:  # a stream in memory
            self._descriptor = None

    def write(self, line: str) -> None:
        """Write a line; one that cannot be written is lost."""
        if self._descriptor is None:
            self._stream.write(f"{line}\n")
            return
        data = f"{line}\n".encode(self._encoding, errors="backslashreplace")
        with suppress(OSError):  # the reader went away
            while data:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except BlockingIOError:  # another program on the same terminal made it so
                    select.select([], [self._descriptor], [])


def plain_message(event: MutableMapping[str, Any]) -> str:
    """One line of text for the logs page: the event, its values, and the last line of a traceback."""
    hidden = {"event", "level", "logger", "timestamp", "exception", "_record", "_from_structlog"}
    values = " ".join(f"{key}={value}" for key, value in event.items() if key not in hidden)
    text = f"{event.get('event', '')} {values}".strip()
    if exception := event.get("exception"):
        text = f"{text} | {str(exception).strip().splitlines()[-1]}"
    return _CONTROL.sub(" ", text)[:MESSAGE_LIMIT] or "-"


def start(level: str, keep_level: str, output_format: str, *, stream: TextIO | None = None) -> Pipeline:
    """Configure logging for the process.

    ``output_format``: ``console``, ``json``, or ``auto``, which is console on a terminal and else JSON.
    """
    target = stream or sys.stdout
    as_json = output_format == "json" or (output_format == "auto" and not target.isatty())
    return Pipeline(target, level, keep_level, as_json=as_json)
