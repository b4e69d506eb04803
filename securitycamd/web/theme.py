"""The reader's choice of theme: a cookie, so that the first byte of a page is in the right one."""

from typing import Final, cast, get_args
from urllib.parse import urlsplit

from aiohttp import web

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.principal import Audience
from securitycamd.web.registry import Call, Route, read_form
from securitycamd.web.ui.contexts import Theme

COOKIE: Final = "theme"
THEMES: Final[tuple[str, ...]] = get_args(Theme)
REMEMBERED_SECONDS: Final = 400 * 24 * 3600
"""As long as browsers keep a cookie at most."""


def chosen_theme(request: web.Request) -> Theme:
    """What the reader chose; the system's where they did not."""
    value = request.cookies.get(COOKIE, "")
    return cast("Theme", value) if value in THEMES else "system"


async def choose(call: Call[None, None, None]) -> web.Response:
    """Remember the choice, and go back to where it was made."""
    theme = (await read_form(call.request)).get("theme")
    if theme not in THEMES:
        raise InvalidError("theme", f"use one of {', '.join(THEMES)}")
    response = web.Response(status=303, headers={"Location": way_back(call.request)})
    response.set_cookie(COOKIE, theme, max_age=REMEMBERED_SECONDS, samesite="Lax", httponly=True, path="/")
    return response


def way_back(request: web.Request) -> str:
    """The page of ours that a form was sent from; the front page where that is not known."""
    came_from = urlsplit(request.headers.get("Referer", ""))
    if came_from.netloc != request.host or not came_from.path.startswith("/") or came_from.path.startswith("//"):
        return "/"
    return came_from.path + (f"?{came_from.query}" if came_from.query else "")


ROUTES: Final = [Route("POST", "/theme", Audience.PUBLIC, "Choose the theme", choose, page=True)]
