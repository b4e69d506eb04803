"""Which file belongs to which event, and what is left of an event whose files are gone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.domain.filenames import FootageName, parse_name
from securitycamd.domain.linking import TOLERANCE, Link, freed, lose, misfit, named_by
from securitycamd.domain.models import Event, FileReport
from securitycamd.domain.names import ConversionStatus, FileType
from tests.web.ui.samples import ZONE, make_event

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def named(event: Event, local: datetime, file_type: FileType = FileType.IMAGE_A) -> FootageName:
    return FootageName(event.id, local.replace(microsecond=0), file_type, "jpg")


def at(moment: datetime) -> Event:
    return replace(make_event("pictures", "clip"), timestamp=moment)


@given(MOMENTS, st.timedeltas(timedelta(seconds=-4), timedelta(seconds=4)))
def test_a_name_made_from_the_events_time_fits(moment: datetime, off: timedelta) -> None:
    event = at(moment)
    local = (moment + off).astimezone(ZONE).replace(tzinfo=None)
    assert misfit(event.camera_id, named(event, local), event, ZONE) is None


@given(MOMENTS, st.sampled_from([-7200, -3600, -60, 60, 3600, 7200]))
def test_one_of_another_time_does_not(moment: datetime, seconds: int) -> None:
    event = at(moment)
    local = moment.astimezone(ZONE).replace(tzinfo=None) + timedelta(seconds=seconds)
    readings = [local.replace(tzinfo=ZONE, fold=fold).astimezone(UTC) for fold in (0, 1)]
    fits = misfit(event.camera_id, named(event, local), event, ZONE) is None
    # But for the nights in which the clock is changed, an hour is an hour.
    assert fits == any(abs(one.replace(microsecond=0) - moment) <= TOLERANCE + timedelta(seconds=1) for one in readings)


def test_whose_it_is_not() -> None:
    event = make_event()
    name = parse_name("48213_20251123_184230_a.jpg")
    assert name is not None
    assert misfit("camera_1", name, event, ZONE) is None
    assert misfit("camera_1", None, None, ZONE) == "The name is not one that agents use."
    assert misfit("camera_1", name, None, ZONE) == "There is no event 48213."
    assert misfit("camera_2", name, event, ZONE) == "Event 48213 belongs to camera_1."


@pytest.mark.parametrize("file_type", FileType)
def test_a_place_that_is_taken_is_not_freed(file_type: FileType) -> None:
    event = make_event()
    link = Link(FileReport(file_type, "camera_1/x", transferred=True))
    assert freed(event, link) is None
    gone = named_by(event, file_type)
    columns = freed(event, replace(link, gone=gone))
    assert columns is not None
    assert named_by(replace(event, **columns), file_type) == frozenset()  # type: ignore[arg-type]  # columns are fields


def test_a_converted_clip_that_gives_way_is_to_be_converted_again() -> None:
    event = make_event()
    link = Link(FileReport(FileType.VIDEO, "camera_1/videos/x.h264", transferred=True), frozenset(event.paths))
    columns = freed(event, link)
    assert columns == {
        "video_mp4_path": None,
        "mp4_conversion_status": ConversionStatus.PENDING,
        "mp4_converted_at": None,
    }


def test_what_is_lost() -> None:
    event = make_event()
    assert lose(event, []).columns == {}
    assert lose(event, [str(event.thumbnail_path)]).columns == {"thumbnail_path": None, "thumbnail_transferred": False}
    clip = str(event.video_mp4_path)
    loss = lose(event, [clip])
    assert (loss.is_clip_lost, loss.is_source_left) == (True, False)
    assert loss.columns["mp4_conversion_status"] is ConversionStatus.FAILED
    both = replace(event, video_h264_path="camera_1/videos/48213_video.h264")
    loss = lose(both, [clip])
    assert (loss.is_clip_lost, loss.is_source_left) == (False, True)
    assert loss.columns["mp4_conversion_status"] is ConversionStatus.PENDING
    loss = lose(both, ["camera_1/videos/48213_video.h264"])
    assert (loss.columns, loss.is_clip_lost, loss.is_source_left) == ({"video_h264_path": None}, False, False)
