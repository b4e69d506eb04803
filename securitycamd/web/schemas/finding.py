"""Which events are looked for, and what is found, on the wire."""

from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.models import EventFilter, Neighbours
from securitycamd.domain.names import Category, EventStatus
from securitycamd.domain.words import read_search
from securitycamd.web.registry import Input, Reply
from securitycamd.web.schemas.common import Bound
from securitycamd.web.schemas.events import EventQuery, EventReply
from securitycamd.web.schemas.places import PlaceText, one_of, words_of

CAMERA_ID_LIMIT: Final = 50
RANKED_LIMIT: Final = 1000
PLAIN: Final = frozenset({"camera_id", "date", "start_date", "end_date", "limit", "offset"})
"""The parameters that agents of every age know; they are answered as ever."""


def _camera(text: str) -> str:
    if len(text) > CAMERA_ID_LIMIT:
        raise ValueError(f"at most {CAMERA_ID_LIMIT} characters")
    return text


class FindQuery(EventQuery):
    """Which events, newest first. Parameters that name several things may be repeated, or hold commas."""

    repeated: ClassVar[frozenset[str]] = frozenset({"camera_id", "category", "status"})

    camera_id: Annotated[
        list[str] | None, BeforeValidator(lambda value: words_of(value, _camera)), Field(description="of these cameras")
    ] = None
    category: Annotated[
        list[Category] | None,
        BeforeValidator(one_of(Category)),
        Field(description="what it shows above all is one of these"),
    ] = None
    person: Annotated[bool | None, Field(description="the models saw a person, or looked and saw none")] = None
    status: Annotated[
        list[EventStatus] | None, BeforeValidator(one_of(EventStatus)), Field(description="how far the agent is")
    ] = None
    reviewed: Annotated[bool | None, Field(description="an operator has seen it")] = None
    starred: Annotated[bool | None, Field(description="protected: retention never takes it")] = None
    min_confidence: Annotated[
        float | None, Field(ge=0, le=1, description="how sure the models are at least (ai_confidence)")
    ] = None
    q: Annotated[
        str | None,
        Field(
            description='words to search for in what was said of the events; `"in quotes"` one after another, `veh*` a'
            " beginning, `-word` not there. No text is an error."
        ),
    ] = None
    sort: Annotated[
        Literal["time", "rank"] | None,
        # Parameters that mean nothing here were never an error, and this one is newer than some who send it.
        BeforeValidator(lambda value: value if value in {"time", "rank"} else None),
        Field(description="`rank`: what says most of `q` first; pages are then turned with `offset`, up to 1000"),
    ] = None
    before: Annotated[PlaceText | None, Field(description="the page behind: `older` of an earlier reply")] = None
    after: Annotated[PlaceText | None, Field(description="the page before: `newer` of an earlier reply")] = None

    @property
    def is_plain(self) -> bool:
        """Whether only what agents of every age know was asked for."""
        asked = {name for name in self.model_fields_set if getattr(self, name) is not None}
        return asked <= PLAIN and len(self.camera_id or ()) <= 1

    @property
    def is_ranked(self) -> bool:
        """Whether the best shall come first; without a word that is wanted all are alike."""
        return self.sort == "rank" and bool(read_search(self.q or "").wanted)

    def wanted(self, zone: ZoneInfo) -> EventFilter:
        """The same in the domain's words.

        Raises:
            InvalidError: a day that does not exist, or parameters that exclude each other.
        """
        if self.is_ranked:
            if self.offset > RANKED_LIMIT:
                raise InvalidError("offset", f"at most {RANKED_LIMIT} with sort=rank")
        elif self.offset and not self.is_plain:
            raise InvalidError("offset", "with these parameters pages are turned with before and after")
        if self.before is not None and self.after is not None:
            raise InvalidError("after", "give before or after, not both")
        return EventFilter(
            cameras=None if self.camera_id is None else frozenset(self.camera_id),
            span=self.span(zone),
            categories=None if self.category is None else frozenset(self.category),
            person=self.person,
            statuses=None if self.status is None else frozenset(self.status),
            reviewed=self.reviewed,
            protected=self.starred,
            min_confidence=self.min_confidence,
            text=self.q or "",
        )


class PieceReply(Reply):
    """A piece of a text."""

    text: str
    is_hit: Annotated[bool, Field(description="it was searched for")]


class SnippetReply(Reply):
    """Where an event says what was searched for."""

    event_id: int
    field: Literal["phrase", "description", "objects", "note"]
    pieces: list[PieceReply]


class FoundReply(Reply):
    """A page of the events that match, newest first."""

    events: list[EventReply]
    total: int
    total_is_exact: Annotated[bool, Field(description="false: at least so many match")]
    position: Annotated[int | None, Field(description="how many that match are newer than the first here, if known")]
    limit: int
    offset: int
    newer: Annotated[str | None, Field(description="give it as `after` for the page before; null: there is none")]
    older: Annotated[str | None, Field(description="give it as `before` for the page behind; null: there is none")]
    snippets: Annotated[list[SnippetReply], Field(description="with `q`: the texts that have it, in pieces")]
    ignored: Annotated[list[str], Field(description="parts of `q` that cannot be searched for")]
    searched_to: Annotated[
        datetime | None,
        Field(description="what is rare is looked for in stretches: up to here so far; `older` or `newer` goes on"),
    ]


class NeighboursReply(Reply):
    """The events next to one in a filtered list."""

    newer: Annotated[int | None, Field(description="the id of the next newer event that matches")]
    older: Annotated[int | None, Field(description="the id of the next older event that matches")]


def neighbours_reply(found: Neighbours) -> dict[str, int | None]:
    """The same in the domain's words."""
    return {"newer": found.newer, "older": found.older}


class TimelineQuery(Input):
    """Which stretch, in which steps."""

    repeated: ClassVar[frozenset[str]] = frozenset({"camera_id"})

    start: Annotated[Bound, Field(description="from here on; a day means its start")]
    end: Annotated[Bound | None, Field(description="up to here; a day is meant whole; left out: now")] = None
    step: Literal["hour", "day"] = "hour"
    camera_id: Annotated[
        list[str] | None, BeforeValidator(lambda value: words_of(value, _camera)), Field(description="of these cameras")
    ] = None


class BucketReply(Reply):
    """A step of a timeline."""

    start: datetime
    total: int
    counts: Annotated[
        dict[str, int], Field(description="events by category; `pending`: not looked at yet. What is none is left out")
    ]


class TimelineReply(Reply):
    """How much happened when; steps without events are left out."""

    step: Literal["hour", "day"]
    start: datetime
    end: datetime
    total: int
    buckets: list[BucketReply]
