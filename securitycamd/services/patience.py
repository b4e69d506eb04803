"""What is looked at while something hangs waits some seconds for each of its parts, and does without the rest."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from securitycamd.domain.errors import UnavailableError

Part = TypeVar("Part")

PATIENCE_SECONDS: Final = 3.0


async def if_there(asked: Awaitable[Part]) -> Part | None:
    """The answer; ``None`` while what is asked is away, or hangs."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asked
    except (UnavailableError, TimeoutError):
        return None
