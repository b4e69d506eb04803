"""``/api/v1/storage``: which storage is in use, and an operator's word that another one shall be."""

from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from securitycamd.domain.principal import Audience
from securitycamd.storage.errors import GuardState
from securitycamd.web.registry import Call, Input, Route, json_reply
from securitycamd.web.schemas.common import CameraId


class GuardReply(BaseModel):
    """What the guard found where the footage should be."""

    condition: Literal["ok", "missing", "wrong", "unreachable"]
    sentence: str
    remedy: Annotated[str, Field(description="what a person can do; empty when all is well")]
    cameras: Annotated[dict[str, str], Field(description="cameras whose folder is not right, and why")]


class TakeOver(Input):
    """What to take over: the root, or one camera's folder."""

    camera_id: CameraId | None = None


async def show_storage(call: Call[None, None, None]) -> web.Response:
    """What was found last."""
    return json_reply(_reply(call, call.parts.storage.guard.state))


async def take_over_storage(call: Call[None, None, TakeOver]) -> web.Response:
    """Use what is mounted now."""
    state = await call.parts.storage.take_over(call.principal, call.body.camera_id)
    return json_reply(_reply(call, state))


def _reply(call: Call[Any, Any, Any], state: GuardState) -> dict[str, Any]:
    return {
        "condition": state.condition,
        "sentence": state.sentence,
        "remedy": state.remedy,
        "cameras": {name: odd.sentence for name, odd in call.parts.storage.guard.camera_states.items()},
    }


ROUTES: Final = [
    Route(
        "GET",
        "/api/v1/storage",
        Audience.OPERATOR,
        "Whether the storage root is there and the right one",
        show_storage,
        tag="storage",
        replies={200: GuardReply},
    ),
    Route(
        "POST",
        "/api/v1/storage/take-over",
        Audience.OPERATOR,
        "Use the storage that is mounted now",
        take_over_storage,
        tag="storage",
        body=TakeOver,
        replies={200: GuardReply},
        description=(
            "After a disk was replaced: marks the root (or, with `camera_id`, that camera's folder) as this server's."
            " Nothing is deleted; rows whose files were on the old disk stay until `storage check --repair`."
        ),
    ),
]
