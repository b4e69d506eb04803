"""One connection to a camera's stream."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import aiohttp

from securitycamd.cameras.multipart import PictureParser, boundary_of
from securitycamd.domain.errors import CameraUnavailableError

CONNECT_SECONDS: Final = 3.0
RETRY_SECONDS: Final = 0.25
READ_BYTES: Final = 256 * 1024
_HTTP_OK: Final = 200


async def pictures(
    session: aiohttp.ClientSession, url: str, *, startup_seconds: float, stall_seconds: float, max_bytes: int
) -> AsyncGenerator[bytes]:
    """The pictures of a stream as they come; ends when the camera ends the stream.

    Args:
        session: the connections to agents.
        url: where the stream is.
        startup_seconds: how long it is tried again while nothing answers there: a stream takes its time to come up.
        stall_seconds: how long a picture may take to come.
        max_bytes: the largest picture.

    Raises:
        CameraUnavailableError: there is no stream, it stalls, or it is none.
    """
    response = await _open(session, url, startup_seconds, stall_seconds)
    try:
        kind = response.headers.get("Content-Type", "")
        if not kind.lower().startswith("multipart/"):
            raise CameraUnavailableError("What the camera sends is no stream of pictures.")
        parser = PictureParser(boundary_of(kind), max_bytes)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + stall_seconds
        try:
            while True:
                async with asyncio.timeout_at(deadline):
                    data = await response.content.readany()
                if not data:
                    return
                for picture in parser.feed(data):
                    deadline = loop.time() + stall_seconds
                    yield picture
        except TimeoutError:
            raise CameraUnavailableError(f"The camera has sent no picture for {stall_seconds:.0f} s.") from None
        except (aiohttp.ClientError, OSError):
            raise CameraUnavailableError("The connection to the camera broke.") from None
    finally:
        response.close()


async def _open(
    session: aiohttp.ClientSession, url: str, startup_seconds: float, stall_seconds: float
) -> aiohttp.ClientResponse:
    loop = asyncio.get_running_loop()
    until = loop.time() + startup_seconds
    limit = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=stall_seconds)
    while True:
        try:
            async with asyncio.timeout(stall_seconds):
                response = await session.get(url, timeout=limit, allow_redirects=False, read_bufsize=READ_BYTES)
        except TimeoutError:
            # It takes the connection and says nothing: agents serve one client, and the next after that.
            raise CameraUnavailableError(
                "The camera answers but sends no pictures. Perhaps another program watches its stream directly."
            ) from None
        except (aiohttp.ClientError, OSError):
            if loop.time() > until:
                raise CameraUnavailableError("The camera's stream cannot be reached.") from None
        else:
            if response.status == _HTTP_OK:
                return response
            response.close()
            if loop.time() > until:
                raise CameraUnavailableError(f"The camera's stream answers with {response.status}.")
        await asyncio.sleep(RETRY_SECONDS)
