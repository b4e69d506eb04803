"""What the text model's reply means: its JSON read strictly, or the description read by rules."""

from dataclasses import dataclass
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
from securitycamd.domain.names import Category

RULES_CONFIDENCE: Final = 0.5
"""How sure a reading by rules is of its person: nobody judged, words were counted."""

# Larger than any reply within the schema's bounds; more is not worth parsing.
_REPLY_LIMIT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Reading:
    """The structure of a description, cleaned; ``by_rules`` when no model gave it."""

    person_detected: bool
    confidence: float
    """0 to 1."""
    objects: tuple[Detection, ...]
    phrase: str
    """3 to 8 words."""
    category: Category = Category.UNKNOWN
    """Never another than ``person`` without a reason when a person was detected, never ``person`` when none was."""
    by_rules: bool = False


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


def parse_reply(text: str, description: str) -> Reading | None:
    """Read the text model's reply; ``None`` when it breaks the schema.

    Thoughts, code fences and words around the one JSON object are tolerated, for models say "Here it is:".
    ``description`` is what a phrase is made from when the reply has no usable one. A person among the objects
    is a person detected, whatever the flag says.
    """
    answer = strip_reasoning(text)[:_REPLY_LIMIT]
    start, end = answer.find("{"), answer.rfind("}")
    # A lone half of a surrogate pair cannot be handed to the JSON parser.
    candidate = answer[start : end + 1].encode("utf-8", "replace")
    try:
        reply = _Reply.model_validate_json(candidate)
    except ValidationError:
        return None
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
        by_rules=True,
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
