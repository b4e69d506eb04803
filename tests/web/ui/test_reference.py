"""The API reference as a page, made of our own document and of a hostile one."""

import asyncio
import json
import re
import shlex
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jinja2
import pytest
from pydantic import TypeAdapter

from securitycamd.web.api.reference import document_of, render_document
from securitycamd.web.app import API_ROUTES
from securitycamd.web.docs_pages import Reference, render_reference
from securitycamd.web.registry import Route
from securitycamd.web.ui.call_examples import SERVER
from securitycamd.web.ui.reference_contexts import FieldView, ReferenceContext
from securitycamd.web.ui.reference_view import reference_context
from securitycamd.web.ui.schema_words import phrases
from tests.web.ui.test_pages import HOSTILE, parse

PROBLEM = {"title": "Problem", "type": "object", "properties": {"detail": {"type": "string"}}}


@pytest.fixture(scope="module")
def document() -> bytes:
    return render_document(API_ROUTES, "Home")


@pytest.fixture(scope="module")
def context(document: bytes) -> ReferenceContext:
    return reference_context(json.loads(document))


@pytest.fixture(scope="module")
def html(document: bytes, environment: jinja2.Environment) -> str:
    return render_reference(document, environment)


def of_one_call(**operation: Any) -> dict[str, Any]:
    """A document of one call, and a model ``Thing``."""
    whole = {"tags": ["things"], "operationId": "do", "summary": "Do", "x-audience": "viewer", "responses": {}}
    return {
        "tags": [{"name": "things", "description": "Things"}],
        "paths": {"/things/{id}": {"post": whole | operation}},
        "components": {"schemas": {"Problem": PROBLEM}},
    }


def field_of(schema: dict[str, Any], **models: Any) -> FieldView:
    """How the reference tells of a parameter of this schema."""
    made = of_one_call(parameters=[{"name": "it", "in": "query", "required": False, "schema": schema}])
    made["components"]["schemas"] |= models
    [chapter] = reference_context(made).chapters
    return chapter.operations[0].groups[0].fields[0]


def told(field: FieldView) -> tuple[str, list[str]]:
    return "".join(part.text for part in field.types), [limit.text for limit in field.limits]


def test_every_route_is_in_it_with_its_summary(html: str, context: ReferenceContext) -> None:
    calls = {
        (call.method, "".join(part.text for part in call.path)): call
        for chapter in context.chapters
        for call in chapter.operations
    }
    assert set(calls) == {(route.method, route.path) for route in API_ROUTES}
    for route in API_ROUTES:
        call = calls[route.method, route.path]
        assert (call.anchor, call.summary) == (route.handler.__name__, route.summary)
        assert f'<details class="call" id="{call.anchor}">' in html
        assert call.replies


def test_it_is_sound_and_every_link_within_leads_somewhere(html: str) -> None:
    parser = parse(f"<h1>API</h1>{html}")
    links = {link[1:] for link in re.findall(r'href="(#[^"]*)"', html)}
    assert len(links) > 30
    assert links <= set(parser.ids)
    assert len(html) < 200_000  # to be parsed on a phone in a moment


@pytest.mark.parametrize("route", API_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_an_example_is_what_its_route_takes(context: ReferenceContext, route: Route) -> None:
    [call] = [
        each
        for chapter in context.chapters
        for each in chapter.operations
        if (each.method, "".join(part.text for part in each.path)) == (route.method, route.path)
    ]
    words = shlex.split(call.example.replace("\\\n", ""))
    [url] = [word for word in words if word.startswith(SERVER)]
    method = words[words.index("-X") + 1] if "-X" in words else "PUT" if "-T" in words else "GET"
    assert (words[0], method) == ("curl", route.method)
    parts = urlsplit(url)
    found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path), parts.path)
    assert found, parts.path
    if route.path_model is not None:
        route.path_model.model_validate({name: unquote(value) for name, value in found.groupdict().items()})
    if route.query_model is not None:
        route.query_model.model_validate(dict(parse_qsl(parts.query, strict_parsing=bool(parts.query))))
    assert ("-d" in words) == (route.body is not None)
    if route.body is not None:
        assert TypeAdapter(route.body).validate_json(words[words.index("-d") + 1])


