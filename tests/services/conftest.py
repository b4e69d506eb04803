"""What the tests of the use cases share: a bench with queue, files, media and a database, without HTTP or tasks."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from securitycamd.composition import Shared
from securitycamd.config import SettingsHolder
from securitycamd.db.engine import Database, DatabaseAddress
from securitycamd.domain.jobs import Job, JobKind
from securitycamd.domain.models import CameraRegistration, Event, FileReport
from securitycamd.domain.names import FileType
from securitycamd.domain.principal import TRUSTED_OPERATOR
from securitycamd.media.pool import Media
from securitycamd.services.jobs import JobReport
from securitycamd.settings import Settings
from securitycamd.storage.files import Files
from tests.conftest import INSTANCE
from tests.db.conftest import Line
from tests.footage import Footage

CAMERA = "camera_1"
LEASE_SECONDS = 30.0
START = datetime(2026, 3, 1, 10, tzinfo=UTC)


@dataclass
class Bench:
    """The services, and short ways to have events with work on them."""

    shared: Shared
    root: Path
    made: int = 0

    async def event(self, camera_id: str = CAMERA) -> int:
        """A new event of a registered camera."""
        self.made += 1
        event, is_new = await self.shared.events.create(
            TRUSTED_OPERATOR,
            camera_id=camera_id,
            timestamp=START + timedelta(seconds=self.made),
            motion_score=1.0,
            confidence_score=None,
        )
        assert is_new
        return event.id

    async def register(self, camera_id: str = CAMERA) -> None:
        """A camera."""
        await self.shared.cameras.register(
            TRUSTED_OPERATOR, CameraRegistration(camera_id, "Front", "Garden", "127.0.0.1")
        )

    async def report(self, event_id: int, file_type: FileType, path: str) -> Event:
        """An agent's word for a file."""
        report = FileReport(file_type, path, transferred=True)
        return await self.shared.events.report_file(TRUSTED_OPERATOR, event_id, report)

    async def clip(self, content: bytes | None, *, camera_id: str = CAMERA, ready: bool = False) -> int:
        """An event whose clip was reported; ``None``: it is not on the share."""
        event_id = await self.event(camera_id)
        path = self.source_of(event_id, camera_id)
        if content is not None:
            self.write(path, content)
        if ready:
            self.write(f"{path}.READY", b"")
        await self.report(event_id, FileType.VIDEO, path)
        return event_id

    def source_of(self, event_id: int, camera_id: str = CAMERA) -> str:
        """Where the clip of an event is delivered."""
        return f"{camera_id}/videos/{event_id}_video.h264"

    def playable_of(self, event_id: int, camera_id: str = CAMERA) -> Path:
        """Where its MP4 goes."""
        return (self.root / self.source_of(event_id, camera_id)).with_suffix(".mp4")

    def write(self, path: str, content: bytes) -> None:
        """A file on the share."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    async def claim(self, kind: JobKind = JobKind.REMUX) -> Job:
        """The next job, which must be there."""
        job = await self.shared.jobs.claim(kind, lease_seconds=LEASE_SECONDS)
        assert job is not None
        return job

    async def job(self, event_id: int, kind: JobKind = JobKind.REMUX) -> JobReport:
        """How a job of an event stands."""
        (found,) = [job for job in await self.shared.jobs.of_event(event_id) if job.kind is kind]
        return found

    async def seen(self, event_id: int) -> Event:
        """The event as it is now."""
        return await self.shared.events.get(TRUSTED_OPERATOR, event_id)

    async def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the database, past all services."""
        async with self.shared.database.session() as session:
            return await session.script(statement)

    async def due_now(self) -> None:
        """Let no job wait for its time."""
        await self.sql("UPDATE jobs SET run_after = UTC_TIMESTAMP(6)")

    async def run_out(self) -> None:
        """Let every lease run out."""
        await self.sql("UPDATE jobs SET lease_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE state = 'running'")


MakeBench = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def make_bench(
    database: Database, make_settings: Callable[..., Settings], storage_root: Path
) -> AsyncIterator[MakeBench]:
    """A function that makes a bench; its arguments are sections of the settings."""
    async with AsyncExitStack() as stack:

        async def make(*, instance: str = INSTANCE, on_database: Database = database, **sections: Any) -> Bench:
            settings = await asyncio.to_thread(make_settings, **sections)
            storage = settings.storage
            files = Files(storage_root, storage.file_threads, storage.file_timeout_seconds, owner=instance)
            stack.callback(files.close)
            media = Media(2, run_blocking=files.run, niceness=0, grace_seconds=0.2)
            stack.push_async_callback(media.close, 0.2)
            shared = Shared.make(SettingsHolder(settings), on_database, files, media, instance)
            stack.push_async_callback(shared.ai_gate.close)
            await asyncio.to_thread(shared.ai_gate.analyst)
            await shared.storage.open()
            bench = Bench(shared, storage_root)
            await bench.register()
            return bench

        yield make


@pytest.fixture
async def bench(make_bench: MakeBench) -> Bench:
    return await make_bench()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a name so short that sockets fit."""
    with tempfile.TemporaryDirectory(prefix="scl-") as name:
        yield Path(name)


@dataclass
class Severed:
    """A pool on the database through a line that can be cut and mended."""

    line: Line
    database: Database


@pytest.fixture
async def severed(worker_database: DatabaseAddress, short_folder: Path) -> AsyncIterator[Severed]:
    """Such a pool; its waits are short."""
    line = Line(worker_database, short_folder)
    await line.mend()
    pool = Database(line.address, pool_size=3, wait_seconds=1, statement_seconds=2)
    await pool.open()
    yield Severed(line, pool)
    await pool.close()
    await line.cut()


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return Footage(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def clip(footage: Footage) -> bytes:
    """One second, 15 frames."""
    return footage.clip(seconds=1.0).read_bytes()


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """What is logged."""
    with capture_logs() as lines:
        yield lines
