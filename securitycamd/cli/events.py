"""``securitycamd events`` and ``securitycamd digest``: what happened, from the running daemon."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import click

from securitycamd.cli.client import call
from securitycamd.cli.options import config_option, json_option, settings_or_exit
from securitycamd.cli.words import local, plain
from securitycamd.domain.names import Category, EventStatus
from securitycamd.domain.times import today


def filter_options(command: Any) -> Any:
    """The options that choose events."""
    options = [
        click.option("--camera", "camera_id", multiple=True, metavar="ID", help="Of this camera; may be repeated."),
        click.option("--date", help="today, yesterday or YYYY-MM-DD, of the site."),
        click.option("--from", "start_date", metavar="TIME", help="No event before this day or time."),
        click.option("--to", "end_date", metavar="TIME", help="No event after this day or time."),
        click.option("--category", multiple=True, type=click.Choice([*Category]), help="What it shows; repeatable."),
        click.option("--person/--no-person", default=None, help="With a person, or without."),
        click.option("--status", multiple=True, type=click.Choice([*EventStatus]), help="How far the agent is."),
        click.option("--reviewed/--unreviewed", default=None, help="Seen by an operator, or not."),
        click.option("--starred/--unstarred", default=None, help="Kept for good, or not."),
        click.option("--min-confidence", type=click.FloatRange(0, 1), help="How sure the models are at least."),
        click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="How many at most."),
        click.option("--before", metavar="PLACE", help="Go on where an earlier page ended; it says where."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(
    epilog="Examples:\n\n  securitycamd events list --date today --category person\n\n"
    '  securitycamd events search "parked van" --camera camera_1 --from 2025-10-01\n\n'
    "Ends with 0 when all went well, 1 when the daemon refused, 2 when a setting is wrong, 3 when no daemon answers."
)
def events() -> None:
    """List, show and search events."""


@events.command("list")
@filter_options
@config_option
@json_option
def list_events(config: Path | None, *, as_json: bool, **chosen: Any) -> None:
    """List events, newest first."""
    _list(config, chosen, as_json=as_json)


@events.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--best", is_flag=True, help="What says most of it first, instead of the newest.")
@filter_options
@config_option
@json_option
def search(words: tuple[str, ...], config: Path | None, *, best: bool, as_json: bool, **chosen: Any) -> None:
    """Search what was said of events: WORDS must all be there.

    "in quotes" one after another, veh* is a beginning, and -- -word must not be there.
    """
    text = " ".join(f'"{word}"' if _is_phrase(word) else word for word in words)
    _list(config, {**chosen, "q": text, "sort": "rank" if best else "time"}, as_json=as_json)


@events.command()
@click.argument("event_id", type=int)
@config_option
@json_option
def show(event_id: int, config: Path | None, *, as_json: bool) -> None:
    """Show all that is known of an event."""
    event = call(settings_or_exit(config), "GET", f"/events/{event_id}")
    if as_json:
        click.echo(json.dumps(event, indent=2))
        return
    for name, value in event.items():
        if value not in (None, "", False):
            click.echo(f"{name:<24} {plain(value)}")


@click.command(
    epilog="Examples:\n\n  securitycamd digest\n\n  securitycamd digest yesterday\n\n"
    "  securitycamd digest 2025-10-28 --write\n\n"
    "Ends with 0 when all went well, 1 when the daemon refused, 2 when a setting is wrong, 3 when no daemon answers."
)
@click.argument("date", required=False)
@click.option("--write", is_flag=True, help="Have it written anew.")
@config_option
@json_option
def digest(date: str | None, config: Path | None, *, write: bool, as_json: bool) -> None:
    """Show the report of a day (today, yesterday, YYYY-MM-DD); without DATE the newest."""
    settings = settings_or_exit(config)
    if date in {"today", "yesterday"}:
        date = (today(settings.site.zone) - timedelta(days=date == "yesterday")).isoformat()
    if date is None:
        if write:
            raise click.UsageError("name the day whose report shall be written")
        found = call(settings, "GET", "/digests?limit=1")
        report = found[0] if found else None
    else:
        report = call(settings, "POST" if write else "GET", f"/digests/{quote(date, safe='')}")
    if as_json:
        click.echo(json.dumps(report, indent=2))
    elif report is None:
        click.echo("There is no report yet.")
    else:
        click.echo("\n\n".join(plain(part, lines=True) for part in _report(report)))


def _report(report: dict[str, Any]) -> Iterator[str]:
    is_waiting = report["state"] == "waiting"
    again = f"`securitycamd digest {report['date']}` shows it in a while."
    if is_waiting and report["error"]:
        yield f"{report['date']}: the report waits, and is tried again by itself: {report['error']} {again}"
    elif is_waiting:
        yield f"{report['date']}: the report waits to be written; {again}"
    elif report["state"] == "failed":
        yield f"{report['date']}: the report could not be written: {report['error']}"
    if is_waiting and not report["text"]:
        return
    earlier = "the earlier report, " if is_waiting else ""
    yield f"{report['date']}: {earlier}{report['events']:,} {'event' if report['events'] == 1 else 'events'}"
    if report["text"]:
        yield report["text"]


def _is_phrase(word: str) -> bool:
    """Whether it was quoted for the shell because of its spaces, and has no marks of its own: ``van -door``."""
    parts = word.split()
    return len(parts) > 1 and '"' not in word and not any(part.startswith("-") or part.endswith("*") for part in parts)


def _list(config: Path | None, chosen: dict[str, Any], *, as_json: bool) -> None:
    query = {name: value for name, value in chosen.items() if value not in (None, ())}
    # With a sort the reply tells where to go on.
    query.setdefault("sort", "time")
    pairs = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
    settings = settings_or_exit(config)
    page = call(settings, "GET", f"/events?{urlencode(pairs, doseq=True)}")
    if as_json:
        click.echo(json.dumps(page, indent=2))
        return
    found: dict[int, dict[str, Any]] = {}
    for snippet in page["snippets"]:
        found.setdefault(snippet["event_id"], snippet)
    for event in page["events"]:
        click.echo(_line(event, settings.site.zone))
        if event["id"] in found and found[event["id"]]["field"] != "phrase":
            click.echo(_snippet(found[event["id"]]))
    at_least = "" if page["total_is_exact"] else "at least "
    click.echo(f"{len(page['events'])} of {at_least}{page['total']:,}")
    for part in page["ignored"]:
        click.echo(f"cannot be searched for: {plain(part)}", err=True)
    if page["searched_to"]:
        click.echo(f"searched back to {local(page['searched_to'], settings.site.zone)[:10]} so far", err=True)
    if page["older"]:
        click.echo(f"go on with --before {page['older']}", err=True)


def _snippet(snippet: dict[str, Any]) -> str:
    """Where it stands, when it is not the phrase above; hits are bold on a terminal."""
    pieces = (
        click.style(plain(piece["text"]), bold=True) if piece["is_hit"] else plain(piece["text"])
        for piece in snippet["pieces"]
    )
    return f"{'':>12} {snippet['field']}: {''.join(pieces)}"


def _line(event: dict[str, Any], zone: ZoneInfo) -> str:
    marks = ("*" if event["protected"] else " ") + (" " if event["reviewed"] else "+")
    words = event["ai_phrase"] or event["ai_description"] or ""
    when = local(event["timestamp"], zone)
    return f"{event['id']:>9} {marks} {when}  {event['camera_id']:<16} {event['ai_category'] or '-':<10} {plain(words)}"
