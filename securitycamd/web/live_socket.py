"""``/live/socket``: one WebSocket for all live pictures of one reader.

A browser opens six connections to a server and no more; a wall of cameras needs one.

The client says ``{"watch": ["camera_1", ...]}`` and ``{"leave": ["camera_1", ...]}``. The server sends, for each camera
watched, text messages with its state (:class:`securitycamd.web.schemas.live.StreamReply`) and binary messages with
its pictures: the length of the camera's id in one byte, the id, the JPEG.
"""

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Final

import structlog
from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import Field, ValidationError
from pydantic_core import to_json

from securitycamd.cameras.relay import Frame, Relay, Viewer
from securitycamd.domain.errors import DomainError
from securitycamd.domain.live import StreamState, StreamStatus
from securitycamd.domain.principal import Audience, Principal
from securitycamd.services.live import LiveService
from securitycamd.web.registry import Call, Input, Route
from securitycamd.web.schemas.common import CameraId
from securitycamd.web.schemas.live import stream_reply
from securitycamd.web.sites import refuse_foreign_site

log = structlog.get_logger(__name__)

MESSAGE_LIMIT_BYTES: Final = 32 * 1024
CAMERAS_LIMIT: Final = 500
PING_SECONDS: Final = 20.0
CLOSE_SECONDS: Final = 1.0
STATUS_SECONDS: Final = 2.0
"""How often figures that pass by themselves (pictures a second, viewers) are told again."""
UNSENT_BYTES: Final = 128 * 1024
"""So much may lie unsent in the kernel: more would be old pictures on a slow line."""
_TCP_NOTSENT_LOWAT: Final = 25
"""Linux' option for that; missing in older versions of ``socket``."""


@dataclass(frozen=True, eq=False)
class _Open:
    """A connection, and the task that sends."""

    socket: web.WebSocketResponse
    sender: asyncio.Task[None]

    async def close(self, code: int, message: bytes = b"") -> None:
        """Send no more, then say why: a picture behind that would break the protocol."""
        self.sender.cancel()
        await asyncio.wait([self.sender])
        await self.socket.close(code=code, message=message)


_SOCKETS: Final = web.AppKey("live_sockets", set[_Open])


class Wish(Input):
    """What a client says."""

    watch: Annotated[tuple[CameraId, ...], Field(max_length=CAMERAS_LIMIT)] = ()
    leave: Annotated[tuple[CameraId, ...], Field(max_length=CAMERAS_LIMIT)] = ()


class _Watched:
    """A camera that the client watches, and what it was told of it."""

    __slots__ = ("frame_number", "relay", "status_due", "version")

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.version = -1
        self.frame_number = 0
        self.status_due = 0.0


class _Connection:
    """One client."""

    def __init__(
        self,
        socket_: web.WebSocketResponse,
        live: LiveService,
        principal: Principal,
        viewer: Viewer,
        stall_seconds: float,
    ) -> None:
        self._socket = socket_
        self._live = live
        self._principal = principal
        self._viewer = viewer
        self._stall_seconds = stall_seconds
        self._watched: dict[str, _Watched] = {}

    async def obey(self, wish: Wish) -> None:
        """Do as the client says."""
        for camera_id in wish.leave:
            if known := self._watched.pop(camera_id, None):
                known.relay.leave(self._viewer)
        for camera_id in wish.watch:
            if camera_id in self._watched:
                continue
            try:
                relay = await self._live.watch(self._principal, self._viewer, camera_id)
            except DomainError as error:
                await self._tell(StreamStatus(camera_id, StreamState.ENDED, reason=str(error)))
            else:
                self._watched[camera_id] = _Watched(relay)
        self._viewer.wake()

    async def show(self) -> None:
        """Send what is new, for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            await self._viewer.woken()
            while self._viewer.ended:
                camera_id, reason = self._viewer.ended.popitem()
                if self._watched.pop(camera_id, None) is not None:
                    await self._tell(StreamStatus(camera_id, StreamState.ENDED, reason=reason))
            for watched in list(self._watched.values()):
                relay, now = watched.relay, clock()
                if relay.version != watched.version or now >= watched.status_due:
                    watched.version, watched.status_due = relay.version, now + STATUS_SECONDS
                    await self._tell(relay.status())
                frame = relay.frame
                if frame is not None and frame.number != watched.frame_number:
                    watched.frame_number = frame.number
                    await self._send(frame)

    async def _tell(self, status: StreamStatus) -> None:
        async with asyncio.timeout(self._stall_seconds):
            await self._socket.send_str(to_json(stream_reply(status)).decode())

    async def _send(self, frame: Frame) -> None:
        async with asyncio.timeout(self._stall_seconds):
            await self._socket.send_bytes(frame.message)


async def live_socket(call: Call[None, None, None]) -> web.StreamResponse:
    """The WebSocket."""
    settings = call.parts.settings.current
    # A page of another site must neither see the cameras nor blind them: browsers name the origin of every WebSocket.
    refuse_foreign_site(call.request, settings.server.cors_origins)
    live = call.parts.live
    async with live.viewer() as viewer:
        connection = web.WebSocketResponse(
            heartbeat=PING_SECONDS,
            timeout=CLOSE_SECONDS,
            compress=False,  # pictures are compressed already
            max_msg_size=MESSAGE_LIMIT_BYTES,
            autoclose=False,  # nothing may be sent behind the reply to a close
            writer_limit=1,  # each message waits until the one before has gone: what is slow gets fewer, not older ones
        )
        await connection.prepare(call.request)
        bound_what_lies_unsent(call.request)
        client = _Connection(connection, live, call.principal, viewer, settings.live.stall_seconds)
        async with asyncio.TaskGroup() as group:
            sender = group.create_task(_show(client, call.request), name="live socket")
            opened = _Open(connection, sender)
            call.app[_SOCKETS].add(opened)
            try:
                await opened.close(*await _listen(client, connection))
            finally:
                call.app[_SOCKETS].discard(opened)
    return connection


async def _listen(client: _Connection, connection: web.WebSocketResponse) -> tuple[int, bytes]:
    """Obey until the client is gone or cannot be understood; with what to close."""
    async for message in connection:
        if message.type is not WSMsgType.TEXT:
            return WSCloseCode.UNSUPPORTED_DATA, b""
        try:
            wish = Wish.model_validate_json(message.data)
        except ValidationError:
            return WSCloseCode.INVALID_TEXT, b"not understood"
        try:
            await client.obey(wish)
        except (ConnectionError, TimeoutError):
            break
    return WSCloseCode.OK, b""


async def _show(client: _Connection, request: web.Request) -> None:
    """Send until the client is gone; one that takes nothing is cut off, which ends the listening, too."""
    try:
        await client.show()
    except TimeoutError:
        log.info("a viewer took no pictures and was let go", remote=request.remote)
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        pass  # it left, or the socket is being closed


def bound_what_lies_unsent(request: web.Request) -> None:
    """Keep the kernel from taking more than a slow line carries soon: it would hold old pictures."""
    transport = request.transport
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is not None:
        with suppress(OSError):  # another system than Linux, or the client is gone
            connection.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def install(app: web.Application) -> None:
    """Have open sockets end with the server."""
    app[_SOCKETS] = set()

    async def close_all(app: web.Application) -> None:
        closing = [each.close(WSCloseCode.GOING_AWAY, b"the server stops") for each in app[_SOCKETS]]
        await asyncio.gather(*closing, return_exceptions=True)

    app.on_shutdown.append(close_all)


ROUTES: Final = [Route("GET", "/live/socket", Audience.VIEWER, "Live pictures of any cameras", live_socket)]
