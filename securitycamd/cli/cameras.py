"""``securitycamd cameras``: which cameras there are, how they are called, and letting them go."""

import json
import sys
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import click

from securitycamd.cli.client import call
from securitycamd.cli.options import config_option, fail, json_option, settings_or_exit
from securitycamd.cli.words import local, plain, table
from securitycamd.domain.sizes import size
from securitycamd.settings import Settings

POLL_SECONDS: Final = 0.5
_ENDS: Final = (
    "Ends with 0 when done, 1 when the daemon refuses or there is no such camera, 2 when a setting or the command line"
    " is wrong, 3 when no daemon answers."
)


@click.group(
    epilog="Examples:\n\n  securitycamd cameras list\n\n  securitycamd cameras show camera_1\n\n"
    '  securitycamd cameras rename camera_1 "Front walk"\n\n'
    "  securitycamd cameras remove camera_1 --with-footage\n\n" + _ENDS
)
def cameras() -> None:
    """See, rename, hide and remove cameras."""


@cameras.command(
    "list",
    epilog="Examples:\n\n  securitycamd cameras list\n\n  securitycamd cameras list --all --json\n\n" + _ENDS,
)
@config_option
@click.option("--all", "everything", is_flag=True, help="Hidden and removed ones, too.")
@json_option
def list_cameras(config: Path | None, *, everything: bool, as_json: bool) -> None:
    """List cameras with their state."""
    query = "?hidden=true&removed=true" if everything else ""
    settings = settings_or_exit(config)
    found = call(settings, "GET", f"/cameras{query}")
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("No cameras yet: they register by themselves once their agent knows where this server is.")
        return
    zone = settings.site.zone
    rows: list[tuple[str, ...]] = [
        (
            one["camera_id"],
            one["status"],
            one["name"],
            one["location"],
            one["ip_address"],
            local(one["last_seen"], zone),
        )
        for one in found
    ]
    click.echo("\n".join(table(("CAMERA", "STATE", "NAME", "LOCATION", "ADDRESS", "LAST HEARD OF"), rows)))


@cameras.command(
    epilog="Examples:\n\n  securitycamd cameras show camera_1\n\n  securitycamd cameras show camera_1 --refresh\n\n"
    "  securitycamd cameras show camera_1 --json | jq .agent\n\n" + _ENDS
)
@click.argument("camera")
@click.option("--refresh", is_flag=True, help="Ask its agent first.")
@config_option
@json_option
def show(camera: str, config: Path | None, *, refresh: bool, as_json: bool) -> None:
    """Show all that is known of a camera."""
    settings = settings_or_exit(config)
    if refresh:
        call(settings, "POST", f"{_path(camera)}/refresh")
    told = call(settings, "GET", f"{_path(camera)}/details")
    coverage = call(settings, "GET", f"{_path(camera)}/coverage?span=24h")
    if as_json:
        click.echo(json.dumps(told | {"coverage_24h": coverage["shares"]}, indent=2))
    else:
        facts = _facts(told, coverage, settings.site.zone)
        click.echo("\n".join(f"{label + ':':<16}{plain(value)}" for label, value in facts))


@cameras.command(
    epilog='Examples:\n\n  securitycamd cameras rename camera_1 "Front walk" --location "North side"\n\n'
    '  securitycamd cameras rename camera_1 ""        (as its agent calls it)\n\n' + _ENDS
)
@click.argument("camera")
@click.argument("name")
@click.option("--location", help="Where it hangs; left out, that stays.")
@config_option
@json_option
def rename(camera: str, name: str, location: str | None, config: Path | None, *, as_json: bool) -> None:
    """Call a camera NAME, whatever its agent calls it; an empty name gives the agent's own back."""
    body = {"name": name} | ({} if location is None else {"location": location})
    told = call(settings_or_exit(config), "PATCH", _path(camera), body)
    click.echo(
        json.dumps(told, indent=2) if as_json else plain(f"{camera} is called {told['name']} ({told['location']}).")
    )


@cameras.command(
    epilog="Examples:\n\n  securitycamd cameras hide camera_1\n\n  securitycamd cameras hide camera_1 --undo\n\n"
    + _ENDS
)
@click.argument("camera")
@click.option("--undo", is_flag=True, help="Show it in lists again.")
@config_option
@json_option
def hide(camera: str, config: Path | None, *, undo: bool, as_json: bool) -> None:
    """Keep a camera out of lists; it records on."""
    told = call(settings_or_exit(config), "PATCH", _path(camera), {"hidden": not undo})
    words = "is shown in lists again" if undo else "is hidden; it records on"
    click.echo(json.dumps(told, indent=2) if as_json else f"{camera} {words}.")


