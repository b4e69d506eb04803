"""Which version the AI server is, asked without its client library: a daemon that needs nothing else of it spares that.

Blocking, so to be called in a thread.
"""

import base64
import json
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

REPLY_LIMIT_BYTES: Final = 4096
LONGEST: Final = 40


class _Stay(HTTPRedirectHandler):
    """Goes to nobody that a reply points to."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse; the reply then counts as an error."""


def server_version(url: str, timeout_seconds: float) -> str | None:
    """What the server at ``url`` of the settings calls its version; ``None``: it is away, or another program."""
    parts = urlsplit(url)
    headers = {"User-Agent": "securitycamd"}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}/api/version"
    try:
        request = Request(place, headers=headers)  # noqa: S310 - http or https by the settings
        # Like all that is asked of it: through no proxy that the environment happens to name.
        with build_opener(ProxyHandler({}), _Stay).open(request, timeout=timeout_seconds) as reply:
            told = json.loads(reply.read(REPLY_LIMIT_BYTES))
        version = told["version"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError, RecursionError):
        return None
    return version[:LONGEST] if isinstance(version, str) else None
