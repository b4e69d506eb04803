"""The API reference, made of the OpenAPI document: one source for people and programs."""

import re
from collections.abc import Mapping
from typing import Any, Final

from securitycamd.web.ui.call_examples import curl
from securitycamd.web.ui.reference_contexts import (
    Chapter,
    FieldGroup,
    ModelView,
    Operation,
    PathPart,
    ReferenceContext,
    ReplyView,
    Status,
    TypePart,
)
from securitycamd.web.ui.schema_words import Schemas, model_url, phrases, title_of

PROBLEM: Final = "Problem"
_TRUSTED: Final = "answered on trusted networks"
_WHO: Final = {
    "public": ("anyone", "Anyone may ask, from anywhere."),
    "agent": ("agents", f"Made for the cameras' agents; {_TRUSTED}."),
    "viewer": ("viewers", f"For whoever looks; {_TRUSTED}."),
    "operator": ("operators", f"For whoever runs the site; {_TRUSTED}."),
    "admin": ("admins", f"For whoever looks after the server; {_TRUSTED}."),
}
_PLACES: Final = {"path": "In the path", "query": "In the query"}


def reference_context(document: Mapping[str, Any]) -> ReferenceContext:
    """All of the document; not for the loop."""
    schemas = Schemas(document)
    schemas.link(PROBLEM)
    by_chapter: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_chapter[operation["tags"][0]].append(_operation(method.upper(), path, operation, schemas))
    return ReferenceContext(
        chapters=tuple(
            Chapter(f"chapter-{tag['name']}", tag["name"].capitalize(), tag["description"], tuple(operations))
            for tag in document["tags"]
            if (operations := by_chapter[tag["name"]])
        ),
        models=_models(schemas),
        problem_url=model_url(PROBLEM),
    )


def _operation(method: str, path: str, operation: Mapping[str, Any], schemas: Schemas) -> Operation:
    audience, who = _WHO[operation["x-audience"]]
    responses = operation["responses"]
    replies = {code: reply for code, reply in responses.items() if "application/json" in reply["content"]}
    # What is answered alike is told once.
    alike = {
        str(reply["content"]): [code for code, other in replies.items() if other["content"] == reply["content"]]
        for reply in replies.values()
    }
    return Operation(
        anchor=operation["operationId"],
        method=method,
        path=_path(path),
        summary=operation["summary"],
        audience=audience,
        who=who,
        says=phrases(operation.get("description", "")),
        groups=_groups(operation, schemas),
        replies=tuple(_reply({code: replies[code] for code in codes}, schemas) for codes in alike.values()),
        failures=_statuses({code: reply for code, reply in responses.items() if code not in replies}),
        example=curl(method, path, operation, schemas),
    )


def _path(path: str) -> tuple[PathPart, ...]:
    parts = re.findall(r"\{\w+\}/?|[^{/]*/?", path)
    return tuple(PathPart(part, is_parameter=part.startswith("{")) for part in parts if part)


def _groups(operation: Mapping[str, Any], schemas: Schemas) -> tuple[FieldGroup, ...]:
    groups = []
    for place, title in _PLACES.items():
        fields = tuple(
            schemas.field(
                parameter["name"],
                parameter["schema"],
                is_required=parameter["required"],
                description=parameter.get("description"),
            )
            for parameter in operation.get("parameters", ())
            if parameter["in"] == place
        )
        if fields:
            groups.append(FieldGroup(title, (), (), fields))
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        if kind != "application/json":
            groups.append(FieldGroup("Body", (TypePart(kind),), (), ()))
            continue
        model, types = schemas.whole(body["schema"])
        model = model or {}
        fields = schemas.fields(model, is_asked=True)
        groups.append(FieldGroup("Body, JSON", types, phrases(model.get("description", "")), fields))
    return tuple(groups)


def _statuses(responses: Mapping[str, Any]) -> tuple[Status, ...]:
    return tuple(Status(code, response["description"]) for code, response in responses.items())


def _reply(responses: Mapping[str, Any], schemas: Schemas) -> ReplyView:
    model, types = schemas.whole(next(iter(responses.values()))["content"]["application/json"]["schema"])
    model = model or {}
    says = phrases(model.get("description", ""))
    return ReplyView(_statuses(responses), types, says, schemas.fields(model, is_asked=False))


def _models(schemas: Schemas) -> tuple[ModelView, ...]:
    views = {}
    # Telling of one may send the reader to others.
    for name in schemas.wanted:
        model = schemas.of(name)
        says = phrases(model.get("description", ""))
        views[name] = ModelView(f"model-{name}", title_of(name), says, schemas.fields(model, is_asked=False))
    return tuple(sorted(views.values(), key=lambda view: view.name))
