"""A server that records what agents send and fails as it is told to: the wire's other end, no daemon.

Run as a program it is a daemon for the demo's tests: it converts with FFmpeg and "analyses" with a set text.
"""

import asyncio
import base64
import hashlib
import json
import os
import sys
from collections import defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import web


@dataclass
class Call:
    """One request as it came in."""

    method: str
    path: str
    body: Any
    agent: str
    connection: object


@dataclass
class FakeServer:
    """``faults[path]``: what becomes of the next calls there: a status, ``lost`` or ``garbage``."""

    storage_root: Path | None = None
    calls: list[Call] = field(default_factory=list)
    faults: dict[str, deque[int | str]] = field(default_factory=lambda: defaultdict(deque))
    events: dict[int, dict[str, Any]] = field(default_factory=dict)
    convert: bool = True
    analyse: bool = True
    url: str = ""
    arrived: dict[str, bytes] = field(default_factory=lambda: defaultdict(bytes))
    """What came over HTTP, by ``<event>/<file type>``."""
    ranges: list[tuple[str, str | None]] = field(default_factory=list)
    """Files and Content-Range of the requests that brought them."""

    async def __aenter__(self) -> Self:
        await self.listen("127.0.0.1", 0)
        return self

    async def listen(self, host: str, port: int) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def of(self, method: str, end: str) -> list[Call]:
        return [call for call in self.calls if call.method == method and call.path.endswith(end)]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/api/v1")
        if request.method == "PUT":
            return await self._receive(request)
        body = await request.json() if request.can_read_body else None
        if request.method != "GET":
            agent = request.headers.get("User-Agent", "")
            self.calls.append(Call(request.method, path, body, agent, request.transport))
        faults = self.faults["/files" if path.endswith("/files") else path]
        fault = faults.popleft() if faults else None
        if fault == "garbage":
            return web.Response(text="<html>not JSON</html>", content_type="text/html")
        if isinstance(fault, int):
            return web.json_response({"detail": "as told"}, status=fault)
        answer = await self._answer(request.method, path, body)
        if fault == "lost":
            # Everything was done, but the reply never arrives.
            assert request.transport is not None
            request.transport.abort()
        return answer

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        _, number, _, file_type = request.path.removeprefix("/api/v1/").split("/")
        key = f"{number}/{file_type}"
        told = request.headers.get("Content-Range")
        self.ranges.append((key, told))
        start = int(told.removeprefix("bytes ").partition("-")[0]) if told else 0
        self.arrived[key] = self.arrived[key][:start]
        async for piece in request.content.iter_any():
            self.arrived[key] += piece
        fault = self.faults["PUT"].popleft() if self.faults["PUT"] else None
        if isinstance(fault, int):
            return web.json_response({"detail": "as told"}, status=fault)
        digest = base64.b64encode(hashlib.sha256(self.arrived[key]).digest()).decode()
        assert request.headers["Content-Digest"] == f"sha-256=:{digest}:"
        self.events[int(number)][file_type] = dict(request.query)
        return web.json_response(self.events[int(number)], status=201)

    async def _answer(  # noqa: PLR0911 - one return a route reads best
        self, method: str, path: str, body: Any
    ) -> web.StreamResponse:
        parts = path.strip("/").split("/")
        match method, parts:
            case "GET", ["health"]:
                return web.json_response({"status": "healthy"})
            case "POST", ["cameras", "register"]:
                return web.json_response({**body, "id": 1, "status": "online"}, status=201)
            case "POST", ["events"]:
                known = [
                    event
                    for event in self.events.values()
                    if all(event[key] == body[key] for key in ("camera_id", "timestamp"))
                ]
                event = known[0] if known else {**body, "id": len(self.events) + 1, "status": "processing"}
                self.events[event["id"]] = event
                return web.json_response(event, status=200 if known else 201)
            case "PATCH", ["events", number, "files"]:
                self.events[int(number)][body["file_type"]] = body
                return web.json_response(self.events[int(number)])
            case "PATCH", ["events", number, "status"]:
                self.events[int(number)]["status"] = body["status"]
                return web.json_response(self.events[int(number)])
            case "POST", ["logs"]:
                return web.json_response({"logs_inserted": len(body)}, status=201)
            case "GET", ["events", number, "files", file_type]:
                return web.json_response({"received_bytes": len(self.arrived[f"{number}/{file_type}"])})
            case "GET", ["events", number]:
                return web.json_response(await self._work(self.events[int(number)]))
            case "GET", ["media", *_] if self.storage_root:
                return web.FileResponse(self.storage_root.joinpath(*parts[1:]))
        return web.json_response({"detail": "unknown"}, status=404)

    async def _work(self, event: dict[str, Any]) -> dict[str, Any]:
        """What converter and analyser would do, when somebody looks."""
        shown = {**event, "mp4_conversion_status": "pending", "ai_processed": False}
        if self.analyse and "image_b" in event:
            shown |= {"ai_processed": True, "ai_description": "A street.", "ai_phrase": "A street in view"}
        if self.convert and self.storage_root and "video" in event:
            source = self.storage_root / event["video"]["file_path"]
            if not source.with_suffix(".mp4").exists():
                # As the daemon: under another name first, for the next look may come at any time.
                half = source.with_suffix(".half.mp4")
                command = ["ffmpeg", "-v", "quiet", "-y", "-framerate", "15", "-i", str(source)]
                command += ["-c", "copy", "-bsf:v", "setts=ts=N/15/TB", "-movflags", "+faststart", str(half)]
                await (await asyncio.create_subprocess_exec(*command)).wait()
                half.rename(source.with_suffix(".mp4"))
            path = source.with_suffix(".mp4").relative_to(self.storage_root)
            shown |= {"mp4_conversion_status": "complete", "video_mp4_path": str(path)}
        return shown


async def main() -> None:
    """Serve as the demo's daemon until TERM; ``FAKE_FAULT`` makes it a bad one."""
    fault = os.environ.get("FAKE_FAULT", "")
    print("fake daemon", json.dumps({k: v for k, v in os.environ.items() if k.startswith("SECURITYCAMD_")}))
    sys.stdout.flush()
    if fault == "ends":
        sys.exit("fake daemon: no database")
    server = FakeServer(Path(os.environ["SECURITYCAMD_STORAGE__ROOT"]), convert=fault != "converter", analyse=True)
    await server.listen("127.0.0.1", int(os.environ["SECURITYCAMD_SERVER__PORT"]))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
