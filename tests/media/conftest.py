"""What the tests of the media room share."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from securitycamd.media import Media
from tests.footage import Footage


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return Footage(tmp_path_factory.mktemp("footage"))


@pytest.fixture
async def media() -> AsyncIterator[Media]:
    media = Media(2, niceness=0, grace_seconds=0.2)
    yield media
    await media.close(0)
    assert media.running == 0


@pytest.fixture(autouse=True)
def _no_child_is_left() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before


async def until(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    """Wait for something that happens soon, and fail when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.005)


def is_gone(pid: int) -> bool:
    """Whether no process of this number runs; what is dead and waits for its parent counts as gone."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def read_pids(path: Path) -> list[int]:
    """The process numbers that scripts wrote into a file so far, one a line."""
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def write_script(path: Path, text: str) -> str:
    """An executable shell script; its path."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return os.fspath(path)


# Deaf to TERM, with a child that is deaf too; both say who they are. "sleep" inherits the deafness.
DEAF = """trap '' TERM
sh -c 'echo $$; exec sleep 300' &
echo $$
wait
"""

# A fake FFmpeg that begins to write its target, and then is deaf to TERM, as is a child of it.
HUNG = """for last; do :; done
echo started > "${last#file:}"
trap '' TERM
sh -c 'echo $$ >> "$0.pids"; exec sleep 300' "$0" &
echo $$ >> "$0.pids"
wait
"""