def test_what_the_document_says_is_text(environment: jinja2.Environment) -> None:
    hostile = {"type": "string", "description": HOSTILE, "enum": [HOSTILE], "pattern": HOSTILE, "examples": [HOSTILE]}
    made = of_one_call(
        summary=HOSTILE,
        description=f"`{HOSTILE}` {HOSTILE}",
        parameters=[{"name": HOSTILE, "in": "path", "required": True, "schema": hostile, "description": HOSTILE}],
        requestBody={"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
        responses={
            "200": {"description": HOSTILE, "content": {"application/json": {"schema": hostile}}},
            "409": {"description": HOSTILE, "content": {}},
        },
    )
    made["tags"][0]["description"] = HOSTILE
    made["components"]["schemas"]["Thing"] = {
        "description": HOSTILE,
        "required": [HOSTILE],
        "properties": {HOSTILE: hostile},
    }
    page = render_reference(json.dumps(made).encode(), environment)
    parse(f"<h1>API</h1>{page}")
    assert "<script" not in page
    assert "<img" not in page
    assert unescape(page).count(HOSTILE) > 12


def test_backticks_are_code() -> None:
    said = [(phrase.text, phrase.is_code) for phrase in phrases("Is `true`, or ``{id}`` of it")]
    assert said == [("Is ", False), ("true", True), (", or ", False), ("{id}", True), (" of it", False)]
    assert phrases("") == ()


@pytest.mark.parametrize(
    ("schema", "types", "limits"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 2000, "default": 50}, "integer", ["1 to 2,000", "default 50"]),
        ({"type": "number", "exclusiveMinimum": 0}, "number", ["more than 0"]),
        ({"type": "string", "maxLength": 80, "pattern": "^a$"}, "string", ["up to 80 characters", "^a$"]),
        ({"type": "string", "format": "date", "examples": ["2025-10-28"]}, "date", ["such as 2025-10-28"]),
        ({"type": "array", "minItems": 1, "items": {"type": "integer"}}, "list of integer", ["at least 1 entries"]),
        ({"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]}, "number or null", ["at least 0"]),
        ({"type": "boolean", "default": False}, "boolean", ["default false"]),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of integer", []),
    ],
)
def test_types_and_limits_are_said_in_words(schema: dict[str, Any], types: str, limits: list[str]) -> None:
    assert told(field_of(schema)) == (types, limits)


def test_few_values_stand_in_place_and_models_are_linked() -> None:
    colour = {"type": "string", "enum": ["red", "blue"], "description": "How it looks."}
    field = field_of({"anyOf": [{"$ref": "#/components/schemas/Colour"}, {"type": "null"}]}, Colour=colour)
    assert (field.choices, told(field)[0]) == (("red", "blue"), "string or null")
    assert field.says == phrases("How it looks.")
    linked = field_of({"type": "array", "items": {"$ref": "#/components/schemas/a__Thing"}}, a__Thing=PROBLEM)
    assert [(part.text, part.url) for part in linked.types] == [("list of ", None), ("Thing", "#model-a__Thing")]


def test_what_several_calls_answer_with_is_told_once_among_the_models(context: ReferenceContext) -> None:
    names = [model.name for model in context.models]
    assert names.count("EventReply") == 1
    calls = {call.anchor: call for chapter in context.chapters for call in chapter.operations}
    [reply] = calls["create"].replies
    assert [status.code for status in reply.statuses] == ["200", "201"]
    assert [(part.text, part.url) for part in reply.types] == [("EventReply", "#model-EventReply")]
    assert not reply.fields
    # Of one call alone: there.
    assert "TimelineReply" not in names
    [timeline] = calls["event_timeline"].replies
    assert [field.name for field in timeline.fields] == ["step", "start", "end", "total", "buckets"]
    required = {field.name: field.is_required for field in calls["create"].groups[0].fields}
    assert required == {"camera_id": True, "timestamp": True, "motion_score": True, "confidence_score": False}


async def test_who_goes_away_does_not_take_it_from_the_others(environment: jinja2.Environment) -> None:
    reference = Reference(document_of(API_ROUTES, "Home"), environment)
    first = asyncio.create_task(reference.html("http://nvr:8000"))
    second = asyncio.create_task(reference.html("http://[fd00::1]:8000"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert first.cancelled()
    # One text, told to each with the address they use.
    theirs = await second
    assert "curl &#39;http://[fd00::1]:8000/api/v1/health&#39;" in theirs
    again = await reference.html("http://nvr:8000")
    assert again == theirs.replace("http://[fd00::1]:8000", "http://nvr:8000")
    assert ".invalid" not in again
