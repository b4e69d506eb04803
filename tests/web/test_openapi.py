"""The OpenAPI document: valid, complete, and in agreement with what handlers emit."""

import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema_rs
import pytest
import schemathesis
from pydantic import BaseModel

from securitycamd.domain.models import Camera, Event, LogLine
from securitycamd.domain.names import ConversionStatus, EventStatus, LogLevel
from securitycamd.domain.principal import Audience
from securitycamd.web.app import ALL_ROUTES, API_ROUTES
from securitycamd.web.openapi import CHAPTERS, make_document
from securitycamd.web.registry import Route
from securitycamd.web.schemas.cameras import CameraReply, camera_reply
from securitycamd.web.schemas.events import EventReply, event_reply
from securitycamd.web.schemas.logs import LogReply, log_reply
from tests.conftest import Site

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2025, 10, 28, 13, 30, 22, 186476, tzinfo=UTC)
CAMERA = Camera(1, "camera_1", "Front walk", "Garden", "192.168.1.31", NOW, NOW, NOW)
LINE = LogLine(1, "camera_1", NOW, LogLevel.INFO, "Motion.")
EVENT = Event(
    id=1,
    camera_id="camera_1",
    timestamp=NOW,
    motion_score=1250.5,
    confidence_score=None,
    status=EventStatus.PROCESSING,
    image_a_path=None,
    image_b_path=None,
    thumbnail_path=None,
    video_h264_path=None,
    video_mp4_path=None,
    video_duration=None,
    image_a_transferred=False,
    image_b_transferred=False,
    thumbnail_transferred=False,
    video_transferred=False,
    mp4_conversion_status=ConversionStatus.PENDING,
    mp4_converted_at=NOW,
    ai_processed=False,
    ai_processed_at=NOW,
    ai_person_detected=None,
    ai_confidence=None,
    ai_objects=None,
    ai_description=None,
    ai_phrase=None,
    ai_error=None,
    created_at=NOW,
)


@pytest.fixture
def document() -> dict[str, Any]:
    return make_document(API_ROUTES, site_name="Home")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def everything_in(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key and its value, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from everything_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from everything_in(inner)


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(document).validate()
    for name, schema in document["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid(schema), name


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    names = {value for key, value in everything_in(document) if key == "$ref"}
    assert names
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert names <= known
    assert known - names == set()  # and nothing is described in vain


def test_operations_have_names_of_their_own_words_and_a_chapter(document: dict[str, Any]) -> None:
    found = [operation for _, _, operation in operations(document)]
    assert len({operation["operationId"] for operation in found}) == len(found)
    assert all(operation["summary"] for operation in found)
    assert {tag for operation in found for tag in operation["tags"]} == set(CHAPTERS)


def test_path_parameters_are_those_of_the_path(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        parameters = operation.get("parameters", [])
        names = {entry["name"] for entry in parameters if entry["in"] == "path"}
        assert names == set(re.findall(r"{(\w+)}", path))
        assert all(entry["required"] for entry in parameters if entry["in"] == "path")


def test_every_operation_names_its_audience(document: dict[str, Any]) -> None:
    told = {(method, path): operation["x-audience"] for method, path, operation in operations(document)}
    assert told == {(route.method, route.path): route.audience.name.lower() for route in API_ROUTES}
    by_agents = [
        ("POST", "/api/v1/cameras/register"),
        ("POST", "/api/v1/events"),
        ("PATCH", "/api/v1/events/{id}/files"),
        ("PATCH", "/api/v1/events/{id}/status"),
        ("POST", "/api/v1/logs"),
        ("GET", "/api/v1/cameras/{camera_id}/stats"),
    ]
    assert {told[operation] for operation in by_agents} == {"agent"}
    assert [operation for operation, audience in told.items() if audience == "public"] == [("GET", "/api/v1/health")]


def test_only_what_tells_nothing_of_the_site_is_public() -> None:
    public = {route.path for route in ALL_ROUTES if route.audience is Audience.PUBLIC}
    assets = {"/static/{name:.+}", "/manifest.webmanifest"}
    redirects = {"/index.php", "/event.php", "/live.php", "/logs.php"}
    assert public == assets | redirects | {"/", "/docs", "/openapi.json", "/api/v1/health", "/theme"}


def test_every_operation_tells_its_errors(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        replies = operation["responses"]
        assert any(status.startswith("2") for status in replies), path
        for status, reply in replies.items():
            if status.startswith("2") or path == "/api/v1/health":
                assert set(reply["content"]) == {"application/json"}
            else:
                schema = reply["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}


def test_what_can_be_in_the_way_of_a_change_is_told(document: dict[str, Any]) -> None:
    told = {
        (method, path): operation["responses"]["409"]["description"]
        for method, path, operation in operations(document)
        if "409" in operation["responses"]
    }
    assert told == {(route.method, route.path): route.conflict for route in API_ROUTES if route.conflict}
    by_hand = {(method, path) for method, path, operation in operations(document) if "409" in str(operation)}
    assert by_hand == set(told)
    assert told["PATCH", "/api/v1/events/{id}"] == "It is being removed"


async def test_documented_and_routed_are_the_same(site: Site) -> None:
    document = await site.json("GET", "/openapi.json")
    documented = {(method, path) for method, path, _ in operations(document)}
    application = site.client.app
    assert application is not None
    routed = {
        (route.method, route.resource.canonical)
        for route in application.router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/api/")
    }
    # No schema says what a reply without an end holds, nor a file; docs/stream.md and docs/logs.md do.
    other = {"/api/v1/stream", "/api/v1/logs/stream", "/api/v1/logs/download"}
    routed = {(method, path) for method, path in routed if path not in other}
    assert {(method, path) for method, path in routed if method != "HEAD"} == documented
    assert {("GET", path) for method, path in routed if method == "HEAD"} == {
        (method, path) for method, path in documented if method == "GET"
    }


@pytest.mark.parametrize(
    ("model", "emitted", "source"),
    [
        (EventReply, event_reply(EVENT, ZONE), Event),
        (CameraReply, camera_reply(CAMERA, NOW, ZONE, 180), None),
        (LogReply, log_reply(LINE, ZONE), LogLine),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_emitted_is_what_is_described(model: type[BaseModel], emitted: dict[str, Any], source: Any) -> None:
    assert list(emitted) == list(model.model_fields)
    assert model.model_validate(emitted, strict=True).model_dump() == emitted
    if source is not None:
        assert list(emitted) == [field.name for field in fields(source)]


def test_times_are_emitted_in_the_zone_of_the_site() -> None:
    for emitted in (event_reply(EVENT, ZONE), camera_reply(CAMERA, NOW, ZONE, 180), log_reply(LINE, ZONE)):
        times = [value for value in emitted.values() if isinstance(value, datetime)]
        assert times
        assert all(value.tzinfo is ZONE and value == NOW for value in times)


@pytest.mark.parametrize("route", API_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_bodies_and_queries_take_unknown_fields(route: Route) -> None:
    """Agents of every age must get through."""
    for model in (route.path_model, route.query_model):
        if model is not None:
            assert model.model_config["extra"] == "ignore"


def test_the_name_of_the_site_is_in_it(make_settings: Callable[..., Any]) -> None:
    assert "Beach house" in make_document(API_ROUTES, site_name="Beach house")["info"]["title"]
