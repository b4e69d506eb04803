"""The watchdog: a real thread that sees when the event loop stalls, says where, and answers to systemd."""

import asyncio
import faulthandler
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from securitycamd.supervision import TaskControl
from securitycamd.telemetry.notify import notify

log = structlog.get_logger(__name__)

BEAT_SECONDS: Final = 0.5
STALL_SECONDS: Final = 5.0
"""A loop that was silent so long is stalled: no request was answered meanwhile."""


class Watchdog:
    """Watches the loop it is made on, from :meth:`start` to :meth:`stop`."""

    def __init__(self, *, stall_seconds: float = STALL_SECONDS, dump: Callable[[], None] | None = None) -> None:
        self._stall_seconds = stall_seconds
        self._dump = dump or _dump_stacks
        self._beat_at = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self.stalls = 0

    def start(self) -> None:
        """Begin to watch."""
        self._beat_at = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join(timeout=2 * BEAT_SECONDS)

    async def beat(self, control: TaskControl) -> None:
        """The loop's side, a supervised task: as long as this runs, the loop turns."""
        while not control.stopping.is_set():
            self._beat_at = time.monotonic()
            control.beat()
            await asyncio.sleep(BEAT_SECONDS)

    def _watch(self) -> None:
        told = False
        while not self._ended.wait(BEAT_SECONDS):
            silent = time.monotonic() - self._beat_at
            if silent < self._stall_seconds:
                # systemd ends a daemon that stops sending this (WatchdogSec of the unit).
                notify("WATCHDOG=1")
                told = False
            elif not told:
                told = True
                self.stalls += 1
                self._dump()
                log.error("the event loop stalls; all stacks are on standard error", silent_seconds=round(silent, 1))


def _dump_stacks() -> None:
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
