"""``/api/v1/events``: reported, told again, one event."""

import asyncio
import json
import random
from typing import Any

import pytest

from tests.conftest import Site
from tests.protocol.wire import API, EVENT, fields_of, refused, without

EVENTS = f"{API}/events"
NEW = {
    "status": "processing",
    "image_a_path": None,
    "image_b_path": None,
    "thumbnail_path": None,
    "video_h264_path": None,
    "video_mp4_path": None,
    "video_duration": None,
    "image_a_transferred": False,
    "image_b_transferred": False,
    "thumbnail_transferred": False,
    "video_transferred": False,
    "mp4_conversion_status": "pending",
    "mp4_converted_at": None,
    "ai_processed": False,
    "ai_processed_at": None,
    "ai_person_detected": None,
    "ai_confidence": None,
    "ai_objects": None,
    "ai_description": None,
    "ai_phrase": None,
    "ai_error": None,
    "protected": False,
    "size_bytes": 0,
    "saved_bytes": 0,
    "ai_category": None,
    "reviewed": False,
    "note": "",
}


@pytest.fixture
async def camera(site: Site) -> Any:
    return await site.register()


@pytest.mark.usefixtures("camera")
class TestReport:
    async def test_a_new_event_has_everything_that_the_protocol_names_and_nothing_yet(self, site: Site) -> None:
        event = await site.json("POST", EVENTS, json=EVENT, status=201)
        assert isinstance(event.pop("id"), int)
        assert event.pop("created_at")
        assert event == NEW | EVENT | {"timestamp": "2025-10-28T14:30:22.186476+01:00"}

    async def test_it_reads_back_as_it_was_answered(self, site: Site) -> None:
        event = await site.json("POST", EVENTS, json=EVENT, status=201)
        assert await site.json("GET", f"{EVENTS}/{event['id']}") == event
        assert (await site.json("GET", EVENTS))["events"] == [event]

    async def test_it_needs_no_content_type(self, site: Site) -> None:
        await site.json("POST", EVENTS, data=json.dumps(EVENT).encode(), skip_auto_headers=["Content-Type"], status=201)

    async def test_ids_of_events_created_one_after_another_are_consecutive(self, site: Site) -> None:
        ids = [(await site.event(timestamp=f"2025-10-28T14:30:{second:02}"))["id"] for second in range(10)]
        assert ids == list(range(ids[0], ids[0] + 10))

    @pytest.mark.parametrize(
        ("told", "kept"),
        [
            ("2025-10-28T14:30:22.186476", "2025-10-28T14:30:22.186476+01:00"),
            ("2025-10-28T14:30:22", "2025-10-28T14:30:22+01:00"),
            ("2025-07-28T14:30:22.1", "2025-07-28T14:30:22.100000+02:00"),
            ("2025-10-28T14:30:22.186476Z", "2025-10-28T15:30:22.186476+01:00"),
            ("2025-10-28T14:30:22.186476+01:00", "2025-10-28T14:30:22.186476+01:00"),
            ("2025-10-28T14:30:22-05:00", "2025-10-28T20:30:22+01:00"),
            ("2025-10-28 14:30:22", "2025-10-28T14:30:22+01:00"),
        ],
    )
    async def test_times_are_local_unless_they_carry_an_offset(self, site: Site, told: str, kept: str) -> None:
        assert (await site.event(timestamp=told))["timestamp"] == kept

    @pytest.mark.parametrize(("motion", "confidence"), [(0, 0), (0.1 + 0.2, 1e-300), (1e308, 250.75), (2073600, None)])
    async def test_scores_are_kept_to_the_last_digit(self, site: Site, motion: float, confidence: float | None) -> None:
        scores = {"motion_score": motion, "confidence_score": confidence}
        event = await site.json("POST", EVENTS, json=EVENT | scores)
        assert scores.items() <= (await site.json("GET", f"{EVENTS}/{event['id']}")).items()

    async def test_confidence_may_be_left_out(self, site: Site) -> None:
        event = await site.json("POST", EVENTS, json=without(EVENT, "confidence_score"), status=201)
        assert event["confidence_score"] is None

    @pytest.mark.parametrize("field", ["camera_id", "timestamp", "motion_score"])
    async def test_the_other_fields_are_required(self, site: Site, field: str) -> None:
        assert fields_of(await refused(site, 422, "POST", EVENTS, json=without(EVENT, field))) == {field}

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("camera_id", ""),
            ("camera_id", "a" * 51),
            ("camera_id", "camera_1 "),
            ("camera_id", 1),
            ("timestamp", "yesterday"),
            ("timestamp", ""),
            ("timestamp", "2025-13-28T14:30:22"),
            ("timestamp", "2025-10-28T25:30:22"),
            ("timestamp", "1899-12-31T23:59:59"),
            ("timestamp", "0001-01-01T00:00:00+14:00"),
            ("timestamp", "9999-12-31T23:59:59-14:00"),
            ("timestamp", "8999-12-31T23:59:59-14:00"),
            ("timestamp", 1761661822),
            ("timestamp", "1761661822"),
            ("timestamp", None),
            ("motion_score", -0.001),
            ("motion_score", "high"),
            ("motion_score", None),
            ("motion_score", []),
            ("confidence_score", -1),
            ("confidence_score", "high"),
            ("confidence_score", {}),
        ],
    )
    async def test_what_breaks_a_rule_is_refused_by_its_name(self, site: Site, field: str, value: Any) -> None:
        detail = await refused(site, 422, "POST", EVENTS, json=EVENT | {field: value})
        assert fields_of(detail) == {field}
        assert (await site.json("GET", EVENTS))["total"] == 0

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "1" + "0" * 400, "-1e400"])
    @pytest.mark.parametrize("field", ["motion_score", "confidence_score"])
    async def test_scores_are_finite(self, site: Site, field: str, number: str) -> None:
        body = json.dumps(EVENT | {field: 77.125}).replace("77.125", number)
        assert fields_of(await refused(site, 422, "POST", EVENTS, data=body)) == {field}

    async def test_a_camera_that_is_not_registered_is_not_found(self, site: Site) -> None:
        await refused(site, 404, "POST", EVENTS, json=EVENT | {"camera_id": "camera_2"})
        await refused(site, 404, "POST", EVENTS, json=EVENT | {"camera_id": "CAMERA_1"})
        assert (await site.json("GET", EVENTS))["total"] == 0

    async def test_one_bad_event_among_many_at_once_spoils_no_other(self, site: Site) -> None:
        """Events that arrive together share a transaction."""

        async def post(number: int) -> int:
            camera_id = "camera_2" if number % 5 == 0 else "camera_1"
            body = EVENT | {"camera_id": camera_id, "timestamp": f"2025-10-28T14:30:{number:02}"}
            async with site.client.post(EVENTS, json=body) as response:
                return response.status

        statuses = await asyncio.gather(*(post(number) for number in range(50)))
        assert statuses == [404 if number % 5 == 0 else 201 for number in range(50)]
        assert (await site.json("GET", EVENTS))["total"] == 40


