"""Agents that stream real footage: control API and stream of the simulator, without events."""

import itertools
import os
import random
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from securitycamd.simulator.control import OLDER_PORTS, AgentServer
from securitycamd.simulator.footage import prepare_assets
from securitycamd.simulator.scenes import STREAM_SIZE, FrameReader, jpeg, prepare_scenes

FRAMES: Final = 40
FRAME_SECONDS: Final = 0.1
_numbers = itertools.count(10)
_network = random.Random(os.getpid())
_NET: Final = f"127.{_network.randint(20, 250)}.{_network.randint(1, 250)}"


def free_address() -> str:
    """A loopback address of its own, on which the agents' ports are free."""
    while True:
        address = f"{_NET}.{next(_numbers)}"
        try:
            for port in (OLDER_PORTS.control, OLDER_PORTS.stream):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((address, port))
        except OSError:
            continue
        return address


def footage_pictures(scene: int = 0) -> list[bytes]:
    """Some seconds of a scene as 1280x720 JPEGs, 10 a second."""
    scenes = prepare_scenes(prepare_assets(report=lambda _: None), report=lambda _: None)
    reader = FrameReader(scenes[scene % len(scenes)])
    try:
        return [jpeg(reader.frame(number * FRAME_SECONDS), STREAM_SIZE) for number in range(FRAMES)]
    finally:
        reader.close()


@dataclass
class Streamer:
    """One agent that can be watched."""

    camera_id: str
    name: str
    address: str
    server: AgentServer

    @property
    def most_connections(self) -> int:
        """How many were connected to its stream at once, at most."""
        return self.server.most_viewers

    @property
    def streaming(self) -> bool:
        """Whether it was told to stream."""
        return self.server.streaming


@asynccontextmanager
async def streaming_agent(
    camera_id: str, name: str, pictures: Sequence[bytes], *, address: str | None = None, offset: int = 0
) -> AsyncIterator[Streamer]:
    """One agent at an address of its own; the same ``address`` again is the agent restarted."""
    address = address or free_address()

    async def frame() -> bytes:
        return pictures[(int(time.monotonic() / FRAME_SECONDS) + offset) % len(pictures)]

    server = AgentServer(
        camera_id=camera_id,
        name=name,
        host=address,
        ports=OLDER_PORTS,
        frames=frame,
        motion_state=lambda: "paused",
        on_streaming=lambda _: None,
        startup_seconds=0.3,
    )
    async with server:
        yield Streamer(camera_id, name, address, server)


@asynccontextmanager
async def streaming_agents(names: Sequence[str], pictures: Sequence[Sequence[bytes]]) -> AsyncIterator[list[Streamer]]:
    """One agent a name, ``camera_1`` and so on; all look at something else, or at another moment."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                streaming_agent(f"camera_{number}", name, pictures[number % len(pictures)], offset=number * 5)
            )
            for number, name in enumerate(names, 1)
        ]


def every_scene() -> list[list[bytes]]:
    """The pictures of all scenes."""
    return [footage_pictures(scene) for scene in range(3)]
