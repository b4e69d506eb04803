"""The composition root: opens what is shared, starts the tasks, answers signals, stops in stages.

Nothing else wires things together.
"""

import asyncio
import gc
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

from securitycamd import __version__
from securitycamd.config import (
    LIVE_KEYS,
    SettingsError,
    SettingsHolder,
    changed_keys,
    live_settings,
    load_settings,
)
from securitycamd.db import migrate
from securitycamd.db.engine import Database, DatabaseAddress
from securitycamd.db.server import EmbeddedServer, keep_running
from securitycamd.domain.errors import DatabaseUnavailableError, StorageUnavailableError
from securitycamd.domain.jobs import JobKind
from securitycamd.health import ai, database, queues, storage
from securitycamd.health import tasks as task_rule
from securitycamd.health.monitor import HealthMonitor
from securitycamd.instance import Instance
from securitycamd.media.pool import Media
from securitycamd.services.analysis import AnalysisService
from securitycamd.services.cameras import CameraService
from securitycamd.services.conversion import ConversionService
from securitycamd.services.events import EventService
from securitycamd.services.jobs import JobQueue
from securitycamd.services.logs import LogService
from securitycamd.services.stats import StatsService
from securitycamd.services.storage import StorageService
from securitycamd.services.uploads import UploadService
from securitycamd.storage.files import Files
from securitycamd.supervision import Supervisor, TaskControl, TaskSpec
from securitycamd.tasks.upkeep import Duty, upkeep, watch_health, write_logs, write_some
from securitycamd.tasks.watchdog import Watchdog
from securitycamd.tasks.workers import JobWorkers
from securitycamd.telemetry.notify import notify
from securitycamd.telemetry.pipeline import Pipeline
from securitycamd.web.app import Parts, make_app
from securitycamd.web.server import ProblemRunner

log = structlog.get_logger(__name__)

CONVERTER: Final = "converter"
ANALYSER: Final = "analyser"
LOG_WRITER: Final = "log writer"
EMBEDDED: Final = "database"
WORKERS: Final = {JobKind.REMUX: CONVERTER, JobKind.ANALYSE: ANALYSER}
STAGE_SECONDS: Final = 2.0
"""How long a stage of the stop may take; their sum stays below the unit's TimeoutStopSec."""
FOREIGN_TEMPORARY_SECONDS: Final = 24 * 3600.0
GUARD_SECONDS: Final = 2.0
"""With the guard's own time-out of 3 s, health is critical well within 10 s of a storage that vanished."""
# Connections beyond the pool's: migrations, and an operator who has a look.
SPARE_CONNECTIONS: Final = 10


class StartError(Exception):
    """The daemon cannot start; the message says what to do."""


class _StoppedEarlyError(Exception):
    """It was asked to stop before it was ready."""


