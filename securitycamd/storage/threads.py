"""Threads for file calls: a mount that hangs stalls neither the loop nor the end of the process."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Generic, ParamSpec, TypeVar

import structlog

from securitycamd.domain.errors import StorageUnavailableError

_log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

WAITING_PER_THREAD: Final = 64


class _Call(Generic[T]):
    """A call on its way from the loop to a thread and back."""

    def __init__(self, name: str, work: Callable[[], T], result: asyncio.Future[T], *, must_run: bool) -> None:
        self.name = name
        self.must_run = must_run
        self.work = work
        self.result = result
        self.loop = result.get_loop()
        self.counted_as_hung = False
        self.timer: asyncio.TimerHandle | None = None
        self._value: list[T] = []
        self._error: BaseException | None = None
        # Who takes it decides: a thread, that the call begins, or the loop, that it never does. pop is
        # atomic.
        self._token = [None]

    def take(self) -> bool:
        """Whether the caller of this is the one that decides."""
        try:
            self._token.pop()
        except IndexError:
            return False
        return True

    @property
    def taken(self) -> bool:
        """Whether that is decided."""
        return not self._token

    def perform(self) -> None:
        """Run it; in the thread."""
        # Whatever it raises is its caller's, who called it in all but the thread.
        try:
            self._value.append(self.work())
        except BaseException as error:  # noqa: BLE001
            self._error = error

    def deliver(self) -> None:
        """Hand the outcome to the caller, if they still wait; on the loop."""
        if self.result.done():
            return
        if self._error is not None:
            self.result.set_exception(self._error)
        elif self._value:
            self.result.set_result(self._value[0])


class FileThreads:
    """Runs blocking functions in at most ``threads`` threads, each under a time-out.

    The standard executor does not fit: it waits for its threads when the process ends, has no bound on what
    waits, and starts a call whose caller has long gone. Here:

    - a call that takes too long raises in its caller, while its thread stays with it until it returns, if
      ever;
    - when every thread is stuck like that, calls fail at once instead of each after its time-out; when
      threads return, all is as before;
    - a call whose caller gave up before it began never begins.

    Used from one event loop; the threads are daemons, and started when first needed.
    """

    def __init__(self, threads: int, *, timeout_seconds: float, waiting: int | None = None) -> None:
        if threads < 1:
            raise ValueError("there must be at least one thread")
        self._threads = threads
        self._timeout_seconds = timeout_seconds
        self._waiting = WAITING_PER_THREAD * threads if waiting is None else waiting
        self._calls: queue.SimpleQueue[_Call[Any] | None] = queue.SimpleQueue()
        self._started = 0
        self._unfinished = 0
        self._hung = 0
        self._closed = False

    @property
    def hung(self) -> int:
        """How many threads are stuck in a call past its time-out."""
        return self._hung

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function(*args, **kwargs)`` in a thread.

        Raises:
            StorageUnavailableError: no result within the time-out, counted from now; or too much waits
                already; or all threads are stuck; or the pool is closed.
        """
        too_many = self._unfinished >= self._threads + self._waiting
        if self._closed or too_many or self._hung >= self._threads:
            raise StorageUnavailableError
        # Not by repr: arguments may be large, and are nobody's business.
        name = getattr(function, "__qualname__", type(function).__name__)
        call = self._put(name, partial(function, *args, **kwargs), must_run=False)
        try:
            return await call.result
        except asyncio.CancelledError:
            call.take()
            raise

    def later(self, function: Callable[[], None]) -> None:
        """Have a function run, however long the threads take to get to it: what gives something back. Never refused.

        Nobody hears what it raises.
        """
        call = self._put(getattr(function, "__qualname__", "later"), function, must_run=True)
        call.result.add_done_callback(lambda result: result.cancelled() or result.exception())

    def _put(self, name: str, work: Callable[[], T], *, must_run: bool) -> _Call[T]:
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        call = _Call(name, work, result, must_run=must_run)
        call.timer = loop.call_later(self._timeout_seconds, self._overdue, call)
        self._unfinished += 1
        self._calls.put(call)
        if not self._closed and self._started < min(self._unfinished, self._threads):
            self._started += 1
            threading.Thread(target=self._serve, name=f"files-{self._started}", daemon=True).start()
        return call

    def close(self) -> None:
        """Take no more calls and let the threads end, each after the call it is in. Waits for nothing."""
        self._closed = True
        for _ in range(self._started):
            self._calls.put(None)

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            if call.take():
                call.perform()
            with contextlib.suppress(RuntimeError):  # the loop was closed before the call returned
                call.loop.call_soon_threadsafe(self._finished, call)
            # A thread that waits must not keep the last call's data alive.
            del call

    def _finished(self, call: _Call[Any]) -> None:
        if call.timer:
            call.timer.cancel()
        self._unfinished -= 1
        if call.counted_as_hung:
            self._hung -= 1
            _log.info("A file call that hung has returned.", hung=self._hung)
        call.deliver()

    def _overdue(self, call: _Call[Any]) -> None:
        if call.must_run and not call.taken:
            if not self._closed:
                call.timer = call.loop.call_later(self._timeout_seconds, self._overdue, call)
            return
        if not call.take():
            call.counted_as_hung = True
            self._hung += 1
            _log.warning("A file call hangs.", call=call.name, hung=self._hung, threads=self._threads)
        if not call.result.done():
            call.result.set_exception(StorageUnavailableError())
