"""Live pictures over HTTP: the socket, the endless image, the still, and who may not have them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType

from securitycamd.cameras.multipart import PictureParser
from securitycamd.web import live_pages
from tests.cameras.conftest import until
from tests.cameras.scripted import HEAD, ScriptedAgent, part, picture, running
from tests.conftest import Site

BROWSER = "Mozilla/5.0 (X11; Linux x86_64)"
MakeSite = Callable[..., Any]


@pytest.fixture
async def agents() -> AsyncIterator[list[ScriptedAgent]]:
    """Two cameras on addresses of their own, with the same ports."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running(ScriptedAgent()))
        second = ScriptedAgent(camera_id="camera_2", address="127.0.0.2", ports=first.ports)
        yield [first, await stack.enter_async_context(running(second))]


@pytest.fixture
async def make_live_site(make_site: MakeSite, agents: list[ScriptedAgent]) -> AsyncIterator[MakeSite]:
    made: list[Site] = []

    async def make(**live: Any) -> Site:
        site: Site = await make_site(
            agents={"ports": [agents[0].ports.model_dump()], "timeout_seconds": 2},
            live={"grace_seconds": 0.2, "stall_seconds": 1.0} | live,
        )
        for agent in agents:
            await site.register(agent.camera_id, ip_address=agent.address)
        made.append(site)
        return site

    yield make
    for site in made:
        await site.shared.live.stop(5)
        await site.shared.live.close()


@pytest.fixture
async def site(make_live_site: MakeSite) -> Site:
    made: Site = await make_live_site()
    return made


def seen(message: aiohttp.WSMessage) -> tuple[str, int]:
    """Camera and number of a picture."""
    assert message.type is WSMsgType.BINARY
    length = message.data[0]
    jpeg = message.data[1 + length :]
    assert jpeg.startswith(b"\xff\xd8")
    assert jpeg.endswith(b"\xff\xd9")
    return message.data[1 : 1 + length].decode(), int(jpeg[2:10])


async def next_state(socket: aiohttp.ClientWebSocketResponse, state: str) -> dict[str, Any]:
    """The next message that tells this state."""
    async with asyncio.timeout(20):
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                told: dict[str, Any] = json.loads(message.data)
                if told["state"] == state:
                    return told
    raise AssertionError(f"the socket ended without {state}")


async def test_one_socket_brings_all_cameras(site: Site, agents: list[ScriptedAgent]) -> None:
    numbers: dict[str, list[int]] = {"camera_1": [], "camera_2": []}
    async with site.client.ws_connect("/live/socket") as socket:
        await socket.send_json({"watch": ["camera_1", "camera_2"]})
        async with asyncio.timeout(20):
            async for message in socket:
                if message.type is WSMsgType.BINARY:
                    camera, number = seen(message)
                    numbers[camera].append(number)
                if all(len(found) > 10 for found in numbers.values()):
                    break
        assert all(found == sorted(set(found)) for found in numbers.values())
        told = await site.json("GET", "/api/v1/live")
        assert [(each["camera"], each["state"], each["viewers"]) for each in told] == [
            ("camera_1", "live", 1),
            ("camera_2", "live", 1),
        ]
        await socket.send_json({"leave": ["camera_1"]})
        await until(lambda: not agents[0].streaming)
        assert agents[1].streaming
    await until(lambda: not agents[1].streaming)
    assert [agent.connections for agent in agents] == [1, 1]


async def test_state_is_told_before_the_pictures(site: Site) -> None:
    async with site.client.ws_connect("/live/socket") as socket:
        await socket.send_json({"watch": ["camera_1"]})
        first = await socket.receive_json()
        assert (first["camera"], first["state"]) == ("camera_1", "starting")
        live = await next_state(socket, "live")
        assert live["viewers"] == 1
        assert live["ends_in_seconds"] > 29 * 60
        assert seen(await socket.receive())[0] == "camera_1"


async def test_a_camera_that_is_not_there_is_said_so_and_the_rest_goes_on(site: Site) -> None:
    async with site.client.ws_connect("/live/socket") as socket:
        await socket.send_json({"watch": ["camera_404", "camera_1"]})
        ended = await next_state(socket, "ended")
        assert ended["camera"] == "camera_404"
        assert "no camera" in ended["reason"]
        assert (await next_state(socket, "live"))["camera"] == "camera_1"


