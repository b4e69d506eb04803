import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymysql.err import DataError

from securitycamd.db import cameras
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.models import Camera, CameraRegistration

FRONT = CameraRegistration("camera_1", "Front walk", "Garden", "192.168.1.10")


async def register(database: Database, registration: CameraRegistration) -> tuple[Camera, bool]:
    async def work(transaction: Transaction) -> tuple[Camera, bool]:
        return await cameras.register(transaction, registration)

    return await database.transact(work)


async def see(database: Database, camera_id: str, moment: datetime) -> datetime:
    """Note a sign of life; when the camera was last heard of."""

    async def work(transaction: Transaction) -> None:
        await cameras.note_seen(transaction, {camera_id: moment})

    await database.transact(work)
    camera = await cameras.by_id(database, camera_id)
    assert camera is not None
    return camera.last_seen


async def test_a_camera_registers_and_registers_again(database: Database) -> None:
    before = datetime.now(UTC)
    first, is_new = await register(database, FRONT)
    assert is_new
    assert (first.camera_id, first.name, first.location, first.ip_address) == (
        "camera_1",
        "Front walk",
        "Garden",
        "192.168.1.10",
    )
    assert before <= first.created_at == first.updated_at == first.last_seen <= datetime.now(UTC)
    again, is_new = await register(database, CameraRegistration("camera_1", "Gate", "Street", "fe80::1"))
    assert not is_new
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert (again.name, again.location, again.ip_address) == ("Gate", "Street", "fe80::1")
    assert again.updated_at == again.last_seen > first.updated_at
    assert await cameras.everything(database) == [again]


async def test_registering_again_burns_no_id(database: Database) -> None:
    first, _ = await register(database, FRONT)
    for _ in range(5):
        await register(database, FRONT)
    second, _ = await register(database, CameraRegistration("camera_2", "Back", "Yard", "127.0.0.1"))
    assert second.id == first.id + 1


async def test_a_camera_that_registers_twice_at_once_is_one(database: Database) -> None:
    found = await asyncio.gather(*(register(database, FRONT) for _ in range(8)))
    assert {camera.id for camera, _ in found} == {found[0][0].id}
    assert [is_new for _, is_new in found].count(True) == 1


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=100),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
)
async def test_words_come_back_as_they_were(database: Database, name: str, location: str) -> None:
    camera, _ = await register(database, CameraRegistration("camera_1", name, location, "::1"))
    assert (camera.name, camera.location) == (name, location)
    assert await cameras.by_id(database, "camera_1") == camera


async def test_words_that_do_not_fit_are_refused(database: Database) -> None:
    with pytest.raises(DataError, match="name"):
        await register(database, CameraRegistration("camera_1", "x" * 101, "", "::1"))
    assert await cameras.by_id(database, "camera_1") is None


async def test_a_camera_is_never_heard_of_earlier_than_before(database: Database) -> None:
    camera, _ = await register(database, FRONT)
    later = camera.last_seen + timedelta(seconds=1, microseconds=1)
    assert await see(database, "camera_1", later) == later
    assert await see(database, "camera_1", later - timedelta(microseconds=1)) == later
    assert await see(database, "camera_1", camera.created_at - timedelta(days=1)) == later


async def test_to_be_heard_of_is_not_to_register(database: Database) -> None:
    camera, _ = await register(database, FRONT)
    await see(database, "camera_1", camera.last_seen + timedelta(hours=1))
    after = await cameras.by_id(database, "camera_1")
    assert after is not None
    assert after.updated_at == camera.updated_at


async def test_cameras_are_listed_by_their_id_and_found_by_it(database: Database) -> None:
    for camera_id in ("camera_2", "Camera_1", "camera_10", "camera_1"):
        await register(database, CameraRegistration(camera_id, camera_id, "", ""))
    listed = [camera.camera_id for camera in await cameras.everything(database)]
    assert listed == ["Camera_1", "camera_1", "camera_10", "camera_2"]
    assert await cameras.by_id(database, "CAMERA_1") is None
    async with database.session() as session:
        assert await cameras.known(session, {"camera_1", "camera_3", "camera_10"}) == {
            "camera_1",
            "camera_10",
        }
