"""The version of whatever answers at the AI server's address."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from securitycamd.ai.version import server_version
from tests.harness import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


@asynccontextmanager
async def answering(reply: bytes, heard: list[bytes] | None = None) -> AsyncIterator[str]:
    """The address of a server that says this to everybody."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(request)
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def body(text: bytes) -> bytes:
    return OK % (len(text), text)


@pytest.mark.parametrize(
    ("reply", "version"),
    [
        (body(b'{"version": "0.12.3"}'), "0.12.3"),
        (body(b'{"version": "%b"}' % (b"9" * 100)), "9" * 40),
        (body(b'{"version": 3}'), None),
        (body(b"[1]"), None),
        (body(b"<html>"), None),
        (body(b"[" * 4000), None),
        (b"220 mail.example.org ESMTP\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", None),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", None),
        (b"", None),
    ],
)
async def test_whatever_answers(reply: bytes, version: str | None) -> None:
    async with answering(reply) as address:
        assert await asyncio.to_thread(server_version, f"http://{address}", 10.0) == version


async def test_a_login_in_the_address_is_sent_and_no_part_of_it_asked_for() -> None:
    heard: list[bytes] = []
    async with answering(body(b'{"version": "1"}'), heard) as address:
        assert await asyncio.to_thread(server_version, f"http://eve:p%40ss@{address}/ai", 10.0) == "1"
    assert heard[0].startswith(b"GET /ai/api/version ")
    assert base64.b64encode(b"eve:p@ss") in heard[0]
    assert b"eve" not in heard[0]


async def test_nobody_that_a_reply_points_to_is_asked() -> None:
    heard: list[bytes] = []
    async with answering(body(b'{"version": "1"}'), heard) as elsewhere:
        moved = b"HTTP/1.1 302 Found\r\nLocation: http://%b/\r\nContent-Length: 0\r\n\r\n" % elsewhere.encode()
        async with answering(moved) as address:
            assert await asyncio.to_thread(server_version, f"http://{address}", 10.0) is None
    assert heard == []


async def test_nobody_there() -> None:
    assert await asyncio.to_thread(server_version, f"http://127.0.0.1:{free_port()}", 10.0) is None
