"""Requests made from the OpenAPI document: never a 500, and every reply is as the document says."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis.checks import CheckFunction, load_all_checks, not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import securitycamd.ai.server  # noqa: F401 - the first analyst imports it, which reads files
from securitycamd.supervision import TaskControl, TaskSpec
from securitycamd.web.app import API_ROUTES
from securitycamd.web.schemas.common import CameraPath
from tests.conftest import Site
from tests.protocol.wire import API, FILE, LINE

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
LONGEST_URL = 8000
EXAMPLES = 40
EVERYTHING_OF_AN_EVENT = (
    "UPDATE events SET ai_processed = TRUE, ai_processed_at = created_at, ai_confidence = 0.5,"
    " ai_person_detected = FALSE, ai_objects = '[]', ai_phrase = 'A van', mp4_converted_at = created_at"
)


@pytest.fixture
async def lived_in(site: Site) -> Site:
    """A site in which there is one of everything that a reply can hold."""
    await site.register()
    event = await site.event()
    for file_type in ("image_a", "image_b", "video"):
        body = FILE | {"file_type": file_type}
        await site.json("PATCH", f"{API}/events/{event['id']}/files", json=body)
    await site.json("POST", f"{API}/logs", json=[LINE])
    async with site.shared.database.session() as session:
        await session.script(EVERYTHING_OF_AN_EVENT)
    await site.shared.health.examine()
    await site.shared.stats.measure_usage()
    return site


def _drive(
    operation: APIOperation[Any, Any, Any, Any],
    base_url: str,
    mode: GenerationMode,
    known: dict[str, Any] | None,
) -> set[int]:
    """Make many requests and hold the replies to the document; the statuses there were."""
    load_all_checks()
    strategy = operation.as_strategy(generation_mode=mode, path_parameters=known)
    statuses = set()
    with requests.Session() as session:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )
        @given(case=strategy)
        def run(case: schemathesis.Case[Any]) -> None:
            # Longer addresses are refused before any route is known.
            url = requests.Request(**case.as_transport_kwargs(base_url=base_url)).prepare().url
            assume(len(url or "") < LONGEST_URL)
            response = case.call_and_validate(base_url=base_url, session=session, checks=CHECKS, timeout=20)
            statuses.add(response.status_code)

        run()
    return statuses


async def _rest(control: TaskControl) -> None:
    await control.stopping.wait()


def _cases() -> Iterator[tuple[str, GenerationMode]]:
    for route in API_ROUTES:
        yield f"{route.method} {route.path}", GenerationMode.POSITIVE
        # Elsewhere there is nothing to say wrongly: no parameter, or one that may be any text.
        if route.path_model not in {None, CameraPath} or route.query_model or route.body:
            yield f"{route.method} {route.path}", GenerationMode.NEGATIVE


@pytest.mark.parametrize(("label", "mode"), list(_cases()))
async def test_any_request_gets_a_reply_that_the_document_describes(
    lived_in: Site, label: str, mode: GenerationMode
) -> None:
    method, _, path = label.partition(" ")
    document = schemathesis.openapi.from_dict(await lived_in.json("GET", "/openapi.json"))
    events = await lived_in.json("GET", f"{API}/events")
    known = {"id": events["events"][0]["id"], "camera_id": "camera_1", "name": "converter", "action": "pause"}
    named = {name: value for name, value in known.items() if f"{{{name}}}" in path}
    is_positive = mode is GenerationMode.POSITIVE
    async with asyncio.TaskGroup() as group:
        lived_in.shared.supervisor.start(group, TaskSpec("converter", "Converts clips", _rest))
        statuses = await asyncio.to_thread(
            _drive,
            document[path][method],
            str(lived_in.client.make_url("/")).rstrip("/"),
            mode,
            named if is_positive and named else None,
        )
        lived_in.shared.supervisor.ask_to_stop()
    if is_positive and method != "PATCH":  # most paths that the document allows are no file_path
        # A camera that is online does not go, and one that was not removed does not come back.
        refused = {202, 409} if path.startswith(f"{API}/cameras/") else set()
        # No schema can say that one time must lie before another, and near enough.
        refused |= {422} if path == f"{API}/stats/timeline" else set()
        assert statuses & ({200, 201, 404} | refused), statuses
