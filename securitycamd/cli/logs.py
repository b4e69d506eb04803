"""``securitycamd logs``: what cameras and the running daemon had to say."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import click

from securitycamd.cli.client import EXIT_UNREACHABLE, call, server_events
from securitycamd.cli.options import config_option, fail, json_option, settings_or_exit
from securitycamd.cli.words import local, plain
from securitycamd.domain.names import LogLevel
from securitycamd.settings import Settings

PIECE: Final = 1000
AGO: Final = {"m": "minutes", "h": "hours", "d": "days"}


def _since(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if not value:
        return None
    unit = AGO.get(value[-1])
    if unit is not None and value[:-1].isdecimal() and len(value) < 8:
        return (datetime.now(UTC) - timedelta(**{unit: int(value[:-1])})).isoformat()
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("must be like 15m, 2h, 3d, 2025-10-28 or 2025-10-28T14:30") from None
    return value


@click.command(
    epilog="Examples:\n\n  securitycamd logs --level ERROR --since 24h\n\n"
    "  securitycamd logs --source camera_1 --source central --grep disk\n\n  securitycamd logs --follow\n\n"
    "Ends with 0 when all went well, 1 when the daemon refused, 2 when a setting is wrong, 3 when no daemon answers."
)
@click.option(
    "--source", "sources", multiple=True, help="Of this camera, or central for the server itself; repeatable."
)
@click.option(
    "--level", "levels", multiple=True, type=click.Choice([str(level) for level in LogLevel]), help="Repeatable."
)
@click.option("--since", callback=_since, help="Not before: 15m, 2h, 3d, a day, or a time of the site.")
@click.option("--grep", "text", help="With this in the message, whatever its case.")
@click.option(
    "-n", "--lines", "limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many at most."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until interrupted.")
@config_option
@json_option
def logs(
    sources: tuple[str, ...],
    levels: tuple[str, ...],
    since: str | None,
    text: str | None,
    limit: int,
    config: Path | None,
    *,
    follow: bool,
    as_json: bool,
) -> None:
    """Show log lines, the newest last."""
    settings = settings_or_exit(config)
    query = [("source", source) for source in sources] + [("level", level) for level in levels]
    query += [(name, value) for name, value in (("since", since), ("q", text)) if value]
    try:
        # First of all, so that nothing comes between what was there and what comes.
        coming = _coming(settings, query) if follow else iter(())
        next(coming, None)
        found = _newest(settings, query, limit)
        _print(settings, found, as_json=as_json)
        shown = {line["id"] for line in found}
        for lines in coming:
            _print(settings, [line for line in lines if line["id"] not in shown], as_json=as_json)
    except KeyboardInterrupt:
        pass  # how following ends


def _newest(settings: Settings, query: list[tuple[str, str]], limit: int) -> list[Any]:
    found: list[Any] = []
    place: str | None = ""
    while place is not None and len(found) < limit:
        asked = [*query, ("limit", str(min(PIECE, limit - len(found)))), *([("before", place)] if place else [])]
        reply = call(settings, "GET", f"/logs/search?{urlencode(asked)}")
        found[:0] = reply["lines"]
        place = reply["further"]
    return found


def _coming(settings: Settings, query: list[tuple[str, str]]) -> Iterator[list[Any]]:
    """None when it begins; then lines as they come, whatever their time is: agents tell theirs late."""
    others = [(name, value) for name, value in query if name != "since"]
    for name, data in server_events(settings, f"/logs/stream?{urlencode(others)}"):
        if name == "lines" and data["skipped"]:
            click.echo(f"{data['skipped']:,} lines came faster than they could be shown", err=True)
        if name in {"ready", "lines"}:
            yield data.get("lines", [])
    fail("the daemon ended the connection", EXIT_UNREACHABLE)


def _print(settings: Settings, lines: list[Any], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            click.echo(json.dumps(line, ensure_ascii=False))
        else:
            # What an agent says must neither begin a new line nor tell the terminal what to do.
            when = local(line["timestamp"], settings.site.zone, timespec="milliseconds")
            click.echo(plain(f"{when} {line['level']:<7} {line['source']}: {line['message']}"))
