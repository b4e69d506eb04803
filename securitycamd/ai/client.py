"""The analyst: stills in, a structured description out, in two stages with two models, or in one call.

The vision model says in prose what is there and what moved; the text model turns the prose into a structure.
Small vision models follow no schema, and small text models do well at rewording. A vision model that does follow
schemas can give both at once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import structlog

from securitycamd.ai import digests, prompts
from securitycamd.ai.cleaning import clean_description, clean_line
from securitycamd.ai.errors import RejectedError, missing_sentence
from securitycamd.ai.parsing import (
    NOTHING_TO_SEE,
    Reading,
    nothing_to_see,
    parse_reply,
    parse_whole_reply,
    read_by_rules,
)
from securitycamd.domain.errors import AiSetupError, AiUnavailableError, AnalysisError
from securitycamd.domain.names import StillNote
from securitycamd.settings import AnalyserSettings

if TYPE_CHECKING:
    from securitycamd.ai.server import AiServer, PullProgress
    from securitycamd.ai.stills import PreparedStills

_log = structlog.get_logger(__name__)

CHECK_SECONDS: Final = 4.0
"""How long each of the two questions of a health check may take."""

_DESCRIPTION_TOKENS: Final = 400
_STRUCTURE_TOKENS: Final = 800
_WHOLE_TOKENS: Final = 1200
_DESCRIPTION_TEMPERATURE: Final = 0.2
# A second try at the same temperature would mostly say the same, that is: nothing.
_SECOND_TEMPERATURE: Final = 0.7
_BROKEN_REPLY_LIMIT: Final = 2000


@dataclass(frozen=True, slots=True)
class AiState:
    """Whether the AI server could analyse now, and what to do if not."""

    reachable: bool
    missing_models: tuple[str, ...]
    """As named in the settings."""
    message: str
    """One sentence for people."""
    ready: bool = False
    """Nothing stands in the way of an analysis."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the first stage found."""

    description: str
    """Cleaned, and never empty."""
    stills: tuple[StillNote, ...]
    model: str | None
    """``None`` when no model was asked."""
    seconds: float
    """How long the model took."""
    reading: Reading | None = None
    """The structure, where the first stage gave it, too."""


@dataclass(frozen=True, slots=True)
class Structured:
    """What a description was made into, by whichever stage."""

    reading: Reading
    model: str | None
    """The text model; ``None`` when it was not asked, as the first stage gave the structure, too."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question to a model and its reply, as they went over the wire; for people who try out models."""

    model: str
    messages: tuple[Mapping[str, str], ...]
    pictures: int
    reply: str
    """Without the model's thoughts; not cleaned yet."""
    seconds: float


