"""Where an event says what was searched for: its texts in pieces, the hits marked; never markup."""

import json
from dataclasses import dataclass
from typing import Final, Literal

from securitycamd.domain.models import Event
from securitycamd.domain.words import Piece, Search, marked

SNIPPET_LIMIT: Final = 160
"""Characters of a text that are shown."""
Field = Literal["phrase", "description", "objects", "note"]


@dataclass(frozen=True, slots=True)
class Snippet:
    """A text of an event that has a hit."""

    field: Field
    pieces: tuple[Piece, ...]


def object_labels(objects: str | None) -> list[str]:
    """The labels of ``ai_objects``; what is no such list has none."""
    try:
        found = json.loads(objects or "[]")
    except (ValueError, RecursionError):
        return []
    if not isinstance(found, list):
        return []
    return [str(each["label"]) for each in found if isinstance(each, dict) and "label" in each]


def snippets(event: Event, search: Search, *, limit: int = SNIPPET_LIMIT) -> list[Snippet]:
    """The event's texts that have a hit, the shortest kind first."""
    texts: list[tuple[Field, str]] = [
        ("phrase", event.ai_phrase or ""),
        ("description", event.ai_description or ""),
        ("objects", ", ".join(object_labels(event.ai_objects))),
        ("note", event.note),
    ]
    found = [Snippet(field, marked(text, search, limit=limit)) for field, text in texts if text and search.wanted]
    return [snippet for snippet in found if any(piece.is_hit for piece in snippet.pieces)]
