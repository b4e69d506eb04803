"""What is said on the wire, and what every error must be like."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from tests.conftest import Site

API = "/api/v1"
CAMERA = {
    "camera_id": "camera_1",
    "name": "Front walk",
    "location": "Garden",
    "ip_address": "192.168.1.31",
}
EVENT = {
    "camera_id": "camera_1",
    "timestamp": "2025-10-28T14:30:22.186476",
    "motion_score": 1250.5,
    "confidence_score": 62.0,
}
FILE = {"file_type": "image_a", "file_path": "camera_1/pictures/1_20251028_143022_a.jpg", "transferred": True}
LINE = {
    "source": "camera_1",
    "timestamp": "2025-10-28T14:30:22.186476",
    "level": "INFO",
    "message": "Motion.",
}
# Words of the layers below; none of them may reach a client.
LEAKS = (
    "Traceback",
    "pymysql",
    "aiomysql",
    "sqlalchemy",
    "site-packages",
    "SELECT ",
    "INSERT ",
    "Errno",
    ".py",
)


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    """The body without some of its fields."""
    return {name: value for name, value in body.items() if name not in names}


def check_problem(site: Site, status: int, text: str) -> Any:
    """Hold an error's body to the protocol; its ``detail``."""
    body = json.loads(text)
    detail = body["detail"]
    assert body["status"] == status
    assert body["title"]
    if isinstance(detail, list):
        assert detail
        assert all(entry["msg"] and isinstance(entry["loc"], list) for entry in detail)
    else:
        assert isinstance(detail, str)
        assert detail.strip()
    assert [leak for leak in (*LEAKS, str(site.root)) if leak in text] == []
    return detail


async def refused(site: Site, status: int, method: str, path: str, **arguments: Any) -> Any:
    """Make a request that must be refused with ``status``; the ``detail`` of the reply."""
    async with site.client.request(method, path, **arguments) as response:
        text = await response.text()
        assert response.status == status, f"{method} {path}: {response.status} {text}"
        return check_problem(site, status, text)


async def statuses(site: Site, method: str, path: str, bodies: Iterable[bytes]) -> dict[str, int]:
    """Send each of the bodies; the status of each reply by what was sent. Errors are held to the protocol."""
    found = {}
    for body in bodies:
        async with site.client.request(method, path, data=body) as response:
            found[repr(body[:80])] = response.status
            if response.status >= 400:
                check_problem(site, response.status, await response.text())
    return found


def fields_of(detail: Any) -> set[str]:
    """The fields that a list of field errors names."""
    return {str(part) for entry in detail for part in entry["loc"][-1:]}


async def raw(site: Site, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are, on a connection of their own; status, headers (lower case) and body."""
    server = site.client.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            # Not until the end: a server that refuses a body early waits for the client to notice.
            body = await reader.readexactly(int(headers["content-length"]))
    finally:
        writer.close()
        await writer.wait_closed()
    return int(first.split()[1]), headers, body


async def all_at_once(calls: list[Any], width: int = 50) -> list[Any]:
    """Await the calls, ``width`` at a time."""
    results: list[Any] = []
    for start in range(0, len(calls), width):
        results += await asyncio.gather(*calls[start : start + width])
    return results
