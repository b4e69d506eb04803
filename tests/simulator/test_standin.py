from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import ollama
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from securitycamd.simulator.detector import Detector, NotAPictureError, Sighting
from securitycamd.simulator.footage import DemoAssets
from securitycamd.simulator.reporting import CAMERAS_TOLD, SIGNATURE, report
from securitycamd.simulator.scenes import STILL_SIZE, FrameReader, Scene, jpeg
from securitycamd.simulator.standin import MODEL, StandIn
from securitycamd.simulator.structure import Facts, filled
from securitycamd.simulator.wording import MARK, phrase, prose, understood

THINGS = ("person", "bicycle", "motorbike", "car", "truck", "bus", "dog", "cat", "horse")
counters = st.dictionaries(st.sampled_from(THINGS), st.integers(1, 30)).map(Counter)


def still(scene: Scene, moment: float) -> bytes:
    reader = FrameReader(scene)
    content = jpeg(reader.frame(moment), STILL_SIZE)
    reader.close()
    return content


@pytest.fixture(scope="session")
def detector(assets: DemoAssets) -> Detector:
    return Detector(assets)


@pytest.fixture
async def client(assets: DemoAssets) -> AsyncIterator[ollama.AsyncClient]:
    async with StandIn(assets, models=("moondream", "deepseek-r1")) as standin:
        client = ollama.AsyncClient(host=standin.url)
        yield client
        await client.close()  # type: ignore[no-untyped-call]  # the library has no annotation there


def test_sees_people_and_vehicles_in_the_yard(detector: Detector, assets: DemoAssets, scenes: list[Scene]) -> None:
    if assets.vtest is None:
        pytest.skip("no yard footage without Debian's packages")
    walk = detector.look(still(scenes[0], 18.0))
    assert walk.counts["person"] >= 3
    assert walk.confidence > 0.7
    driveway = detector.look(still(scenes[1], 6.0)).counts
    assert driveway["person"] >= 1
    assert driveway["car"] + driveway["truck"] >= 1


def test_sees_a_cyclist_in_the_street(detector: Detector, scenes: list[Scene]) -> None:
    counts = detector.look(still(scenes[-1], 5.0)).counts
    assert counts["person"] == 1
    assert counts["bicycle"] == 1


@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff\xd8\xff\xe0"])
def test_tells_what_is_no_picture(detector: Detector, content: bytes) -> None:
    with pytest.raises(NotAPictureError):
        detector.look(content)


async def test_describes_and_structures_as_the_daemon_asks(client: Any, scenes: list[Scene]) -> None:
    pictures = [still(scenes[0], 18.0), still(scenes[0], 22.0)]
    question = {"role": "user", "content": "What is there, and what changed?", "images": pictures}
    described = await client.chat(model="moondream", messages=[question], think=False)
    prose_text = described.message.content
    assert prose_text.startswith(f"{MARK} Picture A shows ")
    assert "people" in prose_text
    assert described.model == MODEL
    assert described.done_reason == "stop"

    class Thing(BaseModel):
        label: str
        count: int

    class Reply(BaseModel):
        person_detected: bool
        confidence: float = Field(ge=0, le=1)
        objects: list[Thing]
        phrase: str = Field(max_length=60)

    structured = await client.chat(
        model="deepseek-r1",
        messages=[
            {"role": "system", "content": "person_detected: whether one person or two people are there"},
            {"role": "user", "content": f"<description>\n{prose_text}\n</description>"},
        ],
        format=Reply.model_json_schema(),
        think=False,
        options={"temperature": 0},
    )
    reply = Reply.model_validate_json(structured.message.content)
    assert reply.person_detected
    assert reply.confidence > 0.5
    people = next(thing.count for thing in reply.objects if thing.label == "person")
    assert people >= 3
    assert "people" in reply.phrase
    assert MARK not in reply.phrase


async def test_streams_when_asked_to(client: Any, scenes: list[Scene]) -> None:
    question = {"role": "user", "content": "What is there?", "images": [still(scenes[-1], 5.0)]}
    parts = [part async for part in await client.chat(model="x", messages=[question], stream=True)]
    assert "bicycle" in "".join(part.message.content for part in parts)
    assert [part.done for part in parts] == [False, True]


async def test_generates_too(client: Any, scenes: list[Scene]) -> None:
    answer = await client.generate(model="x", prompt="What is there?", images=[still(scenes[-1], 5.0)])
    assert "a person and a bicycle" in answer.response
    again = await client.generate(model="x", prompt=f"In few words: {answer.response}")
    assert again.response == "A person and a bicycle in view"
    as_json = await client.generate(model="x", prompt=answer.response, format="json")
    assert '"person_detected": true' in as_json.response


async def test_lists_and_shows_its_models(client: Any) -> None:
    models = [model.model for model in (await client.list()).models]
    assert models == ["moondream:latest", "deepseek-r1:latest", "demo-detector:latest"]
    shown = await client.show("moondream")
    assert "vision" in shown.capabilities
    assert shown.details.family == MODEL


async def test_loads_and_unloads_without_a_question(client: Any) -> None:
    assert (await client.chat(model="x", messages=[])).done_reason == "load"
    assert (await client.generate(model="x", prompt="", keep_alive=0)).done_reason == "unload"


