"""What the API reference prints."""

from dataclasses import dataclass
from typing import ClassVar

from securitycamd.web.ui.contexts import PageContext


@dataclass(frozen=True, slots=True)
class Phrase:
    """A piece of what the document says."""

    text: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class TypePart:
    """A piece of a type: ``list of`` and ``JobReply``, the latter with where its fields are told."""

    text: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class FieldView:
    """A parameter, or a field of a body, a reply or a model."""

    name: str
    types: tuple[TypePart, ...]
    is_required: bool
    """Whether a caller must give it."""
    choices: tuple[str, ...]
    """All the values there are, where they are few."""
    limits: tuple[Phrase, ...]
    says: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """What goes into a call at one place."""

    title: str
    types: tuple[TypePart, ...]
    says: tuple[Phrase, ...]
    fields: tuple[FieldView, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """A status of HTTP, and what it means here."""

    code: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ReplyView:
    """What is answered when all went well, or, of health, also when not."""

    statuses: tuple[Status, ...]
    types: tuple[TypePart, ...]
    says: tuple[Phrase, ...]
    fields: tuple[FieldView, ...]


@dataclass(frozen=True, slots=True)
class PathPart:
    """A piece of an address; a line may be broken behind it."""

    text: str
    is_parameter: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One call."""

    anchor: str
    """The document's ``operationId``; links say it."""
    method: str
    path: tuple[PathPart, ...]
    summary: str
    audience: str
    who: str
    """The audience in a sentence."""
    says: tuple[Phrase, ...]
    groups: tuple[FieldGroup, ...]
    replies: tuple[ReplyView, ...]
    failures: tuple[Status, ...]
    example: str
    """A command that makes it."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """Calls about one thing."""

    anchor: str
    name: str
    about: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model that others refer to."""

    anchor: str
    name: str
    says: tuple[Phrase, ...]
    fields: tuple[FieldView, ...]


@dataclass(frozen=True, slots=True)
class ReferenceContext(PageContext):
    """What ``reference.html`` prints: the same for every reader."""

    template: ClassVar = "reference.html"

    chapters: tuple[Chapter, ...]
    models: tuple[ModelView, ...]
    problem_url: str
    """Where it is told what errors look like."""
