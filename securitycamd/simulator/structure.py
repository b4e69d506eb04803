"""JSON after any schema, filled with what the stand-in understood: any schema may be asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from securitycamd.simulator.detector import ANIMALS, PEOPLE, VEHICLES, Sighting
from securitycamd.simulator.wording import phrase

JsonObject = Mapping[str, object]

DEFAULT_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "description": {"type": "string"},
        "phrase": {"type": "string"},
        "objects": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"label": {"type": "string"}, "count": {"type": "integer"}},
            },
        },
        "person_detected": {"type": "boolean"},
        "category": {"type": "string", "enum": ["person", "vehicle", "animal", "nothing"]},
        "confidence": {"type": "number"},
    },
}
"""What ``format: "json"`` is answered with."""

_KINDS: Final = {"person": PEOPLE, "people": PEOPLE, "human": PEOPLE, "vehicle": VEHICLES, "animal": ANIMALS}
_SHORT_NAMES: Final = ("phrase", "title", "summary", "headline", "caption", "short")
_MOST_REFERENCES: Final = 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to say; ``label`` and ``count`` while one object of a list is filled."""

    description: str
    sighting: Sighting
    label: str = ""
    count: int = 0


def filled(schema: JsonObject, facts: Facts) -> object:
    """A value that the schema allows and that says what the facts say."""
    return _value(schema, "", facts, schema)


def _value(schema: JsonObject, name: str, facts: Facts, root: JsonObject) -> object:
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    options = schema.get("enum")
    if isinstance(options, list) and options:
        return _choice(options, facts)
    match _type(schema):
        case "object":
            properties = _mapping(schema.get("properties"))
            return {key: _value(_mapping(inner), key, facts, root) for key, inner in properties.items()}
        case "array":
            return _array(schema, facts, root)
        case kind:
            return _scalar(kind, schema, name, facts)


def _choice(options: list[object], facts: Facts) -> object:
    """What is seen, by its name or its kind; or that nothing is."""
    known = {facts.label, *facts.sighting.counts}
    known |= {word for word, labels in _KINDS.items() if known & labels}
    fitting = (option for option in options if str(option).lower() in known)
    return next(fitting, "nothing" if not facts.sighting.counts and "nothing" in options else options[0])


def _scalar(kind: str, schema: JsonObject, name: str, facts: Facts) -> object:
    match kind:
        case "boolean":
            return _is_so(name, facts)
        case "integer":
            return round(_within(schema, _number(name, schema, facts)))
        case "number":
            return _within(schema, _number(name, schema, facts))
        case "null":
            return None
        case _:
            return _text(schema, name, facts)


def _resolved(schema: JsonObject, root: JsonObject) -> JsonObject:
    """Follow references and take the first alternative that is not null."""
    for _ in range(_MOST_REFERENCES):
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/"):
            target: object = root
            for part in reference[2:].split("/"):
                target = _mapping(target).get(part)
            schema = _mapping(target)
            continue
        alternatives = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if not isinstance(alternatives, list):
            return schema
        choices = [_mapping(choice) for choice in alternatives]
        schema = next((choice for choice in choices if choice.get("type") != "null"), {})
    return schema


def _type(schema: JsonObject) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((str(one) for one in kind if one != "null"), "null")
    return str(kind) if kind else "object" if "properties" in schema else "string"


def _array(schema: JsonObject, facts: Facts, root: JsonObject) -> list[object]:
    items = _mapping(schema.get("items"))
    most = schema.get("maxItems")
    seen = facts.sighting.counts.most_common(most if isinstance(most, int) else None)
    return [
        _value(items, "label", Facts(facts.description, facts.sighting, label, count), root) for label, count in seen
    ]


def _is_so(name: str, facts: Facts) -> bool:
    lowered = name.lower()
    for word, labels in _KINDS.items():
        if word in lowered:
            return any(label in labels for label in facts.sighting.counts)
    return any(label in lowered for label in facts.sighting.counts)


def _number(name: str, schema: JsonObject, facts: Facts) -> float:
    lowered = name.lower()
    if any(word in lowered for word in ("count", "number", "quantity", "how_many")):
        return facts.count if facts.label else _counted(lowered, facts)
    if any(word in lowered for word in ("people", "persons", "vehicles", "animals")):
        return _counted(lowered, facts)
    most = schema.get("maximum")
    in_percent = _type(schema) == "integer" or (isinstance(most, int | float) and most > 1)
    return round(facts.sighting.confidence * 100) if in_percent else facts.sighting.confidence


def _counted(name: str, facts: Facts) -> int:
    counts = facts.sighting.counts
    for word, labels in _KINDS.items():
        if word in name:
            return sum(number for label, number in counts.items() if label in labels)
    return counts.total()


def _within(schema: JsonObject, value: float) -> float:
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(least, int | float):
        value = max(value, least)
    return min(value, most) if isinstance(most, int | float) else value


def _text(schema: JsonObject, name: str, facts: Facts) -> str:
    if facts.label:
        text = facts.label
    elif any(word in name.lower() for word in _SHORT_NAMES):
        text = phrase(facts.sighting.counts)
    else:
        text = facts.description
    most = schema.get("maxLength")
    return text[:most] if isinstance(most, int) else text


def _mapping(value: object) -> JsonObject:
    return value if isinstance(value, Mapping) else {}
