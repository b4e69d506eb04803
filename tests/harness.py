"""A real daemon as a child process, for tests that kill, stop, reload and restart it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

READY_SECONDS = 60.0


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Any, *, seconds: float, what: str, every: float = 0.05) -> Any:
    """The first true value of ``condition()``; fails with ``what`` when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(every)


class Process(Protocol):
    """What is used of :class:`subprocess.Popen`."""

    pid: int
    returncode: int | Any

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


@dataclass
class DaemonProcess:
    """``securitycamd serve`` with a state folder, a storage root and a port of its own."""

    folder: Path
    storage_root: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: Process | None = None
    fork: Callable[[dict[str, str], Path, Path], Process] | None = None
    """Starts it in place of a program: from its environment, its log and its folder."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        return self.folder / "daemon.log"

    def start(self, *, ready: bool = True) -> "DaemonProcess":
        """Start it and, unless told otherwise, wait until it is healthy."""
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SECURITYCAMD_")}
        environment |= {
            "SECURITYCAMD_STATE_DIRECTORY": str(self.folder / "state"),
            "SECURITYCAMD_STORAGE__ROOT": str(self.storage_root),
            "SECURITYCAMD_SERVER__HOST": "127.0.0.1",
            "SECURITYCAMD_SERVER__PORT": str(self.port),
            "SECURITYCAMD_LOGGING__FORMAT": "json",
            "SECURITYCAMD_ANALYSER__URL": "http://127.0.0.1:9",
        }
        if self.fork is not None:
            self.process = self.fork(environment | self.environment, self.log_path, self.folder)
        else:
            self.process = self._popen(environment | self.environment)
        if ready:
            wait_until(self.is_healthy, seconds=READY_SECONDS, what=f"the daemon is healthy\n{self.log_tail()}")
        return self

    def _popen(self, environment: dict[str, str]) -> Process:
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "securitycamd", "serve"],
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
            )

    def is_healthy(self) -> bool:
        """Whether it answers so; fails when it has ended."""
        assert self.process is not None
        assert self.process.poll() is None, f"the daemon ended with {self.process.returncode}\n{self.log_tail()}"
        try:
            return bool(self.call("GET", "/api/v1/health")[1]["status"] == "healthy")
        except OSError:
            return False

    def call(self, method: str, path: str, body: Any = None, *, timeout: float = 10.0) -> tuple[int, Any]:
        """Make a request; status and JSON. Raises ``OSError`` when nobody answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def kill(self) -> None:
        """``kill -9``."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, *, seconds: float = 15.0) -> int:
        """Ask it to stop; its exit code. It leaves no process behind."""
        assert self.process is not None
        if (ended := self.process.poll()) is not None:
            return ended
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=seconds)
        left = [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
        assert not left, f"left behind: {left}"
        return code

    def log_lines(self) -> list[dict[str, Any]]:
        """Its structured log lines."""
        text = self.log_path.read_text(encoding="utf-8", errors="replace")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def log_tail(self, size_bytes: int = 4000) -> str:
        """The end of its log."""
        return self.log_path.read_bytes()[-size_bytes:].decode(errors="replace") if self.log_path.exists() else ""
