"""What replies of server-sent events, and others that do not end soon, have in common."""

import asyncio
from typing import Final

from aiohttp import web

WRITE_SECONDS: Final = 20.0
"""A reader who takes nothing for so long has to come again."""


def event_stream() -> web.StreamResponse:
    """A reply of server-sent events, not begun."""
    return web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "X-Content-Type-Options": "nosniff",
        }
    )


async def write(response: web.StreamResponse, text: str) -> None:
    """Write some.

    Raises:
        ConnectionError: the reader went away.
        TimeoutError: they take nothing.
    """
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(text.encode())
