"""What the simulator's tests share: footage and detector from the cache, a recording server, fast cameras."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from securitycamd.simulator.agent import AgentPlan, SimulatedCamera
from securitycamd.simulator.control import FREE_PORTS
from securitycamd.simulator.footage import DemoAssets, prepare_assets
from securitycamd.simulator.scenes import Scene, prepare_scenes
from securitycamd.simulator.wire import AgentIdentity, Pace
from tests.simulator.fake_server import FakeServer

IDENTITY = AgentIdentity("camera_7", "Front walk", "Gate", "127.0.0.1")
FAST = Pace(20.0)

StartCamera = Callable[[AgentPlan], Awaitable[SimulatedCamera]]


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other programs, too
            await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def assets() -> DemoAssets:
    return prepare_assets(report=lambda _: None)


@pytest.fixture(scope="session")
def scenes(assets: DemoAssets) -> list[Scene]:
    return prepare_scenes(assets, report=lambda _: None)


@pytest.fixture
def plan(scenes: list[Scene]) -> AgentPlan:
    return AgentPlan(IDENTITY, scenes[0], ports=FREE_PORTS, clip_seconds=2.0, quiet_seconds=3600.0, pace=FAST)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[FakeServer]:
    async with FakeServer(tmp_path) as running:
        yield running


@pytest.fixture
async def start(server: FakeServer, tmp_path: Path) -> AsyncIterator[StartCamera]:
    tasks: list[asyncio.Task[None]] = []

    async def begin(plan: AgentPlan) -> SimulatedCamera:
        camera = SimulatedCamera(plan, server.url, tmp_path)
        tasks.append(asyncio.create_task(camera.run()))
        return camera

    yield begin
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def camera(start: StartCamera, plan: AgentPlan) -> SimulatedCamera:
    """One that has just registered and finds motion when told to."""
    camera = await start(plan)
    camera.trigger()
    await camera.registered()
    return camera
