"""Several simulated cameras at once: for the demo, for tests, for load."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from securitycamd.simulator.agent import AgentPlan, EventTrace, SimulatedCamera
from securitycamd.simulator.control import FREE_PORTS, NEWER_PORTS, OLDER_PORTS
from securitycamd.simulator.scenes import Scene
from securitycamd.simulator.share import NEWER, OLDER
from securitycamd.simulator.upload import Delivery
from securitycamd.simulator.wire import REAL_TIME, AgentIdentity, Pace

Deliver = Literal["share", "upload", "mixed"]
NEWER_EVERY: Final = 3
"""Each third camera speaks the newer agents' dialect."""
FIRST_ADDRESS: Final = 11
MOST_CAMERAS: Final = 240
OFFSET_SECONDS: Final = 7.0


def plan_fleet(
    scenes: Sequence[Scene],
    cameras: int = 3,
    *,
    clip_seconds: float = 45.0,
    quiet_seconds: float = 30.0,
    quiet_growth: float = 1.0,
    pace: Pace = REAL_TIME,
    free_ports: bool = False,
    deliver: Deliver = "share",
) -> list[AgentPlan]:
    """Plans for some cameras, each with a loopback address of its own, so that all can use the agents' ports.

    Args:
        scenes: what there is to look at; with more cameras than scenes they begin elsewhere in the same loop.
        cameras: how many; at most 240.
        clip_seconds: how long their clips are.
        quiet_seconds: how long each waits after an event.
        quiet_growth: by what that wait grows with each event.
        pace: shortens all their waits.
        deliver: how their files come to the server; mixed: each second camera sends them over HTTP.
        free_ports: let each take free ports, when something else may listen on the agents' own.
    """
    if not 1 <= cameras <= MOST_CAMERAS:
        raise ValueError(f"a fleet has 1 to {MOST_CAMERAS} cameras")
    plans = []
    for number in range(1, cameras + 1):
        scene = scenes[(number - 1) % len(scenes)]
        lap = (number - 1) // len(scenes)
        identity = AgentIdentity(
            camera_id=f"camera_{number}",
            name=scene.view.name if lap == 0 else f"{scene.view.name} {lap + 1}",
            location=scene.view.location,
            # The whole of 127/8 is this machine; from .11 on nothing else is likely to listen.
            ip_address=f"127.0.1.{FIRST_ADDRESS + number - 1}",
        )
        newer = number % NEWER_EVERY == 0
        plan = AgentPlan(
            identity,
            scene,
            # A step that no loop's length is a multiple of: cameras on one scene do not move together.
            offset_seconds=OFFSET_SECONDS * (number - 1),
            dialect=NEWER if newer else OLDER,
            ports=FREE_PORTS if free_ports else NEWER_PORTS if newer else OLDER_PORTS,
            clip_seconds=clip_seconds,
            quiet_seconds=quiet_seconds,
            quiet_growth=quiet_growth,
            pace=pace,
            delivery=Delivery.UPLOAD
            if deliver == "upload" or (deliver == "mixed" and number % 2 == 0)
            else Delivery.SHARE,
            cut_uploads=True,
        )
        plans.append(plan)
    return plans


def with_usable_ports(plan: AgentPlan) -> AgentPlan:
    """The plan, with the newer agents' ports or none where something else listens on its own."""
    for ports in (plan.ports, NEWER_PORTS):
        if ports is not None and all(
            _is_free(plan.identity.ip_address, port) for port in (ports.control, ports.stream)
        ):
            return replace(plan, ports=ports)
    return replace(plan, ports=None)


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


@asynccontextmanager
async def running_fleet(
    plans: Sequence[AgentPlan],
    server_url: str,
    storage_root: Path,
    *,
    on_event: Callable[[EventTrace], None] = lambda _: None,
) -> AsyncGenerator[list[SimulatedCamera]]:
    """Cameras that live while the context is open.

    A camera that cannot go on ends the context with its error; leaving the context stops all.
    """
    cameras = [SimulatedCamera(plan, server_url, storage_root, on_event=on_event) for plan in plans]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(camera.run()) for camera in cameras]
        try:
            yield cameras
        finally:
            for task in tasks:
                task.cancel()


async def run_fleet(
    plans: Sequence[AgentPlan],
    server_url: str,
    storage_root: Path,
    *,
    on_event: Callable[[EventTrace], None] = lambda _: None,
) -> None:
    """Run cameras until cancelled."""
    async with running_fleet(plans, server_url, storage_root, on_event=on_event):
        await asyncio.Event().wait()
