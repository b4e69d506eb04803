"""What the text model's reply means: its JSON read strictly, or the description read by rules."""

from dataclasses import dataclass, replace
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from securitycamd.ai.categories import agreed_category, category_by_rules, named_category
from securitycamd.ai.cleaning import (
    clean_confidence,
    clean_description,
    clean_objects,
    clean_phrase,
    strip_reasoning,
)
from securitycamd.ai.rules import find_objects, names_person
from securitycamd.domain.models import Analysis, Detection
from securitycamd.domain.names import Category, ReadBy

RULES_CONFIDENCE: Final = 0.5
"""How sure a reading by rules is of its person: nobody judged, words were counted."""

# Larger than any reply within the schema's bounds; more is not worth parsing.
_REPLY_LIMIT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Reading:
    """The structure of a description, cleaned."""

    person_detected: bool
    confidence: float
    """0 to 1."""
    objects: tuple[Detection, ...]
    phrase: str
    """3 to 8 words."""
    category: Category = Category.UNKNOWN
    """Never another than ``person`` without a reason when a person was detected, never ``person`` when none was."""
    read_by: ReadBy = ReadBy.SCHEMA

    @property
    def repeated(self) -> "Reading":
        """The same, of a second reply."""
        return replace(self, read_by=ReadBy.REPEAT)


NOTHING_TO_SEE: Final = "The pictures are black: nothing can be seen. The lens may be covered, or there is no light."
"""What is said of an event whose stills are black; no model was asked."""


class _Thing(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    label: str
    count: int


class _Reply(BaseModel):
    # Shapes are strict, sizes are not: what is too long or too large is cut to its bound, not refused.
    model_config = ConfigDict(strict=True, frozen=True)

    person_detected: bool
    confidence: float = Field(allow_inf_nan=False)
    objects: list[_Thing]
    category: str
    phrase: str


class _WholeReply(_Reply):
    description: str


def parse_reply(text: str, description: str) -> Reading | None:
    """Read the text model's reply; ``None`` when it breaks the schema.

    Thoughts, code fences and words around the one JSON object are tolerated, for models say "Here it is:".
    ``description`` is what a phrase is made from when the reply has no usable one. A person among the objects
    is a person detected, whatever the flag says.
    """
    try:
        reply = _Reply.model_validate_json(_json_in(text))
    except ValidationError:
        return None
    return _reading(reply, description)


def parse_whole_reply(text: str) -> tuple[str, Reading] | None:
    """Read a vision model's reply that holds description and structure; ``None`` when it breaks the schema."""
    try:
        reply = _WholeReply.model_validate_json(_json_in(text))
    except ValidationError:
        return None
    description = clean_description(reply.description)
    return (description, _reading(reply, description)) if description else None


def _json_in(text: str) -> bytes:
    answer = strip_reasoning(text)[:_REPLY_LIMIT]
    start, end = answer.find("{"), answer.rfind("}")
    # A lone half of a surrogate pair cannot be handed to the JSON parser.
    return answer[start : end + 1].encode("utf-8", "replace")


def _reading(reply: _Reply, description: str) -> Reading:
    objects = clean_objects(Detection(thing.label, thing.count) for thing in reply.objects)
    person = reply.person_detected or any(names_person(item.label) for item in objects)
    return Reading(
        person_detected=person,
        confidence=clean_confidence(reply.confidence),
        objects=objects,
        phrase=clean_phrase(reply.phrase, description),
        category=agreed_category(named_category(reply.category), description, objects, person),
    )


def read_by_rules(description: str) -> Reading:
    """Read the vision model's prose without a model."""
    objects = clean_objects(find_objects(description))
    return Reading(
        person_detected=any(names_person(item.label) for item in objects),
        confidence=RULES_CONFIDENCE,
        objects=objects,
        phrase=clean_phrase("", description),
        category=category_by_rules(description),
        read_by=ReadBy.RULES,
    )


def nothing_to_see() -> Reading:
    """The reading of an event in whose stills nothing can be seen."""
    return Reading(
        person_detected=False,
        confidence=0.0,
        objects=(),
        phrase="Pictures are black",
        category=Category.UNKNOWN,
        read_by=ReadBy.STILLS,
    )


def combine(description: str, reading: Reading) -> Analysis:
    """What both stages found, as it is kept."""
    return Analysis(
        description=clean_description(description),
        phrase=reading.phrase,
        objects=reading.objects,
        person_detected=reading.person_detected,
        confidence=reading.confidence,
        category=reading.category,
    )
