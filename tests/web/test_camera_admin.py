"""What operators do with cameras, over the API and by the pages' forms."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from securitycamd.domain.principal import DAEMON
from tests.conftest import Site
from tests.protocol.wire import API

ONE = f"{API}/cameras/camera_1"


async def silence(site: Site, camera_id: str = "camera_1") -> None:
    """Have a camera offline, as after an hour of silence."""
    async with site.shared.database.session() as session:
        await session.script(
            "UPDATE cameras SET last_seen = UTC_TIMESTAMP() - INTERVAL 1 HOUR,"
            f" created_at = created_at - INTERVAL 2 HOUR WHERE camera_id = '{camera_id}'"
        )


async def page(site: Site, path: str, *, status: int = 200) -> str:
    async with site.client.get(path, headers={"Accept": "text/html"}) as response:
        text = await response.text()
        assert response.status == status, text
        return text


async def send_form(site: Site, path: str, *, status: int = 303, **fields: str) -> str:
    """Where the form leads to."""
    async with site.client.post(path, data=fields, allow_redirects=False) as response:
        assert response.status == status, await response.text()
        return response.headers.get("Location", "")


async def put(site: Site, event_id: int, camera_id: str = "camera_1") -> str:
    """A picture of an event; its path."""
    path = f"{camera_id}/pictures/{event_id}_20251028_143022_a.jpg"
    (site.root / path).parent.mkdir(parents=True, exist_ok=True)
    (site.root / path).write_bytes(b"picture")
    body = {"file_type": "image_a", "file_path": path, "transferred": True}
    await site.json("PATCH", f"{API}/events/{event_id}/files", json=body)
    return path


async def work_off(site: Site) -> None:
    while await site.shared.camera_removal.remove_some():
        pass


async def test_a_rename_outlives_registrations(site: Site) -> None:
    await site.register()
    changed = await site.json("PATCH", ONE, json={"name": " Gate \n cam ", "location": "Street"})
    assert (changed["name"], changed["location"]) == ("Gate cam", "Street")
    # The agent is told its own words back, as the protocol has it; everybody else reads the operator's.
    assert (await site.register(location="Lawn"))["name"] == "Front walk"
    assert [camera["name"] for camera in await site.json("GET", f"{API}/cameras")] == ["Gate cam"]
    details = await site.json("GET", f"{ONE}/details")
    assert (details["name"], details["agent_name"], details["location"], details["agent_location"]) == (
        "Gate cam",
        "Front walk",
        "Street",
        "Lawn",
    )
    # One word leaves the other; empty gives the agent's back.
    assert (await site.json("PATCH", ONE, json={"name": ""}))["name"] == "Front walk"
    assert (await site.json("GET", ONE))["location"] == "Street"


@pytest.mark.parametrize("body", [{"name": "x" * 101}, {"location": "x" * 201}, {"hidden": "perhaps"}, []])
async def test_words_that_do_not_fit_are_refused(site: Site, body: Any) -> None:
    await site.register()
    await site.json("PATCH", ONE, json=body, status=422)
    assert (await site.json("GET", ONE))["name"] == "Front walk"


async def test_unknown_cameras_are_not_found(site: Site) -> None:
    for method, path in (
        ("PATCH", ""),
        ("DELETE", "?footage=false"),
        ("POST", "/refresh"),
        ("POST", "/restore"),
        ("GET", "/removal"),
        ("GET", "/details"),
        ("GET", "/activity"),
        ("GET", "/coverage"),
    ):
        await site.json(method, f"{API}/cameras/nobody{path}", json={} if method == "PATCH" else None, status=404)
    await page(site, "/cameras/nobody", status=404)


async def test_a_hidden_camera_leaves_the_lists_and_records_on(site: Site) -> None:
    await site.register()
    await site.json("PATCH", ONE, json={"hidden": True})
    assert await site.json("GET", f"{API}/cameras") == []
    assert [camera["camera_id"] for camera in await site.json("GET", f"{API}/cameras?hidden=true")] == ["camera_1"]
    event = await site.event()
    assert (await site.json("GET", f"{API}/events"))["total"] == 1
    shown = await page(site, "/cameras")
    assert "hidden; it records on" in shown
    assert 'data-camera="camera_1"' not in shown
    # Events still say whose they are, and registering does not bring it back into the lists.
    await site.register()
    assert "Front walk" in await page(site, f"/events/{event['id']}")
    assert await site.json("GET", f"{API}/cameras") == []
    assert await send_form(site, "/cameras/camera_1/show") == "/cameras/camera_1"
    assert len(await site.json("GET", f"{API}/cameras")) == 1


async def test_a_camera_that_is_online_is_removed_by_force_only(site: Site) -> None:
    await site.register()
    await site.event()
    told = await site.json("DELETE", f"{ONE}?footage=true", status=409)
    assert "Switch the agent off first" in told["detail"]
    await site.json("DELETE", ONE, status=422)
    assert (await site.json("DELETE", f"{ONE}?footage=false&force=true"))["removal"] == "retired"


async def test_removed_without_footage_its_events_stay_until_it_comes_back(site: Site) -> None:
    await site.register()
    event = await site.event()
    path = await put(site, event["id"])
    await silence(site)
    assert await site.json("DELETE", f"{ONE}?footage=false") == {
        "camera_id": "camera_1",
        "gone": False,
        "removal": "retired",
    }
    await work_off(site)
    assert (site.root / path).exists()
    assert (await site.json("GET", f"{API}/events"))["total"] == 1
    assert await site.json("GET", f"{API}/cameras") == []
    assert len(await site.json("GET", f"{API}/cameras?removed=true")) == 1
    assert "its events are still here" in await page(site, "/cameras/camera_1")
    # Nothing that a camera sees is ever refused for having been removed.
    await site.event(timestamp="2025-10-28T15:30:22")
    await site.register()
    assert len(await site.json("GET", f"{API}/cameras")) == 1


async def test_removed_with_footage_everything_goes(site: Site) -> None:
    await site.register()
    await site.register("camera_2")
    events = [await site.event(timestamp=f"2025-10-28T14:30:{second:02}") for second in range(23)]
    paths = [await put(site, event["id"]) for event in events]
    await site.json("PUT", f"{API}/events/{events[-1]['id']}/protection")
    kept = await site.event("camera_2")
    kept_path = await put(site, kept["id"], "camera_2")
    await site.shared.measuring.measure_some()
    await site.json("POST", f"{ONE}/refresh")
    await silence(site)
    assert await site.json("GET", f"{ONE}/removal") == {
        "camera_id": "camera_1",
        "events": 23,
        "events_starred": 1,
        "size_bytes": 23 * 7,
        "online": False,
    }
    assert (await site.json("DELETE", f"{ONE}?footage=true", status=202))["removal"] == "footage"
    # Meanwhile its agent is refused, whose words would only delay the end.
    body = {"camera_id": "camera_1", "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    await site.json("POST", f"{API}/cameras/register", json=body, status=409)
    event_body = {"camera_id": "camera_1", "timestamp": "2025-10-28T16:00:00", "motion_score": 1}
    await site.json("POST", f"{API}/events", json=event_body, status=404)
    assert await site.shared.camera_removal.remove_some()
    progress = (await site.json("GET", f"{ONE}/details"))["removal_progress"]
    assert progress == {"events_total": 23, "events_left": 13, "trouble": None}
    assert "Being removed: 10 of 23 events are gone." in await page(site, "/cameras/camera_1")
    await work_off(site)
    assert not [path for path in paths if (site.root / path).exists()]
    assert (site.root / kept_path).exists()
    await site.json("GET", ONE, status=404)
    assert [event["id"] for event in (await site.json("GET", f"{API}/events"))["events"]] == [kept["id"]]
    async with site.shared.database.session() as session:
        left = await session.script(
            "SELECT series FROM tallies WHERE series LIKE '%camera\\_1%'"
            " UNION SELECT camera_id FROM presence WHERE camera_id = 'camera_1'"
            " UNION SELECT camera_id FROM agent_status WHERE camera_id = 'camera_1'"
        )
    assert list(left) == []
    # And it may come again, as new.
    assert (await site.json("POST", f"{API}/cameras/register", json=body, status=201))["camera_id"] == "camera_1"


async def test_a_removal_is_stopped_and_the_rest_stays(site: Site) -> None:
    await site.register()
    for second in range(15):
        await site.event(timestamp=f"2025-10-28T14:30:{second:02}")
    await silence(site)
    await site.json("DELETE", f"{ONE}?footage=true", status=202)
    # Not to be made half of it: its footage is on the way out already.
    await site.json("DELETE", f"{ONE}?footage=false", status=409)
    await site.shared.camera_removal.remove_some()
    assert await send_form(site, "/cameras/camera_1/restore") == "/cameras/camera_1"
    await work_off(site)
    assert (await site.json("GET", f"{API}/events"))["total"] == 5
    assert len(await site.json("GET", f"{API}/cameras")) == 1
    await site.json("POST", f"{ONE}/restore", status=409)


async def test_events_that_are_worked_on_wait(site: Site) -> None:
    await site.register()
    event = await site.event()
    await put(site, event["id"])
    async with site.shared.database.session() as session:
        await session.script(
            "INSERT INTO jobs (event_id, kind, state, run_after, created_at, updated_at)"
            f" VALUES ({event['id']}, 'remux', 'running', UTC_TIMESTAMP(), UTC_TIMESTAMP(), UTC_TIMESTAMP())"
        )
    await silence(site)
    await site.json("DELETE", f"{ONE}?footage=true", status=202)
    assert not await site.shared.camera_removal.remove_some()
    details = await site.json("GET", f"{ONE}/details")
    assert "being worked on" in details["removal_progress"]["trouble"]
    async with site.shared.database.session() as session:
        await session.script("DELETE FROM jobs")
    await work_off(site)
    await site.json("GET", ONE, status=404)


async def test_a_camera_without_events_is_gone_at_once(site: Site) -> None:
    await site.register()
    await silence(site)
    assert await send_form(site, "/cameras/camera_1/remove", footage="keep", sure="yes") == "/cameras"
    await site.json("GET", ONE, status=404)
    assert "Add your first camera" in await page(site, "/cameras")


async def test_the_form_for_removal_wants_to_know(site: Site) -> None:
    await site.register()
    await silence(site)
    await send_form(site, "/cameras/camera_1/remove", sure="yes", status=422)
    await send_form(site, "/cameras/camera_1/remove", footage="remove", status=422)
    await site.json("GET", ONE)


async def test_activity_counts_the_events_of_each_hour(site: Site) -> None:
    await site.register()
    now = datetime.now(UTC)
    for hours, minute in ((0, 0), (1, 0), (1, 1), (30, 0), (24 * 31, 0)):
        moment = now.replace(minute=minute, second=0, microsecond=0) - timedelta(hours=hours)
        await site.event(timestamp=moment.isoformat())
    day = await site.json("GET", f"{ONE}/activity")
    assert [hour["events"] for hour in day["hours"]] == [0] * 22 + [2, 1]
    assert datetime.fromisoformat(day["hours"][-1]["start"]) == now.replace(minute=0, second=0, microsecond=0)
    month = await site.json("GET", f"{ONE}/activity?span=30d")
    assert len(month["hours"]) == 720
    assert sum(hour["events"] for hour in month["hours"]) == 4
    await site.json("GET", f"{ONE}/activity?span=1y", status=422)
    shown = await page(site, "/cameras/camera_1")
    assert "4 events; busiest hour:" in shown
    assert re.search(r"<th scope=\"row\">Today, \d\d:00</th><td class=\"number\">1</td>", shown)


async def test_coverage_tells_what_was_heard(site: Site) -> None:
    await site.register()
    await site.shared.cameras.write_heard()
    async with site.shared.database.session() as session:
        await session.script("UPDATE cameras SET created_at = UTC_TIMESTAMP() - INTERVAL 40 DAY;")
        await session.script("DELETE FROM presence")
        await session.script("UPDATE daemon_runs SET started_at = UTC_TIMESTAMP() - INTERVAL 12 HOUR")
        await session.script(
            "INSERT INTO presence VALUES"
            " ('camera_1', UTC_TIMESTAMP() - INTERVAL 12 HOUR, UTC_TIMESTAMP() - INTERVAL 6 HOUR),"
            " ('camera_1', UTC_TIMESTAMP() - INTERVAL 3 HOUR, UTC_TIMESTAMP())"
        )
    told = await site.json("GET", f"{ONE}/coverage")
    assert [part["cover"] for part in told["parts"]] == ["unknown", "watching", "offline", "watching"]
    assert told["shares"] == {
        "watching": pytest.approx(9 / 24, abs=0.001),
        "offline": pytest.approx(3 / 24, abs=0.001),
        "unknown": pytest.approx(12 / 24, abs=0.001),
    }
    shown = await page(site, "/cameras/camera_1")
    assert "Last 24 hours: watching 38 %, offline 12 %, not known 50 %" in shown
    assert shown.count('<b class="number">3 h</b>') == 1


async def test_a_page_of_many_cameras_takes_a_few_statements(site: Site) -> None:
    for number in range(1, 8):
        await site.register(f"camera_{number}")
        await site.event(f"camera_{number}", timestamp=datetime.now(UTC).isoformat())
    found = await site.shared.camera_details.overview(DAEMON)
    assert [(one.camera.camera_id, one.events_today) for one in found] == [(f"camera_{n}", 1) for n in range(1, 8)]
    assert (await page(site, "/cameras")).count('class="card"') == 7