@dataclass
class Daemon:
    """One daemon, from its settings to its end."""

    settings: SettingsHolder
    settings_path: Path | None
    pipeline: Pipeline
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Run until asked to stop.

        Raises:
            StartError, InstanceError, EmbeddedServerError, MigrationError: it cannot start.
            ExceptionGroup: a critical task kept dying.
        """
        try:
            await self._run()
        except _StoppedEarlyError:
            log.info("stopped while waiting for the database")

    async def _run(self) -> None:
        async with AsyncExitStack() as stack:
            self._listen_to_signals()
            instance = stack.enter_context(Instance(self.settings.current.state_directory))
            server, address = await self._open_server(stack, instance)
            shared = await self._open_shared(stack, address, instance)
            runner = await self._open_web(stack, shared)
            watchdog = Watchdog()
            watchdog.start()
            stack.callback(watchdog.stop)
            async with asyncio.TaskGroup() as group:
                self._start_tasks(group, shared, server, watchdog)
                asyncio.get_running_loop().add_signal_handler(
                    signal.SIGHUP, lambda: group.create_task(self.reload(), name="reload")
                )
                # What was made until now stays: the collector need not look at it again, and then collects what
                # requests leave behind sooner.
                gc.collect()
                gc.freeze()
                notify("READY=1")
                log.info("securitycamd is ready", version=__version__, address=_address_of(runner))
                await self.stopping.wait()
                await self._stop(shared, runner)

    async def reload(self) -> list[str]:
        """Read the settings again: apply what can change live; the names of what changed.

        With an error in the file the old settings stay in force.
        """
        old = self.settings.current
        try:
            new = await asyncio.to_thread(load_settings, self.settings_path)
        except SettingsError as error:
            for problem in error.problems:
                log.warning("settings not reloaded", problem=problem)
            return []
        changed = changed_keys(old, new)
        self.settings.current = live_settings(old, new)
        self.pipeline.set_level(self.settings.current.logging.level)
        later = [key for key in changed if key not in LIVE_KEYS]
        log.info("settings reloaded", applied=[key for key in changed if key in LIVE_KEYS] or None)
        if later:
            log.warning("some settings need a restart", keys=later)
        return changed

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        # Before the tasks run there is nobody to reload for; a SIGHUP then must not end the process.
        loop.add_signal_handler(signal.SIGHUP, lambda: None)

    async def _open_server(
        self, stack: AsyncExitStack, instance: Instance
    ) -> tuple[EmbeddedServer | None, DatabaseAddress]:
        settings = self.settings.current.database
        if settings.url:
            try:
                return None, DatabaseAddress.from_url(settings.url)
            except ValueError as error:
                raise StartError(f"database.url: {error}") from error
        server = EmbeddedServer(
            instance.folder / "mariadb",
            buffer_pool_mb=settings.buffer_pool_mb,
            max_connections=settings.pool_size + SPARE_CONNECTIONS,
        )
        stack.push_async_callback(server.stop)
        await server.start()
        await migrate.create_database(server.address)
        return server, server.address

    async def _open_shared(
        self, stack: AsyncExitStack, address: DatabaseAddress, instance: Instance
    ) -> "Shared":
        settings = self.settings.current
        steps = await asyncio.to_thread(migrate.read_migrations)
        while True:
            try:
                await migrate.migrate(address, steps)
                break
            except DatabaseUnavailableError as error:
                # The reason too: a wrong password looks like a server that is away.
                log.warning("waiting for the database", address=str(address), reason=str(error.__cause__))
                if await self._asked_to_stop_within(2.0):
                    raise _StoppedEarlyError from None
        db = Database(
            address,
            pool_size=settings.database.pool_size,
            wait_seconds=settings.database.wait_seconds,
            statement_seconds=settings.database.statement_seconds,
        )
        await db.open()
        stack.push_async_callback(db.close)
        files = Files(
            settings.storage.root.resolve(),
            settings.storage.file_threads,
            settings.storage.file_timeout_seconds,
            owner=instance.name,
        )
        stack.callback(files.close)
        media = Media(settings.converter.processes, run_blocking=files.run)
        stack.push_async_callback(media.close)
        shared = Shared.make(self.settings, db, files, media, instance.name)
        stack.push_async_callback(shared.analysis.close)
        # In a thread: the client of the AI server is read from the disk at its first use.
        await asyncio.to_thread(shared.analysis.analyst)
        await db.ping()
        await shared.jobs.give_back_own()
        await shared.logs.make_partitions()
        try:
            await shared.storage.open()
            await files.sweep_temporaries(0, owner=instance.name)
        except StorageUnavailableError:
            log.warning("the footage storage does not answer; starting without it", root=str(files.root))
        return shared

    async def _asked_to_stop_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self.stopping.wait()
        except TimeoutError:
            return False

    async def _open_web(self, stack: AsyncExitStack, shared: "Shared") -> web.AppRunner:
        settings = self.settings.current.server
        app = await asyncio.to_thread(make_app, shared.parts())
        runner = ProblemRunner(
            app, handle_signals=False, access_log=None, shutdown_timeout=settings.stop_seconds
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, settings.host, settings.port, backlog=512, reuse_address=True)
        try:
            await site.start()
        except OSError as error:
            raise StartError(
                f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}"
                " (is another server running there? see server.port)"
            ) from error
        return runner

    def _start_tasks(
        self, group: asyncio.TaskGroup, shared: "Shared", server: EmbeddedServer | None, watchdog: Watchdog
    ) -> None:
        settings, supervisor, db = self.settings, shared.supervisor, shared.database

        async def run_server(control: TaskControl) -> None:
            if server is not None:
                await keep_running(server, beat=control.beat, on_start=db.drop_idle)

        async def sweep() -> None:
            await shared.files.sweep_temporaries(FOREIGN_TEMPORARY_SECONDS)

        async def resize() -> None:
            shared.media.resize(settings.current.converter.processes)

        specs = [
            TaskSpec(
                EMBEDDED,
                "Runs the embedded MariaDB",
                run_server,
                beat_seconds=float("inf"),
                critical_deaths=10,
                enabled=server is not None,
            ),
            TaskSpec("watchdog", "Shows that the event loop turns", watchdog.beat, beat_seconds=5),
            TaskSpec(
                LOG_WRITER, "Keeps the daemon's own log lines", write_logs(self.pipeline.kept, shared.logs)
            ),
            TaskSpec("health", "Runs the health rules", watch_health(shared.health)),
            TaskSpec(
                "storage guard",
                "Looks whether the storage root is there and ours",
                upkeep([Duty("guard", GUARD_SECONDS, shared.storage.watch)]),
            ),
            TaskSpec(
                CONVERTER,
                "Makes clips playable",
                JobWorkers(
                    JobKind.REMUX,
                    shared.jobs,
                    shared.conversion.convert,
                    slots=lambda: settings.current.converter.processes,
                    lease_seconds=lambda: settings.current.converter.lease_seconds,
                ).run,
                enabled=settings.current.converter.enabled,
            ),
            TaskSpec(
                ANALYSER,
                "Has events described",
                JobWorkers(
                    JobKind.ANALYSE,
                    shared.jobs,
                    shared.analysis.analyse,
                    slots=lambda: settings.current.analyser.concurrency,
                    lease_seconds=lambda: settings.current.analyser.lease_seconds,
                ).run,
                enabled=settings.current.analyser.enabled,
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
                        Duty("left-over files", 3600, sweep),
                    ]
                ),
            ),
            TaskSpec(
                "footage sizes",
                "Measures the footage on the disk",
                upkeep([Duty("sizes", 600, shared.stats.measure_usage)]),
                beat_seconds=3600,
            ),
        ]
        for spec in specs:
            supervisor.start(group, spec)

    async def _stop(self, shared: "Shared", runner: web.AppRunner) -> None:
        """The stages of the stop, each within its time."""
        notify("STOPPING=1")
        log.info("stopping")
        supervisor = shared.supervisor
        supervisor.ask_to_stop(CONVERTER, ANALYSER)
        await runner.cleanup()
        await shared.media.close(STAGE_SECONDS)
        last = [LOG_WRITER, EMBEDDED]
        others = [task.name for task in supervisor.reports() if task.name not in last]
        await supervisor.stop(others, STAGE_SECONDS)
        try:
            async with asyncio.timeout(STAGE_SECONDS):
                await shared.jobs.give_back_own()
                await shared.cameras.write_heard()
        except (DatabaseUnavailableError, TimeoutError):
            log.warning("the database is away; leases end by themselves")
        await supervisor.stop([LOG_WRITER], STAGE_SECONDS)
        log.info("stopped")
        while await write_some(self.pipeline.kept, shared.logs):
            pass
        # The embedded server itself is stopped by the exit stack, after the pool is closed.
        await supervisor.stop([EMBEDDED], 0)


@dataclass(frozen=True)
class Shared:
    """What the tasks and the application share."""

    settings: SettingsHolder
    database: Database
    files: Files
    media: Media
    supervisor: Supervisor
    jobs: JobQueue
    cameras: CameraService
    events: EventService
    logs: LogService
    stats: StatsService
    uploads: UploadService
    conversion: ConversionService
    analysis: AnalysisService
    storage: StorageService
    health: HealthMonitor

    @classmethod
    def make(
        cls, settings: SettingsHolder, db: Database, files: Files, media: Media, instance: str
    ) -> "Shared":
        """Make the services over the open parts."""
        supervisor = Supervisor()
        jobs = JobQueue(db, instance)
        storage_service = StorageService(db, files)
        storage_service.on_change = lambda: supervisor.wake("health")
        cameras = CameraService(db, settings, on_registered=storage_service.expect_camera)
        events = EventService(db, settings, on_work=lambda kind: supervisor.wake(WORKERS[kind]))
        analysis = AnalysisService(db, settings, jobs, files)
        health = HealthMonitor(
            [
                database.rule(db),
                storage.rule(files, storage_service),
                ai.rule(analysis.analyst),
                task_rule.rule(supervisor),
                queues.rule(jobs),
            ],
            lambda: db.connected,
        )
        return cls(
            settings=settings,
            database=db,
            files=files,
            media=media,
            supervisor=supervisor,
            jobs=jobs,
            cameras=cameras,
            events=events,
            logs=LogService(db, settings),
            stats=StatsService(db, settings, cameras, files, jobs),
            uploads=UploadService(settings, events, files),
            conversion=ConversionService(db, settings, jobs, files, media),
            analysis=analysis,
            storage=storage_service,
            health=health,
        )

    def parts(self) -> Parts:
        """What the application needs of it."""
        return Parts(
            settings=self.settings,
            cameras=self.cameras,
            events=self.events,
            logs=self.logs,
            stats=self.stats,
            uploads=self.uploads,
            jobs=self.jobs,
            health=self.health,
            files=self.files,
            supervisor=self.supervisor,
        )


def _address_of(runner: web.AppRunner) -> str:
    host, port, *_ = runner.addresses[0]
    shown = "localhost" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - only compared
    return f"http://{shown}:{port}"
