"""The supervised tasks of a daemon: what runs, how often, and what for."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from securitycamd.composition import ANALYSER, CONVERTER, EMBEDDED, LOG_WRITER, STILLS, Shared
from securitycamd.db.server import EmbeddedServer, keep_running
from securitycamd.domain.jobs import Job, JobKind
from securitycamd.services.camera_removal import TASK as CAMERA_REMOVAL
from securitycamd.services.storage_check import CHECK_TASK
from securitycamd.settings import AnalyserSettings, ConverterSettings, OptimiserSettings
from securitycamd.supervision import TaskControl, TaskSpec
from securitycamd.tasks.cameras import AGENT_STATUS, ask_agents, remove_cameras
from securitycamd.tasks.digest import LOOK_SECONDS as DIGEST_REST
from securitycamd.tasks.digest import NAME as DIGEST_TASK
from securitycamd.tasks.digest import write_reports
from securitycamd.tasks.gauges import NAME as GAUGES
from securitycamd.tasks.gauges import measure
from securitycamd.tasks.linker import check_storage, link_files
from securitycamd.tasks.optimiser import NAME as OPTIMISER
from securitycamd.tasks.optimiser import Optimiser
from securitycamd.tasks.retention import NAME as RETENTION
from securitycamd.tasks.retention import keep_within_limits
from securitycamd.tasks.upkeep import Duty, upkeep, watch_health, write_logs
from securitycamd.tasks.watchdog import Watchdog
from securitycamd.tasks.workers import JobWorkers
from securitycamd.telemetry.pipeline import KeptLines

OVERDUE_SECONDS: Final = 15.0
"""How often overdue files are looked for."""
FOREIGN_TEMPORARY_SECONDS: Final = 24 * 3600.0
LIVE_SECONDS: Final = 15.0
GUARD_SECONDS: Final = 2.0
"""With the guard's own time-out of 3 s, health is critical well within 10 s of a storage that vanished."""


