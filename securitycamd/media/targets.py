"""Files that are being made: there whole, or not at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.media.probe import RunBlocking
from securitycamd.media.process import settle


@contextlib.asynccontextmanager
async def kept_when_done(target: Path, run_blocking: RunBlocking) -> AsyncIterator[None]:
    """Make ``target`` in the block; when the block fails or is cancelled, nothing of it is left."""
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            _, cancelled = await settle(_discard(target, run_blocking))
            if cancelled:
                raise asyncio.CancelledError


async def _discard(target: Path, run_blocking: RunBlocking) -> None:
    with contextlib.suppress(OSError, StorageUnavailableError):
        await run_blocking(target.unlink, missing_ok=True)
