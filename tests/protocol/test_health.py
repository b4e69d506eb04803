"""``GET /api/v1/health``, and what is said while the database is away."""

from datetime import UTC, datetime, timedelta

import pytest

import securitycamd.ai.server  # noqa: F401 - the first analyst imports it, which reads files
from securitycamd import __version__
from tests.conftest import Site
from tests.protocol.wire import API, CAMERA, EVENT, FILE, LINE, check_problem

HEALTH = f"{API}/health"


async def test_healthy(site: Site) -> None:
    reply = await site.json("GET", HEALTH, status=200)
    assert {
        "status": "healthy",
        "database": "connected",
        "database_connected": True,
        "version": __version__,
    }.items() <= reply.items()
    assert abs(datetime.fromisoformat(reply["timestamp"]) - datetime.now(UTC)) < timedelta(seconds=30)


async def test_without_the_database_it_is_not_healthy(site: Site) -> None:
    await site.shared.database.close()
    assert not await site.shared.database.ping()
    site.shared.database.connected = False  # as after the first contact that failed
    async with site.client.get(HEALTH) as response:
        reply = await response.json()
        assert response.status == 503
        assert int(response.headers["Retry-After"]) >= 1
    assert reply["status"] != "healthy"
    assert (reply["database"], reply["database_connected"]) == ("disconnected", False)


async def test_it_is_answered_without_asking_anybody(site: Site) -> None:
    """Within 3 s, whatever hangs: here there is no database to ask."""
    await site.shared.database.close()
    assert (await site.json("GET", HEALTH, status=200))["status"] == "healthy"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/cameras/register", CAMERA),
        ("GET", "/cameras", None),
        ("GET", "/cameras/camera_1", None),
        ("GET", "/cameras/camera_1/stats", None),
        ("POST", "/events", EVENT),
        ("GET", "/events", None),
        ("GET", "/events/1", None),
        ("GET", "/events/1/jobs", None),
        ("PATCH", "/events/1/files", FILE),
        ("PATCH", "/events/1/status", {"status": "complete"}),
        ("POST", "/logs", [LINE]),
        ("GET", "/logs", None),
        ("GET", "/stats", None),
        ("GET", "/stats/cameras", None),
    ],
)
async def test_without_the_database_a_client_is_told_to_come_again(
    site: Site, method: str, path: str, body: object
) -> None:
    await site.shared.database.close()
    async with site.client.request(method, API + path, json=body) as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) >= 1
        check_problem(site, 503, await response.text())


async def test_the_report_says_what_each_rule_found(site: Site) -> None:
    await site.shared.health.examine()
    report = await site.json("GET", f"{HEALTH}/report")
    findings = {finding["rule"]: finding["level"] for finding in report["findings"]}
    assert findings["database"] == "ok"
    assert report["level"] in {"ok", "warning", "critical"}
    problems = (await site.json("GET", HEALTH))["problems"]
    assert problems == [rule for rule, level in findings.items() if level != "ok"]
