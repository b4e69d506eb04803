"""Calls that arrive together become one: a database transaction, or one select, for many requests.

A call is answered by a run that started after the call came, so it reads its own writes and is acknowledged only
after the commit; and while one run is under way the next one gathers, so no call waits for a timer.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

Call = TypeVar("Call")
Answer = TypeVar("Answer")


class Batcher(Generic[Call, Answer]):
    """Feeds ``run`` with the calls that wait, at most ``limit`` at a time, with one run under way.

    ``run`` returns an answer for each call in order; an answer that is an exception is raised to its caller alone. When
    ``run`` itself fails, every call of that run gets the error.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Call]], Awaitable[Sequence[Answer | Exception]]],
        *,
        limit: int,
        waiting_limit: int,
        full: Callable[[], Exception],
    ) -> None:
        self._run = run
        self._limit = limit
        self._waiting_limit = waiting_limit
        self._full = full
        self._waiting: deque[tuple[Call, asyncio.Future[Answer]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, call: Call) -> Answer:
        """The answer to ``call``; raises what ``full`` makes when too many calls wait already."""
        if len(self._waiting) >= self._waiting_limit:
            raise self._full()
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, answer))
        if self._worker is None:
            # Kept in the attribute: the loop itself holds tasks only weakly.
            # In a context of its own: it works for others too, and must not log under the first caller's name.
            self._worker = asyncio.create_task(self._work(), name="batcher", context=Context())
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
                await self._run_one(batch)
        finally:
            self._worker = None

    async def _run_one(self, batch: list[tuple[Call, "asyncio.Future[Answer]"]]) -> None:
        try:
            answers = await self._run([call for call, _ in batch])
            if len(answers) != len(batch):
                raise RuntimeError(f"{len(answers)} answers to {len(batch)} calls")  # noqa: TRY301 - else callers wait
        except Exception as error:  # noqa: BLE001 - every caller gets it; none is lost in the worker
            answers = [error] * len(batch)
        except asyncio.CancelledError:
            for _, answer in batch:
                answer.cancel()
            raise
        for (_, answer), result in zip(batch, answers, strict=True):
            if answer.done():  # its caller went away
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)
