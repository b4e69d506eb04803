"""Bad input: never a 500, always a ``detail``, and never more said than is good."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Site
from tests.protocol.wire import API, CAMERA, EVENT, FILE, LINE, check_problem, raw, refused, statuses

BODIES: dict[str, tuple[str, str, Any]] = {
    "register": ("POST", f"{API}/cameras/register", CAMERA),
    "events": ("POST", f"{API}/events", EVENT),
    "files": ("PATCH", f"{API}/events/{{id}}/files", FILE),
    "status": ("PATCH", f"{API}/events/{{id}}/status", {"status": "complete"}),
    "logs": ("POST", f"{API}/logs", [LINE]),
}
ANY_BODY = pytest.mark.parametrize("name", list(BODIES))


@pytest.fixture
async def event_id(site: Site) -> int:
    await site.register()
    return int((await site.event())["id"])


NO_SUCH_JSON = [
    b"",
    b" ",
    b"{",
    b"[",
    b"{}{}",
    b"{'camera_id': 'camera_1'}",
    b'{"camera_id": "camera_1",}',
    b'{"camera_id": undefined}',
    b"camera_id=camera_1&name=Front",
    b"\x00",
    b"\xff\xfe{\x00}\x00",
    b'\xef\xbb\xbf{"camera_id": "camera_1"}',
    b'{"camera_id": "camera_\xff"}',
    b'{"camera_id": "\xed\xa0\x80"}',
    b'{"camera_id": "\\ud800"}',
    b'{"camera_id": "\\ud83c"}',
    b'{"name": "\x01"}',
    b'{"a": 1' + b"0" * 5000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b"NaN",
    b"-",
    b"1e999999",
    b'"' + b"a" * 100_000 + b'"',
    b"null",
    b"true",
    b"0",
    b'"text"',
]


@ANY_BODY
async def test_what_is_no_such_json_is_refused(site: Site, event_id: int, name: str) -> None:
    method, path, _ = BODIES[name]
    found = await statuses(site, method, path.format(id=event_id), NO_SUCH_JSON)
    assert len(found) == len(NO_SUCH_JSON)
    assert set(found.values()) == {422}, found


@ANY_BODY
async def test_a_body_of_ten_megabytes_is_too_large(site: Site, event_id: int, name: str) -> None:
    method, path, _ = BODIES[name]
    body = b'{"camera_id": "' + b"a" * 10_000_000 + b'"}'

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    for data in (in_pieces(), body):
        headers = {"Content-Length": str(len(body))} if data is body else {}
        async with site.client.request(method, path.format(id=event_id), data=in_pieces(), headers=headers) as response:
            assert ("Content-Length" in response.request_info.headers) == (data is body)
            assert response.status == 413
            check_problem(site, 413, await response.text())


async def test_an_announced_length_is_refused_before_the_body_comes(site: Site) -> None:
    status, _, body = await raw(
        site,
        b"POST /api/v1/events HTTP/1.1\r\nHost: nvr\r\nContent-Length: 10000000\r\n\r\n{",
    )
    assert status == 413
    check_problem(site, 413, body.decode())


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_that_is_not_encoded_as_it_says_is_a_bad_request(site: Site, encoding: str) -> None:
    headers = {"Content-Encoding": encoding}
    await refused(site, 400, "POST", f"{API}/events", data=b"not compressed", headers=headers)


async def test_a_host_that_is_none_is_a_bad_request(site: Site) -> None:
    hosts = [
        b"[",
        b"[::1",
        b"[1:2]",
        b"nvr\xff",
        b"a:b",
        b"nvr:99999999",
        b"nvr/x",
        b"<b>",
        b"nvr@evil",
        b"a b",
    ]
    assert await _statuses_by_host(site, hosts) == {host: {400} for host in hosts}


async def test_any_host_that_is_one_is_answered(site: Site) -> None:
    hosts = [b"nvr", b"nvr.lan:8000", b"192.168.1.2:8000", b"[fd12::1]:8000", b"[::1]", b"my_nvr", b""]
    assert await _statuses_by_host(site, hosts) == {host: {200} for host in hosts}


async def _statuses_by_host(site: Site, hosts: list[bytes]) -> dict[bytes, set[int]]:
    found: dict[bytes, set[int]] = {host: set() for host in hosts}
    for host in hosts:
        for path in (b"/", b"/api/v1/health"):
            status, _, body = await raw(
                site, b"GET %b HTTP/1.1\r\nHost: %b\r\nAccept: text/html\r\n\r\n" % (path, host)
            )
            found[host].add(status)
            if path == b"/" and status == 200 and host:
                assert b"http://%b/api/v1" % host in body  # where agents shall report
    return found


ODD_QUERIES = [
    "limit=%00",
    "limit=%ff",
    "limit=5&limit=x",
    "camera_id=%00",
    "camera_id=%ff%fe",
    "camera_id=%F0%9F%8E%A5",
    "camera_id=%ED%A0%80",
    "camera_id[]=camera_1",
    "date=%00",
    "start_date=2025-10-28T14:30:22%00",
    "start_date=2025-10-28T14:30:22+01:00",
    "&&&=&",
    "%",
    "a" * 4000,
    "&".join(f"a{number}=1" for number in range(500)),
]


async def test_odd_queries_are_no_trouble(site: Site) -> None:
    for query in ODD_QUERIES:
        for path in ("/events", "/logs", "/cameras", "/stats", "/health"):
            status, _, body = await raw(site, f"GET {API}{path}?{query} HTTP/1.1\r\nHost: nvr\r\n\r\n".encode())
            assert status in {200, 422}, (path, query)
            if status == 422:
                check_problem(site, 422, body.decode())


async def test_what_a_client_said_is_not_said_back_at_length(site: Site) -> None:
    """A refusal names fields; it is no echo of megabytes, nor of secrets in wrong fields."""
    body = EVENT | {"camera_id": "secret" * 10_000, "timestamp": "secret" * 10_000}
    async with site.client.post(f"{API}/events", json=body) as response:
        text = await response.text()
    assert response.status == 422
    assert "secret" not in text
    assert len(text) < 2000


async def test_sql_in_values_is_text(site: Site) -> None:
    text = "'; DROP TABLE events; -- %s %(x)s \\' \""
    await site.register(name=text)
    await site.json("POST", f"{API}/logs", json=[LINE | {"source": text, "message": text}])
    assert (await site.json("GET", f"{API}/cameras"))[0]["name"] == text
    found = await site.json("GET", f"{API}/logs", params={"start_date": "2000-01-01", "source": text})
    assert [line["message"] for line in found["logs"]] == [text]
    assert (await site.json("GET", f"{API}/events", params={"camera_id": text}))["total"] == 0


# --- any JSON at all ---------------------------------------------------------------------------------------

TEXT = st.text(max_size=30) | st.sampled_from(
    ["", "\x00", "../a", "2025-10-28T14:30:22", "camera_1", "INFO", "video", "\u202e", "9" * 400]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FUZZ = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)


@st.composite
def _spoiled(draw: st.DrawFn, body: Any) -> Any:
    """A right body with some of its values replaced or left out; or anything."""
    if isinstance(body, list):
        return draw(st.lists(_spoiled(body[0]), max_size=3) | JSON)
    if draw(st.integers(0, 9)) == 0:
        return draw(JSON)
    spoiled = {}
    for name, value in body.items():
        match draw(st.integers(0, 3)):
            case 0:
                spoiled[name] = draw(JSON)
            case 1:
                spoiled[name] = draw(TEXT)
            case _:
                spoiled[name] = value
    return spoiled


@ANY_BODY
@FUZZ
@given(data=st.data())
async def test_any_body_is_taken_or_refused(site: Site, event_id: int, name: str, data: st.DataObject) -> None:
    method, path, right = BODIES[name]
    body = json.dumps(data.draw(_spoiled(right))).encode("utf-8", "surrogatepass")
    async with site.client.request(method, path.format(id=event_id), data=body) as response:
        text = await response.text()
        assert response.status in {200, 201, 400, 404, 422}
        if response.status >= 400:
            check_problem(site, response.status, text)
            return
    if name == "register":
        told, kept = json.loads(body), json.loads(text)
        assert {field: told[field] for field in CAMERA} == {field: kept[field] for field in CAMERA}


@FUZZ
@given(name=st.text(min_size=1, max_size=100), message=st.text(min_size=1, max_size=300))
async def test_any_text_comes_back_as_it_was(site: Site, name: str, message: str) -> None:
    """Through the driver, the database and its JSON: quotes, control characters, planes beyond the first."""
    camera = await site.register(name=name)
    assert camera["name"] == name
    body = [LINE | {"message": f"<{message}>"}]
    await site.json("POST", f"{API}/logs", json=body)
    found = await site.json("GET", f"{API}/logs", params={"start_date": "2000-01-01", "limit": "1"})
    assert found["logs"][0]["message"] == f"<{message}>"


@FUZZ
@given(motion=st.floats(0, allow_infinity=False, allow_nan=False), microsecond=st.integers(0, 10**12))
async def test_any_score_and_microsecond_comes_back_as_it_was(
    site: Site, event_id: int, motion: float, microsecond: int
) -> None:
    day, rest = divmod(microsecond, 86_400 * 10**6)
    second, fraction = divmod(rest, 10**6)
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{fraction:06}"
    timestamp = f"2025-11-{day + 1:02}T{clock}+01:00"
    event = await site.json("POST", f"{API}/events", json=EVENT | {"motion_score": motion, "timestamp": timestamp})
    if event["motion_score"] != motion:  # told before, with another score
        return
    kept = await site.json("GET", f"{API}/events/{event['id']}")
    assert (kept["motion_score"], kept["timestamp"].replace("+01:00", ".000000+01:00")[:26]) == (
        motion,
        timestamp[:26],
    )
