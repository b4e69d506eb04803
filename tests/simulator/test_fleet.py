import asyncio
import contextlib
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from securitycamd.simulator.agent import EventTrace
from securitycamd.simulator.check import check_chain
from securitycamd.simulator.control import NEWER_PORTS, OLDER_PORTS
from securitycamd.simulator.fleet import plan_fleet, run_fleet, running_fleet, with_usable_ports
from securitycamd.simulator.footage import FootageError
from securitycamd.simulator.scenes import Scene
from securitycamd.simulator.share import NEWER, OLDER
from tests.simulator.conftest import FAST, until
from tests.simulator.fake_server import FakeServer


def test_each_camera_has_its_own_name_address_and_moment(scenes: list[Scene]) -> None:
    plans = plan_fleet(scenes, 7)
    assert len({plan.identity.camera_id for plan in plans}) == 7
    assert len({plan.identity.name for plan in plans}) == 7
    assert len({plan.identity.ip_address for plan in plans}) == 7
    assert len({(plan.scene.view.key, plan.offset_seconds) for plan in plans}) == 7
    assert [plan.dialect for plan in plans[:3]] == [OLDER, OLDER, NEWER]
    with pytest.raises(ValueError, match="1 to 240"):
        plan_fleet(scenes, 241)


def test_a_taken_port_makes_way_for_the_newer_agents(scenes: list[Scene]) -> None:
    plan = plan_fleet(scenes, 1)[0]
    plan = replace(plan, identity=replace(plan.identity, ip_address="127.0.99.1"))
    assert with_usable_ports(plan).ports == OLDER_PORTS
    with socket.create_server(("127.0.99.1", OLDER_PORTS.stream)):
        assert with_usable_ports(plan).ports == NEWER_PORTS
        with socket.create_server(("127.0.99.1", NEWER_PORTS.control)):
            assert with_usable_ports(plan).ports is None


def kinds(root: Path) -> set[str]:
    return {path.stem.rpartition("_")[2] for path in root.rglob("*.jpg")}


async def test_a_fleet_runs_and_stops(scenes: list[Scene], server: FakeServer, tmp_path: Path) -> None:
    plans = plan_fleet(scenes, 4, clip_seconds=2.0, pace=FAST, free_ports=True)
    ended: list[EventTrace] = []
    running = asyncio.create_task(run_fleet(plans, server.url, tmp_path, on_event=ended.append))
    await until(lambda: len({trace.camera_id for trace in ended}) == 4)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert {event["status"] for event in server.events.values()} <= {"complete", "processing"}
    assert kinds(tmp_path) == {"a", "b", "picA", "picB", "thumb"}


async def test_a_camera_that_cannot_go_on_ends_the_fleet(
    scenes: list[Scene], server: FakeServer, tmp_path: Path
) -> None:
    damaged = replace(scenes[0], footage=tmp_path / "missing.avi")
    with pytest.raises(ExceptionGroup) as caught:
        async with running_fleet(plan_fleet([damaged], 1, free_ports=True), server.url, tmp_path):
            await asyncio.sleep(5)
    assert caught.group_contains(FootageError)


async def test_the_check_sees_the_whole_chain(scenes: list[Scene], server: FakeServer, tmp_path: Path) -> None:
    plans = plan_fleet(scenes, 3, clip_seconds=2.0, pace=FAST, free_ports=True)
    async with running_fleet(plans, server.url, tmp_path) as cameras:
        results = await check_chain(cameras, server.url, 20.0)
    for result in results:
        assert result.is_complete, result.missing
        steps = [result.pictures_seconds, result.clip_seconds, result.playable_seconds]
        known = [step for step in steps if step is not None]
        assert len(known) == 3
        assert known == sorted(known)
        assert result.described_seconds is not None
        assert result.phrase == "A street in view"


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ("convert", "event 1 lacks its MP4 (conversion is pending)"),
        ("analyse", "event 1 lacks its description"),
        ("register", "the server has not accepted its registration"),
        ("events", "the server has not accepted its event"),
    ],
)
async def test_the_check_says_what_is_missing(
    scenes: list[Scene], server: FakeServer, tmp_path: Path, without: str, missing: str
) -> None:
    server.convert, server.analyse = without != "convert", without != "analyse"
    if without == "register":
        server.faults["/cameras/register"].extend([503] * 1000)
    if without == "events":
        server.faults["/events"].extend([503] * 1000)
    plans = plan_fleet(scenes, 1, clip_seconds=2.0, quiet_seconds=3600.0, pace=FAST, free_ports=True)
    async with running_fleet(plans, server.url, tmp_path) as cameras:
        (result,) = await check_chain(cameras, server.url, 1.5)
    assert not result.is_complete
    assert result.missing == missing
