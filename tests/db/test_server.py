import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from blockbuster import blockbuster_ctx

from securitycamd.db import migrate
from securitycamd.db import server as server_module
from securitycamd.db.engine import Database
from securitycamd.db.server import EmbeddedServer, EmbeddedServerError, keep_running


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[None]:
    """As everywhere, but that a start may look for its programs: it is some microseconds, once."""
    with blockbuster_ctx("securitycamd") as watch:
        for name in ("os.stat", "os.access"):
            watch.functions[name].can_block_in("securitycamd/db/server.py", {"_program", "_with_death_signal"})
        yield


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """A state folder whose database was set up once; tests that start servers there take turns."""
    with tempfile.TemporaryDirectory(prefix="scd-") as name:
        folder = Path(name) / "mariadb"

        async def install() -> None:
            server = await make(folder)
            await server.start()
            await server.stop()

        asyncio.run(install())
        yield folder


def make_here(folder: Path) -> EmbeddedServer:
    return EmbeddedServer(folder, buffer_pool_mb=16, max_connections=20)


async def make(folder: Path) -> EmbeddedServer:
    """The same on the event loop: following links in a path may block."""
    return await asyncio.to_thread(make_here, folder)


@pytest.fixture
async def server(installed: Path) -> AsyncIterator[EmbeddedServer]:
    server = await make(installed)
    await server.start()
    yield server
    await server.stop()


async def ask(server: EmbeddedServer, text: str) -> list[tuple[object, ...]]:
    await migrate.create_database(server.address)
    database = Database(server.address, pool_size=1, wait_seconds=5, statement_seconds=15)
    await database.open()
    try:
        async with database.session() as session:
            return await session.script(text)
    finally:
        await database.close()


async def test_the_first_start_sets_up_a_private_server(server: EmbeddedServer, installed: Path) -> None:
    assert server.pid is not None
    assert psutil.pid_exists(server.pid)
    listening = [each for each in psutil.Process(server.pid).net_connections() if each.status == psutil.CONN_LISTEN]
    assert listening == []  # no network
    facts = "@@innodb_flush_log_at_trx_commit, @@innodb_doublewrite, @@character_set_server, @@skip_networking"
    assert await ask(server, f"SELECT {facts}") == [(1, 1, "utf8mb4", 1)]


def test_only_its_user_reaches_the_server(installed: Path) -> None:
    """The root account has no password."""
    assert installed.stat().st_mode & 0o777 == 0o700
    assert not (installed / "data.new").exists()


async def test_data_outlives_the_server(installed: Path) -> None:
    first = await make(installed)
    await first.start()
    await ask(first, "CREATE OR REPLACE TABLE kept AS SELECT 42 AS n")
    pid = first.pid
    assert pid is not None
    await first.stop()
    assert first.pid is None
    assert not psutil.pid_exists(pid)
    await first.stop()  # again does no harm
    second = await make(installed)
    await second.start()
    try:
        assert await ask(second, "SELECT n FROM kept") == [(42,)]
    finally:
        await second.stop()


async def test_a_child_that_a_killed_daemon_left_behind_is_ended_first(server: EmbeddedServer, installed: Path) -> None:
    """It still holds the data files."""
    left = server.pid
    assert left is not None
    reaping = asyncio.create_task(server.wait())
    following = await make(installed)
    await following.start()
    try:
        assert await reaping == 0  # it was asked to end, and ended in order
        assert following.pid not in {None, left}
        assert await ask(following, "SELECT 1") == [(1,)]
    finally:
        await following.stop()


async def test_a_child_that_had_just_begun_is_ended_first_too(installed: Path) -> None:
    """Its daemon was killed before it had written down its process id."""
    first, following = await make(installed), await make(installed)
    starting = asyncio.create_task(first.start())
    while first.pid is None:  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    reaping = asyncio.create_task(first.wait())
    assert not (installed / "mariadbd.pid").exists()
    began = asyncio.get_running_loop().time()
    await following.start()
    try:
        await reaping
        assert asyncio.get_running_loop().time() - began < 30
        assert await ask(following, "SELECT 1") == [(1,)]
    finally:
        await following.stop()


async def test_the_number_of_another_process_is_left_alone(installed: Path) -> None:
    """Process ids are given out again."""
    (installed / "mariadbd.pid").write_text(str(os.getpid()), encoding="ascii")
    server = await make(installed)
    await server.start()
    await server.stop()


