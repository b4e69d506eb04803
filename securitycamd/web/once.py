"""What is made when somebody asks for it first, once for all, and kept."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")


class Once(Generic[Made]):
    """Several may wait for the making; whoever goes away does not take it from the others."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, Made]], name: str) -> None:
        self._make = make
        self._name = name
        self._making: asyncio.Task[Made] | None = None

    async def get(self) -> Made:
        """What was made, or is now."""
        if self._making is None:
            self._making = asyncio.create_task(self._make(), name=self._name)
        return await asyncio.shield(self._making)
