"""The OpenAPI 3.1 document, made from the route registry."""

import re
from collections.abc import Sequence
from typing import Any, Final, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from securitycamd import __version__
from securitycamd.domain.principal import Audience
from securitycamd.web.registry import Route
from securitycamd.web.schemas.common import Problem

_REF: Final = "#/components/schemas/{model}"
_REASONS: Final = {200: "Done", 201: "Created", 202: "Received so far", 503: "Temporarily unavailable"}
CHAPTERS: Final = {
    "cameras": "Registration and what is known of the cameras",
    "events": "Motion events, their files and what was seen",
    "digests": "A short report of each day",
    "retention": "What is kept, what goes next, and what people decide about single events",
    "storage": "Whether rows and files agree, and files that fit no event",
    "live": "Which cameras are watched live, and so do not look for motion",
    "logs": "Log lines of agents and of the server",
    "system": "Health, statistics and background tasks",
}


def make_document(routes: Sequence[Route], *, site_name: str) -> dict[str, Any]:
    """Describe the routes that have a tag."""
    documented = [route for route in routes if route.tag]
    adapters: list[tuple[tuple[str, str], JsonSchemaMode, TypeAdapter[Any]]] = [
        (("problem", ""), "serialization", TypeAdapter(Problem))
    ]
    for route in documented:
        key = f"{route.method} {route.path}"
        if route.body is not None:
            adapters.append(((key, "body"), "validation", TypeAdapter(route.body)))
        adapters.extend(
            ((key, str(status)), "serialization", TypeAdapter(model)) for status, model in route.replies.items()
        )
    # One pass over all types, so that a model has one name whoever refers to it.
    by_use, definitions = TypeAdapter.json_schemas(adapters, ref_template=_REF)
    schemas = {key: schema for (key, _mode), schema in by_use.items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in documented:
        operation = paths.setdefault(route.path, {})
        operation[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"securitycamd - {site_name}",
            "version": __version__,
            "description": "The API of the camera server: agents report here, and browsers and scripts read.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "tags": [{"name": name, "description": text} for name, text in CHAPTERS.items()],
        "paths": paths,
        "components": {"schemas": definitions.get("$defs", {})},
    }


def _operation(route: Route, schemas: dict[Any, Any]) -> dict[str, Any]:
    key = f"{route.method} {route.path}"
    operation: dict[str, Any] = {
        "tags": [route.tag],
        "summary": route.summary,
        "operationId": route.handler.__name__,
        "x-audience": route.audience.name.lower(),
    }
    if route.description:
        operation["description"] = route.description
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    if route.streams:
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {"schema": {}}}}
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(schemas[key, "body"])}
    replies = {
        str(status): {"description": _REASONS[status], "content": _json(schemas[key, str(status)])}
        for status in route.replies
    }
    problem = {"application/problem+json": {"schema": schemas["problem", ""]}}
    for status, reason in _errors(route).items():
        replies.setdefault(str(status), {"description": reason, "content": problem})
    operation["responses"] = replies
    return operation


def _errors(route: Route) -> dict[int, str]:
    errors = {}
    if route.audience > Audience.PUBLIC:
        errors[403] = "Not allowed for whoever asks"
    if route.path_model is not None or route.body is not None or route.method == "DELETE":
        errors[404] = "What was named is not here"
    if route.path_model is not None or route.query_model is not None or route.body is not None:
        errors[422] = "A field, parameter or the JSON itself is wrong"
    if route.body is not None:
        is_batch = get_origin(route.body) is list
        errors |= {
            400: "The batch is empty, or cannot be read" if is_batch else "The body cannot be read",
            413: "The body is too large",
        }
    if route.streams:
        errors[413] = "The file is too large"
    if route.conflict:
        errors[409] = route.conflict
    errors[503] = "The database or the storage is away; try again"
    return dict(sorted(errors.items()))


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _parameters(route: Route) -> list[dict[str, Any]]:
    parameters = []
    names = set(re.findall(r"{(\w+)", route.path))
    for place, model in (("path", route.path_model), ("query", route.query_model)):
        if model is None:
            continue
        parameters += [
            {
                "name": name,
                "in": place,
                "required": place == "path" or field.is_required(),
                "schema": schema,
                **({"description": schema.pop("description")} if "description" in schema else {}),
            }
            for (name, field), schema in zip(model.model_fields.items(), _fields(model), strict=True)
            if place == "query" or name in names
        ]
    return parameters


def _fields(model: type[BaseModel]) -> list[dict[str, Any]]:
    _, definitions = models_json_schema([(model, "validation")], ref_template=_REF)
    properties = definitions["$defs"][model.__name__]["properties"]
    return [_inlined(dict(properties[name]), definitions["$defs"]) for name in model.model_fields]


def _inlined(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Parameters are few and flat: write their enumerations out, and drop the null that a query cannot say."""
    if "anyOf" in schema:
        options = [option for option in schema.pop("anyOf") if option != {"type": "null"}]
        schema = (options[0] if len(options) == 1 else {"anyOf": options}) | schema
    if "$ref" in schema:
        schema = dict(definitions[schema.pop("$ref").rpartition("/")[2]]) | schema
    if "$ref" in (items := schema.get("items", {})):
        schema["items"] = dict(definitions[items["$ref"].rpartition("/")[2]])
    schema.pop("title", None)
    if schema.get("default", 0) is None:
        schema.pop("default")
    return schema
