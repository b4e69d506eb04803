"""``securitycamd ai``: how the descriptions stand, models, trying them out, and having events described once more."""

import json
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from securitycamd.cli.client import call
from securitycamd.cli.options import config_option, json_option, settings_or_exit
from securitycamd.cli.words import local, plain

_SHORTEST_SECONDS: Final = 0.05


@click.group(
    epilog="Examples:\n\n  securitycamd ai status\n\n  securitycamd ai pull\n\n"
    "  securitycamd ai test camera_1/pictures/42_20251028_143022_a.jpg camera_1/pictures/42_20251028_143022_b.jpg\n\n"
    "  securitycamd ai rerun --camera camera_1 --from 2025-10-01\n\n"
    "Ends with 0 when all went well, 1 when it did not, 2 when a setting is wrong, 3 when nobody answers: the daemon"
    " for status and rerun, the AI server for pull and test."
)
def ai() -> None:
    """See to the AI descriptions: server, models, queue, and running them again."""


@ai.command(
    epilog="Example:\n\n  securitycamd ai status --json\n\n"
    "Ends with 0 when descriptions can be made, 1 when something stands in the way."
)
@config_option
@json_option
def status(config: Path | None, *, as_json: bool) -> None:
    """Say how the descriptions stand: server, models, breaker, backlog and when it will be done."""
    settings = settings_or_exit(config)
    found = call(settings, "GET", "/ai")
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(map(plain, _lines(found, settings.site.zone))))
    if found["enabled"] and (found["ready"] is False or found["breaker"]["state"] == "open"):
        raise SystemExit(1)


def _lines(found: dict[str, Any], zone: ZoneInfo) -> list[str]:
    if not found["enabled"]:
        return ["AI descriptions are switched off (analyser.enabled)."]
    models = found["vision_model"] if found["one_call"] else f"{found['vision_model']}, then {found['text_model']}"
    keep = f", keep-alive {found['keep_alive']}" if found["keep_alive"] else ""
    lines = [
        f"server    {found['message'] or 'not looked at yet'}",
        f"models    {models}",
        f"asked     with prompts {found['prompt_version']}, at most {found['timeout_seconds']:.0f} s a reply{keep}",
        f"stills    {found['still_longest_side']} px, quality {found['still_quality']}",
    ]
    breaker = found["breaker"]
    if breaker["state"] != "closed":
        again = f"; next look at {local(breaker['next_probe_at'], zone)}" if breaker["next_probe_at"] else ""
        lines.append(f"breaker   {breaker['state']} since {local(breaker['since'], zone)}: {breaker['reason']}{again}")
    if found["paused"]:
        lines.append("task      paused; go on with: securitycamd tasks resume analyser")
    backlog = found["backlog"]
    if backlog is None:
        return [*lines, "backlog   not known while the database is away"]
    lines.append(f"backlog   {backlog['waiting']} wait, {backlog['running']} under way, {backlog['failed']} failed")
    if backlog["seconds_each"] is not None:
        each = f"{backlog['seconds_each']:.1f}" if backlog["seconds_each"] >= _SHORTEST_SECONDS else "under 0.1"
        lines.append(f"pace      {each} s an event, {found['concurrency']} at a time")
    if backlog["waiting"]:
        lines.append(f"done      {_done(backlog, zone)}")
    return lines


def _done(backlog: dict[str, Any], zone: ZoneInfo) -> str:
    if backlog["keeps_up"] is False:
        return f"never at this pace: {backlog['arrivals_a_day']} events came in a day; choose smaller models"
    if backlog["done_at"]:
        return f"about {local(backlog['done_at'], zone)[:16]}"
    if backlog["seconds_left"] is not None:
        return f"about {max(1, round(backlog['seconds_left'] / 60)):,} min after it goes on"
    return "not known before something was described"


