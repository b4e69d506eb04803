"""What the tests of the storage room share."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from securitycamd.storage import Files, StorageGuard


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "footage"
    for kind in ("pictures", "videos", "thumbs"):
        (root / "camera_1" / kind).mkdir(parents=True)
    return root


@pytest.fixture
def files(root: Path) -> Iterator[Files]:
    files = Files(root, threads=2, timeout_seconds=10)
    yield files
    files.close()


class Mount:
    """A mount that hangs until told otherwise."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self._answers = threading.Event()
        self.calls = 0

    def ask(self) -> str:
        self.calls += 1
        assert self._answers.wait(60)
        return "answer"

    def answer(self) -> None:
        self._answers.set()

    def holds(self, name: str, when: Callable[..., bool]) -> None:
        """Have the calls of a function of ``os`` hang here of whose arguments ``when`` says so, before they act."""
        real = getattr(os, name)

        def held(*args: Any, **options: Any) -> Any:
            if when(*args):
                self.ask()
            return real(*args, **options)

        self._patch.setattr(os, name, held)


@pytest.fixture
def mount(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mount]:
    mount = Mount(monkeypatch)
    yield mount
    mount.answer()


async def until(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    """Wait for something that happens soon, and fail when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.005)


IDENTITY = "0f9d8c7b6a5e4d3c"


@pytest.fixture
async def guarded(root: Path) -> AsyncIterator[Files]:
    """Files behind an established guard; its camera_1 has its marker."""
    files = Files(root, threads=2, timeout_seconds=10)
    files.guard = StorageGuard(files, IDENTITY)
    assert (await files.guard.establish(adopt=True)).is_ok
    yield files
    files.close()


def guard_of(files: Files) -> StorageGuard:
    assert files.guard is not None
    return files.guard
