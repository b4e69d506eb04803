"""A small server in the shape of Ollama over the demo's detector, for machines where no Ollama answers.

It answers as any model it is asked for, and says in its replies and its list of models that it is
``demo-detector``.
"""

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Final, Self

from aiohttp import web

from securitycamd.simulator.detector import Detector, NotAPictureError
from securitycamd.simulator.footage import DemoAssets
from securitycamd.simulator.reporting import report
from securitycamd.simulator.structure import DEFAULT_SCHEMA, Facts, filled
from securitycamd.simulator.wording import description_in, phrase, prose, understood

MODEL: Final = "demo-detector"
MODEL_BYTES: Final = 35_434_956
VERSION: Final = "0.0.0-demo"
MOST_BODY_BYTES: Final = 64 * 1024 * 1024
STOP_SECONDS: Final = 1.0


class StandIn:
    """The server; open while the context is.

    Args:
        assets: where the detector's files are.
        host: where to listen.
        port: 0 takes a free one.
        models: the names it lists beside its own, so that who looks for them finds them.
    """

    def __init__(
        self, assets: DemoAssets, *, host: str = "127.0.0.1", port: int = 0, models: Sequence[str] = ()
    ) -> None:
        self._assets = assets
        self._host = host
        self._port = port
        self._models = [*models, MODEL]
        self._stack = AsyncExitStack()
        self._detector: Detector | None = None
        # The network is not for two threads at once, and two pictures at once would not be faster.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=MODEL)

    @property
    def url(self) -> str:
        """Where it answers, once open."""
        return f"http://{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MOST_BODY_BYTES)
        app.router.add_get("/", _alive)
        app.router.add_get("/api/version", _version)
        app.router.add_get("/api/tags", self._tags)
        app.router.add_get("/api/ps", self._tags)
        app.router.add_post("/api/show", self._show)
        app.router.add_post("/api/chat", self._chat)
        app.router.add_post("/api/generate", self._generate)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=STOP_SECONDS)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        self._stack.callback(self._worker.shutdown, wait=False, cancel_futures=True)
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError:
            await self._stack.aclose()
            raise
        self._port = runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _tags(self, _request: web.Request) -> web.Response:
        models = [
            {
                "name": name if ":" in name else f"{name}:latest",
                "model": name if ":" in name else f"{name}:latest",
                "modified_at": _now(),
                "size": MODEL_BYTES,
                "digest": MODEL,
                "details": _details(),
            }
            for name in dict.fromkeys(self._models)
        ]
        return web.json_response({"models": models})

    async def _show(self, request: web.Request) -> web.Response:
        await _body(request)
        return web.json_response(
            {
                "license": "",
                "modelfile": f"# {MODEL}: the demo's stand-in",
                "parameters": "",
                "template": "",
                "details": _details(),
                "model_info": {"general.architecture": MODEL},
                "capabilities": ["completion", "vision"],
                "modified_at": _now(),
            }
        )

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        messages = [message for message in _list(body.get("messages")) if isinstance(message, dict)]
        text = "\n".join(str(message.get("content") or "") for message in messages)
        images = [image for message in messages for image in _list(message.get("images"))]
        return await self._respond(request, body, text, images, chat=True)

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        text = f"{body.get('system') or ''}\n{body.get('prompt') or ''}"
        return await self._respond(request, body, text, _list(body.get("images")), chat=False)

    async def _respond(
        self, request: web.Request, body: Mapping[str, object], text: str, images: list[object], *, chat: bool
    ) -> web.StreamResponse:
        began = time.monotonic_ns()
        if not text.strip() and not images:
            # How a model is loaded and unloaded: a request without anything to answer.
            reason = "unload" if body.get("keep_alive") in {0, "0"} else "load"
            return web.json_response(_reply("", reason, began, chat=chat))
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._worker, self._answer, text, images, body.get("format"))
        except (NotAPictureError, binascii.Error):
            # Real servers nest their runner's JSON in this message.
            inner = json.dumps({"error": {"code": 400, "message": "Failed to load image or audio file"}})
            return web.json_response({"error": inner}, status=400)
        if body.get("stream", True):
            return await _streamed(request, answer, began, chat=chat)
        return web.json_response(_reply(answer, "stop", began, chat=chat))

    def _answer(self, text: str, images: list[object], schema: object) -> str:
        """The words of the reply. Blocks: 0.1 s a picture."""
        if images:
            self._detector = self._detector or Detector(self._assets)
            pictures = [base64.b64decode(str(image), validate=True) for image in images]
            description = prose([self._detector.look(picture) for picture in pictures])
        elif not schema and (written := report(text)):
            return written
        else:
            description = description_in(text)
        sighting = understood(description)
        if isinstance(schema, dict) or schema == "json":
            wanted = schema if isinstance(schema, dict) else DEFAULT_SCHEMA
            return json.dumps(filled(wanted, Facts(description, sighting)))
        return description if images else phrase(sighting.counts)


async def _alive(_request: web.Request) -> web.Response:
    return web.Response(text="Ollama is running (the demo's stand-in)")


async def _version(_request: web.Request) -> web.Response:
    return web.json_response({"version": VERSION})


async def _body(request: web.Request) -> Mapping[str, object]:
    try:
        body = await request.json()
    except ValueError as error:
        raise _refusal("invalid JSON") from error
    if not isinstance(body, dict) or not (body.get("model") or body.get("name")):
        raise _refusal("model is required")
    return body


def _refusal(message: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=json.dumps({"error": message}), content_type="application/json")


async def _streamed(request: web.Request, answer: str, began: int, *, chat: bool) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    first = {**_reply(answer, "", began, chat=chat), "done": False}
    for part in (first, _reply("", "stop", began, chat=chat)):
        await response.write(json.dumps(part).encode() + b"\n")
    return response


def _reply(answer: str, reason: str, began: int, *, chat: bool) -> dict[str, object]:
    spent = time.monotonic_ns() - began
    content: dict[str, object] = {"message": {"role": "assistant", "content": answer}} if chat else {"response": answer}
    return {
        "model": MODEL,
        "created_at": _now(),
        **content,
        "done": True,
        "done_reason": reason,
        "total_duration": spent,
        "load_duration": 0,
        "prompt_eval_count": 1,
        "prompt_eval_duration": 0,
        "eval_count": len(answer.split()),
        "eval_duration": spent,
    }


def _details() -> dict[str, object]:
    return {
        "parent_model": "",
        "format": "darknet",
        "family": MODEL,
        "families": [MODEL],
        "parameter_size": "8.8M",
        "quantization_level": "F32",
    }


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _now() -> str:
    return datetime.now(UTC).isoformat()
