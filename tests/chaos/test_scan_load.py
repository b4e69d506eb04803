"""A scan of 20,000 files is quick and hardly felt by the API's callers; exact figures: ``tests/benchmarks/scan.py``."""

import pytest

from tests.benchmarks import scan
from tests.chaos.conftest import MakeDaemon

FILES = 20_000
SECONDS_LIMIT = 20.0
P99_LIMIT_MS = 200.0
"""Loose: other tests run beside this one."""


@pytest.mark.slow
def test_a_scan_of_many_files(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(**scan.ENVIRONMENT)
    events = FILES // scan.FILES_AN_EVENT
    unreported = scan.make_share(daemon.storage_root, events)
    daemon.start()
    scan.seed_events(daemon, events)
    result = scan.measure(daemon, FILES)
    print(f"{result.files} files in {result.seconds} s")
    print(f"p99 {result.scan_p99_ms} ms meanwhile, {result.quiet_p99_ms} ms else")
    assert (result.files, result.linked) == (FILES, unreported)
    assert result.seconds < SECONDS_LIMIT
    assert result.scan_p99_ms < P99_LIMIT_MS