class Analyst:
    """Describes events with the models of one AI server. Safe to use from several tasks of one loop.

    Args:
        settings: which server and models, and how they are asked.
        on_exchange: is shown every question and its reply.
    """

    def __init__(self, settings: AnalyserSettings, *, on_exchange: Callable[[Exchange], None] | None = None) -> None:
        self._settings = settings
        self._on_exchange = on_exchange
        self._opened: AiServer | None = None

    @property
    def prompt_version(self) -> str:
        """Which prompts the models are asked with."""
        return prompts.prompt_version(self._settings)

    async def describe(self, stills: Sequence[bytes]) -> Seen:
        """First stage: the vision model's prose about an event's stills, in the order in which they were taken.

        Black stills are not sent, and of two that show the same the second is not; when nothing is left to send,
        no model is asked. With ``one_call`` of the settings the structure comes along. Each of the requests to the
        models, here and in the second stage one or two, in ``one_call`` up to four, may take ``timeout_seconds``.

        Args:
            stills: JPEG files; still A and still B, or only one of them.

        Raises:
            AiUnavailableError: the AI server is away, busy or lacks a model; the work can wait for it.
            AnalysisError: nothing will come of these stills: damaged, or the model has no words for them.
        """
        if not stills:
            raise AnalysisError("The event has no still to look at.")
        prepared = await asyncio.to_thread(_prepare, stills, self._settings)
        if not prepared.pictures:
            return Seen(NOTHING_TO_SEE, prepared.notes, None, 0.0, nothing_to_see())
        model = self._settings.vision_model
        prompt = prompts.vision_prompt(self._settings, len(prepared.pictures), identical=prepared.are_identical)
        started = monotonic()
        reading = None
        try:
            if self._settings.one_call:
                description, reading = await self._describe_and_structure(prompt, prepared.pictures)
            else:
                description = await self._describe(prompt, prepared.pictures)
        except RejectedError as error:
            # The server's reason is free text that changes between versions: ask about the model itself.
            if await (await self._server()).sees_pictures(model, seconds=CHECK_SECONDS) is False:
                raise AiSetupError(_blind(model)) from error
            raise AnalysisError("The AI server does not accept the stills of this event.") from error
        return Seen(description, prepared.notes, model, monotonic() - started, reading)

    async def _describe(self, prompt: str, pictures: Sequence[bytes]) -> str:
        model = self._settings.vision_model
        messages = [{"role": "user", "content": prompt}]
        for temperature in (_DESCRIPTION_TEMPERATURE, _SECOND_TEMPERATURE):
            answer = await self._ask(
                model, messages, images=pictures, temperature=temperature, token_limit=_DESCRIPTION_TOKENS
            )
            if description := clean_description(answer):
                return description
        raise AnalysisError(f"The model {model} gave no description.")

    async def _describe_and_structure(self, prompt: str, pictures: Sequence[bytes]) -> tuple[str, Reading]:
        model = self._settings.vision_model
        messages = [{"role": "user", "content": prompt + prompts.ONE_CALL_PROMPT}]
        answer = await self._ask(
            model, messages, images=pictures, schema=prompts.ONE_CALL_SCHEMA, token_limit=_WHOLE_TOKENS
        )
        if found := parse_whole_reply(answer):
            return found
        messages += _once_more(answer, prompts.ONE_CALL_REPEAT_PROMPT)
        answer = await self._ask(
            model, messages, images=pictures, schema=prompts.ONE_CALL_SCHEMA, token_limit=_WHOLE_TOKENS
        )
        if found := parse_whole_reply(answer):
            description, reading = found
            return description, reading.repeated
        # It follows no schema after all; prose every vision model can.
        description = await self._describe(prompt, pictures)
        return description, read_by_rules(description)

    async def structured(self, seen: Seen) -> Structured:
        """The structure of what was seen: the first stage's, where it gave one; else as of :meth:`structure`."""
        return await self.structure(seen.description) if seen.reading is None else Structured(seen.reading, None, 0.0)

    async def structure(self, description: str) -> Structured:
        """Second stage: the structure of a description.

        A reply that breaks the schema is asked for once more; then the description is read by rules.

        Raises:
            AiUnavailableError: the AI server is away, busy or lacks the text model.
        """
        started = monotonic()
        reading = await self._structure(description)
        return Structured(reading, self._settings.text_model, monotonic() - started)

    async def _structure(self, description: str) -> Reading:
        messages = [
            {"role": "system", "content": prompts.system_prompt(self._settings)},
            {"role": "user", "content": prompts.text_prompt(description)},
        ]
        model = self._settings.text_model
        try:
            answer = await self._ask(model, messages, schema=prompts.REPLY_SCHEMA, token_limit=_STRUCTURE_TOKENS)
            if reading := parse_reply(answer, description):
                return reading
            messages += _once_more(answer, prompts.TEXT_REPEAT_PROMPT)
            answer = await self._ask(model, messages, schema=prompts.REPLY_SCHEMA, token_limit=_STRUCTURE_TOKENS)
        except RejectedError as error:
            # Nothing here comes from the event but plain text, so it is the model: one that cannot chat.
            raise AiSetupError(
                f"The model {model} cannot do what it is asked; set analyser.text_model to a chat model."
            ) from error
        if reading := parse_reply(answer, description):
            return reading.repeated
        return read_by_rules(description)

    async def _ask(
        self,
        model: str,
        messages: Sequence[Mapping[str, str]],
        *,
        token_limit: int,
        images: Sequence[bytes] = (),
        schema: Mapping[str, object] | None = None,
        temperature: float = 0.0,
    ) -> str:
        started = monotonic()
        answer = await (await self._server()).chat(
            model, messages, images=images, schema=schema, temperature=temperature, token_limit=token_limit
        )
        if self._on_exchange is not None:
            self._on_exchange(Exchange(model, tuple(messages), len(images), answer, monotonic() - started))
        return answer

    async def check(self) -> AiState:
        """Ask the server, within a few seconds and without loading a model, whether it could analyse now."""
        try:
            server = await self._server()
            if missing := await server.missing(self._settings.models, seconds=CHECK_SECONDS):
                return AiState(True, missing, missing_sentence(missing))
            vision_model = self._settings.vision_model
            if await server.sees_pictures(vision_model, seconds=CHECK_SECONDS) is False:
                return AiState(True, (), _blind(vision_model))
        except AiUnavailableError as error:
            return AiState(False, (), str(error))
        return AiState(True, (), "The AI server answers and has its models.", ready=True)

    async def summarise(self, prompt: str) -> str:
        """The text model's answer to a prompt as plain paragraphs, cleaned and bounded; may be empty.

        Raises:
            AiUnavailableError: the AI server is away, busy or lacks the text model.
            AnalysisError: it refuses this prompt.
        """
        try:
            answer = await self._ask(
                self._settings.text_model,
                [{"role": "user", "content": prompt}],
                temperature=_DESCRIPTION_TEMPERATURE,
                token_limit=digests.TOKENS,
            )
        except RejectedError as error:
            raise AnalysisError("The AI server does not accept the report's prompt.") from error
        return digests.clean_report(answer)

    async def pull(self, model: str) -> AsyncIterator["PullProgress"]:
        """Have the server fetch a model.

        Raises:
            AiUnavailableError: it is away, or its fetching came to no good end.
            AnalysisError: there is no such model, or it cannot be had.
        """
        try:
            async for progress in (await self._server()).pull(model):
                yield progress
        except RejectedError as error:
            raise AnalysisError(f"The AI server cannot fetch {model}: {clean_line(error.text, 200)}") from error

    async def close(self) -> None:
        """Close the connections to the AI server."""
        if self._opened is not None:
            await self._opened.close()

    async def _server(self) -> "AiServer":
        """The AI server. Its client library, 6 MB, is loaded once somebody listens there."""
        if self._opened is None:
            await _knock(self._settings.url)
            server = await asyncio.to_thread(import_module, "securitycamd.ai.server")
            settings = self._settings
            self._opened = server.AiServer(settings.url, settings.timeout_seconds, settings.keep_alive)
        return self._opened


def _once_more(broken: str, prompt: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": broken[:_BROKEN_REPLY_LIMIT]}, {"role": "user", "content": prompt}]


def _prepare(stills: Sequence[bytes], settings: AnalyserSettings) -> "PreparedStills":
    # In the thread that needs it: the picture library is 3 MB that a daemon without an AI server saves.
    from securitycamd.ai.stills import prepare_stills  # noqa: PLC0415

    return prepare_stills(stills, longest_side=settings.still_longest_side, quality=settings.still_quality)


async def _knock(url: str) -> None:
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise AiSetupError("The AI server's address cannot be used; see analyser.url.") from error
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError) as error:
        address = parts.netloc.rpartition("@")[2]
        raise AiUnavailableError(f"The AI server at {address} cannot be reached; is Ollama running there?") from error
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _blind(model: str) -> str:
    # A moondream without its eyes is one that was put together wrongly.
    other = "qwen2.5vl" if model.startswith("moondream") else "moondream"
    return f"The model {model} cannot see; set analyser.vision_model to one that can, such as {other}."