async def test_refuses_what_is_no_picture_as_ollama_does(client: Any) -> None:
    question = {"role": "user", "content": "What?", "images": [b"not a picture"]}
    with pytest.raises(ollama.ResponseError) as caught:
        await client.chat(model="x", messages=[question])
    assert caught.value.status_code == 400


@given(counters, st.floats(0, 1))
def test_understands_what_it_says(counts: Counter[str], confidence: float) -> None:
    read = understood(f"Turn this into JSON.\n{prose([Sighting(counts, confidence)])}\nThe answer has 2 cars.")
    assert read.counts == counts
    if confidence >= 0.01:
        assert abs(read.confidence - confidence) <= 0.0051


@given(counters, counters)
def test_counts_the_most_of_two_pictures(before: Counter[str], after: Counter[str]) -> None:
    assert understood(prose([Sighting(before, 0.5), Sighting(after, 0.6)])).counts == before | after


def test_tells_what_changed() -> None:
    one, two = Counter(person=1, car=2), Counter(person=3, car=2, dog=1)
    assert "two people and a dog came into view" in prose([Sighting(one, 0.5), Sighting(two, 0.5)])
    assert "two people and a dog left the view" in prose([Sighting(two, 0.5), Sighting(one, 0.5)])
    assert phrase(Counter()) == "Motion, nobody in view"


@given(counters)
def test_phrases_have_three_to_eight_words(counts: Counter[str]) -> None:
    assert 3 <= len(phrase(counts).split()) <= 8


def test_fills_schemas_of_any_shape() -> None:
    schema = {
        "$defs": {"Kind": {"type": "string", "enum": ["animal", "person"]}},
        "type": "object",
        "properties": {
            "kind": {"$ref": "#/$defs/Kind"},
            "title": {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 10}]},
            "labels": {"type": "array", "maxItems": 1, "items": {"type": "string"}},
            "people_count": {"type": "integer"},
            "vehicle_present": {"type": "boolean"},
            "animal_present": {"type": ["boolean", "null"]},
            "certainty": {"type": "integer", "minimum": 0, "maximum": 100},
            "version": {"const": 1},
            "nothing": {"type": "null"},
        },
    }
    facts = Facts("Two people and a car.", Sighting(Counter(person=2, car=1), 0.9))
    assert filled(schema, facts) == {
        "kind": "person",
        "title": "Two people",
        "labels": ["person"],
        "people_count": 2,
        "vehicle_present": True,
        "animal_present": False,
        "certainty": 90,
        "version": 1,
        "nothing": None,
    }


@pytest.mark.parametrize(
    ("counts", "category"),
    [
        (Counter(person=1, car=2), "person"),
        (Counter(truck=1, dog=1), "vehicle"),
        (Counter(cat=1), "animal"),
        (Counter(), "nothing"),
    ],
)
def test_says_what_kind_of_thing_it_sees(counts: Counter[str], category: str) -> None:
    options = ["person", "vehicle", "animal", "package", "light", "vegetation", "nothing", "unknown"]
    schema = {"type": "object", "properties": {"category": {"type": "string", "enum": options}}}
    assert filled(schema, Facts("words", Sighting(counts, 0.9))) == {"category": category}


def asked(numbers: str, *observations: str) -> str:
    """A prompt as the daemon's; the stand-in knows no more than this."""
    lines = ["You write the daily report of the security cameras at 'Demo'.", f"In numbers: {numbers}"]
    lines += ["A usual day has about 20 events.", "The busiest hour began at 09:00.", "Camera 'Front walk': 3 events."]
    return "\n".join([*lines, "", "Observations:", *(f"- {each}" for each in observations)])


async def test_writes_the_report_of_a_day(client: Any) -> None:
    prompt = asked(
        "6 events: 4 with people, 1 with vehicles, 1 with nothing to see.",
        "09:02 Front walk: Two people in view",
        "09:05 Street: A person and a bicycle in view",
        "09:40 Front walk: Three people and a dog in view",
        "10:01 Gate: North: Motion, nobody in view",
        "10:05 Street: A person and a bicycle in view",
    )
    written = await client.chat(model="x", messages=[{"role": "user", "content": prompt}])
    assert written.message.content.split("\n\n") == [
        (
            "The cameras reported 6 events: 4 with people, 1 with vehicles and 1 with nothing to see."
            " A usual day has about 20."
        ),
        (
            "Between 09:02 and 09:40, Front walk saw up to three people and a dog."
            " Between 09:05 and 10:05, Street saw a person and a bicycle, 2 times."
            " At 10:01, Gate saw motion, but nobody. Most happened in the hour from 09:00 on."
        ),
        SIGNATURE,
    ]


def test_a_report_is_short_however_many_cameras_there_are_and_only_written_when_asked_for() -> None:
    written = report(asked("40 events.", *(f"09:02 Camera {number}: A car in view" for number in range(40))))
    assert written is not None
    assert written.count(" saw a car.") == CAMERAS_TOLD
    assert "34 more cameras saw something, too." in written
    assert "Most happened" not in written, "all of it was in one hour"
    assert report("In numbers: tell me what is there.") is None
