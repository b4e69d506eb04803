"""``securitycamd storage``: whether rows and files agree, and which disk is in use."""

import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import click

from securitycamd.cli.client import call
from securitycamd.cli.options import config_option, json_option, settings_or_exit
from securitycamd.settings import Settings

EXIT_CLEAN: Final = 0
EXIT_FINDINGS: Final = 1
EXIT_NOT_CHECKED: Final = 4
"""The check could not be done to its end: the storage or the database was away."""
POLL_SECONDS: Final = 0.3
_UNDER_WAY: Final = frozenset({"waiting", "running"})
_WORDS: Final = {
    "missing": ("file that a row names is not there", "files that rows name are not there"),
    "orphaned": ("file that no row names", "files that no row names"),
    "size": ("event whose files have another size than recorded", "events whose files have another size than recorded"),
    "unfinished": ("file that was never finished", "files that were never finished"),
}
_ENDS: Final = (
    "Ends with 0 when nothing is wrong or all was mended, 1 when something is left or a camera was left out, or the"
    " daemon refuses, 2 when a setting or the command line is wrong, 3 when no daemon answers, 4 when the check could"
    " not be done."
)


@click.group(epilog="Examples:\n\n  securitycamd storage check\n\n  securitycamd storage check --repair\n\n" + _ENDS)
def storage() -> None:
    """Whether the database and the footage on the disk agree."""


@storage.command(
    epilog="Examples:\n\n  securitycamd storage check\n\n  securitycamd storage check --repair\n\n"
    "  securitycamd storage check --json | jq .counts\n\n" + _ENDS
)
@config_option
@click.option(
    "--repair",
    is_flag=True,
    help="Mend what is safe: link files that fit, clear paths of files that are gone, measure sizes again, remove our"
    " own old temporaries.",
)
@click.option(
    "--force", is_flag=True, help="With --repair: also when more than a tenth of all footage is gone from the disk."
)
@click.option("--json", "as_json", is_flag=True, help="Print what the API answers at the end.")
def check(config: Path | None, repair: bool, force: bool, as_json: bool) -> None:
    """Compare rows and files both ways; nothing is changed unless asked for.

    The running daemon does it, in small steps, while everything else goes on.
    """
    if force and not repair:
        raise click.UsageError("--force says how to repair; it needs --repair.")
    settings = settings_or_exit(config)
    if repair:
        report = call(settings, "POST", "/storage/check/repair", {"force": force})
    else:
        report = call(settings, "POST", "/storage/check")
    report = _follow(settings, report)
    click.echo(json.dumps(report, indent=2) if as_json else "\n".join(report_text(report)))
    raise SystemExit(exit_code(report))


@storage.command(
    "take-over",
    epilog="Examples:\n\n  securitycamd storage take-over\n\n  securitycamd storage take-over --camera camera_1\n\n"
    "Ends with 0 when the storage is in use, 1 when it cannot be, 2 when a setting is wrong, 3 when no daemon answers.",
)
@config_option
@click.option("--camera", help="Only this camera's folder.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def take_over(config: Path | None, camera: str | None, yes: bool, as_json: bool) -> None:
    """Use the storage that is mounted now, after a disk was replaced.

    Until then the daemon neither writes to nor deletes from a disk that is not the one it knows. Nothing is deleted.
    """
    settings = settings_or_exit(config)
    found = call(settings, "GET", "/storage")
    what = f"the folder of {camera}" if camera else "the storage root"
    if not yes:
        click.confirm(f"{found['sentence']} Use {what} as it is mounted now?", abort=True, err=True)
    reply = call(settings, "POST", "/storage/take-over", {"camera_id": camera})
    click.echo(json.dumps(reply, indent=2) if as_json else reply["sentence"])
    raise SystemExit(0 if reply["condition"] == "ok" else 1)


def exit_code(report: dict[str, Any]) -> int:
    """How the command ends."""
    if report["state"] != "done":
        return EXIT_NOT_CHECKED
    # Nobody knows what is in the folders that were left out: that is not a clean bill.
    return EXIT_FINDINGS if report["left"] or report["skipped"] else EXIT_CLEAN


def _follow(settings: Settings, report: dict[str, Any]) -> dict[str, Any]:
    started = report["started_at"]
    shows = sys.stderr.isatty()
    while report["state"] in _UNDER_WAY and report["started_at"] == started:
        if shows:
            click.echo(f"\r\x1b[K{progress_text(report)}", nl=False, err=True)
        time.sleep(POLL_SECONDS)
        report = call(settings, "GET", "/storage/check")
    if shows:
        click.echo("\r\x1b[K", nl=False, err=True)
    return report


def progress_text(report: dict[str, Any]) -> str:
    """How far it is, in a line."""
    match report["phase"]:
        case "events":
            return f"Looking at events: {report['events'] + report['events_left_out']:,} of {report['events_total']:,}"
        case "files":
            return f"Looking at files: {report['files']:,}"
        case "mending":
            return "Mending"
    return "Waiting for the daemon to begin"


def report_text(report: dict[str, Any]) -> list[str]:
    """What was found, as lines for a terminal."""
    if report["state"] != "done":
        return [f"The check could not be done: {report['error']}"]
    lines = [f"Looked at {_counted(report['events'], 'event')} and {_counted(report['files'], 'file')}."]
    if left_out := report["events_left_out"]:
        which = (
            "of the last 15 minutes, being removed, or of a camera below"
            if report["skipped"]
            else "of the last 15 minutes or being removed"
        )
        lines.append(f"Left out: {_counted(left_out, 'event')} {which}.")
    lines += [f"Left out: {sentence}" for sentence in report["skipped"]]
    for kind, number in report["counts"].items():
        if number:
            mended = f", {report['mended'][kind]:,} mended" if report["repair"] else ""
            lines.append(f"{number:,} {_WORDS[kind][number != 1]}{mended}")
    lines += [f"  {one['kind']:<10}  {one['path']}  {one['sentence']}" for one in report["findings"]]
    more = sum(report["counts"].values()) - len(report["findings"])
    if more > 0:
        lines.append(f"  and {more:,} more")
    if report["refused"]:
        lines.append(report["refused"])
    elif report["left"]:
        lines.append(
            "Some of it needs a person; strays are listed on the page /storage/strays."
            if report["repair"]
            else "Nothing was changed. `securitycamd storage check --repair` mends what is safe."
        )
    elif report["skipped"]:
        lines.append("Nothing else is wrong.")
    else:
        lines.append("All was mended." if report["counts"] and sum(report["counts"].values()) else "Nothing is wrong.")
    return lines


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