@pytest.mark.parametrize("content", ["", "x", "99999999"])
async def test_a_broken_pid_file_stops_nothing(installed: Path, content: str) -> None:
    (installed / "mariadbd.pid").write_text(content, encoding="ascii")
    server = await make(installed)
    await server.start()
    await server.stop()


async def test_a_server_that_was_killed_is_told_and_started_anew(server: EmbeddedServer) -> None:
    beats: list[str] = []

    async def watch() -> None:
        await keep_running(server, beat=lambda: beats.append("beat"), on_start=lambda: beats.append("start"))

    await ask(server, "CREATE OR REPLACE TABLE kept AS SELECT 42 AS n")
    pid = server.pid
    assert pid is not None
    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EmbeddedServerError, match="ended unexpectedly with code"):
        await watching
    assert beats == ["beat"]
    assert server.pid is None
    again = asyncio.create_task(watch())
    async with asyncio.timeout(60):
        while beats[-2:] != ["start", "beat"]:
            assert not again.done()
            await asyncio.sleep(0.01)
    assert await ask(server, "SELECT n FROM kept") == [(42,)]
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)


async def test_a_server_that_does_not_stop_is_killed(server: EmbeddedServer) -> None:
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    async with asyncio.timeout(10):
        await server.stop(timeout_seconds=0.1)
    assert not psutil.pid_exists(pid)


async def test_a_deep_state_folder_gets_a_short_socket_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: Path
) -> None:
    """A Unix socket's path may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="scd-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        deep = tmp_path / ("d" * 60) / ("e" * 60) / "mariadb"
        await asyncio.to_thread(shutil.copytree, installed / "data", deep / "data")
        server = await make(deep)
        await server.start()
        try:
            socket = server.address.socket
            assert socket is not None
            assert socket.startswith(runtime)
            assert len(os.fsencode(socket)) <= server_module.SOCKET_PATH_LIMIT_BYTES
            assert Path(socket).parent.stat().st_mode & 0o777 == 0o700
            assert await ask(server, "SELECT 1") == [(1,)]
        finally:
            await server.stop()


def test_two_deep_folders_have_two_sockets_and_a_short_one_keeps_its_own(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    assert make_here(deep / "a").address.socket != make_here(deep / "b").address.socket
    assert make_here(deep / "a").address.socket == make_here(deep / "a").address.socket
    assert make_here(Path("/srv/db")).address.socket == "/srv/db/mariadbd.sock"


# --- what people are told -----------------------------------------------------------------------------------


async def test_a_missing_program_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_arguments, **_options: None)
    with pytest.raises(EmbeddedServerError) as told:
        await (await make(tmp_path / "m")).start()
    assert str(told.value) == (
        "mariadb-install-db is not installed: run `sudo apt install mariadb-server-core`,"
        " or name a server of your own with database.url"
    )


def put_program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    program.chmod(0o755)


async def test_a_set_up_that_fails_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    put_program(programs, "mariadb-install-db", 'echo "no space left"; exit 3')
    (tmp_path / "m" / "data.new" / "mysql").mkdir(parents=True)  # of a start that was killed
    server = await make(tmp_path / "m")
    with pytest.raises(EmbeddedServerError, match=r"mariadb-install-db could not set up .*/m/data; its output is in"):
        await server.start()
    assert not (tmp_path / "m" / "data").exists()
    assert not (tmp_path / "m" / "data.new").exists()
    assert server.pid is None


async def test_a_server_that_ends_at_once_is_told_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    put_program(programs, "mariadbd", "exit 7")
    (tmp_path / "m" / "data" / "mysql").mkdir(parents=True)
    with pytest.raises(EmbeddedServerError, match=r"mariadbd ended with code 7; see .*/m/mariadbd\.log"):
        await (await make(tmp_path / "m")).start()


async def test_a_server_that_never_answers_is_given_up_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(server_module, "READY_TIMEOUT_SECONDS", 0.3)
    put_program(programs, "mariadbd", f"echo $$ > {tmp_path}/pid; exec sleep 100")
    (tmp_path / "m" / "data" / "mysql").mkdir(parents=True)
    server = await make(tmp_path / "m")
    with pytest.raises(EmbeddedServerError, match="did not answer within"):
        await server.start()
    assert server.pid is None
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


async def test_a_server_that_was_never_started(tmp_path: Path) -> None:
    server = await make(tmp_path)
    assert server.pid is None
    await server.stop()
    with pytest.raises(EmbeddedServerError, match="was not started"):
        await server.wait()
