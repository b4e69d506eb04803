"""``securitycamd retention``: what goes when, and why; and have it done now."""

import json
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import click

from securitycamd.cli.client import call
from securitycamd.cli.options import config_option, json_option, settings_or_exit
from securitycamd.cli.words import table
from securitycamd.domain.sizes import size

_ENDS: Final = (
    "Ends with 0 when done, 1 when the daemon refuses, 2 when a setting or the command line is wrong, 3 when"
    " no daemon answers."
)


@click.group(
    epilog="Examples:\n\n  securitycamd retention plan\n\n  securitycamd retention run --config"
    " /etc/securitycamd/securitycamd.toml\n\n" + _ENDS
)
def retention() -> None:
    """What footage goes when, and why."""


@retention.command(
    epilog="Examples:\n\n  securitycamd retention plan\n\n  securitycamd retention plan --json | jq .forecast\n\n"
    + _ENDS
)
@config_option
@json_option
def plan(config: Path | None, as_json: bool) -> None:
    """Show what would go now and in the coming two weeks, and why. Nothing is changed."""
    told = call(settings_or_exit(config), "GET", "/retention")
    click.echo(json.dumps(told, indent=2) if as_json else "\n".join(plan_text(told)))


@retention.command(epilog="Example:\n\n  securitycamd retention run\n\n" + _ENDS)
@config_option
def run(config: Path | None) -> None:
    """Have the rules carried out now, and not only within the next half minute."""
    settings = settings_or_exit(config)
    call(settings, "POST", "/tasks/retention/run-now")
    click.echo("The rules are being carried out. `securitycamd retention plan` shows what is left to go.")


def plan_text(told: dict[str, Any]) -> list[str]:
    """The plan as lines for a terminal."""
    lines = [*_outlook(told), ""]
    lines += table(
        ("CAMERA", "TAKES", "STARRED", "A DAY", "REACHES BACK", "PROMISED"),
        [
            (
                camera["camera_id"],
                size(camera["size_bytes"]),
                size(camera["protected_bytes"]),
                size(camera["bytes_a_day"]),
                _days(camera["days_kept"]),
                _days(camera["promise_days"], none="-"),
            )
            for camera in told["cameras"]
        ],
    )
    lines.append("")
    if told["plan"]:
        rows: list[tuple[str, ...]] = []
        for on, items in groupby(told["plan"], key=lambda item: item["on"]):
            for index, item in enumerate(items):
                when = "now" if on == told["plan"][0]["on"] and on == told["at"][:10] else on
                amount = f"{item['events'] or '-'}" + ("~" if item["partly"] else "")
                rows.append(
                    (
                        when if not index else "",
                        item["camera_id"],
                        item["day"],
                        amount,
                        size(item["size_bytes"]),
                        _why(item, told["rules"]),
                    )
                )
        lines += table(("GOES", "CAMERA", "FOOTAGE OF", "EVENTS", "SIZE", "WHY"), rows)
        lines.append("Days are of UTC; ~ is an estimate: of that day only the oldest go.")
    elif told["rules"]["enabled"]:
        lines.append("Nothing goes in the coming two weeks, if footage goes on coming as it did.")
    lines += [f"Warning: {warning}" for warning in told["warnings"]]
    return lines


def _outlook(told: dict[str, Any]) -> list[str]:
    disk, ahead = told["disk"], told["forecast"]
    lines = [
        "Disk:     the storage does not answer"
        if disk is None
        else f"Disk:     {size(disk['free_bytes'])} of {size(disk['total_bytes'])} are free,"
        f" {size(told['rules']['free_floor_bytes'])} stay free"
    ]
    lines.append(f"Footage:  {size(ahead['bytes_a_day'])} come a day, at the last week's rate")
    if told["saved_bytes"]:
        lines.append(f"Saved:    {size(told['saved_bytes'])}, by making clips smaller")
    if ahead["days_until_floor"] == 0:
        lines.append(f"Full:     now, the oldest goes for the newest; footage reaches back {_days(ahead['days_kept'])}")
    elif ahead["days_until_floor"] is not None:
        lines.append(
            f"Full in:  {_days(ahead['days_until_floor'])}, then footage reaches back {_days(ahead['days_kept'])}"
        )
    elif ahead["days_kept"] is not None:
        lines.append(f"Full in:  never, by the limits; footage reaches back {_days(ahead['days_kept'])}")
    return lines


def _why(item: dict[str, Any], rules: dict[str, Any]) -> str:
    own = rules["cameras"].get(item["camera_id"], {})
    match item["reason"]:
        case "age":
            return f"older than {_days(own.get('max_age_days'))}"
        case "camera size":
            return f"this camera may take {size(own.get('max_bytes') or 0)}"
        case "size":
            return f"all cameras may take {size(rules['max_bytes'] or 0)}"
        case _:
            return f"{size(rules['free_floor_bytes'])} of the disk stay free"


def _days(days: float | None, *, none: str = "without end") -> str:
    if days is None:
        return none
    if days < 1:
        hours = round(days * 24)
        return "1 hour" if hours == 1 else f"{hours} hours"
    return f"{round(days, 1 if days < 10 else 0):g} days"
