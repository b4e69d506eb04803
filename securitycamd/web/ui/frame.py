"""What surrounds every page, and the two pages that are little more: errors and the API reference."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from markupsafe import Markup

from securitycamd.domain.models import Camera
from securitycamd.domain.names import CameraStatus
from securitycamd.web.ui.contexts import (
    Action,
    CameraState,
    DocsContext,
    ErrorContext,
    Frame,
    PageName,
    RailContext,
    Site,
)
from securitycamd.web.ui.words import age, moment

API_PATH: Final = "/api/v1"
OPENAPI_URL: Final = "/openapi.json"
_HOME: Final = Action("Show events", "/", is_primary=True)
_SYSTEM: Final = Action("How the server is", "/system")

_ADVICE: Final[dict[int, tuple[str, ...]]] = {
    403: (
        "Open this page from a network that this server trusts, such as your home network.",
        "If this is your home network, add it to agents.trusted_networks in the settings and reload them.",
    ),
    404: (
        "The address may be mistyped.",
        "An event may have been removed since the link was made.",
    ),
    500: ("Nothing you did is lost. Try again; if it stays, the server's log says what happened.",),
    503: (
        "This usually passes by itself within seconds. Cameras keep what they have seen and send it again.",
        "If it stays, see how the server is: that page names the part that is away, and what to do.",
    ),
}


def frame(title: str, page: PageName, *, cameras: Sequence[Camera] | None, site: Site, now: datetime) -> Frame:
    """The frame of a page; lists leave some cameras out. ``cameras=None``: not known, or not for this reader."""
    listed = None if cameras is None else [camera for camera in cameras if camera.is_listed]
    states = None if listed is None else tuple(_state(camera, site=site, now=now) for camera in listed)
    online = sum(state.is_online for state in states or ())
    return Frame(
        title=title,
        site_name=site.name,
        page=page,
        theme=site.theme,
        cameras=states,
        cameras_summary=_summary(states, online),
        all_online=bool(states) and online == len(states or ()),
        mark=site.mark,
    )


def _state(camera: Camera, *, site: Site, now: datetime) -> CameraState:
    return CameraState(
        camera_id=camera.camera_id,
        url=f"/cameras/{camera.camera_id}",
        name=camera.name,
        location=camera.location,
        is_online=is_online(camera, site=site, now=now),
        age=age(camera.last_seen, now),
        last_seen=moment(camera.last_seen, site.zone, now),
    )


def agent_url(server_url: str) -> str:
    """What to give to an agent as this server's address; ``server_url`` is how the reader reached it."""
    return server_url.rstrip("/") + API_PATH


def is_loopback(url: str) -> bool:
    """Whether ``url`` works on this machine only."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_online(camera: Camera, *, site: Site, now: datetime) -> bool:
    """Whether the camera was heard of lately."""
    status = camera.status(now, offline_after_seconds=site.offline_after_seconds)
    return status is CameraStatus.ONLINE


def _summary(states: Sequence[CameraState] | None, online: int) -> str:
    if states is None:
        return "Cameras: not known"
    if not states:
        return "No cameras yet"
    if online == len(states):
        return "1 camera online" if online == 1 else f"All {online} cameras online"
    return f"{online} of {len(states)} cameras online"


def error_context(
    status: int,
    message: str,
    *,
    site: Site,
    now: datetime,
    title: str | None = None,
    cameras: Sequence[Camera] | None = None,
    retry_url: str | None = None,
) -> ErrorContext:
    """The page of an error.

    Args:
        status: the HTTP status.
        message: the sentence of the ``DomainError``, written for people.
        site: what the frame speaks of.
        now: the present, aware.
        title: the kind of trouble; by default what HTTP calls it.
        cameras: for the frame; ``None`` where the database is away or the reader may not know.
        retry_url: the page that was asked for, where asking again can help.
    """
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    is_away = status == HTTPStatus.SERVICE_UNAVAILABLE
    if status == HTTPStatus.FORBIDDEN:  # who may see nothing is not sent to another page that they may not see
        elsewhere: tuple[Action, ...] = ()
    elif is_away:
        elsewhere = (_SYSTEM,)
    else:
        elsewhere = (Action(_HOME.label, _HOME.url, is_primary=not retry_url),)
    retry = (Action("Try again", retry_url, is_primary=True),) if retry_url else ()
    return ErrorContext(
        frame=frame(title or phrase, "none", cameras=cameras, site=site, now=now),
        status=status,
        title=title or phrase,
        message=message,
        advice=_ADVICE.get(status, _ADVICE[500] if status >= 500 else ()),
        actions=retry + elsewhere,
        comes_back=is_away and retry_url is not None,
    )


def docs_context(reference: Markup, cameras: Sequence[Camera] | None, *, site: Site, now: datetime) -> DocsContext:
    """The API reference, its body made before."""
    return DocsContext(frame("API docs", "docs", cameras=cameras, site=site, now=now), OPENAPI_URL, reference)


def rail_context(cameras: Sequence[Camera], *, site: Site, now: datetime) -> RailContext:
    """The cameras' state alone."""
    return RailContext(frame("Cameras", "none", cameras=cameras, site=site, now=now))
