"""From an event to what ``event.html`` prints. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlencode

from securitycamd.domain.history import Entry, What
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.models import AnalysisRecord, Camera, Event, LogLine
from securitycamd.domain.names import AnalysisState, ConversionStatus, FileType, ReadBy, StillNote
from securitycamd.domain.sizes import size
from securitycamd.domain.words import marked, read_search
from securitycamd.services.jobs import JobReport
from securitycamd.web.ui.contexts import Action, Fact, Site, StepState, StepView
from securitycamd.web.ui.event_contexts import (
    ClipView,
    EventContext,
    FailureView,
    FileView,
    LineView,
    LogView,
    ReviewView,
    StillView,
)
from securitycamd.web.ui.event_history import history_of
from securitycamd.web.ui.frame import frame
from securitycamd.web.ui.query import GalleryQuery
from securitycamd.web.ui.seen import badge_of, detections, objects_text, percent_text, tags_of
from securitycamd.web.ui.stages import available, event_steps, picture_url
from securitycamd.web.ui.words import count, counted, duration, media_url, moment

STORAGE_AWAY: Final = (
    "The footage storage does not answer. Pictures and clip show again once it is back; none are lost."
)
AROUND: Final = timedelta(seconds=60)
"""So long before and after the motion the camera's log is of interest."""
GONE: Final = "The clip is gone"
_STILL_NOTES: Final = {
    StillNote.SINGLE: "Only one picture was there to look at.",
    StillNote.IDENTICAL: "Both pictures show the same.",
    StillNote.BLACK_A: "Picture A is black.",
    StillNote.BLACK_B: "Picture B is black.",
}
_CONVERTED: Final = frozenset({ConversionStatus.COMPLETE, ConversionStatus.OPTIMIZED})
_OTHER_WORK: Final = {
    JobKind.STILLS: "Pictures could not be made from the clip",
    JobKind.OPTIMISE: "Clip could not be made smaller",
}


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of an event beside its row."""

    jobs: Sequence[JobReport] = ()
    history: Sequence[Entry] = ()
    sizes: Mapping[str, int] | None = field(default_factory=dict)
    """Bytes of the files that are there, by path; ``None``: the storage does not answer."""
    lines: Sequence[LogLine] | None = None
    """Of the camera's log around the event, newest first."""
    lines_total: int = 0
    earlier: int | None = None
    later: int | None = None
    """The next events within the filter that the reader came from."""
    frame_rate: float = 15.0
    analysis: AnalysisRecord = field(default_factory=AnalysisRecord)
    """How its description came about."""

    def job(self, kind: JobKind) -> JobReport | None:
        """How a job of the event stands."""
        return next((job for job in self.jobs if job.kind is kind), None)

    def is_missing(self, path: str | None) -> bool:
        """Whether it is known that there is no such file, though there should be."""
        return bool(path) and self.sizes is not None and path not in self.sizes


NOTHING_AROUND: Final = Around()


def event_context(
    event: Event,
    cameras: Sequence[Camera],
    around: Around = NOTHING_AROUND,
    *,
    site: Site,
    now: datetime,
    query: GalleryQuery,
    may_change: bool = False,
) -> EventContext:
    """The page of one event.

    Args:
        event: the event.
        cameras: all that the reader may see, the event's among them.
        around: what else is known of it.
        site: zone, name and patience of the site.
        now: the present, aware.
        query: the gallery's state that the reader came from (read from the page's own URL).
        may_change: whether the reader may review, star, note, retry and remove.
    """
    camera = next((camera for camera in cameras if camera.camera_id == event.camera_id), None)
    name = camera.name if camera else event.camera_id
    remux = around.job(JobKind.REMUX)
    clip_error = remux.last_error if remux and event.mp4_conversion_status is ConversionStatus.FAILED else None
    pictures, clip, description = event_steps(event, site=site, now=now, clip_error=clip_error)
    if clip.state is StepState.DONE and around.is_missing(event.video_mp4_path):
        clip = StepView(clip.name, StepState.MISSING, GONE, "Its file is no longer in the storage.")
    steps = (pictures, clip, description)
    headline = event.ai_phrase or f"Motion at {name}"

    def here(what: str = "") -> str:
        return query.url(f"/events/{event.id}{what}")

    def retry(kind: JobKind) -> str | None:
        return here(f"/retry/{kind}") if may_change else None

    return EventContext(
        frame=frame(f"{headline} · {name}", "events", cameras=cameras, site=site, now=now),
        event_id=event.id,
        headline=headline,
        camera_name=name,
        location=camera.location if camera else "",
        camera_url=GalleryQuery().for_camera(event.camera_id).url() if camera else "/",
        moment=moment(event.timestamp, site.zone, now),
        # To where one was in the list, where the event is on that page of it.
        back=Action("Back to the events", f"{query.url()}#event-{event.id}"),
        earlier_url=None if around.earlier is None else query.url(f"/events/{around.earlier}"),
        later_url=None if around.later is None else query.url(f"/events/{around.later}"),
        trouble=STORAGE_AWAY if around.sizes is None else None,
        is_waiting=any(step.state.is_waiting for step in steps),
        clip=_clip(event, clip, around, retry_url=retry(JobKind.REMUX)),
        stills=(stills := _stills(event, name, pictures, around, site=site, now=now)),
        can_compare=all(still.url for still in stills),
        description=marked(event.ai_description or "", read_search(query.q)),
        description_step=description,
        description_note=" ".join(_description_notes(around.analysis)) or None,
        describe_url=_describe_url(description, here) if may_change else None,
        steps=steps,
        tags=tags_of(event),
        badge=badge_of(event),
        facts=(*_facts(event, name, around.sizes or {}), *_analysis_facts(around.analysis)),
        failures=tuple(
            FailureView(title, job.last_error or "It is not known why.", retry(kind))
            for kind, title in _OTHER_WORK.items()
            if (job := around.job(kind)) is not None and job.state is JobState.FAILED
        ),
        history=history_of(event, around.history, site=site, now=now),
        files=tuple(_files(event, around)),
        log=_log(event, around, site=site, now=now),
        note=event.note,
        review=_review(event, around.sizes, here) if may_change else None,
    )


