"""JSON Schema in few words: types with links to their models, limits, choices."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from securitycamd.web.ui.reference_contexts import FieldView, Phrase, TypePart

Schema = Mapping[str, Any]
_REF: Final = "#/components/schemas/"
_CODE: Final = re.compile(r"``(.+?)``|`(.+?)`")


def phrases(text: str) -> tuple[Phrase, ...]:
    """The document's text, with what stands between backticks as code."""
    found = []
    at = 0
    for match in _CODE.finditer(text):
        found.append(Phrase(text[at : match.start()]))
        found.append(Phrase(match[1] or match[2], is_code=True))
        at = match.end()
    found.append(Phrase(text[at:]))
    return tuple(phrase for phrase in found if phrase.text)


def model_url(name: str) -> str:
    """Where the fields of a model are told."""
    return f"#model-{name}"


class Schemas:
    """The models of a document, and which of them somebody was sent to."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._models: Mapping[str, Schema] = document["components"]["schemas"]
        uses = Counter(
            name for methods in document["paths"].values() for call in methods.values() for name in _used(call)
        )
        self._shared = {name for name, count in uses.items() if count > 1}
        self.wanted: list[str] = []
        """The models that were linked, each once, in that order."""

    def of(self, name: str) -> Schema:
        """A model by its name."""
        return self._models[name]

    def resolved(self, schema: Schema) -> Schema:
        """What a reference leads to, with what is said beside it; anything else as it is."""
        name = _referred(schema)
        return schema if name is None else {**self._models[name], **schema}

    def link(self, name: str) -> str:
        """The place of a model, which is then told of."""
        if name not in self.wanted:
            self.wanted.append(name)
        return model_url(name)

    def whole(self, schema: Schema) -> tuple[Schema | None, tuple[TypePart, ...]]:
        """The type in words, and the model whose fields are told there and then: that of one call alone."""
        inner = schema.get("items", schema)
        name = _referred(inner)
        if name is None or name in self._shared or "properties" not in self._models[name]:
            return None, self.types(schema)
        before = (TypePart("list of "),) if inner is not schema else ()
        return self._models[name], (*before, TypePart(title_of(name)))

    def types(self, schema: Schema) -> tuple[TypePart, ...]:
        """The type in words."""
        return tuple(self._types(schema))

    def _types(self, schema: Schema) -> Iterator[TypePart]:
        name = _referred(schema)
        if name is not None and "properties" in self._models[name]:
            yield TypePart(title_of(name), self.link(name))
            return
        schema = self.resolved(schema)
        if "anyOf" in schema:
            for number, option in enumerate(schema["anyOf"]):
                if number:
                    yield TypePart(" or ")
                yield from self._types(option)
        elif "items" in schema:
            yield TypePart("list of ")
            yield from self._types(schema["items"])
        elif isinstance(values := schema.get("additionalProperties"), dict):
            yield TypePart("object of ")
            yield from self._types(values)
        else:
            kind = schema.get("type", "anything")
            yield TypePart(schema.get("format", kind) if kind == "string" else kind)

    def field(self, name: str, schema: Schema, *, is_required: bool, description: str | None = None) -> FieldView:
        """A field; ``description`` where it does not stand in the schema."""
        plain = self.plain(schema)
        return FieldView(
            name=name,
            types=self.types(schema),
            is_required=is_required,
            choices=tuple(str(choice) for choice in self._choices(plain)),
            limits=tuple(_limits(plain)),
            says=phrases(description or schema.get("description") or _own_description(plain)),
        )

    def fields(self, model: Schema, *, is_asked: bool) -> tuple[FieldView, ...]:
        """The fields of a model; ``is_asked``: a caller gives them, so it counts which are needed."""
        required = model.get("required", ()) if is_asked else ()
        return tuple(
            self.field(name, schema, is_required=name in required)
            for name, schema in model.get("properties", {}).items()
        )

    def plain(self, schema: Schema) -> Schema:
        """A schema without the null that it allows as well, and what a reference to plain values leads to."""
        schema = self.resolved(schema)
        options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
        if len(options) != 1:
            return schema
        return {**self.resolved(options[0]), **{key: value for key, value in schema.items() if key != "anyOf"}}

    def _choices(self, schema: Schema) -> tuple[Any, ...]:
        for place in ("items", "propertyNames"):
            if place in schema:
                return self._choices(self.resolved(schema[place]))
        return tuple(schema.get("enum", ()))


def title_of(name: str) -> str:
    """A model's own name: of two of the same name the document tells them apart by where they are from."""
    return name.rpartition("__")[2]


def _used(call: Mapping[str, Any]) -> set[str]:
    """The models that a call takes and answers with."""
    parts = [call.get("requestBody", {}), *call["responses"].values()]
    schemas = [content["schema"] for part in parts for content in part.get("content", {}).values()]
    return {name for schema in schemas if (name := _referred(schema.get("items", schema))) is not None}


def _referred(schema: Schema) -> str | None:
    return schema["$ref"].removeprefix(_REF) if "$ref" in schema else None


def _own_description(schema: Schema) -> str:
    """What the type says of itself; of a model that is linked the place where it is told says it."""
    return "" if "properties" in schema else schema.get("description", "")


def _limits(schema: Schema) -> Iterator[Phrase]:
    yield from _bounds(schema, "minimum", "maximum", "")
    yield from _bounds(schema, "minLength", "maxLength", " characters")
    yield from _bounds(schema, "minItems", "maxItems", " entries")
    if "exclusiveMinimum" in schema:
        yield Phrase(f"more than {schema['exclusiveMinimum']}")
    if "pattern" in schema:
        yield Phrase(schema["pattern"], is_code=True)
    if schema.get("default") is not None:
        yield Phrase(f"default {json.dumps(schema['default'])}")
    if examples := schema.get("examples"):
        yield Phrase(f"such as {examples[0]}")


def _bounds(schema: Schema, lowest: str, highest: str, unit: str) -> Iterator[Phrase]:
    low, high = schema.get(lowest), schema.get(highest)
    if low is not None and high is not None:
        yield Phrase(f"{low:,} to {high:,}{unit}")
    elif low is not None:
        yield Phrase(f"at least {low:,}{unit}")
    elif high is not None:
        yield Phrase(f"up to {high:,}{unit}")
