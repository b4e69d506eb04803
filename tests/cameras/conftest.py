"""What the tests of the agents' client and the relay share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from securitycamd.cameras.control import AgentControl
from securitycamd.cameras.relay import Relay, RelayParts, Viewer
from securitycamd.domain.errors import NotFoundError
from securitycamd.settings import AgentSettings, LiveSettings
from tests.cameras.scripted import ScriptedAgent, running


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other programs, too
            await asyncio.sleep(0.01)


@pytest.fixture
async def agent() -> AsyncIterator[ScriptedAgent]:
    async with running(ScriptedAgent()) as one:
        yield one


@dataclass
class Book:
    """A ledger that remembers."""

    lines: list[tuple[str, object]] = field(default_factory=list)

    async def opening(self, camera_id: str) -> None:
        self.lines.append(("opening", camera_id))

    async def restarted(self, camera_id: str) -> None:
        self.lines.append(("restarted", camera_id))

    async def closed(self, camera_id: str, *, was_on: bool) -> None:
        self.lines.append(("closed", was_on))


@dataclass
class Bench:
    """A relay over a scripted agent."""

    agent: ScriptedAgent
    control: AgentControl
    limits: LiveSettings
    book: Book = field(default_factory=Book)
    gone: bool = False
    relay: Relay = field(init=False)

    def __post_init__(self) -> None:
        self.relay = Relay("camera_1", RelayParts(self.control, lambda: self.limits, self.locate, self.book))

    async def locate(self, _camera_id: str) -> str:
        if self.gone:
            raise NotFoundError("gone")
        return self.agent.address

    def watch(self) -> Viewer:
        viewer = Viewer()
        self.relay.join(viewer)
        return viewer

    @property
    def newest(self) -> int:
        """The number of the newest picture; 0 without one."""
        return 0 if self.relay.frame is None else int(bytes(self.relay.frame.jpeg[2:10]))

    async def advances(self) -> None:
        """Wait for two more pictures."""
        before = self.newest
        await until(lambda: self.newest > before + 1)


@pytest.fixture
async def control(agent: ScriptedAgent) -> AsyncIterator[AgentControl]:
    # The second pair of ports is the agent's: the first ones that are tried answer nothing.
    settings = AgentSettings(ports=(agent.ports.model_copy(update={"control": 1}), agent.ports), timeout_seconds=2)
    client = AgentControl(lambda: settings)
    yield client
    await client.close()


@pytest.fixture
async def bench(agent: ScriptedAgent, control: AgentControl) -> AsyncIterator[Bench]:
    made = Bench(agent, control, LiveSettings(grace_seconds=0.3, stall_seconds=1.0))
    yield made
    async with asyncio.timeout(20):
        await made.relay.close()
