"""``/api/v1/storage/check``: rows and files compared in the background."""

from typing import Any, Final

from aiohttp import web

from securitycamd.domain.principal import Audience
from securitycamd.services.storage_check import CheckReport
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.storage_check import CheckRepair, CheckReply, check_reply


async def show(call: Call[None, None, None]) -> web.Response:
    """The check that runs, or the last one."""
    return _reply(call, call.parts.storage_check.report)


async def start(call: Call[None, None, None]) -> web.Response:
    """Begin a check."""
    return _reply(call, call.parts.storage_check.request())


async def repair(call: Call[None, None, CheckRepair]) -> web.Response:
    """Begin a check that mends."""
    return _reply(call, call.parts.storage_check.request(repair=True, force=call.body.force))


def _reply(call: Call[Any, Any, Any], report: CheckReport) -> web.Response:
    return json_reply(check_reply(report, call.parts.settings.current.site.zone))


ROUTES: Final = [
    Route(
        "GET",
        "/api/v1/storage/check",
        Audience.OPERATOR,
        "The check of the storage that runs, or the last one",
        show,
        tag="storage",
        replies={200: CheckReply},
    ),
    Route(
        "POST",
        "/api/v1/storage/check",
        Audience.OPERATOR,
        "Compare rows and files",
        start,
        tag="storage",
        replies={200: CheckReply},
        conflict="Another is under way",
        description="Begins it; how far it is, is told by GET. 409 while another is under way.",
    ),
    Route(
        "POST",
        "/api/v1/storage/check/repair",
        Audience.OPERATOR,
        "Compare rows and files, and mend what is safe",
        repair,
        tag="storage",
        body=CheckRepair,
        replies={200: CheckReply},
        conflict="Another is under way",
        description="Files that fit are linked, paths of files that are gone are cleared, sizes are measured again, and"
        " our own old temporaries are removed. Nothing is mended when more than a tenth of all footage is gone, unless"
        " `force` is set.",
    ),
]
