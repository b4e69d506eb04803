from datetime import UTC, datetime, timedelta

from securitycamd.db import agent_status, camera_overview, cameras, events, presence
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.coverage import Stretch
from securitycamd.domain.models import CameraRegistration, NewEvent
from securitycamd.domain.pictures import NewestEvent, Poster
from tests.db.samples import CAMERAS, add_events, register_all

T0 = datetime(2026, 3, 1, 10, tzinfo=UTC)
SILENCE = 180.0


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


async def register(database: Database, *camera_ids: str) -> None:
    for camera_id in camera_ids:

        async def work(transaction: Transaction, camera_id: str = camera_id) -> None:
            await cameras.register(transaction, CameraRegistration(camera_id, "Front", "Garden", "::1"))

        await database.transact(work)


async def hear(database: Database, **seconds: float) -> None:
    async def work(transaction: Transaction) -> None:
        heard = {camera_id: after(moment) for camera_id, moment in seconds.items()}
        await presence.note(transaction, heard, silence_seconds=SILENCE)

    await database.transact(work)


async def test_a_stretch_grows_until_a_silence_ends_it(database: Database) -> None:
    await register(database, "a", "b")
    for moment in (0, 5, 100, 280):
        await hear(database, a=moment)
    await hear(database, a=461, b=461)
    # An older word than the last one changes nothing.
    await hear(database, a=455, b=470)
    found = await presence.of_cameras(database, ["a", "b", "c"], T0)
    assert found == {
        "a": [Stretch(T0, after(280)), Stretch(after(461), after(461))],
        "b": [Stretch(after(461), after(470))],
        "c": [],
    }
    assert (await presence.of_cameras(database, ["a"], after(281)))["a"] == [Stretch(after(461), after(461))]


async def test_what_is_no_camera_leaves_no_trace(database: Database) -> None:
    await hear(database, stranger=0)
    await register(database, "a")
    await hear(database, stranger=5, a=5)
    assert await presence.of_cameras(database, ["stranger", "a"], T0) == {
        "stranger": [],
        "a": [Stretch(after(5), after(5))],
    }


async def test_runs_of_daemons_grow_and_old_ones_go(database: Database) -> None:
    async def note(instance: str, start: float, last: float) -> None:
        async def work(transaction: Transaction) -> None:
            await presence.note_run(transaction, instance, after(start), after(last))

        await database.transact(work)

    await note("one", 0, 5)
    await note("one", 0, 10)
    await note("two", 3, 7)
    await note("one", 500, 505)
    assert sorted(await presence.of_daemons(database, T0), key=lambda run: run.start) == [
        Stretch(T0, after(10)),
        Stretch(after(3), after(7)),
        Stretch(after(500), after(505)),
    ]
    await register(database, "a")
    await hear(database, a=0)
    await hear(database, a=400)
    assert await presence.forget_old(database, after(300)) == 3
    assert await presence.of_daemons(database, T0) == [Stretch(after(500), after(505))]
    assert (await presence.of_cameras(database, ["a"], T0))["a"] == [Stretch(after(400), after(400))]


async def test_a_question_without_an_answer_keeps_what_was_known(database: Database) -> None:
    await register(database, "a")

    async def note(**values: object) -> None:
        async def work(transaction: Transaction) -> None:
            await agent_status.note(transaction, "a", values)

        await database.transact(work)

    assert await agent_status.by_id(database, "a") is None
    await note(asked_at=T0, answered_at=T0, error=None, version="1.4", streaming=True, clock_offset_seconds=-3.5)
    await note(asked_at=after(300), error="Nobody answers.")
    found = await agent_status.by_id(database, "a")
    assert found is not None
    assert (found.asked_at, found.answered_at, found.error) == (after(300), T0, "Nobody answers.")
    assert (found.version, found.is_streaming, found.clock_offset_seconds) == ("1.4", True, -3.5)
    assert await agent_status.everything(database) == {"a": found}


async def test_an_operators_words_come_before_the_agents(database: Database) -> None:
    await register(database, "a")

    async def work(transaction: Transaction) -> None:
        await cameras.change(transaction, "a", {"label": "Gate", "place": None, "hidden": 1})

    await database.transact(work)
    found = await cameras.by_id(database, "a")
    assert found is not None
    assert (found.name, found.location, found.agent_name, found.is_hidden) == ("Gate", "Garden", "Front", True)
    await register(database, "a")
    again = await cameras.by_id(database, "a")
    assert again is not None
    assert (again.name, again.agent_name) == ("Gate", "Front")


async def test_the_overview_of_all_cameras(database: Database) -> None:
    await register_all(database)
    moments = [(camera_id, after(number * 900)) for number in range(9) for camera_id in CAMERAS[: 1 + number % 3]]
    await add_events(database, [NewEvent(camera_id, moment, 1.0) for camera_id, moment in moments])
    everything = [camera.camera_id for camera in await cameras.everything(database)]
    newest = await camera_overview.newest(database, everything)
    async with database.session() as session:
        rows = await session.script("SELECT camera_id, MAX(timestamp), COUNT(*) FROM events GROUP BY camera_id")
    assert {camera_id: event.at.replace(tzinfo=None) for camera_id, event in newest.items()} == {
        camera_id: at for camera_id, at, _ in rows
    }
    hours = await camera_overview.by_hour(database, everything, datetime(2000, 1, 1, tzinfo=UTC))
    assert {camera_id: sum(found.values()) for camera_id, found in hours.items()} == (
        dict.fromkeys(everything, 0) | {camera_id: count for camera_id, _, count in rows}
    )


async def test_the_newest_picture_may_be_of_an_earlier_event(database: Database) -> None:
    await register_all(database)
    await add_events(database, [NewEvent("camera_1", after(number * 60), 1.0) for number in range(4)])
    async with database.session() as session:
        oldest, second, third, newest = [row[0] for row in await session.script("SELECT id FROM events ORDER BY id")]
    # One that was announced and has not come is no picture.
    await events.update(database, third, {"thumbnail_path": "camera_1/thumbs/3.jpg"})
    await events.update(database, second, {"image_a_path": "camera_1/pictures/2_a.jpg", "image_a_transferred": True})
    await events.update(database, oldest, {"thumbnail_path": "camera_1/thumbs/1.jpg", "thumbnail_transferred": True})
    found = (await camera_overview.newest(database, ["camera_1", "camera_2"]))["camera_1"]
    path = "camera_1/pictures/2_a.jpg"
    assert found == NewestEvent(newest, after(180), Poster(second, after(60), path, path))
