"""Load by wrk: eight connections, one thread, its latency figures read back."""

import json
import re
import subprocess
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 8
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Case:
    """A request to measure, and what it must reach."""

    name: str
    path: str
    target: float
    """Requests a second at least."""
    method: str = "GET"
    p99_ms: float = 50.0
    """The 99th percentile at most, in milliseconds."""
    lua: str = ""
    """Makes each request of a POST or PATCH its own; sets ``path`` and ``body`` from the counter ``n``."""
    finds: bool = False
    """Whether there must be events in the answer: nothing is found quickly."""


def found(url: str, case: Case) -> int:
    """How many events ``case`` answers with."""
    with urllib.request.urlopen(url + case.path, timeout=60) as response:
        return len(json.load(response)["events"])


@dataclass(frozen=True)
class Measured:
    """What wrk saw."""

    requests_a_second: float
    median_ms: float
    p99_ms: float
    errors: int


def measure(url: str, case: Case, seconds: int) -> Measured:
    """Send ``case`` as fast as it is answered."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "case.lua"
        script.write_text(_script(case))
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script), url + case.path]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Measured(
        float(_find(r"Requests/sec:\s+([\d.]+)", output)),
        _milliseconds(_find(r"(?m)^\s+50%\s+(\S+)", output)),
        _milliseconds(_find(r"(?m)^\s+99%\s+(\S+)", output)),
        sum(int(number) for number in re.findall(r"errors: (\d+)", output))
        + sum(int(n) for line in re.findall(r"Socket errors: (.*)", output) for n in re.findall(r"\d+", line)),
    )


def _script(case: Case) -> str:
    return f"""
local n = {0 if case.method == "GET" else "math.random(1, 1000000000)"}
request = function()
  n = n + 1
  local path, body = "{case.path}", nil
  {case.lua}
  return wrk.format("{case.method}", path, {{["Content-Type"] = "application/json"}}, body)
end
local errors = 0
done = function(summary, latency, requests)
  io.write(string.format("errors: %d\\n", summary.errors.status))
end
"""


def _find(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk said:\n{text}")
    return match[1]


def _milliseconds(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)(us|ms|s)", text)
    if match is None:
        raise RuntimeError(f"not a time: {text}")
    return float(match[1]) * _UNITS[match[2]]