def _clip(event: Event, step: StepView, around: Around, *, retry_url: str | None) -> ClipView:
    is_there = bool(event.video_mp4_path) and step.state is StepState.DONE
    is_failed = event.mp4_conversion_status is ConversionStatus.FAILED
    job = around.job(JobKind.REMUX)
    progress = job.progress if job and job.state is JobState.RUNNING else None
    # An optimised clip has the name of the one before it.
    version = f"?v={event.mp4_conversion_status}" if event.mp4_conversion_status is ConversionStatus.OPTIMIZED else ""
    url = f"{media_url(event.video_mp4_path)}{version}" if event.video_mp4_path and is_there else None
    return ClipView(
        step=step,
        url=url,
        poster_url=_picture(event, around),
        retry_url=retry_url if is_failed and event.video_h264_path else None,
        percent=None if progress is None else round(100 * min(1.0, max(0.0, progress))),
        download_url=media_url(event.video_mp4_path, download=True) if event.video_mp4_path and is_there else None,
        frame_rate=around.frame_rate,
        key=f"{step.state} {event.video_mp4_path or ''} {step.text} {step.reason or ''}",
    )


def _picture(event: Event, around: Around) -> str | None:
    """The best picture that is there."""
    present = replace(
        event,
        image_a_transferred=event.image_a_transferred and not around.is_missing(event.image_a_path),
        image_b_transferred=event.image_b_transferred and not around.is_missing(event.image_b_path),
        thumbnail_transferred=event.thumbnail_transferred and not around.is_missing(event.thumbnail_path),
    )
    return picture_url(present, is_large=True)


def _review(event: Event, sizes: Mapping[str, int] | None, here: Callable[[str], str]) -> ReviewView:
    going = list(_going(event, sizes))
    return ReviewView(
        is_reviewed=event.reviewed,
        review_url=here("/unreview" if event.reviewed else "/review"),
        is_starred=event.protected,
        star_url=here("/unstar" if event.protected else "/star"),
        note_url=here("/note"),
        delete_url=here("/delete"),
        what_goes=f"{_what_goes(event, going)} This cannot be undone.",
        going=tuple(going),
    )


def _what_goes(event: Event, going: Sequence[str]) -> str:
    if going:
        return "The event and all of this go for good."
    if event.paths:  # gone by somebody else's hand, or the storage does not tell
        return "The event and what files it has go for good."
    return "The event goes for good; there are no files of it."


def _going(event: Event, sizes: Mapping[str, int] | None) -> Iterable[str]:
    """What goes with the event, in words."""
    found = sizes or {}
    clips = [path for path in (event.video_mp4_path, event.video_h264_path) if path in found]
    if clips:
        length = f" of {duration(event.video_duration)}" if event.video_duration else ""
        yield f"the clip{length} ({size(sum(found[path] for path in clips if path))})"
    pictures = [path for path in (event.image_a_path, event.image_b_path, event.thumbnail_path) if path in found]
    if pictures:
        number = counted(len(pictures), "picture")
        yield f"{number} ({size(sum(found[path] for path in pictures if path))})"
    if event.ai_description or event.ai_phrase:
        yield "its description"
    if event.note:
        yield "its note"


