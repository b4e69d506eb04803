"""What never becomes a request is answered like every other error."""

import asyncio
import json

import pytest
from aiohttp import web

from securitycamd.web.server import ProblemRunner


async def _reply_to(request: bytes) -> tuple[bytes, dict[str, object]]:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    runner = ProblemRunner(app, handle_signals=False, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])
        writer.write(request)
        head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
        writer.close()
        return head, json.loads(body) if b"json" in head else {}
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nBad Header\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
async def test_what_cannot_be_read_gets_a_problem_without_the_parsers_words(request_bytes: bytes) -> None:
    head, body = await _reply_to(request_bytes)
    assert head.startswith((b"HTTP/1.0 4", b"HTTP/1.1 4"))
    assert body["detail"] == "This is not a request that can be read."
    assert set(body) == {"title", "status", "detail"}


async def test_requests_are_answered_as_ever() -> None:
    head, _ = await _reply_to(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
