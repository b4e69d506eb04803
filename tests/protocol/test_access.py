"""Who is answered: networks, other sites' pages, methods."""

from collections.abc import Callable
from typing import Any

import pytest

from securitycamd.web.middleware import is_trusted
from tests.conftest import Site
from tests.protocol.wire import API, CAMERA, EVENT, FILE, LINE, check_problem, refused

GUARDED = [
    ("POST", "/api/v1/cameras/register", CAMERA),
    ("GET", "/api/v1/cameras", None),
    ("GET", "/api/v1/cameras/camera_1", None),
    ("GET", "/api/v1/cameras/camera_1/stats", None),
    ("POST", "/api/v1/events", EVENT),
    ("GET", "/api/v1/events", None),
    ("GET", "/api/v1/events/1", None),
    ("GET", "/api/v1/events/1/jobs", None),
    ("PATCH", "/api/v1/events/1/files", FILE),
    ("PATCH", "/api/v1/events/1/status", {"status": "complete"}),
    ("POST", "/api/v1/logs", [LINE]),
    ("GET", "/api/v1/logs", None),
    ("GET", "/api/v1/health/report", None),
    ("GET", "/api/v1/stats", None),
    ("GET", "/api/v1/stats/cameras", None),
    ("GET", "/api/v1/tasks", None),
    ("POST", "/api/v1/tasks/converter/pause", None),
    ("GET", "/api/v1/stream", None),
    ("GET", "/media/camera_1/pictures/a.jpg", None),
]
PUBLIC = ["/api/v1/health", "/", "/docs", "/openapi.json", "/static/app.css"]
UI = "http://ui.example:3000"


class TestNetworks:
    @pytest.fixture
    async def stranger(self, make_site: Callable[..., Any]) -> Site:
        """A site that we, on 127.0.0.1, are strangers to."""
        site: Site = await make_site(agents={"trusted_networks": ["10.0.0.0/8"]})
        return site

    async def test_a_stranger_is_answered_nothing(self, stranger: Site) -> None:
        for method, path, body in GUARDED:
            await refused(stranger, 403, method, path, json=body)
            await refused(stranger, 403, method, path, data=b"{")  # before the body is looked at

    async def test_but_what_is_public(self, stranger: Site) -> None:
        for path in PUBLIC:
            for method in ("GET", "HEAD"):
                async with stranger.client.request(method, path) as response:
                    assert response.status == 200, path

    async def test_pages_say_so_and_show_nothing(self, stranger: Site) -> None:
        for path in ("/", "/events/1"):
            async with stranger.client.get(path, headers={"Accept": "text/html"}) as response:
                page = await response.text()
                assert (response.status, response.content_type) == (403, "text/html")
            assert "cameras online" not in page

    async def test_what_is_said_of_addresses_is_not_believed(self, stranger: Site) -> None:
        headers = {"X-Forwarded-For": "10.0.0.1", "Forwarded": "for=10.0.0.1", "X-Real-IP": "10.0.0.1"}
        await refused(stranger, 403, "GET", f"{API}/events", headers=headers)

    async def test_an_unknown_address_tells_no_more_than_a_known_one(self, stranger: Site) -> None:
        await refused(stranger, 404, "GET", f"{API}/nothing")

    async def test_a_stranger_does_not_mark_a_camera_as_heard_of(
        self, stranger: Site, make_site: Callable[..., Any]
    ) -> None:
        async with stranger.client.get(f"{API}/health", headers={"User-Agent": "SecurityCamera/camera_1"}) as response:
            assert response.status == 200
        site: Site = await make_site()
        await site.register()
        async with site.shared.database.session() as session:
            await session.script("UPDATE cameras SET last_seen = '2020-01-01'")
        await stranger.shared.cameras.write_heard()
        assert (await site.json("GET", f"{API}/cameras/camera_1"))["status"] == "offline"

    @pytest.mark.parametrize(
        ("address", "expected"),
        [
            ("127.0.0.1", True),
            ("10.255.0.1", True),
            ("172.16.0.1", True),
            ("172.32.0.1", False),
            ("192.168.1.31", True),
            ("192.169.0.1", False),
            ("8.8.8.8", False),
            ("::1", True),
            ("fe80::1%eth0", True),
            ("fd12::1", True),
            ("2001:db8::1", False),
            ("::ffff:192.168.1.31", True),
            ("::ffff:8.8.8.8", False),
            ("", False),
            ("nvr.lan", False),
        ],
    )
    async def test_trusted_by_default_are_the_networks_of_a_home(
        self, site: Site, address: str, expected: bool
    ) -> None:
        assert is_trusted(address, site.settings.current.agents.trusted_networks) is expected


