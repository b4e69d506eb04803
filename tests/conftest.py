"""What all tests share: one private MariaDB a run, one database a worker, an application; blocking calls fail."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import aiohttp
import jinja2
import pytest
import uvloop
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from blockbuster import blockbuster_ctx

from securitycamd.composition import Shared
from securitycamd.config import SettingsHolder
from securitycamd.db import migrate
from securitycamd.db.engine import Database, DatabaseAddress
from securitycamd.db.server import EmbeddedServer
from securitycamd.db.tables import metadata, migrations
from securitycamd.media.pool import Media
from securitycamd.settings import Settings
from securitycamd.storage.files import Files
from securitycamd.web.api import reference
from securitycamd.web.app import API_ROUTES, make_app
from securitycamd.web.assets import read_assets
from securitycamd.web.ui.environment import environment_options

INSTANCE = "00000000000000aa"


# --- the private MariaDB ---------------------------------------------------------------------------------------------


@dataclass
class PrivateServer:
    """A MariaDB for one run of the tests; started by the first test that needs it, in any worker."""

    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "mariadb" / "mariadbd.sock"

    def address(self, name: str) -> DatabaseAddress:
        return DatabaseAddress("root", "", name, socket=str(self.socket))


class _ServerPlugin:
    """In the process that starts the run: owns the server, and tells the workers where it is."""

    def __init__(self) -> None:
        # A short path: a Unix socket's may have 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="scd-"))
        self._runner = asyncio.Runner()
        self._server: EmbeddedServer | None = None

    def start(self) -> None:
        self._server = EmbeddedServer(self.folder / "mariadb", buffer_pool_mb=64, max_connections=200)
        self._runner.run(self._server.start())

    def stop(self) -> None:
        if self._server is not None:
            self._runner.run(self._server.stop())
        self._runner.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pytest_configure_node(self, node: Any) -> None:
        """Called by xdist for each worker."""
        node.workerinput["mariadb_folder"] = str(self.folder)


_plugin: _ServerPlugin | None = None


def pytest_configure(config: pytest.Config) -> None:
    global _plugin  # noqa: PLW0603 - hooks of one process have no other common place
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        _plugin = _ServerPlugin()
        _plugin.start()
        config.pluginmanager.register(_plugin, "private-mariadb")


def pytest_unconfigure(config: pytest.Config) -> None:
    if _plugin is not None:
        _plugin.stop()


@pytest.fixture(scope="session")
def private_server(request: pytest.FixtureRequest) -> PrivateServer:
    workerinput = getattr(request.config, "workerinput", None)
    if workerinput is not None:
        return PrivateServer(Path(workerinput["mariadb_folder"]))
    assert _plugin is not None
    return PrivateServer(_plugin.folder)


@pytest.fixture(scope="session")
def worker_database(private_server: PrivateServer, worker_id: str) -> DatabaseAddress:
    """This worker's database, with all migrations applied."""
    address = private_server.address(f"test_{worker_id}")

    async def make() -> None:
        await migrate.create_database(address)
        await migrate.migrate(address, migrate.read_migrations())

    asyncio.run(make())
    return address


@pytest.fixture
def fresh_database(private_server: PrivateServer, worker_id: str) -> Iterator[DatabaseAddress]:
    """An empty database of its own, for tests of migrations or of whole daemons."""
    address = private_server.address(f"fresh_{worker_id}")
    statements = f"DROP DATABASE IF EXISTS {address.name}; CREATE DATABASE {address.name} CHARACTER SET utf8mb4"
    subprocess.run(["mariadb", f"--socket={address.socket}", "-uroot", "-e", statements], check=True)
    yield address
    subprocess.run(
        ["mariadb", f"--socket={address.socket}", "-uroot", "-e", f"DROP DATABASE {address.name}"], check=True
    )


# --- parts -----------------------------------------------------------------------------------------------------------


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    """Every test runs on the loop that the daemon runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[None]:
    """A blocking call of ours on the event loop is a failure."""
    with blockbuster_ctx("securitycamd"):
        yield


@pytest.fixture
async def database(worker_database: DatabaseAddress) -> AsyncIterator[Database]:
    """A pool on this worker's database, whose tables are empty."""
    pool = Database(worker_database, pool_size=10, wait_seconds=5, statement_seconds=15)
    await pool.open()
    async with pool.session() as session:
        for table in reversed(metadata.sorted_tables):
            if table is not migrations:
                await session.script(f"DELETE FROM {table.name}")
    yield pool
    await pool.close()


