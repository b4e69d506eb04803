"""``securitycamd tasks``: what the running daemon's background tasks do, and telling them."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from securitycamd.cli.client import call
from securitycamd.cli.options import config_option, json_option, settings_or_exit


@click.group(
    epilog="Examples:\n\n  securitycamd tasks list\n\n  securitycamd tasks pause optimiser\n\n"
    "  securitycamd tasks run-now optimiser --minutes 30\n\n"
    "Ends with 0 when all went well, 1 when the daemon refused (a paused task does not run now), 2 when a setting is"
    " wrong, 3 when no daemon answers."
)
def tasks() -> None:
    """See, pause, resume and wake the running daemon's background tasks."""


@tasks.command("list")
@config_option
@json_option
def list_tasks(config: Path | None, *, as_json: bool) -> None:
    """List every task with its state."""
    found = call(settings_or_exit(config), "GET", "/tasks")
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    width = max((len(task["name"]) for task in found), default=0)
    for task in found:
        click.echo(f"{task['name']:<{width}}  {_state(task):<12}  {task['purpose']}")


@tasks.command()
@click.argument("name")
@config_option
@json_option
def pause(name: str, config: Path | None, *, as_json: bool) -> None:
    """Have a task take up nothing new; the optimiser gives back what it has in hand."""
    _command(config, name, "pause", as_json=as_json)


@tasks.command()
@click.argument("name")
@config_option
@json_option
def resume(name: str, config: Path | None, *, as_json: bool) -> None:
    """Let a paused task go on."""
    _command(config, name, "resume", as_json=as_json)


@tasks.command("run-now")
@click.argument("name")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Of a task with a window: for so long. Left out: until what is there now is done.",
)
@config_option
@json_option
def run_now(name: str, minutes: float | None, config: Path | None, *, as_json: bool) -> None:
    """Have a task look for work at once; the optimiser also outside its window."""
    _command(config, name, "run-now", "" if minutes is None else f"?minutes={minutes:g}", as_json=as_json)


def _command(config: Path | None, name: str, action: str, query: str = "", *, as_json: bool) -> None:
    task = call(settings_or_exit(config), "POST", f"/tasks/{quote(name, safe='')}/{action}{query}")
    told = ", looks for work now" if action == "run-now" else ""
    click.echo(json.dumps(task, indent=2) if as_json else f"{task['name']}: {_state(task)}{told}")


def _state(task: dict[str, Any]) -> str:
    return f"{task['state']}, silent" if task["overdue"] else str(task["state"])
