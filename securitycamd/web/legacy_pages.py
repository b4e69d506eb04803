"""Addresses of the pages that the older server had: bookmarks and links keep working."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from securitycamd.domain.errors import NotFoundError
from securitycamd.domain.models import Place
from securitycamd.domain.names import is_camera_id
from securitycamd.domain.principal import Audience
from securitycamd.web.event_pages import event_number
from securitycamd.web.registry import Call, Route
from securitycamd.web.schemas.places import place_text
from securitycamd.web.ui.query import PAGE_SIZES, GalleryQuery

_SIZES: Final = ("per_page", "limit")
_CAMERAS: Final = ("camera_id", "camera")


def _first(given: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((given[name] for name in names if given.get(name)), "")


def _camera(given: Mapping[str, str]) -> str:
    """The camera that was chosen; the older pages said ``all`` for no choice."""
    chosen = _first(given, _CAMERAS)
    return chosen if is_camera_id(chosen) and chosen != "all" else ""


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _gallery(given: Mapping[str, str]) -> GalleryQuery:
    wanted = {"camera_id": _camera(given), "date": given.get("date", "")}
    size = _count(_first(given, _SIZES))
    if size in PAGE_SIZES:
        wanted["limit"] = str(size)
    return GalleryQuery.read(wanted)


async def _turned(call: Call[None, None, None], query: GalleryQuery) -> GalleryQuery:
    """The same at the page that ``page`` numbers: pages begin at places now, which newer events do not move."""
    skipped = (_count(call.request.query.get("page", "")) - 1) * query.limit
    if skipped < 1:
        return query
    before = await call.parts.events.newest(
        call.principal,
        camera_id=query.camera_id[0] if query.camera_id else None,
        span=query.span(call.parts.settings.current.site.zone),
        limit=1,
        offset=skipped - 1,
    )
    places = [place_text(Place(event.timestamp, event.id)) for event in before.items]
    return query.model_copy(update={"before": places[0]}) if places else query


def _with(path: str, **parameters: str) -> str:
    kept = {name: value for name, value in parameters.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


async def event(call: Call[None, None, None]) -> web.Response:
    """``/event.php?id=``."""
    given = call.request.query
    if not given.get("id"):
        raise NotFoundError("This address names no event.")
    raise web.HTTPMovedPermanently(_gallery(given).url(f"/events/{event_number(given['id'])}"))


async def gallery(call: Call[None, None, None]) -> web.Response:
    """``/index.php``."""
    raise web.HTTPMovedPermanently((await _turned(call, _gallery(call.request.query))).url())


async def live(call: Call[None, None, None]) -> web.Response:
    """``/live.php``."""
    camera = _camera(call.request.query)
    raise web.HTTPMovedPermanently(f"/live/{camera}" if camera else "/live")


async def logs(call: Call[None, None, None]) -> web.Response:
    """``/logs.php``."""
    given = call.request.query
    source = _camera(given) or given.get("source", "")
    source = "" if source == "all" else source
    day = given.get("date", "")
    stretch = {"range": day} if day in {"today", "yesterday"} else {"since": day, "until": day}
    raise web.HTTPMovedPermanently(
        _with("/logs", source=source, level=given.get("level", ""), q=given.get("search", ""), **stretch)
    )


def _moved(path: str, summary: str, handler: Any) -> Route:
    return Route("GET", path, Audience.PUBLIC, summary, handler, page=True)


ROUTES: Final = [
    _moved("/event.php", "To the page of an event", event),
    _moved("/index.php", "To the events", gallery),
    _moved("/live.php", "To the live pictures", live),
    _moved("/logs.php", "To the log", logs),
]
