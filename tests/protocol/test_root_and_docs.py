"""``/``, ``/docs``, ``/openapi.json``, and addresses where there is nothing."""

import json
import re

import pytest

from tests.conftest import Site
from tests.protocol.wire import API, check_problem, raw, refused

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "", "text/plain", "application/xhtml+xml"])
async def test_a_program_finds_out_where_the_api_is(site: Site, accept: str) -> None:
    root = await site.json("GET", "/", headers={"Accept": accept}, status=200)
    assert root["docs"] == "/docs"
    assert root["health"] == f"{API}/health"
    for path in (root["docs"], root["health"], root["openapi"]):
        async with site.client.get(path) as response:
            assert response.status == 200


async def test_a_client_that_says_nothing_of_what_it_accepts_is_a_program(site: Site) -> None:
    status, headers, body = await raw(site, b"GET / HTTP/1.1\r\nHost: nvr\r\nConnection: close\r\n\r\n")
    assert (status, headers["content-type"].partition(";")[0]) == (200, "application/json")
    assert json.loads(body)["docs"] == "/docs"


@pytest.mark.parametrize("accept", [BROWSER, "text/html", "application/json, text/html;q=0.5"])
async def test_a_browser_gets_the_gallery(site: Site, accept: str) -> None:
    async with site.client.get("/", headers={"Accept": accept}) as response:
        assert (response.status, response.content_type) == (200, "text/html")
        assert "<h1>Events</h1>" in await response.text()
        assert "Accept" in response.headers.getall("Vary")


async def test_the_reference_is_a_page_over_our_own_document_and_assets(site: Site) -> None:
    async with site.client.get("/docs", headers={"Accept": BROWSER}) as response:
        page = await response.text()
        assert (response.status, response.content_type) == (200, "text/html")
        assert "/openapi.json" in page
        own = str(site.client.make_url("/")).rstrip("/")
        assert f"curl &#39;{own}{API}/health&#39;" in page  # readable as it comes, and true for who reads it
        assert "//" not in page.replace("<!--", "").replace(own, "")  # nothing from elsewhere
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    # What the interactive part fetches when it is asked for, too.
    assert page.count("/vendor/swagger-ui/") == 2
    for asset in set(re.findall(r'(?:src|href|data-script|data-style)="([^"]*)"', page)):
        if not asset.startswith(("/static/", "/openapi.json", "/manifest.")):
            continue  # another page
        async with site.client.get(asset.partition("#")[0] or "/docs") as response:
            assert response.status == 200, asset


async def test_the_document_is_json(site: Site) -> None:
    document = await site.json("GET", "/openapi.json", status=200)
    assert document["openapi"].startswith("3.1")
    assert f"{API}/events" in document["paths"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nothing",
        "/api/v1/events/1/nothing",
        "/api/v1",
        "/api/v1/",
        "/api/v2/events",
        "/api/v1/cameras/",
        "/api/v1/%2e%2e/%2e%2e/etc/passwd",
        "/nothing",
        "/static/nothing.css",
        "/static/../pyproject.toml",
        "/static/%2e%2e/pyproject.toml",
        "/static/",
        "/static/a%00b",
        "/static/" + "a" * 4000,
        "/media/nothing.jpg",
    ],
)
async def test_where_nothing_is_nothing_is_found(site: Site, path: str) -> None:
    await refused(site, 404, "GET", path)


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "PUT", "DELETE"])
async def test_unknown_api_paths_are_problems_also_for_browsers(site: Site, method: str) -> None:
    async with site.client.request(method, f"{API}/nothing", headers={"Accept": BROWSER}) as response:
        assert response.status == 404
        check_problem(site, 404, await response.text())


async def test_elsewhere_a_browser_gets_a_page(site: Site) -> None:
    async with site.client.get("/nothing", headers={"Accept": BROWSER}) as response:
        assert (response.status, response.content_type) == (404, "text/html")
        assert "Error 404" in await response.text()
