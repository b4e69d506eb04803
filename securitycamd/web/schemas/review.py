"""What people do with events, on the wire."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field

from securitycamd.domain.history import Entry, What
from securitycamd.services.review import BULK_LIMIT, NOTE_LIMIT, BulkAction, BulkResult, Change
from securitycamd.web.registry import Input, Reply


class EventChange(Input):
    """What is to become of an event; what is left out stays."""

    reviewed: Annotated[bool | None, Field(description="an operator has seen it")] = None
    starred: Annotated[bool | None, Field(description="retention never takes it")] = None
    note: Annotated[str | None, Field(max_length=NOTE_LIMIT, description="plain text; empty: no note")] = None

    def change(self) -> Change:
        """The same in the domain's words."""
        return Change(self.reviewed, self.starred, self.note)


class BulkChange(Input):
    """The same done with many events."""

    ids: Annotated[list[int], Field(min_length=1, max_length=BULK_LIMIT)]
    action: BulkAction


class BulkResultReply(Reply):
    """What came of it for one event."""

    id: int
    result: Annotated[
        BulkResult,
        Field(
            description="`done`; `unchanged`: it was so already; `not_found`; when removing also `starred` and `busy`:"
            " it stays; `removing`: the rest of it goes by itself; `unreachable`: its camera's folder is not what it"
            " should be, it stays"
        ),
    ]


class BulkReply(Reply):
    """What came of it: each event once, in the order in which they were named."""

    action: BulkAction
    results: list[BulkResultReply]


class HistoryReply(Reply):
    """One thing that happened to an event."""

    at: datetime
    what: What
    who: Annotated[str, Field(description="a person's name, a daemon's instance, or the camera's id; may be empty")]
    detail: Annotated[str, Field(description="why it failed, how long it took; may be empty")]


def history_reply(entry: Entry, zone: ZoneInfo) -> dict[str, Any]:
    """An entry as :class:`HistoryReply` describes it."""
    return {"at": entry.at.astimezone(zone), "what": entry.what, "who": entry.who, "detail": entry.detail}
