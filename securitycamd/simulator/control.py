"""What an agent serves: its control API, and an MJPEG stream while it is told to stream."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, Self

from aiohttp import web

AGENT_VERSION: Final = "1.4.0-simulated"
FRAME_SECONDS: Final = 0.1
BOUNDARY: Final = "FRAME"
STOP_SECONDS: Final = 1.0

Frames = Callable[[], Awaitable[bytes]]
"""Gives the present picture as a JPEG."""


@dataclass(frozen=True, slots=True)
class AgentPorts:
    """Where an agent listens. 0 takes a free port (for tests)."""

    control: int
    stream: int


OLDER_PORTS: Final = AgentPorts(control=5000, stream=8080)
FREE_PORTS: Final = AgentPorts(control=0, stream=0)
NEWER_PORTS: Final = AgentPorts(control=8001, stream=8002)


class AgentServer:
    """The control API and the stream of one agent, on its own address.

    Args:
        camera_id: who this is.
        name: the camera's name for people.
        host: the address to listen on.
        ports: the ports to listen on.
        frames: gives pictures for the stream.
        motion_state: a word for what the agent is doing.
        on_streaming: told when streaming starts (true) and stops (false); motion is paused in between.
        startup_seconds: how long the stream takes to come up after the start was answered.
    """

    def __init__(
        self,
        *,
        camera_id: str,
        name: str,
        host: str,
        ports: AgentPorts,
        frames: Frames,
        motion_state: Callable[[], str],
        on_streaming: Callable[[bool], None],
        startup_seconds: float = 0.8,
    ) -> None:
        self._camera_id = camera_id
        self._name = name
        self._host = host
        self._ports = ports
        self._frames = frames
        self._motion_state = motion_state
        self._on_streaming = on_streaming
        self._startup_seconds = startup_seconds
        self._began = time.monotonic()
        self._viewers = 0
        self.most_viewers = 0
        """How many were connected to the stream at once, at most; those that wait for their turn, too."""
        self._control_port = 0
        self._stream_port = 0
        self._streaming = asyncio.Event()
        self._camera_busy = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._stream_runner: web.AppRunner | None = None
        self._stream_start: asyncio.Task[None] | None = None

    @property
    def streaming(self) -> bool:
        """Whether the agent was told to stream."""
        return self._streaming.is_set()

    @property
    def control_port(self) -> int:
        """The port of the control API, once open."""
        return self._control_port

    @property
    def stream_port(self) -> int:
        """The port of the stream, known after it first came up (or when it was fixed)."""
        return self._stream_port or self._ports.stream

    async def __aenter__(self) -> Self:
        """Open the control API.

        Raises:
            OSError: the port is taken.
        """
        app = web.Application()
        app.router.add_get("/api/ping", self._health)
        app.router.add_get("/api/health", self._health)
        app.router.add_get("/api/version", self._version)
        app.router.add_post("/api/stream", self._stream)
        runner = _runner(app)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        self._stack.push_async_callback(self.stop_stream)
        try:
            site = web.TCPSite(runner, self._host, self._ports.control)
            await site.start()
        except OSError:
            await self._stack.aclose()
            raise
        self._control_port = _port(runner)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def stop_stream(self) -> None:
        """Close the stream, if there is one, and let motion detection go on."""
        if not self.streaming:
            return
        self._streaming.clear()
        if self._stream_start is not None:
            self._stream_start.cancel()
            await asyncio.wait([self._stream_start])
            self._stream_start = None
        if self._stream_runner is not None:
            await self._stream_runner.cleanup()
            self._stream_runner = None
        self._on_streaming(False)

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "success": True,
                "camera_id": self._camera_id,
                "name": self._name,
                "status": "online",
                "motion_state": self._motion_state(),
                "streaming": self.streaming,
                "uptime_seconds": self._uptime_seconds,
            }
        )

    async def _version(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "success": True,
                "camera_name": self._name,
                "version": AGENT_VERSION,
                "uptime_seconds": self._uptime_seconds,
            }
        )

    @property
    def _uptime_seconds(self) -> int:
        return int(time.monotonic() - self._began)

    async def _stream(self, request: web.Request) -> web.Response:
        action = request.query.get("action")
        if action == "start":
            if self.streaming:
                return self._answer("Streaming already", success=False)
            self._streaming.set()
            self._on_streaming(True)
            self._stream_start = asyncio.create_task(self._start_stream())
            return self._answer("Stream starting", success=True)
        if action == "stop":
            if not self.streaming:
                return self._answer("Not streaming", success=False)
            await self.stop_stream()
            return self._answer("Stream stopped", success=True)
        return self._answer("action must be start or stop", success=False)

    def _answer(self, message: str, *, success: bool) -> web.Response:
        body = {"success": success, "message": message, "stream_port": self.stream_port}
        return web.json_response(body, status=200 if success else 400)

    async def _start_stream(self) -> None:
        await asyncio.sleep(self._startup_seconds)
        app = web.Application()
        app.router.add_get("/stream.mjpg", self._pictures)
        runner = _runner(app)
        await runner.setup()
        # From here on stop_stream cleans it up, whatever becomes of this task.
        self._stream_runner = runner
        try:
            await web.TCPSite(runner, self._host, self.stream_port).start()
        except OSError:
            # Something else has the port: the camera goes back to watching for motion.
            self._streaming.clear()
            self._stream_runner = None
            await runner.cleanup()
            self._on_streaming(False)
            return
        self._stream_port = _port(runner)

    async def _pictures(self, request: web.Request) -> web.StreamResponse:
        self._viewers += 1
        self.most_viewers = max(self.most_viewers, self._viewers)
        try:
            return await self._send_pictures(request)
        finally:
            self._viewers -= 1

    async def _send_pictures(self, request: web.Request) -> web.StreamResponse:
        # One client at a time: the agents' server handles a second one only after the first has gone.
        async with self._camera_busy:
            response = web.StreamResponse(
                headers={
                    "Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY}",
                    "Cache-Control": "no-cache, private",
                }
            )
            try:
                await response.prepare(request)
                while self.streaming:
                    begun = time.monotonic()
                    picture = await self._frames()
                    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                    await response.write(head.encode() + picture + b"\r\n")
                    await asyncio.sleep(max(0.0, FRAME_SECONDS - (time.monotonic() - begun)))
            except ConnectionError:
                pass  # the viewer left
            return response


def _runner(app: web.Application) -> web.AppRunner:
    return web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=STOP_SECONDS)


def _port(runner: web.AppRunner) -> int:
    port: int = runner.addresses[0][1]
    return port
