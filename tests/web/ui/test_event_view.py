"""The page of an event: what it says in each state, and what it offers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from securitycamd.domain.history import Entry, What
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.models import AnalysisRecord, LogLine
from securitycamd.domain.names import AnalysisState, ConversionStatus, EventStatus, LogLevel, ReadBy, StillNote
from securitycamd.domain.principal import TRUSTED_OPERATOR
from securitycamd.services.jobs import JobReport
from securitycamd.web.ui.contexts import PageContext, StepState
from securitycamd.web.ui.event_history import _TEXTS
from securitycamd.web.ui.event_view import STORAGE_AWAY
from securitycamd.web.ui.query import GalleryQuery
from tests.web.ui.event_pages import event_page, failed_job, sizes_of
from tests.web.ui.samples import NOW, make_event

Render = Callable[[PageContext], str]
CLIP = "camera_1/videos/48213_video.mp4"
DAY = 86400


# --- states -----------------------------------------------------------------------------------------------------------


def test_a_clip_that_is_there_plays_and_can_be_saved(render: Render) -> None:
    clip = event_page(make_event(), frame_rate=12.5).clip
    assert (clip.url, clip.download_url) == (f"/media/{CLIP}", f"/media/{CLIP}?download=1")
    page = render(event_page(make_event(), frame_rate=12.5))
    assert 'data-frame-rate="12.5"' in page
    assert "autoplay" in page
    assert "muted" in page


def test_an_optimised_clip_is_not_taken_for_the_one_before_it() -> None:
    before = event_page(make_event()).clip
    after = event_page(make_event(mp4_conversion_status=ConversionStatus.OPTIMIZED)).clip
    assert before.url != after.url
    assert after.url
    assert after.url.startswith(f"/media/{CLIP}")


def test_a_clip_whose_file_is_gone_says_so(render: Render) -> None:
    sizes = sizes_of(make_event())
    del sizes[CLIP]
    context = event_page(make_event(), sizes=sizes)
    assert (context.clip.url, context.clip.step.state) == (None, StepState.MISSING)
    assert "Its file is no longer in the storage." in render(context)
    assert [file.label for file in context.files] == ["Picture A", "Picture B", "Thumbnail"]


def test_a_picture_whose_file_is_gone_says_so() -> None:
    sizes = sizes_of(make_event())
    del sizes["camera_1/pictures/48213_a.jpg"]
    context = event_page(make_event(), sizes=sizes)
    assert [(still.url, still.missing) for still in context.stills] == [
        (None, "No longer in the storage"),
        ("/media/camera_1/pictures/48213_b.jpg", "Did not arrive"),
    ]
    assert not context.can_compare
    assert context.clip.poster_url == "/media/camera_1/pictures/48213_b.jpg"


def test_without_the_storage_nothing_is_said_to_be_gone(render: Render) -> None:
    context = event_page(make_event(), sizes=None)
    assert context.trouble == STORAGE_AWAY
    assert STORAGE_AWAY in render(context)
    assert context.clip.url
    assert all(still.url for still in context.stills)
    assert event_page(make_event()).trouble is None


def test_a_conversion_shows_how_far_it_is(render: Render) -> None:
    event = make_event("clip", "words", mp4_conversion_status=ConversionStatus.PROCESSING, video_transferred=True)
    job = JobReport(JobKind.REMUX, JobState.RUNNING, 1, None, NOW, 0.624)
    context = event_page(event, jobs=[job])
    assert context.clip.percent == 62
    assert context.is_waiting
    assert 'value="62"' in render(context)
    # The key of what is shown does not move with it: the page is not drawn anew for every percent.
    assert context.clip.key == event_page(event).clip.key
    assert not event_page(make_event()).is_waiting


def test_a_failed_clip_says_why_and_may_be_tried_again(render: Render) -> None:
    event = make_event(
        "clip", mp4_conversion_status=ConversionStatus.FAILED, video_h264_path="camera_1/videos/48213_video.h264"
    )
    jobs = [failed_job(JobKind.REMUX, "The clip is cut short.")]
    page = render(event_page(event, jobs=jobs))
    assert "The clip is cut short." in page
    assert 'action="/events/48213/retry/remux?before=5.24"' in page
    assert "/retry/" not in render(event_page(event, jobs=jobs, may_change=False))


def test_a_failed_description_says_why_and_may_be_tried_again(render: Render) -> None:
    event = make_event("words", ai_error="A still never arrived on the share.")
    context = event_page(event, jobs=[failed_job(JobKind.ANALYSE, event.ai_error)])
    assert context.describe_url == "/events/48213/retry/analyse?before=5.24"
    assert event.ai_error
    assert event.ai_error in render(context)


def test_how_a_description_came_about_is_told(render: Render) -> None:
    record = AnalysisRecord(
        AnalysisState.DONE, "moondream", 20.04, "deepseek-r1", 4.1, "2026-3", ReadBy.RULES, (StillNote.BLACK_B,)
    )
    context = event_page(make_event(), analysis=record)
    facts = {fact.label: fact.value for fact in context.facts}
    assert (facts["Models"], facts["Described in"], facts["Prompt version"]) == (
        "moondream, deepseek-r1",
        "20.0 + 4.1 s",
        "2026-3",
    )
    assert context.description_note
    assert "by rules" in context.description_note
    assert "Picture B is black." in render(context)
    assert context.describe_url == "/events/48213/describe-again?before=5.24"
    again = event_page(make_event(), analysis=replace(record, state=AnalysisState.AGAIN))
    assert again.description_note
    assert again.description_note.startswith("It is described once more")
    assert event_page(make_event(), analysis=record, may_change=False).describe_url is None
    assert event_page(make_event()).description_note is None


def test_other_work_that_failed_is_told_with_its_reason(render: Render) -> None:
    jobs = [failed_job(JobKind.STILLS, "The clip is cut short."), failed_job(JobKind.OPTIMISE, None)]
    context = event_page(make_event(), jobs=jobs)
    assert [(failure.title, failure.reason) for failure in context.failures] == [
        ("Pictures could not be made from the clip", "The clip is cut short."),
        ("Clip could not be made smaller", "It is not known why."),
    ]
    page = render(context)
    assert page.count('data-retry><button class="button">Try again') == 2


@pytest.mark.parametrize(
    ("without", "changes", "words"),
    [
        (("pictures", "clip", "words"), {"ago": 1, "status": EventStatus.PROCESSING}, "Clip arrives in a moment"),
        (("clip",), {"status": EventStatus.INTERRUPTED}, "somebody watched it live"),
        (("pictures", "clip", "words"), {"ago": DAY}, "No clip arrived"),
        (("clip",), {"ago": 60, "video_transferred": True}, "Converting the clip"),
    ],
)
def test_what_is_not_there_yet_or_never_came(
    render: Render, without: tuple[str, ...], changes: dict[str, object], words: str
) -> None:
    assert words in render(event_page(make_event(*without, **changes)))  # type: ignore[arg-type]


# --- what may be done -------------------------------------------------------------------------------------------------


def test_who_may_only_look_gets_no_forms(render: Render) -> None:
    context = event_page(make_event(note="The postman."), may_change=False)
    page = render(context)
    assert context.review is None
    assert 'data-change="' not in page
    assert "<textarea" not in page
    assert "The postman." in page


def test_every_form_keeps_the_filter(render: Render) -> None:
    page = render(event_page(make_event()))
    for what in ("star", "review", "note", "delete"):
        assert f'action="/events/48213/{what}?before=5.24"' in page
    page = render(event_page(make_event(protected=True, reviewed=True)))
    assert 'action="/events/48213/unstar?before=5.24"' in page
    assert 'action="/events/48213/unreview?before=5.24"' in page
    # A starred event has to lose its star first.
    assert "/delete" not in page


def test_removing_says_what_goes() -> None:
    review = event_page(make_event(note="The postman.")).review
    assert review
    assert review.going == ("the clip of 0:48 (4.0 kB)", "3 pictures (6.0 kB)", "its description", "its note")
    bare = event_page(make_event("pictures", "clip", "words")).review
    assert bare
    assert bare.going == ()
    assert "no files" in bare.what_goes


def test_the_ways_on_lead_through_the_filter(render: Render) -> None:
    page = render(event_page(make_event(), earlier=48212, later=48220))
    assert 'href="/events/48212?before=5.24"' in page
    assert 'href="/events/48220?before=5.24"' in page
    assert 'rel="prev"' not in render(event_page(make_event(), later=48220))


# --- facts, files, log ------------------------------------------------------------------------------------------------


def test_facts_say_what_was_seen_and_saved() -> None:
    event = make_event(saved_bytes=12_800_000)
    facts = {fact.label: fact.value for fact in event_page(event, sizes={CLIP: 5_100_000}).facts}
    assert facts == {
        "Person": "yes, 94 %",
        "Seen": "2 people, 1 van",
        "Motion": "1,284 px, score 86",
        "Clip": "0:48 · 5.1 MB (was 17.9 MB)",
        "Camera": "Front walk (camera_1)",
        "Event": "#48,213",
    }


def test_files_that_are_here_can_be_downloaded(render: Render) -> None:
    event = make_event(image_b_transferred=False)
    context = event_page(event, sizes=sizes_of(event) | {CLIP: 5_100_000})
    assert [file.label for file in context.files] == ["Clip", "Picture A", "Thumbnail"]
    page = render(context)
    assert "5.1 MB" in page
    assert 'download="48213_video.mp4"' in page


def test_the_log_is_told_oldest_first_and_says_when_it_is_cut(render: Render) -> None:
    lines = [
        LogLine(number, "camera_1", NOW - timedelta(seconds=number), LogLevel.INFO, f"line {number}")
        for number in range(3)
    ]
    log = event_page(make_event(), lines=lines, lines_total=412).log
    assert log
    assert [line.message for line in log.lines] == ["line 2", "line 1", "line 0"]
    assert log.summary == "412 lines within a minute of the motion; the last 3 are shown"
    one = event_page(make_event(), lines=lines[:1], lines_total=1).log
    assert one
    assert one.summary == "1 line within a minute of the motion"
    assert "nothing within a minute" in render(event_page(make_event(), lines=[]))
    assert event_page(make_event()).log is None


# --- history ----------------------------------------------------------------------------------------------------------


def test_there_are_words_for_everything_that_can_happen() -> None:
    assert set(_TEXTS) == set(What)


@pytest.mark.parametrize(
    ("what", "who", "detail", "text", "reason"),
    [
        (What.MOTION, "camera_1", "", "motion", ""),
        (What.CLIP_DONE, "00aa", "in 0.4 s", "clip playable, in 0.4 s", ""),
        (What.CLIP_DONE, "00aa", "", "clip playable", ""),
        (What.AI_DONE, "00aa", "in 24.1 s", "described in 24.1 s", ""),
        (What.CLIP_FAILED, "00aa", "Cut short.", "clip could not be converted", "Cut short."),
        (What.SMALLER_DONE, "00aa", "12.8 MB saved", "clip optimised, 12.8 MB saved", ""),
        (What.STILLS_DONE, "00aa", "image_a, image_b", "picture A and picture B made from the clip", ""),
        (What.STILLS_DONE, "00aa", "image_b", "picture B made from the clip", ""),
        (What.REVIEWED, TRUSTED_OPERATOR.name, "", "reviewed", ""),
        (What.STARRED, "Ann", "", "starred by Ann", ""),
        (What.CLIP_RETRIED, "Ann", "", "asked to convert the clip again by Ann", ""),
    ],
)  # fmt: skip
def test_what_happened_in_words(what: What, who: str, detail: str, text: str, reason: str) -> None:
    (entry,) = event_page(make_event(), history=[Entry(48213, NOW, what, who, detail)]).history
    assert (entry.text, entry.reason) == (text, reason)


def test_the_description_marks_what_was_searched_for() -> None:
    context = event_page(make_event(), query=GalleryQuery(q="path"))
    assert [(piece.text, piece.is_hit) for piece in context.description] == [
        ("Two people come up the ", False),
        ("path", True),
        (".", False),
    ]
    assert event_page(make_event(ai_description=None)).description == ()


def test_a_picture_that_the_server_made_says_so() -> None:
    history = [Entry(48213, NOW, What.STILLS_DONE, "00aa", "image_b, thumbnail")]
    context = event_page(make_event(), history=history)
    assert [still.is_made for still in context.stills] == [False, True]
    gone = event_page(make_event(image_b_transferred=False), history=history)
    assert [still.is_made for still in gone.stills] == [False, False]


def test_history_names_other_days() -> None:
    event = make_event(ago=2 * DAY)
    entries = [Entry(event.id, event.timestamp, What.MOTION, ""), Entry(event.id, NOW, What.AI_DONE, "")]
    shown = [entry.shown for entry in event_page(event, history=entries).history]
    assert shown == ["18:43:30", "Today 18:43:30"]
