"""Calls to agents: which are made, and what comes of answers of any kind."""

import asyncio
from ipaddress import ip_network

import pytest

from securitycamd.cameras.addresses import checked_host
from securitycamd.cameras.control import AgentControl
from securitycamd.domain.errors import CameraUnavailableError
from securitycamd.settings import AgentSettings
from tests.cameras.scripted import ScriptedAgent

NETWORKS = AgentSettings().trusted_networks


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("192.168.1.31", "192.168.1.31"),
        (" 10.0.0.1 ", "10.0.0.1"),
        ("::ffff:192.168.1.31", "192.168.1.31"),
        ("fd00::7", "[fd00::7]"),
    ],
)
def test_addresses_in_trusted_networks_are_called(address: str, host: str) -> None:
    assert checked_host(address, NETWORKS) == host


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "169.254.169.254",
        "0.0.0.0",
        "camera.local",
        "",
        "127.0.0.1:80",
        "127.0.0.1@8.8.8.8",
        "::ffff:8.8.8.8",
    ],
)
def test_others_are_not(address: str) -> None:
    with pytest.raises(CameraUnavailableError):
        checked_host(address, NETWORKS)


def test_multicast_is_not_called_even_where_it_is_trusted() -> None:
    with pytest.raises(CameraUnavailableError):
        checked_host("224.0.0.1", (ip_network("0.0.0.0/0"),))


async def test_start_and_stop_are_done_when_they_were_done_already(agent: ScriptedAgent, control: AgentControl) -> None:
    first = await control.start_stream("camera_1", agent.address)
    second = await control.start_stream("camera_1", agent.address)
    assert first.url == second.url == f"http://127.0.0.1:{agent.ports.stream}/stream.mjpg"
    assert (first.was_off, second.was_off) == (True, False)
    assert await control.stop_stream("camera_1", agent.address)
    assert not await control.stop_stream("camera_1", agent.address)
    assert not agent.streaming


async def test_how_it_is(agent: ScriptedAgent, control: AgentControl) -> None:
    told = await control.ask("camera_1", agent.address)
    assert (told.version, told.is_streaming, told.uptime_seconds, told.motion_state) == (None, False, 5.0, None)
    assert told.clock_offset_seconds == pytest.approx(0, abs=3)


async def test_an_address_that_went_to_another_camera_is_noticed(agent: ScriptedAgent, control: AgentControl) -> None:
    await control.ask("camera_1", agent.address)
    agent.camera_id = "camera_9"
    with pytest.raises(CameraUnavailableError, match="Another camera"):
        await control.ask("camera_1", agent.address)
    # And not only where it was asked how it is.
    with pytest.raises(CameraUnavailableError, match="Another camera"):
        await control.start_stream("camera_1", agent.address)


async def test_another_camera_at_the_address_is_not_started(agent: ScriptedAgent, control: AgentControl) -> None:
    agent.camera_id = "camera_9"
    with pytest.raises(CameraUnavailableError, match="Another camera"):
        await control.start_stream("camera_1", agent.address)
    assert agent.starts == 0


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>a printer</html>"),
        (200, b"[1, 2]"),
        (200, b"{" + b" " * 200_000 + b"}"),
        (302, b"{}"),
        (500, b"{}"),
        (404, b""),
    ],
)
async def test_what_is_no_agent_is_said_to_be_none(
    agent: ScriptedAgent, control: AgentControl, status: int, body: bytes
) -> None:
    agent.status, agent.body = status, body
    with pytest.raises(CameraUnavailableError):
        await control.ask("camera_1", agent.address)


async def test_an_agent_that_says_nothing_is_waited_for_so_long_and_no_longer(
    agent: ScriptedAgent, control: AgentControl
) -> None:
    await control.ask("camera_1", agent.address)
    agent.answers = False
    async with asyncio.timeout(10):
        with pytest.raises(CameraUnavailableError, match="in time"):
            await control.start_stream("camera_1", agent.address)


async def test_nobody_there(control: AgentControl) -> None:
    with pytest.raises(CameraUnavailableError, match="cannot be reached"):
        await control.stop_stream("camera_1", "127.0.0.9")
