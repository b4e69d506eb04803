"""From an event to what ``event.html`` prints. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from securitycamd.domain.models import Camera, Event
from securitycamd.domain.names import ConversionStatus
from securitycamd.web.ui.contexts import (
    Action,
    ClipView,
    EventContext,
    Fact,
    FileView,
    HistoryEntry,
    KeepView,
    Site,
    StepState,
    StepView,
    StillView,
)
from securitycamd.web.ui.frame import frame
from securitycamd.web.ui.query import GalleryQuery
from securitycamd.web.ui.seen import badge_of, detections, objects_text, percent_text, tags_of
from securitycamd.web.ui.stages import available, event_steps, picture_url
from securitycamd.web.ui.words import count, duration, media_url, moment, size

NO_SIZES: Final[Mapping[str, int]] = MappingProxyType({})
ANY_EVENT: Final = GalleryQuery()


def event_context(
    event: Event,
    cameras: Sequence[Camera],
    *,
    site: Site,
    now: datetime,
    query: GalleryQuery = ANY_EVENT,
    clip_error: str | None = None,
    file_sizes: Mapping[str, int] = NO_SIZES,
    may_change: bool = False,
) -> EventContext:
    """The page of one event.

    Args:
        event: the event.
        cameras: all that the reader may see, the event's among them.
        site: zone, name and patience of the site.
        now: the present, aware.
        query: the gallery's state that the reader came from (read from the page's own URL).
        clip_error: why the conversion failed, where known.
        file_sizes: bytes by path, as far as known.
        may_change: whether the reader may star and remove it.
    """
    camera = next((camera for camera in cameras if camera.camera_id == event.camera_id), None)
    name = camera.name if camera else event.camera_id
    pictures, clip, description = steps = event_steps(event, site=site, now=now, clip_error=clip_error)
    headline = event.ai_phrase or f"Motion at {name}"
    return EventContext(
        frame=frame(f"{headline} · {name}", "events", cameras=cameras, site=site, now=now),
        headline=headline,
        camera_name=name,
        location=camera.location if camera else "",
        camera_url=GalleryQuery(camera_id=(event.camera_id,)).url() if camera else "/",
        moment=moment(event.timestamp, site.zone, now),
        back=Action("Back to the events", query.url()),
        clip=ClipView(
            step=clip,
            url=media_url(event.video_mp4_path) if event.video_mp4_path and clip.state is StepState.DONE else None,
            poster_url=picture_url(event, is_large=True),
            retry_url=f"/events/{event.id}/retry" if event.mp4_conversion_status is ConversionStatus.FAILED else None,
        ),
        stills=_stills(event, name, pictures, site=site, now=now),
        description=event.ai_description or None,
        description_step=description,
        steps=steps,
        tags=tags_of(event),
        badge=badge_of(event),
        facts=tuple(_facts(event, name)),
        history=tuple(_history(event, clip, site=site, now=now)),
        files=tuple(_files(event, file_sizes)),
        keep=_keep(event, file_sizes) if may_change else None,
    )


def _keep(event: Event, sizes: Mapping[str, int]) -> KeepView:
    return KeepView(
        is_protected=event.protected,
        star_url=f"/events/{event.id}/{'unstar' if event.protected else 'star'}",
        delete_url=f"/events/{event.id}/delete",
        what_goes=_what_goes(event, [sizes[path] for path in event.paths if path in sizes]),
    )


def _what_goes(event: Event, sizes: list[int]) -> str:
    if sizes:
        files = "1 file" if len(sizes) == 1 else f"{len(sizes)} files"
        what = f"The event and its {files} ({size(sum(sizes))}) go for good."
    elif event.paths:  # gone by somebody else's hand, or the storage does not tell
        what = "The event and what files it has go for good."
    else:
        what = "The event goes for good; there are no files of it."
    return f"{what} This cannot be undone."


def _stills(event: Event, camera_name: str, pictures: StepView, *, site: Site, now: datetime) -> tuple[StillView, ...]:
    clock = moment(event.timestamp, site.zone, now).clock
    missing = "Arrives in a moment" if pictures.state.is_waiting else "Did not arrive"
    stills = (
        ("A", "at the motion", event.image_a_path, event.image_a_transferred),
        ("B", "4 s later", event.image_b_path, event.image_b_transferred),
    )
    return tuple(
        StillView(
            letter=letter,
            caption=caption,
            url=available(path, is_here=is_here),
            alternative=f"{camera_name} {caption}, {clock}" if letter == "A" else f"{camera_name}, {caption}",
            missing=missing,
        )
        for letter, caption, path, is_here in stills
    )


def _facts(event: Event, camera_name: str) -> Iterable[Fact]:
    if event.ai_person_detected is not None:
        yield Fact("Person", "yes" if event.ai_person_detected else "no")
    found = detections(event)
    if found:
        yield Fact("Seen", objects_text(found))
    if event.ai_confidence is not None:
        yield Fact("Sure of it", percent_text(event.ai_confidence))
    if event.confidence_score is not None:
        yield Fact("Motion confidence", count(event.confidence_score))
    yield Fact("Pixels changed", count(event.motion_score))
    if event.video_duration is not None:
        yield Fact("Clip length", duration(event.video_duration))
    yield Fact("Camera", camera_name if camera_name == event.camera_id else f"{camera_name} ({event.camera_id})")
    yield Fact("Event", f"#{count(event.id)}")


def _history(event: Event, clip: StepView, *, site: Site, now: datetime) -> Iterable[HistoryEntry]:
    entries: list[tuple[datetime, str]] = [
        (event.timestamp, "motion"),
        (event.created_at, "reported by the camera"),
    ]
    if event.mp4_converted_at and clip.state is StepState.DONE:
        is_smaller = event.mp4_conversion_status is ConversionStatus.OPTIMIZED
        entries.append((event.mp4_converted_at, "clip made smaller" if is_smaller else "clip playable"))
    if event.ai_processed_at:
        entries.append((event.ai_processed_at, "described" if not event.ai_error else "description failed"))
    entries.sort(key=lambda entry: entry[0])
    first = moment(event.timestamp, site.zone, now)
    for at, text in entries:
        when = moment(at, site.zone, now)
        yield HistoryEntry(when, when.clock if when.day == first.day else f"{when.day} {when.clock}", text)


def _files(event: Event, sizes: Mapping[str, int]) -> Iterable[FileView]:
    converted = event.mp4_conversion_status in {ConversionStatus.COMPLETE, ConversionStatus.OPTIMIZED}
    files = (
        ("Clip", event.video_mp4_path, True),
        # The source goes once the clip is whole.
        ("Clip as recorded", event.video_h264_path, event.video_transferred and not converted),
        ("Picture A", event.image_a_path, event.image_a_transferred),
        ("Picture B", event.image_b_path, event.image_b_transferred),
        ("Thumbnail", event.thumbnail_path, event.thumbnail_transferred),
    )
    for label, path, is_here in files:
        if path and is_here:
            size_bytes = sizes.get(path)
            saved = event.saved_bytes if path == event.video_mp4_path else 0
            yield FileView(
                label,
                PurePosixPath(path).name,
                path,
                media_url(path, download=True),
                size_bytes,
                was_bytes=size_bytes + saved if size_bytes is not None and saved else None,
            )