@cameras.command(
    epilog="Examples:\n\n  securitycamd cameras remove camera_1 --keep-footage\n\n"
    "  securitycamd cameras remove camera_1 --with-footage --yes\n\n" + _ENDS
)
@click.argument("camera")
@click.option(
    "--with-footage/--keep-footage",
    "with_footage",
    default=None,
    help="Whether its events and their files go, too. Must be said.",
)
@click.option("--force", is_flag=True, help="Although it is online; its agent must be restarted to register again.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the end of a removal with footage.")
@config_option
@json_option
def remove(
    camera: str,
    config: Path | None,
    *,
    with_footage: bool | None,
    force: bool,
    yes: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Remove a camera.

    Without its footage it leaves every list, and its events stay; an agent that registers again brings it back. With
    its footage everything goes, in the background, also through restarts of the daemon.
    """
    if with_footage is None:
        raise click.UsageError("Say --with-footage or --keep-footage.")
    settings = settings_or_exit(config)
    plan = call(settings, "GET", f"{_path(camera)}/removal")
    if not yes:
        starred = f", {plan['events_starred']:,} of them starred" if plan["events_starred"] else ""
        what = f"{plan['events']:,} events{starred}, {size(plan['size_bytes'])}"
        question = f"{what} go for good." if with_footage else f"{what} stay."
        click.confirm(f"Remove {camera}? {question}", abort=True, err=True)
    told = call(settings, "DELETE", f"{_path(camera)}?footage={_flag(value=with_footage)}&force={_flag(value=force)}")
    if with_footage and not told["gone"] and not no_wait:
        _follow(settings, camera)
        told |= {"gone": True, "removal": None}
    click.echo(json.dumps(told, indent=2) if as_json else _outcome(told))


@cameras.command(
    epilog="Example:\n\n  securitycamd cameras restore camera_1\n\n" + _ENDS,
)
@click.argument("camera")
@config_option
@json_option
def restore(camera: str, config: Path | None, *, as_json: bool) -> None:
    """Stop a removal, or bring a camera back that was removed without its footage."""
    told = call(settings_or_exit(config), "POST", f"{_path(camera)}/restore")
    click.echo(json.dumps(told, indent=2) if as_json else f"{camera} is back. What had gone already stays gone.")


def _path(camera: str) -> str:
    return f"/cameras/{quote(camera, safe='')}"


def _flag(*, value: bool) -> str:
    return "true" if value else "false"


def _follow(settings: Settings, camera: str) -> None:
    """Wait until a camera is gone; shows how far it is where somebody looks on."""
    shows = sys.stderr.isatty()
    while True:
        listed = {one["camera_id"] for one in call(settings, "GET", "/cameras?hidden=true&removed=true")}
        if camera not in listed:
            break
        progress = call(settings, "GET", f"{_path(camera)}/details")["removal_progress"]
        if progress is None:
            fail("the removal was stopped by somebody else")
        if shows:
            left, total = progress["events_left"], progress["events_total"]
            trouble = f" {progress['trouble']}" if progress["trouble"] else ""
            click.echo(f"\r\x1b[K{total - left:,} of {total:,} events are gone.{trouble}", nl=False, err=True)
        time.sleep(POLL_SECONDS)
    if shows:
        click.echo("\r\x1b[K", nl=False, err=True)


def _outcome(told: dict[str, Any]) -> str:
    if told["gone"]:
        return f"{told['camera_id']} is gone."
    if told["removal"] == "footage":
        return (
            f"{told['camera_id']} and its footage are being removed. `securitycamd cameras show` tells how far it is."
        )
    return f"{told['camera_id']} is removed; its events are still here."


def _facts(told: dict[str, Any], coverage: dict[str, Any], zone: ZoneInfo) -> list[tuple[str, str]]:
    agent = told["agent"]
    facts = [
        ("Camera", told["camera_id"]),
        ("Name", told["name"]),
        ("Location", told["location"]),
        ("State", told["status"] + (", hidden" if told["hidden"] else "")),
        ("Last heard of", local(told["last_seen"], zone)),
        ("Address", told["ip_address"]),
    ]
    if told["removal_progress"]:
        progress = told["removal_progress"]
        gone = progress["events_total"] - progress["events_left"]
        facts.append(("Being removed", f"{gone:,} of {progress['events_total']:,} events are gone"))
    elif told["removal"]:
        facts.append(("Removed", "its events are still here"))
    if agent is None:
        facts.append(("Agent", "not asked yet"))
    else:
        facts.append(("Agent", agent["error"] or f"answered {local(agent['answered_at'], zone)}"))
        facts += [
            (label, str(agent[key]))
            for label, key in (("Version", "version"), ("Motion", "motion_state"))
            if agent[key] is not None
        ]
        if agent["running_since"] is not None:
            facts.append(("Running since", local(agent["running_since"], zone)))
        if agent["clock_offset_seconds"] is not None:
            facts.append(("Clock", f"{agent['clock_offset_seconds']:+.1f} s"))
    starred = f", {told['events_starred']:,} starred" if told["events_starred"] else ""
    facts += [
        ("Events", f"{told['events_total']:,}, {told['events_today']:,} today{starred}"),
        ("Storage", size(told["size_bytes"])),
        ("Last 24 hours", ", ".join(f"{cover} {share:.1%}" for cover, share in coverage["shares"].items())),
    ]
    return facts
