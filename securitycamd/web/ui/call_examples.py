"""A command for each call of the API, made of what its parameters and its body take."""

import json
import shlex
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from securitycamd.web.ui.schema_words import Schema, Schemas

SERVER: Final = "http://server.invalid"
"""Stands for the address of the server, which each reader reaches by another."""

_FORMATS: Final = {"date": "2025-10-28", "date-time": "2025-10-28T14:30:22"}


def curl(method: str, path: str, operation: Mapping[str, Any], schemas: Schemas) -> str:
    """The command, its server's address being :data:`SERVER`."""
    lines = [f"curl{'' if method == 'GET' else f' -X {method}'} '{SERVER}{target(path, operation, schemas)}'"]
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        body = json.dumps(example(content["application/json"]["schema"], schemas), ensure_ascii=False)
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(body)}"]
    elif content:
        lines = [f"curl -T image_a.jpg '{SERVER}{target(path, operation, schemas)}'"]
    return " \\\n  ".join(lines)


def target(path: str, operation: Mapping[str, Any], schemas: Schemas) -> str:
    """The address with what it needs: path and required parameters."""
    query = {}
    for parameter in operation.get("parameters", ()):
        value = _text(example(parameter["schema"], schemas))
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(value, safe=""))
        elif parameter["required"]:
            query[parameter["name"]] = value
    return f"{path}?{urlencode(query)}" if query else path


def example(schema: Schema, schemas: Schemas) -> Any:
    """A value that a schema takes; of an object what is required, or, where nothing is, its first field."""
    schema = schemas.plain(schema)
    if "properties" in schema:
        names = schema.get("required") or list(schema["properties"])[:1]
        return {name: example(schema["properties"][name], schemas) for name in names}
    if "items" in schema:
        return [example(schema["items"], schemas)]
    given = [*schema.get("examples", ()), *schema.get("enum", ())]
    if schema.get("default") is not None:
        given.append(schema["default"])
    return given[0] if given else _typical(schema)


def _typical(schema: Schema) -> Any:
    number = schema.get("minimum", 1) or 1
    typical = {
        "boolean": True,
        "integer": number,
        "number": number,
        "string": _FORMATS.get(schema.get("format", ""), "text"),
    }
    return typical.get(schema.get("type", ""), {})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