class TestOtherSites:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "\xff"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "cross-site", "Origin": UI},
        ],
    )
    async def test_a_page_of_another_site_may_change_nothing(self, site: Site, headers: dict[str, str]) -> None:
        for method, path, body in GUARDED:
            if method != "GET":
                await refused(site, 403, method, path, json=body, headers=headers)
        assert await site.json("GET", f"{API}/cameras") == []

    async def test_a_page_of_ours_may(self, site: Site) -> None:
        ours = str(site.client.make_url("/").origin())
        for headers in (
            {"Origin": ours},
            {"Origin": ours, "Sec-Fetch-Site": "same-origin"},
            {"Sec-Fetch-Site": "none"},
        ):
            await site.json("POST", f"{API}/cameras/register", json=CAMERA, headers=headers)

    async def test_without_the_setting_no_other_site_reads(self, site: Site) -> None:
        async with site.client.get(f"{API}/events", headers={"Origin": UI}) as response:
            assert "Access-Control-Allow-Origin" not in response.headers
        preflight = {"Origin": UI, "Access-Control-Request-Method": "POST"}
        async with site.client.options(f"{API}/events", headers=preflight) as response:
            assert response.status == 405
            assert "Access-Control-Allow-Origin" not in response.headers

    async def test_the_sites_of_the_setting_read_and_write(self, make_site: Callable[..., Any]) -> None:
        site: Site = await make_site(server={"cors_origins": [UI]})
        preflight = {
            "Origin": UI,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "content-type",
        }
        async with site.client.options(f"{API}/events/1/status", headers=preflight) as response:
            assert response.status in {200, 204}
            assert response.headers["Access-Control-Allow-Origin"] == UI
            assert "PATCH" in response.headers["Access-Control-Allow-Methods"]
            assert response.headers["Access-Control-Allow-Headers"].lower() == "content-type"
        headers = {"Origin": UI, "Sec-Fetch-Site": "cross-site"}
        register = site.client.post(f"{API}/cameras/register", json=CAMERA, headers=headers)
        missing = site.client.get(f"{API}/events/9", headers=headers)
        for request, status in ((register, 201), (missing, 404)):
            async with request as response:
                assert response.status == status
                assert response.headers["Access-Control-Allow-Origin"] == UI
                assert "Origin" in ", ".join(response.headers.getall("Vary"))
        await refused(site, 403, "POST", f"{API}/events", json=EVENT, headers={"Origin": "http://evil.example"})
        async with site.client.get(f"{API}/events", headers={"Origin": "http://evil.example"}) as response:
            assert "Access-Control-Allow-Origin" not in response.headers


class TestMethods:
    async def test_a_method_that_an_address_does_not_take(self, site: Site) -> None:
        for method, path, allowed in [
            ("DELETE", "/api/v1/events", {"GET", "HEAD", "POST"}),
            ("PUT", "/api/v1/events/1/files", {"PATCH"}),
            ("POST", "/api/v1/events/1/files", {"PATCH"}),
            ("POST", "/api/v1/events/1", {"DELETE", "GET", "HEAD", "PATCH"}),
            ("PATCH", "/api/v1/logs", {"GET", "HEAD", "POST"}),
            ("POST", "/api/v1/health", {"GET", "HEAD"}),
            ("OPTIONS", "/api/v1/health", {"GET", "HEAD"}),
            ("POST", "/", {"GET", "HEAD"}),
            ("POST", "/static/app.css", {"GET", "HEAD"}),
        ]:
            async with site.client.request(method, path) as response:
                assert response.status == 405, path
                assert set(response.headers["Allow"].split(",")) == allowed
                check_problem(site, 405, await response.text())

    async def test_head_is_get_without_the_body(self, site: Site) -> None:
        await site.register()
        await site.event()
        for path in [path for method, path, _ in GUARDED if method == "GET"] + PUBLIC:
            async with site.client.get(path) as whole, site.client.head(path) as head:
                assert await head.read() == b""
                assert (head.status, head.content_type) == (whole.status, whole.content_type), path

    async def test_every_reply_has_a_request_id_of_its_own(self, site: Site) -> None:
        ids = set()
        for path in (f"{API}/health", f"{API}/events/9", f"{API}/nothing", "/"):
            async with site.client.get(path) as response:
                ids.add(response.headers["X-Request-ID"])
                assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert len(ids) == 4
