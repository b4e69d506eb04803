"""The days' reports on the wire."""

import datetime as dt
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from securitycamd.domain.digests import Digest
from securitycamd.web.registry import Input, Reply


def read_day(text: str) -> dt.date | None:
    """The day that an address names; what cannot be used is left out."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None


def _day(value: Any) -> Any:
    # Pydantic would take numbers and times for days, too.
    if isinstance(value, str):
        day = read_day(value)
        if day is None:
            raise ValueError("must be a day YYYY-MM-DD")
        return day
    return value


class DigestPath(Input):
    """``{date}``."""

    date: dt.date

    @field_validator("date", mode="before")
    @classmethod
    def _is_day(cls, value: Any) -> Any:
        return _day(value)


class DigestQuery(Input):
    """Which reports."""

    before: Annotated[dt.date | None, Field(description="only of days before this one")] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 30

    @field_validator("before", mode="before")
    @classmethod
    def _is_day(cls, value: Any) -> Any:
        return _day(value)


class DigestReply(Reply):
    """The report of a day of the site."""

    date: dt.date
    state: Annotated[
        Literal["waiting", "written", "quiet", "failed"],
        Field(description="`waiting` for the AI server; `quiet`: there were no events"),
    ]
    text: Annotated[str, Field(description="plain text; while it is written anew, the earlier one")]
    model: Annotated[str | None, Field(description="who wrote it; null: made from the numbers alone")]
    prompt_version: Annotated[str | None, Field(description="the number of the prompt that the model was asked with")]
    error: Annotated[str | None, Field(description="why it is not written yet")]
    events: int
    by_category: dict[str, int]
    by_camera: Annotated[dict[str, int], Field(description="by the cameras' names")]
    usual_events: Annotated[float | None, Field(description="a day's mean in the week before")]
    busiest_hour: Annotated[int | None, Field(description="of the site's clock; null where none stands out")]
    sayings: Annotated[list[str], Field(description="descriptions that it was written from")]
    saying_events: Annotated[list[int], Field(description="the event of each of them, where that was kept")]
    updated_at: dt.datetime


def digest_reply(digest: Digest, zone: ZoneInfo) -> dict[str, Any]:
    """The same in the domain's words."""
    facts = digest.facts
    return {
        "date": digest.day.isoformat(),
        "state": digest.state,
        "text": digest.text,
        "model": digest.model,
        "prompt_version": digest.prompt_version,
        "error": digest.error,
        "events": facts.events,
        "by_category": facts.by_category,
        "by_camera": facts.by_camera,
        "usual_events": facts.usual_events,
        "busiest_hour": facts.busiest_hour,
        "sayings": facts.sayings,
        "saying_events": facts.saying_events,
        "updated_at": digest.updated_at.astimezone(zone),
    }
