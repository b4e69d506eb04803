"""How far an event is, in plain words: its pictures, its clip, its description."""

from datetime import datetime
from typing import assert_never

from securitycamd.domain.models import Event
from securitycamd.domain.names import ConversionStatus, EventStatus
from securitycamd.web.ui.contexts import Site, StepState, StepView
from securitycamd.web.ui.words import media_url

PICTURES, CLIP, DESCRIPTION = "Pictures", "Clip", "Description"


def event_steps(
    event: Event, *, site: Site, now: datetime, clip_error: str | None, clip_progress: float | None = None
) -> tuple[StepView, ...]:
    """Pictures, clip and description, in this order.

    ``clip_error`` says why a conversion failed, ``clip_progress`` (0 to 1) how far one that runs is.
    """
    is_late = now - event.timestamp > site.late()
    pictures = _pictures(event, is_late=is_late)
    return (
        pictures,
        _clip(event, is_late=is_late, error=clip_error, progress=clip_progress),
        _description(event, pictures, is_late=is_late, site=site),
    )


def picture_url(event: Event, *, is_large: bool = False) -> str | None:
    """The URL of the best picture that is here: the thumbnail on a card, picture A where it is large."""
    thumbnail = available(event.thumbnail_path, is_here=event.thumbnail_transferred)
    still_a = available(event.image_a_path, is_here=event.image_a_transferred)
    still_b = available(event.image_b_path, is_here=event.image_b_transferred)
    ranked = (still_a, still_b, thumbnail) if is_large else (thumbnail, still_a, still_b)
    return next((url for url in ranked if url), None)


def available(path: str | None, *, is_here: bool) -> str | None:
    """The URL of a file that reached the storage, else ``None``."""
    return media_url(path) if path and is_here else None


def _pictures(event: Event, *, is_late: bool) -> StepView:
    here = [
        letter for letter, is_here in (("A", event.image_a_transferred), ("B", event.image_b_transferred)) if is_here
    ]
    if len(here) == 2:
        return StepView(PICTURES, StepState.DONE, "Pictures are here")
    if not is_late and event.status not in {EventStatus.FAILED, EventStatus.INTERRUPTED}:
        return StepView(PICTURES, StepState.AHEAD, "Pictures arrive in a moment")
    if here:
        reason = "The other one did not reach the storage."
        return StepView(PICTURES, StepState.MISSING, f"Only picture {here[0]} arrived", reason)
    return StepView(
        PICTURES, StepState.MISSING, "No pictures arrived", "The camera's pictures did not reach the storage."
    )


def _clip(event: Event, *, is_late: bool, error: str | None, progress: float | None) -> StepView:
    match event.mp4_conversion_status:
        case ConversionStatus.COMPLETE | ConversionStatus.OPTIMIZED:
            if event.video_mp4_path:
                return StepView(CLIP, StepState.DONE, "Clip is here")
            return StepView(CLIP, StepState.MISSING, "The clip is gone", "Its file is no longer in the storage.")
        case ConversionStatus.FAILED:
            reason = error or "The clip that the camera sent cannot be played."
            return StepView(CLIP, StepState.FAILED, "Clip could not be converted", reason)
        case ConversionStatus.PROCESSING:
            if progress is None:
                return StepView(CLIP, StepState.RUNNING, "Converting the clip…")
            percent = round(100 * min(1.0, max(0.0, progress)))
            return StepView(CLIP, StepState.RUNNING, f"Converting the clip, {percent} %", percent=percent)
        case ConversionStatus.PENDING:
            return _clip_before_conversion(event, is_late=is_late)
        case _:
            assert_never(event.mp4_conversion_status)


def _clip_before_conversion(event: Event, *, is_late: bool) -> StepView:
    if event.video_transferred:
        text = "Clip waits to be converted" if is_late else "Converting the clip…"
        return StepView(CLIP, StepState.RUNNING, text)
    if event.status is EventStatus.INTERRUPTED:
        reason = "The camera stopped recording because somebody watched it live."
        return StepView(CLIP, StepState.MISSING, "Recording was interrupted", reason)
    if event.status is EventStatus.FAILED:
        reason = "The camera reported that something went wrong while it recorded."
        return StepView(CLIP, StepState.FAILED, "Camera could not record a clip", reason)
    if is_late:
        reason = "The camera saw motion, but its clip did not reach the storage."
        return StepView(CLIP, StepState.MISSING, "No clip arrived", reason)
    return StepView(CLIP, StepState.AHEAD, "Clip arrives in a moment")


def _description(event: Event, pictures: StepView, *, is_late: bool, site: Site) -> StepView:
    if event.ai_error and not event.ai_description:
        return StepView(DESCRIPTION, StepState.FAILED, "Could not be described", event.ai_error)
    if event.ai_processed:
        return StepView(DESCRIPTION, StepState.DONE, "Described")
    if not site.describes:
        reason = "Descriptions are switched off in the settings."
        return StepView(DESCRIPTION, StepState.MISSING, "Not described", reason)
    if pictures.state is StepState.DONE:
        return _description_under_way(site.held, is_late=is_late)
    if pictures.state.is_waiting:
        return StepView(DESCRIPTION, StepState.AHEAD, "Described once the pictures are here")
    return StepView(DESCRIPTION, StepState.MISSING, "Not described", "That takes both pictures.")


def _description_under_way(held: str, *, is_late: bool) -> StepView:
    if held or is_late:
        reason = f"{held} It comes by itself." if held else None
        return StepView(DESCRIPTION, StepState.AHEAD, "Waits to be described", reason)
    return StepView(DESCRIPTION, StepState.RUNNING, "Describing what happened…")
