"""The analyst: stills in, a structured description out, in two stages with two models.

The vision model says in prose what is there and what moved; the text model turns the prose into a structure.
Small vision models follow no schema, and small text models do well at rewording.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import structlog

from securitycamd.ai import digests, prompts
from securitycamd.ai.cleaning import clean_description
from securitycamd.ai.errors import RejectedError
from securitycamd.ai.parsing import Reading, combine, parse_reply, read_by_rules
from securitycamd.domain.errors import AiUnavailableError, AnalysisError
from securitycamd.domain.models import Analysis
from securitycamd.settings import AnalyserSettings

if TYPE_CHECKING:
    from securitycamd.ai.server import AiServer

_log = structlog.get_logger(__name__)

CHECK_SECONDS: Final = 4.0
"""How long each of the two questions of a health check may take."""

_DESCRIPTION_TOKENS: Final = 400
_STRUCTURE_TOKENS: Final = 800
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


class Analyst:
    """Describes events with the models of one AI server. Safe to use from several tasks of one loop."""

    def __init__(self, settings: AnalyserSettings) -> None:
        self._settings = settings
        self._opened: AiServer | None = None

    async def analyse(self, stills: Sequence[bytes]) -> Analysis:
        """Look at an event's stills, in the order in which they were taken, and say what happened.

        Each of the two to four requests to the models may take ``timeout_seconds`` of the settings.

        Args:
            stills: JPEG files; still A and still B, or only one of them.

        Raises:
            AiUnavailableError: the AI server is away, busy or lacks a model; the work can wait for it.
            AnalysisError: nothing will come of these stills: damaged, or the model has no words for them.
        """
        started = monotonic()
        description = await self.describe(stills)
        described = monotonic()
        reading = await self.structure(description)
        _log.info(
            "Stills analysed",
            vision_model=self._settings.vision_model,
            vision_seconds=round(described - started, 3),
            text_model=self._settings.text_model,
            text_seconds=round(monotonic() - described, 3),
            prompt_version=prompts.PROMPT_VERSION,
            by_rules=reading.by_rules,
        )
        return combine(description, reading)

    async def describe(self, stills: Sequence[bytes]) -> str:
        """First stage: the vision model's prose, cleaned and never empty; raises as ``analyse`` does."""
        if not stills:
            raise AnalysisError("The event has no still to look at.")
        pictures = await asyncio.to_thread(_prepare, stills)
        model = self._settings.vision_model
        for temperature in (_DESCRIPTION_TEMPERATURE, _SECOND_TEMPERATURE):
            try:
                answer = await (await self._server()).chat(
                    model,
                    [{"role": "user", "content": prompts.vision_prompt(len(pictures))}],
                    images=pictures,
                    temperature=temperature,
                    token_limit=_DESCRIPTION_TOKENS,
                )
            except RejectedError as error:
                # The server's reason is free text that changes between versions: ask about the model itself.
                if await (await self._server()).sees_pictures(model, seconds=CHECK_SECONDS) is False:
                    raise AiUnavailableError(_blind(model)) from error
                raise AnalysisError("The AI server does not accept the stills of this event.") from error
            if description := clean_description(answer):
                return description
        raise AnalysisError(f"The model {model} gave no description.")

    async def structure(self, description: str) -> Reading:
        """Second stage: the structure of a description.

        A reply that breaks the schema is asked for once more; then the description is read by rules.

        Raises:
            AiUnavailableError: the AI server is away, busy or lacks the text model.
        """
        messages = [
            {"role": "system", "content": prompts.TEXT_SYSTEM_PROMPT},
            {"role": "user", "content": prompts.text_prompt(description)},
        ]
        answer = await self._structured(messages)
        if reading := parse_reply(answer, description):
            return reading
        messages += [
            {"role": "assistant", "content": answer[:_BROKEN_REPLY_LIMIT]},
            {"role": "user", "content": prompts.TEXT_REPEAT_PROMPT},
        ]
        answer = await self._structured(messages)
        return parse_reply(answer, description) or read_by_rules(description)

    async def _structured(self, messages: Sequence[dict[str, str]]) -> str:
        model = self._settings.text_model
        try:
            return await (await self._server()).chat(
                model,
                messages,
                schema=prompts.REPLY_SCHEMA,
                temperature=0.0,
                token_limit=_STRUCTURE_TOKENS,
            )
        except RejectedError as error:
            # Nothing here comes from the event but plain text, so it is the model: one that cannot chat.
            raise AiUnavailableError(
                f"The model {model} cannot do what it is asked; set analyser.text_model to a chat model."
            ) from error

    async def check(self) -> AiState:
        """Ask the server, within a few seconds and without loading a model, whether it could analyse now."""
        wanted = dict.fromkeys((self._settings.vision_model, self._settings.text_model))
        try:
            if missing := await (await self._server()).missing(wanted, seconds=CHECK_SECONDS):
                commands = " && ".join(f"ollama pull {name}" for name in missing)
                return AiState(True, missing, f"The AI server lacks a model; run: {commands}")
            vision_model = self._settings.vision_model
            if await (await self._server()).sees_pictures(vision_model, seconds=CHECK_SECONDS) is False:
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
            answer = await (await self._server()).chat(
                self._settings.text_model,
                [{"role": "user", "content": prompt}],
                temperature=_DESCRIPTION_TEMPERATURE,
                token_limit=digests.TOKENS,
            )
        except RejectedError as error:
            raise AnalysisError("The AI server does not accept the report's prompt.") from error
        return digests.clean_report(answer)

    async def close(self) -> None:
        """Close the connections to the AI server."""
        if self._opened is not None:
            await self._opened.close()

    async def _server(self) -> "AiServer":
        """The AI server. Its client library, 6 MB, is loaded once somebody listens there."""
        if self._opened is None:
            await _knock(self._settings.url)
            server = await asyncio.to_thread(import_module, "securitycamd.ai.server")
            self._opened = server.AiServer(self._settings.url, self._settings.timeout_seconds)
        return self._opened


def _prepare(stills: Sequence[bytes]) -> list[bytes]:
    # In the thread that needs it: the picture library is 3 MB that a daemon without an AI server saves.
    from securitycamd.ai.stills import prepare_still  # noqa: PLC0415

    return [prepare_still(still) for still in stills]


async def _knock(url: str) -> None:
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise AiUnavailableError("The AI server's address cannot be used; see analyser.url.") from error
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
    return f"The model {model} cannot see; set analyser.vision_model to one that can, such as moondream."
