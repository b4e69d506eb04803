"""A stand-in for an Ollama server that repeats what a real one (0.33) was measured to do.

Usage::

    async with OllamaServer() as server:
        server.enqueue(Reply.loading(), Reply(text="A man walks in."))
        ...  # speak to server.url
        assert server.chats[0].model == "moondream"

Without scripted replies a vision request is answered with prose and a request with a schema with JSON, so
that a whole analysis works out of the box. Knows nothing of the program under test.
"""

import asyncio
import base64
import binascii
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Self

from aiohttp import web

VISION: Final = frozenset({"completion", "vision"})
TEXT: Final = frozenset({"completion"})
REASONING: Final = frozenset({"completion", "thinking"})

DEFAULT_MODELS: Final = {"moondream:latest": VISION, "deepseek-r1:latest": REASONING}

DESCRIPTION: Final = (
    "A man in a blue jacket walks up the driveway past a parked car. In the second picture he is nearer."
)
STRUCTURE: Final[dict[str, object]] = {
    "person_detected": True,
    "confidence": 0.9,
    "objects": [{"label": "person", "count": 1}, {"label": "car", "count": 1}],
    "category": "person",
    "phrase": "Man walking up the driveway",
}
_CREATED_AT: Final = "2026-01-01T00:00:00.000000Z"
# Two pictures as base64 go over aiohttp's default of 1 MB.
_MAX_REQUEST_BYTES: Final = 64 * 1024 * 1024
_PICTURE_STARTS: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


@dataclass(frozen=True)
class Reply:
    """How one request is answered."""

    text: str | None = None
    """What the model says; ``None`` for the default."""
    done_reason: str = "stop"
    """``stop``, ``length`` (token limit), ``load`` (nothing said yet) or ``unload``."""
    status: int = 200
    error: str | None = None
    """The ``error`` of a JSON body; with it goes ``status``."""
    body: bytes | None = None
    """Sent as it is, in place of anything else."""
    delay_seconds: float = 0.0
    drip_seconds: float = 0.0
    """The pause between one byte of the reply and the next."""
    cut: bool = False
    """The connection ends in the middle of the reply."""
    location: str | None = None
    """Where a redirection points."""

    @classmethod
    def loading(cls) -> "Reply":
        """The server has the model's runner not up yet."""
        return cls(status=503, error="server busy, please try again.  maximum pending requests exceeded")

    @classmethod
    def failing(cls, error: str = "model runner has unexpectedly stopped") -> "Reply":
        """An error of the server's own."""
        return cls(status=500, error=error)


@dataclass(frozen=True)
class Chat:
    """One request to ``/api/chat``, as it arrived."""

    model: str
    messages: list[dict[str, Any]]
    images: list[bytes]
    schema: object
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def prompt(self) -> str:
        """The last message's text."""
        return str(self.messages[-1]["content"])


