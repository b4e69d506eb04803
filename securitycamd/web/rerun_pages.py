"""The page from which many events are described once more, and what its form asks for."""

from datetime import UTC, datetime
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.principal import Audience
from securitycamd.services.reruns import Rerun
from securitycamd.web.pages import render, site_of
from securitycamd.web.registry import Call, Route, read_form
from securitycamd.web.schemas.ai import RerunBody
from securitycamd.web.ui.rerun_view import AGAIN_URL, rerun_context

_CALLS: Final = 20
"""So often at most the queue is filled for one form: 100,000 events."""
_FIELDS: Final = ("camera_id", "start_date", "end_date")


async def page(call: Call[None, None, None]) -> web.Response:
    """The form, and what came of it."""
    queued = call.request.query.get("queued", "")
    context = rerun_context(
        await call.parts.cameras.everything(call.principal),
        site=site_of(call.request),
        now=datetime.now(UTC),
        queued=int(queued) if queued.isdecimal() and len(queued) < 10 else None,
        has_more="more" in call.request.query,
    )
    return render(call.request, context)


async def rerun(call: Call[None, None, None]) -> web.Response:
    """Queue what the form chose, newest first."""
    form = await read_form(call.request)
    try:
        chosen: dict[str, object] = {name: form[name] for name in _FIELDS if form.get(name)}
        body = RerunBody.model_validate(chosen | {"only_failed": form.get("only_failed") == "yes"})
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        raise InvalidError(field, "choose one that is offered") from error
    wanted = Rerun(body.camera_id, body.span(call.parts.settings.current.site.zone), body.only_failed)
    queued, place = 0, None
    for _ in range(_CALLS):
        done = await call.parts.reruns.some(call.principal, wanted, place)
        queued, place = queued + done.queued, done.next
        if place is None:
            break
    raise web.HTTPSeeOther(f"{AGAIN_URL}?queued={queued}{'' if place is None else '&more'}")


ROUTES: Final = [
    Route("GET", AGAIN_URL, Audience.OPERATOR, "Choose events to be described once more", page, page=True),
    Route("POST", AGAIN_URL, Audience.OPERATOR, "Describe the chosen events once more", rerun, page=True),
]