def task_specs(
    shared: Shared, *, server: EmbeddedServer | None, watchdog: Watchdog, kept: KeptLines, instance: str
) -> list[TaskSpec]:
    """Every task of a daemon, in the order of their start."""
    settings, db = shared.settings, shared.database
    started = time.monotonic()

    def workers(
        kind: JobKind,
        work: Callable[[Job], Awaitable[None]],
        *,
        slots: Callable[[], int],
        section: Callable[[], ConverterSettings | AnalyserSettings | OptimiserSettings],
        admit: Callable[[], Awaitable[bool]] | None = None,
    ) -> JobWorkers:
        # All of them work on footage: while it is away nothing is claimed.
        return JobWorkers(
            kind,
            shared.jobs,
            work,
            slots=slots,
            lease_seconds=lambda: section().lease_seconds,
            ready=lambda: shared.storage.is_usable,
            admit=admit,
        )

    async def run_server(control: TaskControl) -> None:
        if server is not None:
            await keep_running(server, beat=control.beat, on_start=db.drop_idle)

    async def sweep() -> None:
        # What an earlier life of this daemon left is older than this one. A walk over all footage takes its time:
        # neither the start nor another duty shall wait for it.
        await shared.files.sweep_temporaries(time.monotonic() - started, owner=instance)
        await shared.files.sweep_temporaries(FOREIGN_TEMPORARY_SECONDS)

    async def resize() -> None:
        shared.media.resize(settings.current.converter.processes)

    return [
        TaskSpec(
            EMBEDDED,
            "Runs the embedded MariaDB",
            run_server,
            beat_seconds=float("inf"),
            critical_deaths=10,
            enabled=server is not None,
            takes_commands=False,
        ),
        TaskSpec("watchdog", "Shows that the event loop turns", watchdog.beat, beat_seconds=5, takes_commands=False),
        TaskSpec(LOG_WRITER, "Keeps the daemon's own log lines", write_logs(kept, shared.logs), takes_commands=False),
        TaskSpec("health", "Runs the health rules", watch_health(shared.health)),
        TaskSpec(
            "storage guard",
            "Looks whether the storage root is there and ours",
            upkeep([Duty("guard", GUARD_SECONDS, shared.storage.watch)]),
        ),
        TaskSpec(
            CONVERTER,
            "Makes clips playable",
            workers(
                JobKind.REMUX,
                shared.conversion.convert,
                slots=lambda: settings.current.converter.processes,
                section=lambda: settings.current.converter,
            ).run,
            enabled=settings.current.converter.enabled,
        ),
        TaskSpec(
            ANALYSER,
            "Has events described",
            workers(
                JobKind.ANALYSE,
                shared.analysis.analyse,
                slots=lambda: shared.ai_gate.slots,
                section=lambda: settings.current.analyser,
                admit=shared.ai_gate.admit,
            ).run,
            enabled=settings.current.analyser.enabled,
        ),
        TaskSpec(
            STILLS,
            "Makes the pictures that agents did not deliver",
            workers(
                JobKind.STILLS, shared.stills.make, slots=lambda: 1, section=lambda: settings.current.converter
            ).run,
            enabled=settings.current.converter.enabled,
        ),
        TaskSpec(
            OPTIMISER,
            "Makes clips smaller, at night",
            Optimiser(
                shared.optimisation,
                workers(
                    JobKind.OPTIMISE,
                    shared.optimisation.optimise,
                    slots=lambda: shared.optimisation.slots,
                    section=lambda: settings.current.optimiser,
                ),
            ).run,
            on_run_now=shared.optimisation.run_now,
        ),
        TaskSpec(
            RETENTION,
            "Lets old footage go, before the disk is full",
            keep_within_limits(shared.retention),
            beat_seconds=120,
        ),
        TaskSpec(
            AGENT_STATUS,
            "Asks the cameras' agents how they are",
            ask_agents(shared.agents, lambda: settings.current.agents.status_seconds),
            beat_seconds=120,
        ),
        TaskSpec(
            CAMERA_REMOVAL,
            "Removes the footage of cameras that were removed with it",
            remove_cameras(shared.camera_removal),
            beat_seconds=120,
        ),
        TaskSpec(
            GAUGES,
            "Measures what the server takes",
            measure(shared.gauges, shared.system),
            beat_seconds=60,
            takes_commands=False,
        ),
        TaskSpec(
            DIGEST_TASK,
            "Has each day's report written",
            write_reports(shared.digests),
            # A model on a small machine may take its time, and the task rests where one may not.
            beat_seconds=lambda: 2 * max(settings.current.analyser.timeout_seconds, DIGEST_REST),
        ),
        TaskSpec(
            "upkeep",
            "Small regular duties",
            upkeep(
                [
                    Duty("presence", 5, shared.cameras.write_heard),
                    Duty("lost jobs", 5, shared.jobs.give_back_lost),
                    Duty("stale leases", 10, shared.jobs.recover_stale),
                    Duty("converter size", 5, resize),
                    Duty("log partitions", 3600, shared.logs.make_partitions),
                    Duty("old presence", 3600, shared.cameras.forget_old_presence),
                    Duty("log sources", 60, shared.log_search.look_for_sources),
                ]
            ),
        ),
        # By itself: a step over the index may take seconds, and the daemon's sign of life must not wait for it.
        TaskSpec(
            "search index",
            "Makes older texts findable, and forgets those of events that are gone",
            upkeep(
                [
                    Duty("older texts", 2, shared.finding.take_in_texts),
                    Duty("index", 600, shared.finding.tidy_up),
                ]
            ),
            beat_seconds=600,
        ),
        TaskSpec(
            "live",
            "Tells cameras that nobody watches any more to look for motion again",
            upkeep(
                [
                    Duty("live streams", LIVE_SECONDS, shared.live.look_after),
                    Duty("old live sessions", 24 * 3600, shared.live.forget_old),
                ]
            ),
            beat_seconds=120,
            # Paused, it would leave cameras blind to motion.
            takes_commands=False,
        ),
        TaskSpec(
            "left-over files",
            "Removes what crashes left half written",
            upkeep([Duty("left-over files", 3600, sweep)]),
            beat_seconds=2 * 3600,
        ),
        TaskSpec(
            "linker",
            "Scans the footage for files that no agent reported",
            link_files(shared.linking, lambda: settings.current.storage.scan_hours),
            beat_seconds=120,
        ),
        TaskSpec(
            "overdue files",
            "Looks for files of new events whose agents fell silent",
            upkeep([Duty("overdue files", OVERDUE_SECONDS, shared.linking.look_for_overdue)]),
            beat_seconds=300,
        ),
        TaskSpec(
            CHECK_TASK,
            "Compares rows and files when asked to",
            check_storage(shared.storage_check),
            beat_seconds=120,
        ),
        TaskSpec(
            "footage sizes",
            "Measures the footage on the disk",
            upkeep([Duty("sizes", 600, shared.stats.measure_usage)]),
            beat_seconds=3600,
        ),
        TaskSpec(
            "event sizes",
            "Measures the files of events",
            upkeep([Duty("event sizes", 15, shared.measuring.measure_some)]),
            beat_seconds=3600,
        ),
        TaskSpec(
            "old log lines",
            "Lets log lines go that are older than they may be",
            upkeep([Duty("old log lines", 3600, shared.logs.expire)]),
            beat_seconds=2 * 3600,
        ),
    ]
