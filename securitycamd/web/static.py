"""``/static/``: the pages' styles, scripts and icons.

Only what was there at the start is served, by its whole name: no path leads elsewhere.
"""

from pathlib import Path
from typing import Final

from aiohttp import web

from securitycamd.domain.errors import NotFoundError
from securitycamd.domain.principal import Audience
from securitycamd.resources import resource
from securitycamd.web import keys
from securitycamd.web.registry import Call, Input, Route


class StaticPath(Input):
    """``{name}``."""

    name: str


def static_files() -> dict[str, Path]:
    """The files by their name in a URL. Reads the folder: call it at start."""
    folder = resource("static")
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


async def static(call: Call[StaticPath, None, None]) -> web.StreamResponse:
    """One file."""
    path = call.app[keys.STATIC].get(call.path.name)
    if path is None:
        raise NotFoundError("There is no such file.")
    return web.FileResponse(path)


ROUTES: Final = [
    Route(
        "GET",
        "/static/{name:.+}",
        Audience.PUBLIC,
        "A style sheet, script or icon",
        static,
        path_model=StaticPath,
    )
]