@pytest.mark.usefixtures("camera")
class TestToldAgain:
    async def test_it_is_the_same_event(self, site: Site) -> None:
        first = await site.json("POST", EVENTS, json=EVENT, status=201)
        assert await site.json("POST", EVENTS, json=EVENT, status=200) == first
        assert (await site.json("GET", EVENTS))["total"] == 1

    async def test_it_costs_no_id(self, site: Site) -> None:
        first = await site.event()
        for _ in range(3):
            await site.event()
        following = await site.json("POST", EVENTS, json=EVENT | {"timestamp": "2025-10-28T14:31:00"})
        assert following["id"] == first["id"] + 1

    async def test_what_was_told_first_stays(self, site: Site) -> None:
        first = await site.event()
        again = await site.json("POST", EVENTS, json=EVENT | {"motion_score": 1.0, "confidence_score": None})
        assert again == first

    @pytest.mark.parametrize(
        "timestamp",
        [
            "2025-10-28T14:30:22.186476+01:00",
            "2025-10-28T13:30:22.186476Z",
            "2025-10-28T13:30:22.186476+00:00",
        ],
    )
    async def test_the_same_moment_in_other_words_is_the_same_event(self, site: Site, timestamp: str) -> None:
        first = await site.event()
        again = await site.json("POST", EVENTS, json=EVENT | {"timestamp": timestamp}, status=200)
        assert again["id"] == first["id"]

    @pytest.mark.parametrize("other", [{"camera_id": "camera_2"}, {"timestamp": "2025-10-28T14:30:22.186477"}])
    async def test_another_camera_or_microsecond_is_another_event(self, site: Site, other: dict[str, str]) -> None:
        await site.register("camera_2")
        first = await site.event()
        second = await site.json("POST", EVENTS, json=EVENT | other, status=201)
        assert second["id"] == first["id"] + 1

    async def test_it_keeps_what_became_of_it(self, site: Site) -> None:
        first = await site.event()
        await site.json("PATCH", f"{EVENTS}/{first['id']}/status", json={"status": "complete"})
        assert (await site.json("POST", EVENTS, json=EVENT, status=200))["status"] == "complete"

    @pytest.mark.parametrize("seed", range(3))
    async def test_old_and_new_ones_at_once(self, site: Site, seed: int) -> None:
        """Each time is one event, created once; and ids have no gap, whatever arrives together."""
        dice = random.Random(seed)
        before = [await site.event(timestamp=f"2025-10-28T14:{minute:02}:00") for minute in range(5)]
        times = [f"2025-10-28T14:{minute:02}:00" for minute in range(25)]
        told = times + [dice.choice(times) for _ in range(25)]
        dice.shuffle(told)

        async def post(timestamp: str) -> tuple[str, int, int]:
            async with site.client.post(EVENTS, json=EVENT | {"timestamp": timestamp}) as response:
                return timestamp, response.status, (await response.json())["id"]

        replies = await asyncio.gather(*(post(timestamp) for timestamp in told))
        assert {status for _, status, _ in replies} <= {200, 201}
        ids = {timestamp: event_id for timestamp, _, event_id in replies}
        assert len({(timestamp, event_id) for timestamp, _, event_id in replies}) == 25
        assert sorted(ids.values()) == list(range(before[0]["id"], before[0]["id"] + 25))
        assert sorted(timestamp for timestamp, status, _ in replies if status == 201) == times[5:]
        following = await site.json("POST", EVENTS, json=EVENT | {"timestamp": "2025-10-28T15:00:00"})
        assert following["id"] == before[0]["id"] + 25


@pytest.mark.usefixtures("camera")
class TestOneEvent:
    @pytest.mark.parametrize("event_id", ["9", "0", "-1", str(2**32), str(2**64), "9" * 300])
    async def test_an_unknown_event_is_not_found(self, site: Site, event_id: str) -> None:
        first = await site.event()
        assert str(first["id"]) != event_id
        await refused(site, 404, "GET", f"{EVENTS}/{event_id}")
        await refused(site, 404, "GET", f"{EVENTS}/{event_id}/jobs")

    @pytest.mark.parametrize("event_id", ["one", "1.5", "%00", "1e3", "0x10", "%F0%9F%8E%A5", "9" * 5000])
    async def test_an_id_is_a_whole_number(self, site: Site, event_id: str) -> None:
        assert fields_of(await refused(site, 422, "GET", f"{EVENTS}/{event_id}")) == {"id"}

    async def test_a_new_event_has_no_work_yet(self, site: Site) -> None:
        event = await site.event()
        assert await site.json("GET", f"{EVENTS}/{event['id']}/jobs") == []
