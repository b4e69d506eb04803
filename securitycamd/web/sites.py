"""What pages of other sites must not make a visitor's browser do here."""

from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from securitycamd.domain.errors import ForbiddenError

_OWN: Final = frozenset({"same-origin", "none"})
_BROWSER: Final = "Mozilla/"
"""How every browser's User-Agent begins."""


def refuse_foreign_site(request: web.Request, origins: tuple[str, ...]) -> None:
    """Refuse what a page of another site makes a browser send with a method that changes something, or as a WebSocket.

    Args:
        request: agents and other programs send neither of the two headers; browsers always send one with such requests.
        origins: other origins that may.

    Raises:
        ForbiddenError: it is such a request.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if origin is not None and origin in origins:
        return
    if site in {"cross-site", "same-site"}:
        raise ForbiddenError("A page of another site may not do this; see server.cors_origins.")
    if site is None and origin is not None and origin.partition("://")[2] != request.host:
        raise ForbiddenError("A page of another site may not do this; see server.cors_origins.")


def refuse_foreign_picture(request: web.Request) -> None:
    """Refuse a picture address, whose loading has an effect, inside a page of another site.

    Browsers load pictures for any page and, without TLS, may say nothing of where it is from. So a browser must show
    that it asks for a page of ours (``Sec-Fetch-Site`` or ``Referer``); other programs need not.

    Raises:
        ForbiddenError: it may be for another site's page.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site in _OWN:
        return
    referrer = request.headers.get("Referer")
    if site is None and referrer is not None and urlsplit(referrer).netloc == request.host:
        return
    if site is None and referrer is None and not request.headers.get("User-Agent", "").startswith(_BROWSER):
        return
    raise ForbiddenError("Live pictures are shown inside the pages of this server only; open its page Live.")
