"""``/static/``: the pages' styles, scripts and icons; and what makes the site one that can be installed.

Only what was there at the start is served, by its whole name: no path leads elsewhere.
"""

from typing import Final

from aiohttp import ETag, web

from securitycamd.domain.errors import NotFoundError
from securitycamd.domain.principal import Audience
from securitycamd.web import keys
from securitycamd.web.assets import accepts_gzip
from securitycamd.web.registry import Call, Input, Route, json_reply
from securitycamd.web.ui.environment import theme_colours

FOREVER: Final = "public, max-age=31536000, immutable"
ASK_FIRST: Final = "no-cache"


class StaticPath(Input):
    """``{name}``."""

    name: str


async def static(call: Call[StaticPath, None, None]) -> web.StreamResponse:
    """One file."""
    asset, is_current = call.app[keys.ASSETS].find(call.path.name)
    if asset is None:
        raise NotFoundError("There is no such file.")
    headers = {"Cache-Control": FOREVER if is_current else ASK_FIRST, "Content-Type": asset.content_type}
    if asset.packed is None:
        return web.FileResponse(asset.path, headers=headers)
    headers["Vary"] = "Accept-Encoding"
    known = call.request.if_none_match or ()
    if any(tag.value == asset.tag for tag in known):
        return web.Response(status=304, headers={**headers, "ETag": f'W/"{asset.tag}"'})
    if not accepts_gzip(call.request):
        return web.FileResponse(asset.path, headers=headers)
    response = web.Response(body=asset.packed, headers={**headers, "Content-Encoding": "gzip"})
    response.etag = ETag(asset.tag, is_weak=True)
    return response


async def manifest(call: Call[None, None, None]) -> web.Response:
    """What a browser needs to install the site as an application."""
    site_name = call.parts.settings.current.site.name
    asset = call.app[keys.ASSETS].url
    colours = theme_colours()
    icons = [
        {"src": asset(f"icons/icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": "any"}
        for size in (192, 512)
    ]
    masked = {"src": asset("icons/maskable-512.png"), "sizes": "512x512", "type": "image/png", "purpose": "maskable"}
    places = (("Events", "/"), ("Live", "/live"), ("Cameras", "/cameras"))
    response = json_reply(
        {
            "id": "/",
            "name": f"{site_name} cameras",
            "short_name": site_name[:20],
            "description": "What the cameras saw",
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "background_color": colours["dark"],
            "theme_color": colours["dark"],
            "icons": [*icons, masked],
            "shortcuts": [{"name": name, "url": url} for name, url in places],
        }
    )
    response.content_type = "application/manifest+json"
    response.headers["Cache-Control"] = ASK_FIRST
    return response


ROUTES: Final = [
    Route(
        "GET",
        "/static/{name:.+}",
        Audience.PUBLIC,
        "A style sheet, script or icon",
        static,
        path_model=StaticPath,
    ),
    Route("GET", "/manifest.webmanifest", Audience.PUBLIC, "What a browser needs to install the site", manifest),
]
