"""``securitycamd jobs``: background work that failed or waits, and trying it again."""

import json
from pathlib import Path
from urllib.parse import urlencode

import click

from securitycamd.cli.client import call
from securitycamd.cli.options import config_option, json_option, settings_or_exit
from securitycamd.cli.words import plain
from securitycamd.domain.jobs import JobKind, JobState

KINDS = [str(kind) for kind in JobKind]


@click.group(
    epilog="Examples:\n\n  securitycamd jobs list\n\n  securitycamd jobs list --state running --json\n\n"
    "  securitycamd jobs retry --event 4711\n\n  securitycamd jobs retry --all --kind analyse\n\n"
    "Ends with 0 when all went well, 1 when the daemon refused, 2 when a setting is wrong, 3 when no daemon answers."
)
def jobs() -> None:
    """See background work on events, and have what failed tried again."""


@jobs.command("list")
@click.option("--kind", type=click.Choice(KINDS), help="Of this kind only.")
@click.option(
    "--state",
    type=click.Choice([str(state) for state in JobState]),
    default=str(JobState.FAILED),
    show_default=True,
    help="In this state.",
)
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many at most.")
@config_option
@json_option
def list_jobs(kind: str | None, state: str, limit: int, config: Path | None, *, as_json: bool) -> None:
    """List jobs, of the newest events first; by default those that failed."""
    query = {"state": state, "limit": limit} | ({"kind": kind} if kind else {})
    found = call(settings_or_exit(config), "GET", f"/jobs?{urlencode(query)}")
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for job in found:
        share = "" if job["progress"] is None else f" {job['progress']:.0%}"
        click.echo(
            f"event {job['event_id']}  {job['camera_id']}  {job['kind']}  {job['state']}{share}"
            f"  {plain(job['last_error'] or '')}".rstrip()
        )
    if not found:
        click.echo(f"No job is {state}.")


@jobs.command()
@click.option("--event", "event_id", type=click.IntRange(min=1), help="The job of this event.")
@click.option("--all", "every", is_flag=True, help="Every job of the kind that failed.")
@click.option(
    "--kind", type=click.Choice(KINDS), default=str(JobKind.REMUX), show_default=True, help="The kind of job."
)
@config_option
@json_option
def retry(event_id: int | None, kind: str, config: Path | None, *, every: bool, as_json: bool) -> None:
    """Have a job tried again before all others: one event's, or all of a kind that failed."""
    if every == (event_id is not None):
        raise click.UsageError("Name an event with --event, or say --all.")
    path = f"/jobs/{kind}/retry-failed" if every else f"/events/{event_id}/jobs/{kind}/retry"
    reply = call(settings_or_exit(config), "POST", path)
    queued = f"{reply['queued']} {kind} {'job' if reply['queued'] == 1 else 'jobs'}"
    click.echo(json.dumps(reply, indent=2) if as_json else f"{queued} queued again.")
