"""One daemon's life: opens what is shared, starts the tasks, answers signals, stops in stages.

With :mod:`securitycamd.composition` (what there is) and :mod:`securitycamd.roster` (what runs) the composition root:
nothing else wires things together.
"""

import asyncio
import signal
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

from securitycamd import __version__
from securitycamd.composition import ANALYSER, CONVERTER, EMBEDDED, LOG_WRITER, STILLS, Shared
from securitycamd.config import (
    LIVE_KEYS,
    LastReload,
    SettingsError,
    SettingsHolder,
    changed_keys,
    live_settings,
    load_settings,
)
from securitycamd.db import migrate, older_tables
from securitycamd.db.engine import Database, DatabaseAddress
from securitycamd.db.server import EmbeddedServer
from securitycamd.domain.errors import DatabaseUnavailableError, StorageUnavailableError
from securitycamd.instance import Instance
from securitycamd.media.pool import Media
from securitycamd.memory import settle_down
from securitycamd.roster import task_specs
from securitycamd.services.adoption import Adoption, AdoptionStoppedError
from securitycamd.storage.files import Files
from securitycamd.tasks.optimiser import NAME as OPTIMISER
from securitycamd.tasks.upkeep import write_some
from securitycamd.tasks.watchdog import Watchdog
from securitycamd.telemetry.notify import notify
from securitycamd.telemetry.pipeline import Pipeline
from securitycamd.web.app import make_app
from securitycamd.web.server import ProblemRunner

log = structlog.get_logger(__name__)

STAGE_SECONDS: Final = 2.0
"""How long a stage of the stop may take; their sum stays below the unit's TimeoutStopSec."""
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
            log.info("stopped before it was ready")

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
                self._start_tasks(group, shared, server, watchdog, instance)
                asyncio.get_running_loop().add_signal_handler(
                    signal.SIGHUP, lambda: group.create_task(self.reload(), name="reload")
                )
                settle_down()
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
            self.settings.last_reload = LastReload(datetime.now(UTC), tuple(error.problems), (), ())
            return []
        changed = changed_keys(old, new)
        self.settings.current = live_settings(old, new)
        self.pipeline.set_level(self.settings.current.logging.level)
        later = [key for key in changed if key not in LIVE_KEYS]
        applied = [key for key in changed if key in LIVE_KEYS]
        self.settings.last_reload = LastReload(datetime.now(UTC), (), tuple(applied), tuple(later))
        log.info("settings reloaded", applied=applied or None)
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

    async def _open_shared(self, stack: AsyncExitStack, address: DatabaseAddress, instance: Instance) -> Shared:
        settings = self.settings.current
        steps = await asyncio.to_thread(migrate.read_migrations)
        adoption = Adoption(
            address,
            settings.site.zone,
            settings.storage.root.resolve(),
            settings.retention.log_days,
            is_stopping=self.stopping.is_set,
            on_progress=_ask_for_time,
        )
        while True:
            try:
                is_older = await older_tables.put_aside(address)
                await migrate.migrate(address, steps)
                if is_older:
                    await adoption.run()
                break
            except AdoptionStoppedError:
                raise _StoppedEarlyError from None
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
        stack.push_async_callback(shared.ai_gate.close)
        stack.push_async_callback(shared.live.close)
        await db.ping()
        await shared.jobs.give_back_own(crashed=True)
        await shared.logs.make_partitions()
        try:
            await shared.storage.open()
        except StorageUnavailableError:
            log.warning("the footage storage does not answer; starting without it", root=str(files.root))
        return shared

    async def _asked_to_stop_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self.stopping.wait()
        except TimeoutError:
            return False

    async def _open_web(self, stack: AsyncExitStack, shared: Shared) -> web.AppRunner:
        settings = self.settings.current.server
        app = await asyncio.to_thread(make_app, shared)
        runner = ProblemRunner(app, handle_signals=False, access_log=None, shutdown_timeout=settings.stop_seconds)
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
        self,
        group: asyncio.TaskGroup,
        shared: Shared,
        server: EmbeddedServer | None,
        watchdog: Watchdog,
        instance: Instance,
    ) -> None:
        for spec in task_specs(
            shared, server=server, watchdog=watchdog, kept=self.pipeline.kept, instance=instance.name
        ):
            shared.supervisor.start(group, spec)

    async def _stop(self, shared: Shared, runner: web.AppRunner) -> None:
        """The stages of the stop, each within its time."""
        notify("STOPPING=1")
        log.info("stopping")
        supervisor = shared.supervisor
        supervisor.ask_to_stop(CONVERTER, ANALYSER, STILLS, OPTIMISER)
        # Cameras that stream are told to stop while requests finish: they must not stay blind to motion.
        await asyncio.gather(runner.cleanup(), shared.live.stop(STAGE_SECONDS))
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
        with suppress(TimeoutError):
            async with asyncio.timeout(STAGE_SECONDS):
                while await write_some(self.pipeline.kept, shared.logs):
                    pass
        # The embedded server itself is stopped by the exit stack, after the pool is closed.
        await supervisor.stop([EMBEDDED], 0)


def _ask_for_time() -> None:
    # A copy of millions of rows takes longer than the unit's TimeoutStartSec.
    notify("EXTEND_TIMEOUT_USEC=60000000")


def _address_of(runner: web.AppRunner) -> str:
    host, port, *_ = runner.addresses[0]
    shown = "localhost" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - only compared
    return f"http://{shown}:{port}"
