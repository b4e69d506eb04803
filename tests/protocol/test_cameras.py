"""``/api/v1/cameras``: registration, lists, presence."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.conftest import Site
from tests.protocol.wire import API, CAMERA, fields_of, refused, without

REGISTER = f"{API}/cameras/register"
FIELDS = {
    "id",
    "camera_id",
    "name",
    "location",
    "ip_address",
    "status",
    "last_seen",
    "created_at",
    "updated_at",
}


async def _age(site: Site) -> None:
    """Make all cameras silent since 2020."""
    async with site.shared.database.session() as session:
        await session.script("UPDATE cameras SET last_seen = '2020-01-01'")


async def _status(site: Site, camera_id: str = "camera_1") -> str:
    return str((await site.json("GET", f"{API}/cameras/{camera_id}"))["status"])


async def test_a_first_registration_is_created_and_online(site: Site) -> None:
    camera = await site.json("POST", REGISTER, json=CAMERA, status=201)
    assert set(camera) == FIELDS
    assert CAMERA.items() <= camera.items()
    assert camera["status"] == "online"
    assert isinstance(camera["id"], int)
    for name in ("last_seen", "created_at", "updated_at"):
        moment = datetime.fromisoformat(camera[name])
        assert abs(datetime.now(moment.tzinfo) - moment) < timedelta(seconds=30)
        assert moment.utcoffset() in {timedelta(hours=1), timedelta(hours=2)}  # Europe/Berlin


async def test_registering_again_renews_the_same_camera(site: Site) -> None:
    first = await site.json("POST", REGISTER, json=CAMERA, status=201)
    changed = CAMERA | {"name": "Back patio", "location": "Yard", "ip_address": "192.168.1.32"}
    again = await site.json("POST", REGISTER, json=changed, status=200)
    assert changed.items() <= again.items()
    assert (again["id"], again["created_at"]) == (first["id"], first["created_at"])
    assert again["updated_at"] > first["updated_at"]
    assert again["last_seen"] > first["last_seen"]
    assert await site.json("GET", f"{API}/cameras") == [again]


async def test_registering_again_brings_a_camera_back_online(site: Site) -> None:
    await site.register()
    await _age(site)
    assert await _status(site) == "offline"
    assert (await site.register())["status"] == "online"
    assert await _status(site) == "online"


async def test_a_camera_that_registers_many_times_at_once_is_one_camera(site: Site) -> None:
    async def register() -> tuple[int, int]:
        async with site.client.post(REGISTER, json=CAMERA) as response:
            return response.status, (await response.json())["id"]

    replies = await asyncio.gather(*(register() for _ in range(20)))
    assert sorted(status for status, _ in replies) == [200] * 19 + [201]
    assert len({camera_id for _, camera_id in replies}) == 1


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_the_body_is_json_whatever_its_type_is_called(site: Site, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    skipped = ["Content-Type"] if content_type is None else []
    await site.json(
        "POST",
        REGISTER,
        data=json.dumps(CAMERA).encode(),
        headers=headers,
        skip_auto_headers=skipped,
        status=201,
    )


async def test_unknown_fields_are_no_error(site: Site) -> None:
    camera = await site.json("POST", REGISTER, json=CAMERA | {"firmware": "9.1", "id": 77}, status=201)
    assert set(camera) == FIELDS


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("camera_id", ""),
        ("camera_id", "a" * 51),
        ("camera_id", "camera 1"),
        ("camera_id", "camera-1"),
        ("camera_id", "camera_1\n"),
        ("camera_id", "../camera_1"),
        ("camera_id", "câmera"),
        ("camera_id", "٣"),
        ("camera_id", 1),
        ("camera_id", None),
        ("name", ""),
        ("name", "a" * 101),
        ("name", None),
        ("name", ["a"]),
        ("location", ""),
        ("location", "a" * 201),
        ("location", {}),
        ("ip_address", "1" * 46),
        ("ip_address", None),
        ("ip_address", 3232235807),
    ],
)
async def test_what_breaks_a_rule_is_refused_by_its_name(site: Site, field: str, value: Any) -> None:
    detail = await refused(site, 422, "POST", REGISTER, json=CAMERA | {field: value})
    assert fields_of(detail) == {field}
    assert await site.json("GET", f"{API}/cameras") == []


@pytest.mark.parametrize("field", list(CAMERA))
async def test_every_field_is_required(site: Site, field: str) -> None:
    detail = await refused(site, 422, "POST", REGISTER, json=without(CAMERA, field))
    assert fields_of(detail) == {field}


@pytest.mark.parametrize(
    "camera",
    [
        {"camera_id": "a", "name": "b", "location": "c", "ip_address": ""},
        {"camera_id": "Z_9" + "a" * 47, "name": "n" * 100, "location": "l" * 200, "ip_address": "f" * 45},
        {"camera_id": "_", "name": "🎥" * 100, "location": "\x00\x1f'\"\\%s", "ip_address": "fe80::1%eth0"},
    ],
)
async def test_values_at_their_limits_are_kept_as_they_are(site: Site, camera: dict[str, str]) -> None:
    assert camera.items() <= (await site.json("POST", REGISTER, json=camera, status=201)).items()
    assert camera.items() <= (await site.json("GET", f"{API}/cameras/{camera['camera_id']}")).items()


async def test_the_list_is_sorted_by_camera_id(site: Site) -> None:
    names = ["b", "a", "B", "_", "camera_10", "camera_2", "A", "0"]
    for name in names:
        await site.register(name)
    listed = await site.json("GET", f"{API}/cameras")
    assert [camera["camera_id"] for camera in listed] == sorted(names)
    assert all(set(camera) == FIELDS for camera in listed)


async def test_no_cameras_are_an_empty_list(site: Site) -> None:
    assert await site.json("GET", f"{API}/cameras") == []


async def test_one_camera(site: Site) -> None:
    registered = await site.register()
    assert await site.json("GET", f"{API}/cameras/camera_1") == registered


@pytest.mark.parametrize(
    "camera_id",
    [
        "camera_2",
        "CAMERA_1",
        "camera_1%20",
        "%20camera_1",
        "camera_1%00",
        "%ff",
        "%F0%9F%8E%A5",
        "a" * 500,
    ],
)
async def test_an_unknown_camera_is_not_found(site: Site, camera_id: str) -> None:
    await site.register()
    for tail in ("", "/stats"):
        await refused(site, 404, "GET", f"{API}/cameras/{camera_id}{tail}")


async def test_there_is_no_configuration_to_fetch_yet(site: Site) -> None:
    await site.register()
    await refused(site, 404, "GET", f"{API}/cameras/camera_1/config")


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        ("SecurityCamera/camera_1", "online"),
        ("SecurityCamera/camera_2", "offline"),
        ("SecurityCamera/camera_1 ", "online"),  # HTTP takes the space away
        ("SecurityCamera/camera 1", "offline"),
        ("python-requests/2.31.0", "offline"),
    ],
)
async def test_any_call_of_its_agent_marks_a_camera_as_heard_of(site: Site, user_agent: str, expected: str) -> None:
    await site.register()
    await _age(site)
    await site.json("GET", f"{API}/health", headers={"User-Agent": user_agent})
    assert await _status(site) == expected
    await site.shared.cameras.write_heard()
    assert await _status(site) == expected
