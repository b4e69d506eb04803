"""Static files: compressed, kept for ever under their release's name, asked for first under any other."""

import json
from typing import Any

import pytest

from securitycamd.web import keys
from tests.conftest import Site

HTML = {"Accept": "text/html"}


def url_of(site: Site, name: str) -> str:
    return site.client.app[keys.ASSETS].url(name) if site.client.app else ""


async def test_a_file_of_this_release_is_kept_for_ever_and_comes_compressed(site: Site) -> None:
    url = url_of(site, "app.css")
    async with site.client.get(url, headers={"Accept-Encoding": "gzip"}, auto_decompress=False) as response:
        assert response.status == 200
        assert response.headers["Content-Encoding"] == "gzip"
        assert "immutable" in response.headers["Cache-Control"]
        assert response.content_type == "text/css"
        assert len(await response.read()) < 12_000
    async with site.client.get(url, headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers
        assert "--surface" in await response.text()


@pytest.mark.parametrize("path", ["/static/app.css", "/static/0123456789ab/app.css"])
async def test_under_any_other_name_it_is_asked_for_first(site: Site, path: str) -> None:
    async with site.client.get(path) as response:
        assert (response.status, response.headers["Cache-Control"]) == (200, "no-cache")
        tag = response.headers["ETag"]
    async with site.client.get(path, headers={"If-None-Match": tag}) as response:
        assert response.status == 304
        assert await response.read() == b""


@pytest.mark.parametrize(
    "path", ["/static/0123456789ab/nothing.css", "/static/nothing/app.css", "/static/0123456789ab"]
)
async def test_what_is_not_there_is_not_found(site: Site, path: str) -> None:
    async with site.client.get(path) as response:
        assert response.status == 404


async def test_the_site_can_be_installed(site: Site) -> None:
    async with site.client.get("/manifest.webmanifest") as response:
        assert (response.status, response.content_type) == (200, "application/manifest+json")
        manifest: Any = json.loads(await response.text())
    assert manifest["display"] == "standalone"
    assert {(icon["sizes"], icon["purpose"]) for icon in manifest["icons"]} == {
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    }
    for icon in manifest["icons"]:
        async with site.client.get(icon["src"]) as response:
            assert (response.status, response.content_type) == (200, "image/png")
            width = int.from_bytes((await response.read())[16:20])
            assert f"{width}x{width}" == icon["sizes"]


class TestTheme:
    async def test_it_is_remembered_and_in_the_first_byte_of_the_next_page(self, site: Site) -> None:
        async with site.client.get("/", headers=HTML) as response:
            assert 'data-theme="system"' in await response.text()
        back = str(site.client.make_url("/?date=today"))
        form = {"theme": "dark"}
        async with site.client.post("/theme", data=form, headers={"Referer": back}, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/?date=today")
        async with site.client.get("/", headers=HTML) as response:
            assert 'data-theme="dark"' in await response.text()

    async def test_another_word_is_refused(self, site: Site) -> None:
        async with site.client.post("/theme", data={"theme": "pink"}, headers=HTML) as response:
            assert response.status == 422
        async with site.client.get("/", headers=HTML | {"Cookie": "theme=%22%3E%3Cscript"}) as response:
            assert 'data-theme="system"' in await response.text()

    async def test_it_never_leads_to_another_site(self, site: Site) -> None:
        for referer in ("http://elsewhere.example/x", f"{site.client.make_url('/')}/elsewhere.example", ""):
            headers = {"Referer": referer}
            async with site.client.post(
                "/theme", data={"theme": "light"}, headers=headers, allow_redirects=False
            ) as response:
                assert response.headers["Location"] == "/"