async def test_offline_says_why_and_when_it_is_tried_again(site: Site, agents: list[ScriptedAgent]) -> None:
    agents[0].camera_id = "camera_9"
    async with site.client.ws_connect("/live/socket") as socket:
        await socket.send_json({"watch": ["camera_1"]})
        told = await next_state(socket, "offline")
        assert "Another camera" in told["reason"]
        assert told["retry_in_seconds"] > 0
        agents[0].camera_id = "camera_1"
        await site.register("camera_1", ip_address=agents[0].address)  # it has restarted: no need to wait
        await next_state(socket, "live")


async def test_the_time_limit_is_told_and_watching_again_works(make_live_site: MakeSite) -> None:
    site = await make_live_site(max_minutes=1 / 60)
    async with site.client.ws_connect("/live/socket") as socket:
        for _ in range(2):
            await socket.send_json({"watch": ["camera_1"]})
            await next_state(socket, "live")
            assert (await next_state(socket, "ended"))["reason"] == "time limit"


@pytest.mark.parametrize("text", ["{", "[]", '{"watch": "camera_1"}', '{"watch": ["../etc"]}', '"x"'])
async def test_what_is_not_understood_ends_the_socket(site: Site, text: str) -> None:
    async with site.client.ws_connect("/live/socket") as socket:
        await socket.send_str(text)
        message = await socket.receive(timeout=10)
        assert message.type is WSMsgType.CLOSE
        assert message.data == aiohttp.WSCloseCode.INVALID_TEXT