@pytest.fixture
def storage_root(tmp_path: Path) -> Path:
    root = tmp_path / "footage"
    root.mkdir()
    return root


@pytest.fixture
def make_settings(tmp_path: Path, storage_root: Path) -> Callable[..., Settings]:
    """Settings for a test; sections as keyword arguments."""

    def make(**sections: Any) -> Settings:
        values: dict[str, Any] = {
            "state_directory": tmp_path / "state",
            "site": {"time_zone": "Europe/Berlin"},
            "storage": {"root": storage_root},
            "analyser": {"url": "http://127.0.0.1:9"},
        }
        for name, section in sections.items():
            values[name] = values.get(name, {}) | section if isinstance(section, dict) else section
        settings = Settings(**values)
        _ = settings.site.zone  # read once, off the loop
        return settings

    return make


@dataclass
class Site:
    """A whole application in this process, without its background tasks."""

    client: TestClient[web.Request, web.Application]
    shared: Shared
    root: Path

    @property
    def settings(self) -> SettingsHolder:
        return self.shared.settings

    async def json(self, method: str, path: str, *, status: int | None = None, **arguments: Any) -> Any:
        """Make a request; its JSON. The status must be ``status``, or any success."""
        async with self.client.request(method, path, **arguments) as response:
            text = await response.text()
            expected = {200, 201} if status is None else {status}
            assert response.status in expected, f"{method} {path}: {response.status} {text}"
            return await response.json()

    async def register(self, camera_id: str = "camera_1", **facts: str) -> Any:
        """Register a camera."""
        body = {"camera_id": camera_id, "name": "Front walk", "location": "Garden", "ip_address": "127.0.0.1"}
        return await self.json("POST", "/api/v1/cameras/register", json=body | facts)

    async def event(self, camera_id: str = "camera_1", timestamp: str = "2025-10-28T14:30:22.186476") -> Any:
        """Post an event."""
        body = {"camera_id": camera_id, "timestamp": timestamp, "motion_score": 1250.5, "confidence_score": 62.0}
        return await self.json("POST", "/api/v1/events", json=body)


class CompiledTemplates(jinja2.BytecodeCache):
    """Compiled once a process: half a second that each of a thousand applications would take."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        if (code := self._compiled.get(bucket.key)) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def made_once() -> Iterator[None]:
    """What is the same for every application of a process, and costs much: files, templates, the API's document."""
    options = environment_options() | {"bytecode_cache": CompiledTemplates()}
    document = cache(partial(reference.render_document, API_ROUTES))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("securitycamd.web.app.environment_options", lambda: options)
        patch.setattr("securitycamd.web.app.read_assets", cache(read_assets))
        patch.setattr(reference, "render_document", lambda _routes, site_name: document(site_name))
        yield


@pytest.fixture
async def make_site(
    database: Database, make_settings: Callable[..., Settings], storage_root: Path
) -> AsyncIterator[Callable[..., Any]]:
    """A function that makes a :class:`Site`; its arguments are sections of the settings."""
    async with AsyncExitStack() as stack:

        async def make(**sections: Any) -> Site:
            settings = SettingsHolder(await asyncio.to_thread(make_settings, **sections))
            storage = settings.current.storage
            files = Files(storage_root, storage.file_threads, storage.file_timeout_seconds, owner=INSTANCE)
            stack.callback(files.close)
            media = Media(settings.current.converter.processes, run_blocking=files.run)
            stack.push_async_callback(media.close)
            shared = Shared.make(settings, database, files, media, INSTANCE)
            stack.push_async_callback(shared.ai_gate.close)
            stack.push_async_callback(shared.live.close)
            await database.ping()
            await shared.storage.open()
            app = await asyncio.to_thread(make_app, shared)
            client = TestClient(TestServer(app), timeout=aiohttp.ClientTimeout(total=30))
            await client.start_server()
            stack.push_async_callback(client.close)
            return Site(client, shared, storage_root)

        yield make


@pytest.fixture
async def site(make_site: Callable[..., Any]) -> Site:
    """An application with the default settings, in Europe/Berlin."""
    made: Site = await make_site()
    return made
