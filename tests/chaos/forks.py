"""Daemons that are forked off a process which has loaded the program: a life in fractions of the time.

Most of a start's work is to load the program, before it has opened or changed anything: a kill there shows nothing.
What is forked runs ``securitycamd serve`` from its first line on, in a process with files and environment of its own.
"""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

POLL: Final = os.WNOHANG


class Forked:
    """A forked daemon; what :class:`subprocess.Popen` offers of it."""

    def __init__(self, parent: "ForkServer", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._parent = parent
        self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; ``None`` while it runs."""
        if self.returncode is None:
            self.returncode = self._parent.ask({"look": self.pid})
            if self.returncode is not None:
                os.close(self._handle)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if self.returncode is None:
            # Readable once it has ended.
            if not select.select([self._handle], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("securitycamd", timeout or 0.0)
            assert self.poll() is not None
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """``kill -9``."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The process that daemons are forked off. Not for several threads."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.ask({}) is None

    def start(self, environment: dict[str, str], log: Path, folder: Path) -> Forked:
        """A daemon of its own, as ``securitycamd serve`` started in ``folder`` with this environment."""
        return Forked(self, int(self.ask({"environment": environment, "log": str(log), "folder": str(folder)})))

    def ask(self, question: dict[str, Any]) -> Any:
        """Put a question to the process; its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(question), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it; what was forked goes on."""
        self._process.communicate(timeout=10)


def _serve_forks() -> None:
    # As `securitycamd serve` does before it loads the rest.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # None makes its import fail, by the language
    import uvloop  # noqa: F401 - loaded for what is forked

    import securitycamd.cli
    import securitycamd.daemon

    for line in sys.stdin:
        question = json.loads(line)
        answer = None
        if "look" in question:
            ended, status = os.waitpid(question["look"], POLL)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        elif "environment" in question:
            answer = os.fork()
            if answer == 0:
                _become_daemon(question)
                sys.argv = ["securitycamd", "serve"]
                securitycamd.cli.main()
                return
        print(json.dumps(answer), flush=True)


def _become_daemon(question: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(question["environment"])
    os.chdir(question["folder"])
    log = os.open(question["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, 64)


if __name__ == "__main__":
    _serve_forks()
