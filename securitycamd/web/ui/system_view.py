"""From a system report to what ``system.html`` prints. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from securitycamd.config import LastReload
from securitycamd.domain.jobs import JobKind
from securitycamd.domain.models import Camera
from securitycamd.domain.sizes import size
from securitycamd.health.report import Level, Report
from securitycamd.services.ai_status import AiStatus
from securitycamd.services.retries import ListedJob
from securitycamd.services.system import QueueState, SystemReport
from securitycamd.supervision import TaskReport, TaskState
from securitycamd.telemetry.gauges import Sample
from securitycamd.web.ui.contexts import Fact, Site
from securitycamd.web.ui.describing_view import describing_view
from securitycamd.web.ui.frame import frame
from securitycamd.web.ui.system_contexts import (
    FailureView,
    FindingView,
    JobView,
    Mood,
    PlotView,
    QueueView,
    SystemContext,
    TaskButton,
    TaskView,
)
from securitycamd.web.ui.words import age, count, moment, span

SYSTEM_URL: Final = "/system"
KINDS: Final = {
    JobKind.REMUX: "Make clips playable",
    JobKind.ANALYSE: "Describe events",
    JobKind.STILLS: "Make missing pictures",
    JobKind.OPTIMISE: "Make clips smaller",
}
_MOODS: Final[dict[Level, Mood]] = {Level.OK: "ok", Level.WARNING: "warning", Level.CRITICAL: "critical"}
_RULES: Final = {"ai": "AI server"}
_WIDTH, _HEIGHT = 300, 40
_POINTS: Final = 120
"""A plot has about so many points, however many measurements there are."""


def system_context(
    report: SystemReport, health: Report, ai: AiStatus, cameras: Sequence[Camera] | None, *, site: Site
) -> SystemContext:
    """The page about the server.

    Args:
        report: its state.
        health: what the rules said last.
        ai: how the descriptions stand.
        cameras: all that the reader may see; ``None`` while that is not known.
        site: zone and name.
    """
    names = {camera.camera_id: camera.name for camera in cameras or ()}
    findings = sorted(health.findings, key=lambda finding: -finding.level)
    troubles = len(health.problems)
    return SystemContext(
        frame=frame("System", "system", cameras=cameras, site=site, now=report.at),
        mood=_MOODS[health.level],
        summary="All is well"
        if not troubles
        else f"{count(troubles)} {'thing needs' if troubles == 1 else 'things need'} attention",
        updated=moment(report.at, site.zone, report.at),
        findings=tuple(
            FindingView(
                _RULES.get(finding.rule, finding.rule.capitalize()),
                _MOODS[finding.level],
                finding.message,
                finding.advice,
            )
            for finding in findings
        ),
        describing=describing_view(ai, report.tasks, site=site, now=report.at),
        tasks=tuple(_task(task) for task in report.tasks),
        queues=tuple(_queue(queue, report) for queue in report.queues or ()),
        running=tuple(_job(job, names, report, site) for job in report.running or ()),
        failed=tuple(_job(job, names, report, site) for job in report.failed or ()),
        plots=tuple(_plots(report.samples)),
        database=tuple(_database(report)),
        footage=tuple(_footage(report)),
        process=tuple(_process(report)),
        versions=tuple(Fact(name, version or "not there") for name, version in report.versions.items()),
        settings=tuple(Fact(key, value) for key, value in report.settings.items()),
        reloaded=tuple(_reloaded(report.reload, report, site)),
        failures=tuple(
            FailureView(moment(line.timestamp, site.zone, report.at), line.level, line.message)
            for line in report.failures or ()
        ),
    )


def _task(task: TaskReport) -> TaskView:
    actions = ["resume"] if task.state is TaskState.PAUSED else ["pause", "run-now"]
    is_troubled = task.overdue or task.state is TaskState.BACKING_OFF
    is_resting = task.state in {TaskState.PAUSED, TaskState.DISABLED, TaskState.STOPPED}
    return TaskView(
        name=task.name,
        purpose=task.purpose,
        mood="warning" if is_troubled else "quiet" if is_resting else "ok",
        state="silent" if task.overdue else "switched off" if task.state is TaskState.DISABLED else str(task.state),
        beat="-" if task.state is TaskState.DISABLED else f"{span(task.beat_age_seconds)} ago",
        restarts=count(task.restarts),
        trouble=task.last_error or "",
        buttons=tuple(_button(task.name, action) for action in actions if task.takes_commands),
    )


def _button(name: str, action: str) -> TaskButton:
    label, icon_name = {
        "pause": ("Pause", "pause"),
        "resume": ("Resume", "play"),
        "run-now": ("Run now", "refresh"),
    }[action]
    path = f"tasks/{quote(name, safe='')}/{action}"
    return TaskButton(label, icon_name, f"{_slug(name)}-{action}", f"{SYSTEM_URL}/{path}", f"/api/v1/{path}")


def _slug(name: str) -> str:
    return name.replace(" ", "-")


def _queue(queue: QueueState, report: SystemReport) -> QueueView:
    path = f"jobs/{queue.kind}/retry-failed"
    return QueueView(
        name=KINDS[queue.kind],
        waiting=count(queue.waiting),
        running=count(queue.running),
        failed=count(queue.failed),
        has_failed=queue.failed > 0,
        oldest=age(queue.oldest_waiting, report.at) if queue.oldest_waiting else "-",
        outlook=_outlook(queue),
        retry=TaskButton("Retry all", "refresh", f"retry-{queue.kind}", f"{SYSTEM_URL}/{path}", f"/api/v1/{path}")
        if queue.failed
        else None,
    )


def _outlook(queue: QueueState) -> str:
    if not queue.waiting:
        return "nothing waits"
    if queue.empty_in_seconds is not None:
        return f"about {span(queue.empty_in_seconds)} to go"
    return "not moving now" if queue.ended_per_hour == 0 else "not known yet"


def _job(job: ListedJob, names: Mapping[str, str], report: SystemReport, site: Site) -> JobView:
    is_failed = job.state == "failed"
    path = f"events/{job.event_id}/jobs/{job.kind}/retry"
    return JobView(
        event_url=f"/events/{job.event_id}",
        title=f"{names.get(job.camera_id, job.camera_id)}, event {job.event_id}",
        what=KINDS[job.kind],
        moment=moment(job.changed_at, site.zone, report.at),
        reason=(job.last_error or "No reason was kept.") if is_failed else "",
        percent=None if job.progress is None else round(100 * job.progress),
        button=TaskButton(
            "Retry", "refresh", f"retry-{job.kind}-{job.event_id}", f"{SYSTEM_URL}/{path}", f"/api/v1/{path}"
        )
        if is_failed
        else None,
    )


def _plots(samples: Sequence[Sample]) -> Iterable[PlotView]:
    if not samples:
        return
    series: tuple[tuple[str, Callable[[Sample], float | None], Callable[[float], str]], ...] = (
        ("Jobs that wait", lambda sample: float(sum(sample.waiting.values())), count),
        ("Memory", lambda sample: float(sample.memory_bytes), lambda value: size(round(value))),
        ("Processor, of one core", lambda sample: 100 * sample.cpu_share, lambda value: f"{value:.0f} %"),
        ("Event loop late by", lambda sample: 1000 * sample.loop_lag_seconds, lambda value: f"{value:.0f} ms"),
        (
            "Database answers in",
            lambda sample: None if sample.database_seconds is None else 1000 * sample.database_seconds,
            lambda value: f"{value:.1f} ms",
        ),
    )
    step = max(1, -(-len(samples) // _POINTS))
    for label, of, shown in series:
        values = [value for sample in samples if (value := of(sample)) is not None]
        if not values:
            yield PlotView(label, "not known", "", "", f"{label}: not known")
            continue
        # Of some measurements that share a point the highest: a peak must not vanish.
        points = [max(values[at : at + step]) for at in range(0, len(values), step)]
        present = shown(values[-1])
        path = _path(points)
        told = f"{label}: {present} now, at most {shown(max(values))}, over {span(30.0 * len(samples))}"
        yield PlotView(label, present, path, f"{path} L{_WIDTH} {_HEIGHT} L0 {_HEIGHT} Z" if path else "", told)


def _path(values: Sequence[float]) -> str:
    if len(values) < 2:
        return ""
    top = max(values) or 1.0
    points = (
        f"{_WIDTH * at / (len(values) - 1):.1f} {_HEIGHT - 2 - (_HEIGHT - 4) * value / top:.1f}"
        for at, value in enumerate(values)
    )
    return f"M{' L'.join(points)}"


def _database(report: SystemReport) -> Iterable[Fact]:
    database = report.database
    yield Fact("State", "connected" if database.is_connected else "away; nothing is lost, cameras send again")
    yield Fact("Kind", "embedded" if database.is_embedded else f"named: {database.address}")
    if database.size_bytes is not None:
        yield Fact("Size", size(database.size_bytes))
    if database.answer_seconds is not None:
        yield Fact("Answers in", f"{1000 * database.answer_seconds:.1f} ms")
    yield Fact("Connections", f"{database.connections_used} in use of {database.connections_limit}")


def _footage(report: SystemReport) -> Iterable[Fact]:
    if report.disk is None:
        yield Fact("Disk", "does not answer")
    else:
        yield Fact("Free", f"{size(report.disk.free_bytes)} of {size(report.disk.total_bytes)}")
    ahead = report.forecast
    if ahead is None:
        return
    yield Fact("Comes a day", size(round(ahead.bytes_a_day)))
    if ahead.days_until_floor == 0:
        yield Fact("Full", "now: the oldest goes for the newest")
    elif ahead.days_until_floor is not None:
        yield Fact("Full in", span(86400 * ahead.days_until_floor))
    else:
        yield Fact("Full", "never at this rate")
    if ahead.days_kept is not None:
        yield Fact("Reaches back", span(86400 * ahead.days_kept))


def _process(report: SystemReport) -> Iterable[Fact]:
    yield Fact("Runs for", span(report.uptime_seconds))
    if report.samples:
        last = report.samples[-1]
        yield Fact("Memory", size(last.memory_bytes))
        yield Fact("Processor", f"{100 * last.cpu_share:.0f} % of one core")
        yield Fact("Event loop late by", f"{1000 * last.loop_lag_seconds:.0f} ms")
    yield Fact("Threads", count(report.threads))


def _reloaded(reload: LastReload | None, report: SystemReport, site: Site) -> Iterable[str]:
    if reload is None:
        yield "As read at the start; not reloaded since."
        return
    when = moment(reload.at, site.zone, report.at)
    if reload.problems:
        yield f"The reload of {when.exact} failed; the settings from before are in force."
        yield from reload.problems
        return
    yield f"Reloaded {when.exact}."
    if reload.applied:
        yield f"Applied: {', '.join(reload.applied)}."
    if reload.later:
        yield f"Needs a restart: {', '.join(reload.later)}."