@dataclass
class OllamaServer:
    """The stand-in; an async context manager. Everything but ``url`` may be changed while it runs."""

    models: dict[str, frozenset[str] | None] = field(default_factory=lambda: {**DEFAULT_MODELS})
    """Full name -> capabilities; ``None`` as an older server, which does not tell them."""
    always: Reply | None = None
    """Answers every chat that no enqueued reply answers."""
    overrides: dict[str, Reply] = field(default_factory=dict)
    """Path -> how it is answered, in place of what it does."""
    refuses_think: set[str] = field(default_factory=set)
    """Models (as they are asked for) with which a ``think`` in the request is an error."""
    unknown_models: set[str] = field(default_factory=set)
    """Names under which nothing can be pulled."""
    pull_seconds: float = 0.05
    version: str = "0.33.0"
    chats: list[Chat] = field(default_factory=list)
    """Every chat that came, answered or not."""
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set as soon as a reply with a delay is under way."""
    _script: deque[Reply] = field(default_factory=deque)
    _runner: web.AppRunner | None = None
    _port: int = 0

    @property
    def url(self) -> str:
        """The address; it stays the same over ``stop`` and ``start``."""
        return f"http://127.0.0.1:{self._port}"

    def enqueue(self, *replies: Reply) -> None:
        """Answer the next chats with these, one each."""
        self._script.extend(replies)

    def forget(self) -> None:
        """Drop the replies that no chat has taken."""
        self._script.clear()

    async def start(self) -> None:
        """Listen; again on the same port after ``stop``."""
        app = web.Application(client_max_size=_MAX_REQUEST_BYTES)
        app.router.add_get("/", self._handle(self._root))
        app.router.add_get("/api/version", self._handle(self._version))
        app.router.add_get("/api/tags", self._handle(self._tags))
        app.router.add_post("/api/show", self._handle(self._show))
        app.router.add_post("/api/chat", self._handle(self._chat))
        app.router.add_post("/api/pull", self._handle(self._pull))
        app.router.add_post("/api/embed", self._handle(self._embed))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and cut every connection, as a server that dies."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _handle(
        self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            override = self.overrides.get(request.path)
            return await (handler(request) if override is None else self._send(request, override, {}))

        return handle

    async def _root(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text="Ollama is running")

    async def _version(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"version": self.version})

    async def _tags(self, _: web.Request) -> web.StreamResponse:
        models = [
            {
                "name": name,
                "model": name,
                "modified_at": _CREATED_AT,
                "size": 1_700_000_000,
                "digest": "0" * 64,
            }
            for name in self.models
        ]
        return web.json_response({"models": models})

    async def _show(self, request: web.Request) -> web.StreamResponse:
        name = _full(str((await request.json())["model"]))
        if name not in self.models:
            # With the tag, unlike the same error of a chat.
            return _error(404, f"model '{name}' not found")
        shown: dict[str, object] = {"details": {}, "model_info": {}, "modified_at": _CREATED_AT}
        capabilities = self.models[name]
        if capabilities is not None:
            shown["capabilities"] = sorted(capabilities)
        return web.json_response(shown)

    async def _pull(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        name = str(body["model"])
        layer = {"status": "pulling 75382d2899df", "digest": "sha256:75382d2899df", "total": 100_000_000}
        lines: list[dict[str, object]] = [{"status": "pulling manifest"}]
        if name in self.unknown_models:
            lines.append({"error": "pull model manifest: file does not exist"})
        else:
            lines += [layer | {"completed": share * 25_000_000} for share in range(5)]
            lines += [{"status": status} for status in ("verifying sha256 digest", "writing manifest", "success")]
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for line in lines:
            await response.write(json.dumps(line).encode() + b"\n")
            await asyncio.sleep(self.pull_seconds / len(lines))
        if name not in self.unknown_models:
            self.models[_full(name)] = VISION
        return response

    async def _embed(self, _: web.Request) -> web.StreamResponse:
        return _error(501, "this model does not support embeddings")

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = await request.json()
        messages: list[dict[str, Any]] = body.get("messages") or []
        encoded = [image for message in messages for image in message.get("images") or []]
        try:
            images = [base64.b64decode(image, validate=True) for image in encoded]
        except binascii.Error:
            return _error(400, "illegal base64 data at input byte 0")
        model = str(body["model"])
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.chats.append(Chat(model, messages, images, body.get("format"), body, headers))
        if (refusal := self._refusal(model, images, body)) is not None:
            return refusal
        if not messages:
            reason = "unload" if body.get("keep_alive") == 0 else "load"
            return await self._send(request, Reply(text="", done_reason=reason), body)
        reply = self._script.popleft() if self._script else self.always or Reply()
        return await self._send(request, reply, body)

    def _refusal(self, model: str, images: list[bytes], body: dict[str, Any]) -> web.Response | None:
        if _full(model) not in self.models:
            return _error(404, f"model '{model}' not found")
        if model in self.refuses_think and "think" in body:
            return _error(400, f'"{model}" does not support thinking')
        if images and "vision" not in (self.models[_full(model)] or VISION):
            return _error(400, "this model is missing data required for image input")
        # A picture that is cut short passes, as with the real server: only its beginning is looked at.
        if not all(image.startswith(_PICTURE_STARTS) for image in images):
            inner = {
                "code": 400,
                "message": "Failed to load image or audio file",
                "type": "invalid_request_error",
            }
            return _error(400, json.dumps({"error": inner}))
        return None

    async def _send(self, request: web.Request, reply: Reply, body: dict[str, Any]) -> web.StreamResponse:
        if reply.delay_seconds:
            self.waiting.set()
            await asyncio.sleep(reply.delay_seconds)
        if reply.location is not None:
            raise web.HTTPTemporaryRedirect(reply.location)
        if reply.error is not None:
            return _error(reply.status, reply.error)
        content = reply.body if reply.body is not None else _spoken(reply, body)
        if not (reply.cut or reply.drip_seconds):
            return web.Response(body=content, status=reply.status, content_type="application/json")
        response = web.StreamResponse(headers={"Content-Length": str(len(content)), "Content-Type": "application/json"})
        await response.prepare(request)
        for byte in content if reply.drip_seconds else b"":
            await response.write(bytes((byte,)))
            await asyncio.sleep(reply.drip_seconds)
        if not reply.cut:
            return response
        await response.write(content[: len(content) // 2])
        if request.transport is not None:
            request.transport.abort()
        return response


def _spoken(reply: Reply, body: dict[str, Any]) -> bytes:
    text = reply.text
    if text is None:
        text = json.dumps(STRUCTURE) if body.get("format") else DESCRIPTION
    frame = {"model": body.get("model", ""), "created_at": _CREATED_AT}
    end = {
        "done": True,
        "done_reason": reply.done_reason,
        "total_duration": 1,
        "eval_count": len(text.split()),
    }
    # A real server streams unless told not to.
    if body.get("stream", True):
        half = len(text) // 2
        lines = [
            {**frame, "message": {"role": "assistant", "content": part}, "done": False}
            for part in (text[:half], text[half:])
        ]
        lines.append({**frame, "message": {"role": "assistant", "content": ""}, **end})
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return json.dumps({**frame, "message": {"role": "assistant", "content": text}, **end}).encode()


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)


def _full(name: str) -> str:
    return name if ":" in name else f"{name}:latest"
