"""How far an event is, for every way in which it can be under way."""

from dataclasses import replace

import pytest

from securitycamd.domain.models import Event
from securitycamd.domain.names import ConversionStatus, EventStatus
from securitycamd.web.ui.contexts import StepState
from securitycamd.web.ui.stages import event_steps, picture_url
from tests.web.ui.samples import NOW, SITE, make_event

DONE, RUNNING, AHEAD, FAILED, MISSING = StepState
HOUR = 3600


def steps(event: Event, clip_error: str | None = None) -> list[tuple[StepState, str]]:
    return [(step.state, step.text) for step in event_steps(event, site=SITE, now=NOW, clip_error=clip_error)]


def test_just_reported() -> None:
    event = make_event("pictures", "clip", "words", ago=2, status=EventStatus.PROCESSING)
    assert steps(event) == [
        (AHEAD, "Pictures arrive in a moment"),
        (AHEAD, "Clip arrives in a moment"),
        (AHEAD, "Described once the pictures are here"),
    ]


def test_pictures_here() -> None:
    event = make_event("clip", "words", ago=8, status=EventStatus.PROCESSING)
    assert steps(event)[1:] == [(AHEAD, "Clip arrives in a moment"), (RUNNING, "Describing what happened…")]


def test_an_event_that_nobody_describes_now_says_why_it_waits() -> None:
    held = replace(SITE, held="The AI server cannot be reached.")
    event = make_event("words", ago=8)
    step = event_steps(event, site=held, now=NOW, clip_error=None)[2]
    assert (step.state, step.text) == (AHEAD, "Waits to be described")
    assert step.reason == "The AI server cannot be reached. It comes by itself."
    off = replace(held, describes=False)
    assert event_steps(event, site=off, now=NOW, clip_error=None)[2].text == "Not described"


@pytest.mark.parametrize("status", [ConversionStatus.PENDING, ConversionStatus.PROCESSING])
def test_clip_here_and_not_playable_yet(status: ConversionStatus) -> None:
    event = make_event("clip", video_transferred=True, video_h264_path="v.h264", mp4_conversion_status=status)
    assert steps(event)[1] == (RUNNING, "Converting the clip…")


def test_all_here() -> None:
    assert [state for state, _ in steps(make_event())] == [DONE, DONE, DONE]
    assert steps(make_event(mp4_conversion_status=ConversionStatus.OPTIMIZED))[1] == (DONE, "Clip is here")


def test_a_moment_ends() -> None:
    assert steps(make_event("pictures", "clip", "words", ago=HOUR)) == [
        (MISSING, "No pictures arrived"),
        (MISSING, "No clip arrived"),
        (MISSING, "Not described"),
    ]
    one = make_event("words", ago=HOUR, image_b_transferred=False)
    assert steps(one)[0] == (MISSING, "Only picture A arrived")
    assert steps(make_event("words", ago=HOUR))[2] == (AHEAD, "Waits to be described")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (EventStatus.INTERRUPTED, (MISSING, "Recording was interrupted")),
        (EventStatus.FAILED, (FAILED, "Camera could not record a clip")),
    ],
)
def test_the_agent_gave_up(status: EventStatus, expected: tuple[StepState, str]) -> None:
    assert steps(make_event("clip", status=status))[1] == expected
    assert steps(make_event(status=status))[1] == (DONE, "Clip is here")


def test_failures_say_why() -> None:
    event = make_event("clip", "words", mp4_conversion_status=ConversionStatus.FAILED, ai_error="It is no picture.")
    _, clip, description = event_steps(event, site=SITE, now=NOW, clip_error="It is cut short.")
    assert (clip.state, clip.reason) == (FAILED, "It is cut short.")
    assert (description.state, description.reason) == (FAILED, "It is no picture.")
    _, clip, _ = event_steps(event, site=SITE, now=NOW, clip_error=None)
    assert clip.reason


def test_a_converted_clip_without_its_file_is_gone() -> None:
    assert steps(make_event(video_mp4_path=None))[1] == (MISSING, "The clip is gone")


def test_descriptions_switched_off() -> None:
    quiet = replace(SITE, describes=False)
    *_, description = event_steps(make_event("words"), site=quiet, now=NOW, clip_error=None)
    assert description.state is MISSING
    *_, description = event_steps(make_event(), site=quiet, now=NOW, clip_error=None)
    assert description.state is DONE


def test_the_best_picture_that_is_here() -> None:
    event = make_event()
    assert picture_url(event) == "/media/camera_1/thumbs/48213_thumb.jpg"
    assert picture_url(event, is_large=True) == "/media/camera_1/pictures/48213_a.jpg"
    announced = make_event(thumbnail_transferred=False, image_a_transferred=False)
    assert picture_url(announced) == "/media/camera_1/pictures/48213_b.jpg"
    assert picture_url(make_event("pictures")) is None
