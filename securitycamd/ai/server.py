"""One Ollama server: its requests, and its many ways of failing told apart in sentences for people.

Imported only when a server listens: the client library and httpx cost 6 MB and 0.1 to 0.2 s, which a daemon
that cannot analyse should not pay.
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import unquote, urlsplit

import httpx
import ollama
import structlog

from securitycamd.ai.cleaning import clean_line, strip_reasoning
from securitycamd.ai.errors import RejectedError, missing_sentence
from securitycamd.ai.transport import BoundedTransport
from securitycamd.domain.errors import AiFaultError, AiSetupError, AiUnavailableError

_log = structlog.get_logger(__name__)

CONNECT_SECONDS: Final = 5.0
_LOGGED_CHARACTERS: Final = 500
_DEFAULT_TAG: Final = "latest"

# 408 and 429: a proxy's or the server's own "too much at once"; 413 is a still's fault like 400.
_BUSY: Final = frozenset({408, 429, 503})
_REFUSED: Final = frozenset({401, 403})
_REJECTED: Final = frozenset({400, 413, 422})

# What the client library gives an error that stands within a stream of replies.
_IN_STREAM: Final = -1

REPLY_LIMIT_BYTES: Final = 16 * 1024 * 1024
PULL_SILENCE_SECONDS: Final = 300.0
"""So long a pull may say nothing: the server looks over what it has fetched, without a word."""

Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a model's pull is; ``status`` is the server's own word, cleaned."""

    model: str
    status: str
    completed_bytes: int | None
    total_bytes: int | None
    """Of the layer that is being fetched."""


def _full_name(name: str) -> str:
    """``name`` with its tag, as the server lists it: ``moondream`` is ``moondream:latest``; in lower case."""
    has_tag = ":" in name.rpartition("/")[2]
    return (name if has_tag else f"{name}:{_DEFAULT_TAG}").casefold()


