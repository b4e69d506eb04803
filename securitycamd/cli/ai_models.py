"""What ``securitycamd ai`` does with the AI server itself: fetch models, and try them out."""

import asyncio
import json
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any, Final

import click
import structlog

from securitycamd.ai.cleaning import clean_line
from securitycamd.ai.client import Analyst, Exchange
from securitycamd.ai.parsing import combine
from securitycamd.cli.client import EXIT_UNREACHABLE
from securitycamd.cli.options import fail
from securitycamd.domain.errors import AiUnavailableError, AnalysisError
from securitycamd.settings import AnalyserSettings

_SHOWN_CHARACTERS: Final = 4000
_INDENT: Final = "    "


def pull_models(settings: AnalyserSettings, models: Sequence[str], *, as_json: bool) -> None:
    """Have the AI server fetch models; ends the command when one cannot be had."""
    names = list(dict.fromkeys(models)) or list(settings.models)
    _run(_pull(settings, names, as_json=as_json))


def try_out(settings: AnalyserSettings, paths: Sequence[Path], *, as_json: bool) -> None:
    """Describe stills, and show all of it; ends the command when that fails."""
    stills = [path.read_bytes() for path in paths]
    _run(_try_out(settings, stills, as_json=as_json))


def _run(work: Coroutine[Any, Any, None]) -> None:
    before = structlog.get_config()
    # What goes wrong is said in a sentence below; log lines would stand in the middle of the answer.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    try:
        asyncio.run(work)
    except AiUnavailableError as error:
        fail(str(error), EXIT_UNREACHABLE if type(error) is AiUnavailableError else 1)
    except AnalysisError as error:
        fail(str(error))
    finally:
        structlog.configure(**before)


async def _pull(settings: AnalyserSettings, models: Sequence[str], *, as_json: bool) -> None:
    analyst = Analyst(settings)
    progress = _Progress(as_json=as_json)
    try:
        for model in models:
            async for part in analyst.pull(model):
                progress.show(part.model, part.status, part.completed_bytes, part.total_bytes)
            progress.done(model)
    finally:
        await analyst.close()


class _Progress:
    """A line a model that changes in place on a terminal; elsewhere a line for each step."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._in_place = sys.stdout.isatty() and not as_json
        self._last: tuple[str, str, int | None] | None = None

    def show(self, model: str, status: str, completed: int | None, total: int | None) -> None:
        share = None if not total else min(100, 100 * (completed or 0) // total)
        if (model, status, share) == self._last:
            return
        new_step = self._last is None or self._last[:2] != (model, status)
        self._last = (model, status, share)
        if self._as_json:
            facts = {"model": model, "status": status, "completed_bytes": completed, "total_bytes": total}
            click.echo(json.dumps(facts))
        elif self._in_place:
            size = f" {share:3} % of {_size(total)}" if total else ""
            click.echo(f"\r{model}: {status}{size}\x1b[K", nl=False)
        elif new_step:
            click.echo(f"{model}: {status}{f', {_size(total)}' if total else ''}")

    def done(self, model: str) -> None:
        if not self._as_json:
            click.echo(f"\r{model}: there.\x1b[K" if self._in_place else f"{model}: there.")


def _size(size_bytes: int | None) -> str:
    return f"{(size_bytes or 0) / 1e9:.1f} GB" if (size_bytes or 0) >= 1e9 else f"{(size_bytes or 0) / 1e6:.0f} MB"


async def _try_out(settings: AnalyserSettings, stills: Sequence[bytes], *, as_json: bool) -> None:
    exchanges: list[Exchange] = []

    def shown(exchange: Exchange) -> None:
        exchanges.append(exchange)
        if not as_json:
            _show(exchange, len(exchanges))

    analyst = Analyst(settings, on_exchange=shown)
    started = monotonic()
    try:
        seen = await analyst.describe(stills)
        structured = await analyst.structured(seen)
    finally:
        await analyst.close()
    seconds = monotonic() - started
    analysis = combine(seen.description, structured.reading)
    model_seconds = seen.seconds + structured.seconds
    result = asdict(analysis) | {
        "read_by": structured.reading.read_by,
        "still_notes": list(seen.stills),
        "prompt_version": analyst.prompt_version,
        "vision_model": seen.model,
        "vision_seconds": round(seen.seconds, 3),
        "text_model": structured.model,
        "text_seconds": None if structured.model is None else round(structured.seconds, 3),
        "own_seconds": round(seconds - model_seconds, 3),
    }
    if as_json:
        click.echo(json.dumps({"exchanges": [asdict(each) for each in exchanges], "result": result}, indent=2))
        return
    click.echo("== What was read")
    for name, value in result.items():
        click.echo(f"{name:<16} {_plain(value)}")


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return (
            ", ".join(f"{item['count']} x {item['label']}" if isinstance(item, dict) else str(item) for item in value)
            or "none"
        )
    return str(value)


def _show(exchange: Exchange, number: int) -> None:
    """Print a question and its reply; both may hold anything, so control characters are left out."""
    pictures = f", {exchange.pictures} picture{'s' if exchange.pictures > 1 else ''}" if exchange.pictures else ""
    click.echo(f"== Question {number} to {exchange.model}{pictures}")
    for message in exchange.messages:
        click.echo(f"{message['role']}:")
        _echo_lines(message["content"])
    click.echo(f"reply, after {exchange.seconds:.1f} s:")
    _echo_lines(exchange.reply)


def _echo_lines(text: str) -> None:
    for line in text[:_SHOWN_CHARACTERS].splitlines() or [""]:
        click.echo(_INDENT + clean_line(line, _SHOWN_CHARACTERS))