def _stills(
    event: Event, camera_name: str, pictures: StepView, around: Around, *, site: Site, now: datetime
) -> tuple[StillView, ...]:
    clock = moment(event.timestamp, site.zone, now).clock
    waiting = "Arrives in a moment" if pictures.state.is_waiting else "Did not arrive"
    stills = (
        ("A", "at the motion", event.image_a_path, event.image_a_transferred, FileType.IMAGE_A),
        ("B", "4 s later", event.image_b_path, event.image_b_transferred, FileType.IMAGE_B),
    )
    made = {name for entry in around.history if entry.what is What.STILLS_DONE for name in entry.detail.split(", ")}
    return tuple(
        StillView(
            letter=letter,
            caption=caption,
            url=available(path, is_here=is_here and not around.is_missing(path)),
            alternative=f"{camera_name} {caption}, {clock}" if letter == "A" else f"{camera_name}, {caption}",
            missing="No longer in the storage" if is_here and around.is_missing(path) else waiting,
            is_made=is_here and kind in made,
        )
        for letter, caption, path, is_here, kind in stills
    )


def _facts(event: Event, camera_name: str, sizes: Mapping[str, int]) -> Iterable[Fact]:
    if event.ai_person_detected is not None:
        sure = f", {percent_text(event.ai_confidence)}" if event.ai_confidence is not None else ""
        yield Fact("Person", f"{'yes' if event.ai_person_detected else 'no'}{sure}")
    found = detections(event)
    if found:
        yield Fact("Seen", objects_text(found))
    motion = f"{count(event.motion_score)} px"
    if event.confidence_score is not None:
        motion += f", score {count(event.confidence_score)}"
    yield Fact("Motion", motion)
    clip = [duration(event.video_duration)] if event.video_duration is not None else []
    if clip := [*clip, *_clip_size(event, sizes)]:
        yield Fact("Clip", " · ".join(clip))
    yield Fact("Camera", camera_name if camera_name == event.camera_id else f"{camera_name} ({event.camera_id})")
    yield Fact("Event", f"#{count(event.id)}")


def _analysis_facts(record: AnalysisRecord) -> Iterable[Fact]:
    models = dict.fromkeys(model for model in (record.vision_model, record.text_model) if model)
    if models:
        yield Fact("Models", ", ".join(models))
    times = [seconds for seconds in (record.vision_seconds, record.text_seconds) if seconds is not None]
    if times:
        each = " + ".join(f"{seconds:.1f}" for seconds in times)
        yield Fact("Described in", f"{each} s")
    if record.prompt_version:
        yield Fact("Prompt version", record.prompt_version)


def _description_notes(record: AnalysisRecord) -> Iterable[str]:
    """How the description came about, where that matters to who reads it."""
    if record.state is AnalysisState.AGAIN:
        yield "It is described once more; this is what was said before."
    if record.read_by is ReadBy.RULES:
        yield "The models gave no orderly answer: what was seen was read from their words by rules."
    if record.read_by is ReadBy.STILLS:
        yield "No model was asked: there is nothing to see in the pictures."
    for note in record.still_notes:
        yield _STILL_NOTES[note]


def _describe_url(description: StepView, here: Callable[[str], str]) -> str | None:
    if description.state is StepState.FAILED:
        return here(f"/retry/{JobKind.ANALYSE}")
    return here("/describe-again") if description.state is StepState.DONE else None


def _clip_size(event: Event, sizes: Mapping[str, int]) -> Iterable[str]:
    size_bytes = sizes.get(event.video_mp4_path or "")
    if size_bytes is not None:
        yield size(size_bytes) + (f" (was {size(size_bytes + event.saved_bytes)})" if event.saved_bytes else "")


def _files(event: Event, around: Around) -> Iterable[FileView]:
    converted = event.mp4_conversion_status in _CONVERTED
    files = (
        ("Clip", event.video_mp4_path, True),
        # The source goes once the clip is whole.
        ("Clip as recorded", event.video_h264_path, event.video_transferred and not converted),
        ("Picture A", event.image_a_path, event.image_a_transferred),
        ("Picture B", event.image_b_path, event.image_b_transferred),
        ("Thumbnail", event.thumbnail_path, event.thumbnail_transferred),
    )
    for label, path, is_here in files:
        if path and is_here and not around.is_missing(path):
            size_bytes = (around.sizes or {}).get(path)
            saved = event.saved_bytes if path == event.video_mp4_path else 0
            yield FileView(
                label,
                PurePosixPath(path).name,
                path,
                media_url(path, download=True),
                size_bytes,
                was_bytes=size_bytes + saved if size_bytes is not None and saved else None,
            )


def _local(when: datetime) -> str:
    return when.replace(tzinfo=None).isoformat(timespec="seconds")


def _log(event: Event, around: Around, *, site: Site, now: datetime) -> LogView | None:
    if around.lines is None:
        return None
    lines = tuple(
        LineView(moment(line.timestamp, site.zone, now), str(line.level), line.message)
        for line in reversed(around.lines)
    )
    since, until = (event.timestamp.astimezone(site.zone) + way * AROUND for way in (-1, 1))
    number = counted(around.lines_total, "line")
    cut = f"; the last {len(lines)} are shown" if around.lines_total > len(lines) else ""
    return LogView(
        summary=f"{number} within a minute of the motion{cut}" if lines else "",
        lines=lines,
        url=f"/logs?{urlencode({'source': event.camera_id, 'since': _local(since), 'until': _local(until)})}",
    )