class AiServer:
    """Requests to one Ollama server, each bounded in time.

    Every method raises ``AiUnavailableError``, with a sentence that says what to do where something can be
    done, when the server is away or busy; as ``AiSetupError`` when only people can help, as ``AiFaultError``
    when it failed at this request or never came to its end; and ``RejectedError`` when it refuses this very
    request.

    Args:
        url: ``http://`` or ``https://`` address; a user and password in it are sent as basic authentication.
        timeout_seconds: how long a model may take for one reply, loading included.
        keep_alive: how long it keeps a model loaded after a reply; empty for its own setting.
    """

    def __init__(self, url: str, timeout_seconds: float, keep_alive: str = "") -> None:
        self._url = url
        self._timeout_seconds = timeout_seconds
        # A number goes as one: as text it would need a unit.
        bare = keep_alive.removeprefix("-").isdecimal()
        self._keep_alive: float | str | None = float(keep_alive) if bare else keep_alive or None
        self._client: ollama.AsyncClient | None = None
        self._thinking_fixed: set[str] = set()
        # Never the whole address: it may hold a password.
        self._address = urlsplit(url).netloc.rpartition("@")[2]

    async def chat(
        self,
        model: str,
        messages: Sequence[Mapping[str, str]],
        *,
        images: Sequence[bytes] = (),
        schema: Mapping[str, object] | None = None,
        temperature: float,
        token_limit: int,
    ) -> str:
        """The model's answer without its thoughts; may be empty.

        Args:
            model: which one.
            messages: ``role`` and ``content`` each.
            images: go with the first message of the user.
            schema: a JSON schema that the answer shall follow.
            temperature: 0 for the likeliest answer.
            token_limit: where an endless answer is cut.
        """
        conversation = [ollama.Message(role=item["role"], content=item["content"]) for item in messages]
        if images:
            first = next(message for message in conversation if message.role == "user")
            first.images = [ollama.Image(value=image) for image in images]

        async def ask(think: bool | None) -> ollama.ChatResponse:
            return await self._answered(
                self._open().chat(
                    model=model,
                    messages=conversation,
                    think=think,
                    format=None if schema is None else dict(schema),
                    options={"temperature": temperature, "num_predict": token_limit},
                    keep_alive=self._keep_alive,
                ),
                seconds=self._timeout_seconds,
                model=model,
            )

        if model in self._thinking_fixed:
            reply = await ask(None)
        else:
            try:
                # Thoughts cost minutes on small machines, and nobody reads them here.
                reply = await ask(think=False)
            except RejectedError as error:
                if "think" not in error.text.lower():
                    raise
                reply = await ask(None)
                self._thinking_fixed.add(model)
        if reply.done_reason in {"load", "unload"}:
            raise AiUnavailableError(f"The AI server is still loading the model {model}.")
        return strip_reasoning(reply.message.content or "")

    async def missing(self, models: Iterable[str], *, seconds: float) -> tuple[str, ...]:
        """Those of ``models`` that the server does not have, in order."""
        try:
            listing = await self._answered(self._open().list(), seconds=seconds)
        except RejectedError as error:
            raise self._strange() from error
        present = {_full_name(item.model) for item in listing.models if item.model}
        return tuple(name for name in models if _full_name(name) not in present)

    async def sees_pictures(self, model: str, *, seconds: float) -> bool | None:
        """Whether the model takes pictures; ``None`` when the server, an older one, does not say."""
        try:
            shown = await self._answered(self._open().show(model), seconds=seconds, model=model)
        except RejectedError:
            return None
        return "vision" in shown.capabilities if shown.capabilities else None

    async def pull(self, model: str) -> AsyncIterator[PullProgress]:
        """Have the server fetch a model; how far it is, as it says so."""
        parts = await self._answered(self._open().pull(model, stream=True), seconds=PULL_SILENCE_SECONDS, model=model)
        while True:
            try:
                part = await self._answered(anext(parts), seconds=PULL_SILENCE_SECONDS, model=model)
            except StopAsyncIteration:
                return
            status = clean_line(str(part.status or ""), _LOGGED_CHARACTERS)
            yield PullProgress(model, status, part.completed, part.total)

    async def close(self) -> None:
        """Close the connections; the next request would open new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()  # type: ignore[no-untyped-call]  # the library's one method without types

    def _open(self) -> ollama.AsyncClient:
        if self._client is not None:
            return self._client
        parts = urlsplit(self._url)
        headers = {}
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        # Certificates are read only where they are used: they take a megabyte and some milliseconds.
        secure = parts.scheme == "https"
        context = ssl.create_default_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            self._client = ollama.AsyncClient(
                host=self._url,
                headers=headers,
                timeout=httpx.Timeout(self._timeout_seconds, connect=CONNECT_SECONDS),
                transport=BoundedTransport(
                    httpx.AsyncHTTPTransport(verify=context, trust_env=False), limit_bytes=REPLY_LIMIT_BYTES
                ),
                # Footage goes to the address in the settings: through no proxy that the environment
                # happens to name, and to nobody that a reply points to.
                trust_env=False,
                follow_redirects=False,
            )
        except (httpx.InvalidURL, ValueError) as error:
            _log.error("The AI server's address cannot be used", error=str(error))
            raise AiSetupError("The AI server's address cannot be used; see analyser.url.") from error
        return self._client

    async def _answered(self, request: Awaitable[Reply], *, seconds: float, model: str = "") -> Reply:
        try:
            async with asyncio.timeout(seconds):
                return await request
        # Before the time-outs, of which it is one: nobody answered yet.
        except (ConnectionError, httpx.ConnectError, httpx.ConnectTimeout) as error:
            self._note(error, model)
            raise AiUnavailableError(
                f"The AI server at {self._address} cannot be reached; is Ollama running there?"
            ) from error
        except (TimeoutError, httpx.TimeoutException) as error:
            self._note(error, model)
            raise AiFaultError(f"The AI server at {self._address} did not answer in time.") from error
        except httpx.HTTPError as error:
            self._note(error, model)
            raise AiFaultError(
                f"The AI server at {self._address} broke off the connection before its answer was complete."
            ) from error
        except ollama.ResponseError as error:
            self._note(error, model)
            raise self._judged(error, model) from error
        # What the client library lets through when a reply is no JSON, or JSON of another kind.
        except (ValueError, TypeError, AttributeError) as error:
            self._note(error, model)
            raise self._strange(model) from error

    def _judged(self, error: ollama.ResponseError, model: str) -> AiUnavailableError | RejectedError:
        # ``error.error`` is meant to be text, but is whatever the body held: a bad picture gets nested JSON.
        text, status = str(error.error), error.status_code
        if status == 404 and "model" in text and model:
            return AiSetupError(missing_sentence([model]))
        if status in _REJECTED or status == _IN_STREAM:
            return RejectedError(text)
        if status in _REFUSED:
            return AiSetupError(f"The AI server at {self._address} refuses us; see analyser.url.")
        if status in _BUSY:
            return AiUnavailableError("The AI server is loading a model or busy.")
        return _failure(text, model) if status >= 500 else self._strange(model)

    def _strange(self, model: str = "") -> AiUnavailableError:
        # Noise in place of one reply, from a server that has a model, may come of that request alone.
        kind = AiFaultError if model else AiSetupError
        return kind(f"What answers at {self._address} is not an Ollama server; see analyser.url.")

    @staticmethod
    def _note(error: Exception, model: str) -> None:
        # The health rule asks every few seconds and tells of each change; this is the detail behind it.
        _log.debug(
            "A request to the AI server failed",
            model=model or None,
            error=clean_line(str(error), _LOGGED_CHARACTERS),
            error_type=type(error).__name__,
        )


def _failure(text: str, model: str) -> AiUnavailableError:
    # Two of the server's own errors that an operator can mend; the texts are Ollama's, stable for years.
    if "single image" in text:
        return AiSetupError(
            f"The model {model} takes only one picture at a time; set analyser.vision_model to another."
        )
    if "system memory" in text:
        return AiSetupError(f"The AI server has too little memory for the model {model}; choose a smaller one.")
    return AiFaultError("The AI server failed; its own log says why.")
