"""An agent whose control API and stream do what a test says, and remember what was asked of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from securitycamd.settings import AgentPorts
from tests.harness import free_port

Script = Callable[["ScriptedAgent", asyncio.StreamWriter], Awaitable[None]]

HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=FRAME\r\n\r\n"


def picture(number: int, size: int = 2000) -> bytes:
    """Bytes that begin and end as a JPEG, and say their number."""
    return b"\xff\xd8" + b"%08d" % number + bytes(size) + b"\xff\xd9"


def part(content: bytes, length: int | None = None) -> bytes:
    """A part of the stream; ``length`` may lie."""
    told = len(content) if length is None else length
    return b"--FRAME\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % told + content + b"\r\n"


async def steady(agent: "ScriptedAgent", writer: asyncio.StreamWriter) -> None:
    """A picture every 20 ms, numbered through all connections."""
    writer.write(HEAD)
    while True:
        agent.pictures += 1
        writer.write(part(picture(agent.pictures)))
        await writer.drain()
        await asyncio.sleep(0.02)


@dataclass
class ScriptedAgent:
    """One agent on the loopback interface."""

    script: Script = steady
    camera_id: str = "camera_1"
    address: str = "127.0.0.1"
    ports: AgentPorts = field(default_factory=lambda: AgentPorts(control=free_port(), stream=free_port()))
    streaming: bool = False
    starts: int = 0
    stops: int = 0
    pictures: int = 0
    connections: int = 0
    open_now: int = 0
    most_open: int = 0
    answers: bool = True
    """Whether the control API answers at all."""
    status: int = 200
    body: bytes | None = None
    """What the control API answers in place of the right thing."""
    _streams: set[asyncio.Task[None]] = field(default_factory=set)

    async def ping(self, _request: web.Request) -> web.Response:
        """``GET /api/ping`` and ``/api/health``."""
        await self._hang()
        if self.body is not None:
            return web.Response(body=self.body, status=self.status, headers={"Location": "/elsewhere"})
        return web.json_response({"camera_id": self.camera_id, "streaming": self.streaming, "uptime_seconds": 5})

    async def switch(self, request: web.Request) -> web.Response:
        """``POST /api/stream``."""
        await self._hang()
        starts = request.query["action"] == "start"
        if starts:
            self.starts += 1
        else:
            self.stops += 1
        already = starts == self.streaming
        self.streaming = starts
        if not starts:
            self.cut()
        told = {"success": not already, "message": "", "stream_port": self.ports.stream}
        return web.json_response(told, status=400 if already else 200)

    async def _hang(self) -> None:
        if not self.answers:
            await asyncio.sleep(3600)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection to the stream."""
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        self.connections += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            await reader.readuntil(b"\r\n\r\n")
            if self.streaming:
                await self.script(self, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open_now -= 1
            self._streams.discard(task)
            writer.close()

    @property
    def is_on(self) -> bool:
        """Whether it was told to stream, as it is now."""
        return self.streaming

    def cut(self) -> None:
        """Break the connections to the stream."""
        for task in list(self._streams):
            task.cancel()


@asynccontextmanager
async def running(agent: ScriptedAgent) -> AsyncIterator[ScriptedAgent]:
    """The agent, listening."""
    app = web.Application()
    app.router.add_get("/api/ping", agent.ping)
    app.router.add_get("/api/health", agent.ping)
    app.router.add_post("/api/stream", agent.switch)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, agent.address, agent.ports.control).start()
    server = await asyncio.start_server(agent.serve, agent.address, agent.ports.stream)
    try:
        yield agent
    finally:
        server.close()
        agent.cut()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await server.wait_closed()
        await runner.cleanup()
