"""From the state of the descriptions to what ``system.html`` prints of them. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from urllib.parse import urlsplit

from securitycamd.services.ai_status import AiStatus, Backlog
from securitycamd.services.breaker import BreakerReport, BreakerState
from securitycamd.supervision import TaskReport, TaskState
from securitycamd.web.ui.contexts import Fact, Site
from securitycamd.web.ui.system_contexts import DescribingView
from securitycamd.web.ui.words import age, count, counted, moment, span

TASK: Final = "analyser"
PULL: Final = "securitycamd ai pull"
_SHORTEST_SECONDS: Final = 0.05
SAFE: Final = "Events wait, and nothing is lost."


def describing_view(ai: AiStatus, tasks: Sequence[TaskReport], *, site: Site, now: datetime) -> DescribingView:
    """How the descriptions stand, what is amiss, and what comes next.

    Args:
        ai: the state.
        tasks: the tasks' states, the analyser's among them.
        site: the zone.
        now: the present, aware.
    """
    is_held = not ai.settings.enabled or is_paused(tasks) or ai.breaker.state is BreakerState.OPEN
    said = _OFF if not ai.settings.enabled else _PAUSED if is_paused(tasks) else _said(ai, site, now)
    return DescribingView(
        mood=said.mood,
        state=said.state,
        reason=said.reason,
        next_step=said.next_step,
        command=PULL if ai.settings.enabled and ai.look and ai.look.missing_models else "",
        facts=tuple(_facts(ai, now, is_held=is_held)),
    )


def is_paused(tasks: Sequence[TaskReport]) -> bool:
    """Whether an operator paused the descriptions."""
    return any(task.name == TASK and task.state is TaskState.PAUSED for task in tasks)


@dataclass(frozen=True, slots=True)
class _Said:
    mood: Literal["ok", "warning", "quiet"]
    state: str
    reason: str = ""
    next_step: str = ""


_OFF: Final = _Said(
    "quiet", "Descriptions are switched off.", "", "Switch them on with analyser.enabled in the settings."
)
_PAUSED: Final = _Said("quiet", "Paused by an operator.", "", f"{SAFE} The task {TASK} can be resumed below.")


def _said(ai: AiStatus, site: Site, now: datetime) -> _Said:
    breaker, look = ai.breaker, ai.look
    lacks = _lacks(look.missing_models) if look and look.missing_models else ""
    if breaker.state is BreakerState.OPEN:
        since = moment(breaker.since, site.zone, now)
        when = since.clock if since.day == "Today" else f"{since.day}, {since.clock}"
        held = f"Held back since {when}, for {span(max(0.0, (now - breaker.since).total_seconds()))}."
        reason = lacks or breaker.reason or "The AI server does not answer."
        return _Said("warning", held, reason, f"{_probe(breaker, now)} {SAFE}")
    if breaker.state is BreakerState.HALF_OPEN:
        state = "The AI server answers again: one event is tried, and the others follow."
        return _Said("warning", state, breaker.reason or "")
    if look is None:
        return _Said("quiet", "The AI server has not been looked at yet; a moment.")
    if look.ready:
        return _Said("ok", look.message)
    return _Said("warning", "The AI server cannot describe events now.", lacks or look.message, SAFE)


def _lacks(models: Sequence[str]) -> str:
    named = f"the model {models[0]}" if len(models) == 1 else f"the models {' and '.join(models)}"
    return f"The AI server lacks {named}."


def _probe(breaker: BreakerReport, now: datetime) -> str:
    seconds = 0.0 if breaker.next_probe_at is None else (breaker.next_probe_at - now).total_seconds()
    return f"The server is looked after again {f'in {span(seconds)}' if seconds >= 1 else 'now'}."


def _facts(ai: AiStatus, now: datetime, *, is_held: bool) -> Iterable[Fact]:
    settings = ai.settings
    yield Fact("Server", urlsplit(settings.url).netloc.rpartition("@")[2])
    yield Fact("Models", " and ".join(settings.models))
    yield Fact("At a time", counted(settings.concurrency, "event"))
    if ai.backlog is None:
        yield Fact("Backlog", "not known while the database is away")
        return
    yield from _backlog_facts(ai.backlog, now, is_held=is_held)


def _backlog_facts(backlog: Backlog, now: datetime, *, is_held: bool) -> Iterable[Fact]:
    oldest = age(backlog.oldest, now) if backlog.waiting and backlog.oldest else "now"
    yield Fact("Wait", count(backlog.waiting) + ("" if oldest == "now" else f", the oldest for {oldest}"))
    yield Fact("Under way", count(backlog.running))
    if backlog.failed:
        yield Fact("Failed", count(backlog.failed))
    if backlog.seconds_each is not None:
        yield Fact(
            "Takes",
            f"{backlog.seconds_each:.1f} s an event"
            if backlog.seconds_each >= _SHORTEST_SECONDS
            else "under 0.1 s an event",
        )
    yield Fact("Come a day", counted(backlog.arrivals_a_day, "event"))
    yield Fact("Done", _done(backlog, is_held=is_held))


def _done(backlog: Backlog, *, is_held: bool) -> str:
    if not backlog.waiting and not backlog.running:
        return "nothing waits"
    if backlog.keeps_up is False:
        return "never at this pace; smaller models are faster"
    if backlog.seconds_left is None:
        return "not known yet"
    left = span(max(1.0, backlog.seconds_left))
    return f"about {left} after it goes on" if is_held else f"in about {left}"
