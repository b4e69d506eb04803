from datetime import timedelta

from securitycamd.domain.history import BY_PEOPLE, JOB_WORDS, Entry, What, whole_story
from securitycamd.domain.jobs import JobKind
from tests.web.ui.samples import make_event


def words(entries: list[Entry]) -> list[What]:
    return [entry.what for entry in entries]


def test_every_end_of_every_job_has_a_word_of_its_own_that_fits_its_column() -> None:
    assert set(JOB_WORDS) == set(JobKind)
    ends = [word for each in JOB_WORDS.values() for word in (each.done, each.delayed, each.failed, each.retried)]
    assert len(set(ends)) == len(ends)
    assert max(map(len, What)) <= 16
    assert set(What) - set(ends) - BY_PEOPLE == {
        What.MOTION,
        What.REPORTED,
        What.PICTURES_ARRIVED,
        What.CLIP_ARRIVED,
    }


def test_the_row_and_its_jobs_tell_what_was_not_kept() -> None:
    event = make_event()
    due = {
        JobKind.REMUX: event.created_at + timedelta(seconds=40),
        JobKind.ANALYSE: event.created_at + timedelta(seconds=5),
    }
    told = whole_story(event, [], due=due)
    assert words(told) == [
        What.MOTION,
        What.REPORTED,
        What.PICTURES_ARRIVED,
        What.CLIP_ARRIVED,
        What.CLIP_DONE,
        What.AI_DONE,
    ]
    assert [entry.at for entry in told] == sorted(entry.at for entry in told)
    assert told[0].who == event.camera_id


def test_what_was_kept_is_not_told_twice() -> None:
    event = make_event()
    assert event.mp4_converted_at
    kept = [Entry(event.id, event.mp4_converted_at, What.CLIP_DONE, "daemon", "in 0.4 s")]
    (clip,) = [entry for entry in whole_story(event, kept, due={}) if entry.what is What.CLIP_DONE]
    assert clip.detail == "in 0.4 s"


def test_a_job_that_was_queued_anew_does_not_say_when_its_file_came() -> None:
    event = make_event("words")
    at = event.created_at + timedelta(days=3)
    kept = [Entry(event.id, at, What.CLIP_RETRIED, "Ann"), Entry(event.id, at, What.AI_FAILED, "daemon", "why")]
    told = whole_story(event, kept, due={JobKind.REMUX: at, JobKind.ANALYSE: at})
    assert not {What.CLIP_ARRIVED, What.PICTURES_ARRIVED} & set(words(told))


def test_a_description_that_failed_was_not_done() -> None:
    event = make_event("words", ai_error="No picture.", ai_processed_at=make_event().ai_processed_at)
    assert What.AI_DONE not in words(whole_story(event, [], due={}))
