"""New events overtake a backlog of 300 clips; exact figures: ``tests/benchmarks/busy.py``."""

import pytest

from tests.benchmarks.busy import ENVIRONMENT, Busy, measure
from tests.chaos.conftest import MakeDaemon
from tests.footage import Footage

CLIPS = 300
NEW = 4
SECONDS_LIMIT = 30.0
"""Loose: other tests run beside this one. The whole backlog takes longer."""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_new_events_overtake_a_backlog(make_daemon: MakeDaemon, footage: Footage) -> None:
    daemon = make_daemon(**ENVIRONMENT).start()
    # Beside the cameras' folders, for hard links reach no other file system.
    clip = daemon.storage_root / "clip.h264"
    clip.write_bytes(footage.clip(seconds=10.0, size="640x360").read_bytes())
    result = measure(Busy(daemon, clip), clips=CLIPS, new=NEW, pause_seconds=0.2)
    print(result)
    assert len(result.playable_seconds) == NEW
    assert max(result.playable_seconds) < SECONDS_LIMIT
    # Each was playable long before those that had waited when it came: of them hardly any was done meanwhile.
    assert result.left[-1] > CLIPS / 2, "the backlog was gone too soon to be overtaken"
    assert daemon.is_healthy()
