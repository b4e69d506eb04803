"""How commands speak to the running daemon: through its API, like everybody else."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from securitycamd.cli.options import fail
from securitycamd.settings import Settings

TIMEOUT_SECONDS: Final = 60.0
EXIT_UNREACHABLE: Final = 3
"""No daemon answers."""
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - only compared


def daemon_url(settings: Settings) -> str:
    """Where the daemon of these settings answers on this machine."""
    host = "127.0.0.1" if settings.server.host in _EVERYWHERE else settings.server.host
    return f"http://[{host}]:{settings.server.port}" if ":" in host else f"http://{host}:{settings.server.port}"


def call(settings: Settings, method: str, path: str, body: Any = None) -> Any:
    """Make a request under ``/api/v1``; its JSON. Ends the command with a sentence when that fails."""
    with _answer(settings, method, path, body) as response:
        return json.loads(response.read() or b"null")


def server_events(settings: Settings, path: str) -> Iterator[tuple[str, Any]]:
    """Name and data of each server-sent event of an address under ``/api/v1``, until the daemon ends them."""
    with _answer(settings, "GET", path) as response:
        fields: dict[str, str] = {}
        for line in response:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            fields[name] = value
            if not name and "data" in fields:  # comments have no name either
                yield fields["event"], json.loads(fields["data"])
            if not name:
                fields = {}


@contextmanager
def _answer(settings: Settings, method: str, path: str, body: Any = None) -> Iterator[http.client.HTTPResponse]:
    url = f"{daemon_url(settings)}/api/v1{path}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)  # noqa: S310 - http:// by construction
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            yield response
    except urllib.error.HTTPError as error:
        with error:
            fail(_sentence(error.read(), error.code))
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        fail(f"no daemon answers at {daemon_url(settings)} ({reason}); is it running?", EXIT_UNREACHABLE)


def _sentence(body: bytes, status: int) -> str:
    try:
        detail = json.loads(body)["detail"]
    except (ValueError, KeyError, TypeError):
        return f"the daemon answered with status {status}"
    if isinstance(detail, str):
        return detail
    return "; ".join(f"{entry['loc'][-1]}: {entry['msg']}" for entry in detail)
