"""A daemon with the seeded database that several benchmarks share."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.seed import Seed, run_sql
from tests.benchmarks.texts import seed_texts
from tests.harness import DaemonProcess


@contextmanager
def seeded_daemon(seed: Seed, keep: Path | None) -> Iterator[DaemonProcess]:
    """A daemon to be started, and stopped in the end; a folder to ``keep`` is seeded by whoever comes first."""
    folder = keep or Path(tempfile.mkdtemp(prefix="scd-bench-"))
    daemon = DaemonProcess(folder, folder / "footage")
    daemon.storage_root.mkdir(parents=True, exist_ok=True)
    seeded = folder / "seeded"
    try:
        daemon.start()
        if not seeded.exists():
            print(f"seeding {seed.events:,} events and {seed.log_lines:,} log lines ...", file=sys.stderr)
            socket = folder / "state" / "mariadb" / "mariadbd.sock"
            run_sql(socket, "securitycam", seed.statements())
            seed_texts(socket, "securitycam")
            seeded.touch()
        daemon.stop(seconds=60)
        yield daemon
    finally:
        if daemon.process is not None:
            daemon.stop(seconds=60)
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