@ai.command(
    epilog="Examples:\n\n  securitycamd ai pull\n\n  securitycamd ai pull qwen2.5vl:3b --json\n\n"
    "Ends with 0 when all are there, 1 when one could not be had, 2 when a setting is wrong, 3 when no AI server"
    " answers."
)
@click.argument("models", nargs=-1)
@config_option
@json_option
def pull(models: tuple[str, ...], config: Path | None, *, as_json: bool) -> None:
    """Have the AI server fetch models: those of the settings, or the MODELS that are named.

    With --json a line of JSON for each change of the progress.
    """
    settings = settings_or_exit(config).analyser
    from securitycamd.cli.ai_models import pull_models  # noqa: PLC0415 - other commands need not load the AI client

    pull_models(settings, models, as_json=as_json)


@ai.command(
    epilog="Examples:\n\n  securitycamd ai test a.jpg b.jpg\n\n"
    "  SECURITYCAMD_ANALYSER__VISION_MODEL=gemma3 securitycamd ai test a.jpg b.jpg --json\n\n"
    "Ends with 0 when the stills were described, 1 when they could not be, 2 when a setting is wrong, 3 when no AI"
    " server answers."
)
@click.argument("image_a", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("image_b", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@config_option
@json_option
def test(image_a: Path, image_b: Path | None, config: Path | None, *, as_json: bool) -> None:
    """Describe IMAGE_A and IMAGE_B as an event's stills, and show prompts, replies, what was read, and times.

    Speaks to the AI server itself: no daemon need run, and nothing is kept.
    """
    paths = [image_a] if image_b is None else [image_a, image_b]
    settings = settings_or_exit(config).analyser
    from securitycamd.cli.ai_models import try_out  # noqa: PLC0415 - other commands need not load the AI client

    try_out(settings, paths, as_json=as_json)


@ai.command(
    epilog="Examples:\n\n  securitycamd ai rerun --event 4711\n\n  securitycamd ai rerun --failed\n\n"
    "  securitycamd ai rerun --camera camera_1 --from 2025-10-01 --to 2025-10-31\n\n"
    "Ends with 0 when all went well, 1 when the daemon refused, 2 when a setting is wrong, 3 when no daemon answers."
)
@click.option("--event", "event_id", type=click.IntRange(min=1), help="This event, before all others.")
@click.option("--failed", is_flag=True, help="Events that could not be described.")
@click.option("--camera", "camera_id", help="Events of this camera.")
@click.option("--date", help="Events of a day: today, yesterday or YYYY-MM-DD.")
@click.option("--from", "start", help="Events from this day or ISO 8601 time on.")
@click.option("--to", "end", help="Events up to this day or ISO 8601 time.")
@click.option("--all", "every", is_flag=True, help="Every event.")
@config_option
@json_option
def rerun(
    event_id: int | None,
    camera_id: str | None,
    date: str | None,
    start: str | None,
    end: str | None,
    config: Path | None,
    *,
    failed: bool,
    every: bool,
    as_json: bool,
) -> None:
    """Have events described once more: with other models or prompts, or because the first went wrong.

    Which events, one or more of the options say. What is known of them stays until it is replaced.
    """
    wanted = {"camera_id": camera_id, "date": date, "start_date": start, "end_date": end}
    body: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    if failed:
        body["only_failed"] = True
    if sum((event_id is not None, bool(body), every)) != 1:
        raise click.UsageError("Say which: --event, or any of --failed, --camera, --date, --from and --to, or --all.")
    settings = settings_or_exit(config)
    if event_id is not None:
        queued = call(settings, "POST", f"/events/{event_id}/analysis/rerun")["queued"]
    else:
        queued, place = 0, None
        while True:
            reply = call(settings, "POST", "/ai/rerun", body | ({"next": place} if place else {}))
            queued += reply["queued"]
            place = reply["next"]
            if place is None:
                break
    events = f"{queued} {'event is' if queued == 1 else 'events are'}"
    click.echo(json.dumps({"queued": queued}, indent=2) if as_json else f"{events} described once more.")