async def test_a_page_of_another_site_gets_no_socket(site: Site) -> None:
    for headers in ({"Origin": "http://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await site.client.ws_connect("/live/socket", headers=headers)
        assert refused.value.status == 403
    own = f"http://{site.client.host}:{site.client.port}"
    async with site.client.ws_connect("/live/socket", headers={"Origin": own}):
        pass


async def test_no_socket_without_an_upgrade(site: Site) -> None:
    await site.json("GET", "/live/socket", status=400)


async def test_too_many_are_told_to_come_again(make_live_site: MakeSite) -> None:
    site = await make_live_site(max_viewers=1)
    async with site.client.ws_connect("/live/socket"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await site.client.ws_connect("/live/socket")
        assert refused.value.status == 503


async def big(agent: ScriptedAgent, writer: asyncio.StreamWriter) -> None:
    """As :func:`steady`, with pictures of a real size."""
    writer.write(HEAD)
    while True:
        agent.pictures += 1
        writer.write(part(picture(agent.pictures, 200_000)))
        await writer.drain()
        await asyncio.sleep(0.02)


async def one_and_no_more(agent: ScriptedAgent, writer: asyncio.StreamWriter) -> None:
    """A single picture; then nothing, for ever."""
    agent.pictures += 1
    writer.write(HEAD + part(picture(agent.pictures)))
    await writer.drain()
    await asyncio.Event().wait()


async def test_a_viewer_that_reads_nothing_is_let_go_and_harms_nobody(site: Site, agents: list[ScriptedAgent]) -> None:
    agents[0].script = big
    reader, writer = await asyncio.open_connection(site.client.host, site.client.port, limit=1024)
    handshake = (
        "GET /live/socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    wish = b'{"watch":["camera_1"]}'
    writer.write(handshake.encode() + bytes((0x81, 0x80 | len(wish), 0, 0, 0, 0)) + wish)
    await until(lambda: site.shared.live._viewers == 1)
    async with site.client.ws_connect("/live/socket", max_msg_size=0) as other:
        await other.send_json({"watch": ["camera_1"]})
        numbers: list[int] = []
        async with asyncio.timeout(30):
            async for message in other:
                if message.type is WSMsgType.BINARY:
                    numbers.append(seen(message)[1])
                if len(numbers) > 20 and site.shared.live._viewers == 1:
                    break  # the other one is gone, and pictures came all the time
        assert numbers == sorted(set(numbers))
    writer.close()
    del reader


async def test_sockets_and_streams_end_with_the_server(site: Site, agents: list[ScriptedAgent]) -> None:
    async with site.client.ws_connect("/live/socket") as watching, site.client.ws_connect("/live/socket") as idle:
        await watching.send_json({"watch": ["camera_1"]})
        await next_state(watching, "live")
        application = site.client.app
        assert application is not None

        async def read(socket: aiohttp.ClientWebSocketResponse) -> int | None:
            async for _ in socket:
                pass
            return socket.close_code

        async with asyncio.timeout(20):
            *codes, _, _ = await asyncio.gather(
                read(watching), read(idle), application.shutdown(), site.shared.live.stop(5)
            )
        assert codes == [aiohttp.WSCloseCode.GOING_AWAY] * 2
    assert not agents[0].streaming


async def test_the_endless_image(site: Site, agents: list[ScriptedAgent]) -> None:
    async with site.client.get("/live/camera_1.mjpeg") as response:
        assert response.status == 200
        assert response.content_type == "multipart/x-mixed-replace"
        parser = PictureParser(b"FRAME", 100_000)
        numbers: list[int] = []
        async with asyncio.timeout(20):
            async for data in response.content.iter_any():
                numbers += [int(picture[2:10]) for picture in parser.feed(data)]
                if len(numbers) > 10:
                    break
    assert numbers == sorted(set(numbers))
    assert parser.broken == 0
    await until(lambda: not agents[0].streaming)


async def test_the_endless_image_ends_with_the_stream(make_live_site: MakeSite) -> None:
    site = await make_live_site(max_minutes=1 / 60)
    async with asyncio.timeout(20), site.client.get("/live/camera_1.mjpeg") as response:
        await response.read()


async def test_who_leaves_the_endless_image_while_no_picture_comes_is_not_kept(
    make_live_site: MakeSite, agents: list[ScriptedAgent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_pages, "LOOK_SECONDS", 0.1)
    agents[0].script = one_and_no_more
    site = await make_live_site(stall_seconds=60)
    async with site.client.get("/live/camera_1.mjpeg") as response:
        await response.content.readuntil(b"\xff\xd9")
        assert site.shared.live._viewers == 1
    await until(lambda: not site.shared.live._viewers)
    await until(lambda: not agents[0].streaming)
    assert agents[0].pictures == 1


async def test_the_endless_image_of_a_camera_that_is_away_is_an_error(site: Site, agents: list[ScriptedAgent]) -> None:
    agents[0].camera_id = "camera_9"
    told = await site.json("GET", "/live/camera_1.mjpeg", status=503)
    assert "Another camera" in told["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"User-Agent": BROWSER, "Sec-Fetch-Site": "same-origin"}, 200),
        ({"User-Agent": BROWSER, "Sec-Fetch-Site": "none"}, 200),
        ({"User-Agent": BROWSER, "Referer": "http://{host}/live/camera_1"}, 200),
        ({"User-Agent": BROWSER}, 403),
        ({"User-Agent": BROWSER, "Sec-Fetch-Site": "cross-site"}, 403),
        ({"User-Agent": BROWSER, "Sec-Fetch-Site": "same-site"}, 403),
        ({"User-Agent": BROWSER, "Referer": "http://elsewhere.example/"}, 403),
        ({"User-Agent": BROWSER, "Referer": "http://elsewhere.example/", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_a_page_of_another_site_cannot_blind_a_camera_with_an_image(
    site: Site, agents: list[ScriptedAgent], headers: dict[str, str], status: int
) -> None:
    host = f"{site.client.host}:{site.client.port}"
    sent = {name: value.format(host=host) for name, value in headers.items()}
    async with site.client.get("/live/camera_1.mjpeg", headers=sent) as response:
        assert response.status == status
    assert agents[0].starts == (status == 200)


async def test_asking_about_it_starts_nothing(site: Site, agents: list[ScriptedAgent]) -> None:
    async with site.client.head("/live/camera_1.mjpeg") as response:
        assert response.status == 200
    async with site.client.head("/live/camera_404.mjpeg") as response:
        assert response.status == 404
    await site.json("GET", "/live/camera_404.mjpeg", status=404)
    for path in ("/live", "/live/camera_1", "/api/v1/live"):
        async with site.client.get(path, headers={"Accept": "text/html"}) as response:
            assert response.status == 200
    assert [agent.starts for agent in agents] == [0, 0]


async def test_the_still(site: Site) -> None:
    problem = await site.json("GET", "/live/camera_1.jpg", status=409)
    assert "Nobody watches" in problem["detail"]
    await site.json("GET", "/live/camera_404.jpg", status=404)
    async with site.client.ws_connect("/live/socket") as socket:
        await socket.send_json({"watch": ["camera_1"]})
        await next_state(socket, "live")
        async with site.client.get("/live/camera_1.jpg?download=1") as response:
            assert response.status == 200
            assert response.content_type == "image/jpeg"
            assert response.headers["Cache-Control"] == "no-store"
            assert 'filename="Front walk 2' in response.headers["Content-Disposition"]
            assert (await response.read()).startswith(b"\xff\xd8")
