from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from securitycamd.domain.filenames import (
    FOLDERS,
    MAX_EVENT_ID,
    RAW_VIDEO,
    FootageName,
    make_name,
    make_path,
    parse_name,
)
from securitycamd.domain.names import FileType
from securitycamd.domain.times import EARLIEST, LATEST

AT = datetime(2025, 10, 28, 14, 30, 22)  # noqa: DTZ001 - names carry no zone
TIMES = st.datetimes(datetime(EARLIEST.year, 1, 1), datetime(LATEST.year, 1, 1) - timedelta(seconds=1))  # noqa: DTZ001


@st.composite
def footage_names(draw: st.DrawFn) -> FootageName:
    file_type = draw(st.sampled_from(FileType))
    extensions = [*RAW_VIDEO, "mp4"] if file_type is FileType.VIDEO else ["jpg", "jpeg"]
    return FootageName(
        draw(st.integers(1, MAX_EVENT_ID)),
        draw(TIMES).replace(microsecond=0),
        file_type,
        draw(st.sampled_from(extensions)),
    )


@given(footage_names())
def test_what_is_made_is_read_back(name: FootageName) -> None:
    made = make_name(name.event_id, name.local_time, name.file_type, name.extension)
    assert parse_name(made) == name
    path = make_path("camera_1", name.event_id, name.local_time, name.file_type, name.extension)
    assert path == f"camera_1/{FOLDERS[name.file_type]}/{made}"


@given(
    st.one_of(
        st.text(max_size=60),
        st.from_regex(r"\A[0-9]{1,21}_[0-9]{8}_[0-9]{6}_[a-zA-B]{1,5}\.[a-zA-Z0-9]{1,5}\Z"),
    )
)
@example("42_20251028_143022_picA.JPG")
def test_whatever_is_read_is_written_as_the_same(text: str) -> None:
    name = parse_name(text)
    if name is not None:
        assert parse_name(make_name(name.event_id, name.local_time, name.file_type, name.extension)) == name


@pytest.mark.parametrize(
    ("text", "file_type", "extension", "is_raw"),
    [
        ("42_20251028_143022_a.jpg", FileType.IMAGE_A, "jpg", False),
        ("42_20251028_143022_picA.jpg", FileType.IMAGE_A, "jpg", False),
        ("42_20251028_143022_b.jpeg", FileType.IMAGE_B, "jpeg", False),
        ("42_20251028_143022_picB.JPG", FileType.IMAGE_B, "jpg", False),
        ("42_20251028_143022_thumb.jpg", FileType.THUMBNAIL, "jpg", False),
        ("42_20251028_143022_video.h264", FileType.VIDEO, "h264", True),
        ("42_20251028_143022_video.mp4", FileType.VIDEO, "mp4", False),
    ],
)
def test_names_of_older_and_newer_agents(text: str, file_type: FileType, extension: str, is_raw: bool) -> None:
    name = parse_name(text)
    assert name == FootageName(42, AT, file_type, extension)
    assert name.is_raw_video is is_raw


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42_20251028_143022_video.h264.tmp",
        "42_20251028_143022_video.h264.READY",
        ".42_20251028_143022_video.mp4.0123456789abcdef01234567.tmp",
        ".42_20251028_143022_a.jpg",
        ".securitycamd-camera",
        "42_20251028_143022_video.jpg",
        "42_20251028_143022_a.h264",
        "42_20251028_143022_a",
        "42_20251028_143022_c.jpg",
        "42_20251028_143022_pica.jpg",
        "0_20251028_143022_a.jpg",
        "042_20251028_143022_a.jpg",
        "-42_20251028_143022_a.jpg",
        "9223372036854775808_20251028_143022_a.jpg",
        "42_20250229_143022_a.jpg",
        "42_20251028_246022_a.jpg",
        f"42_{EARLIEST.year - 1}1231_235959_a.jpg",
        f"42_{LATEST.year}0101_000000_a.jpg",
        "٤٢_20251028_143022_a.jpg",
        "42_2025١٠28_143022_a.jpg",
        "42_20251028_143022_a.jpg\n",
        "x/42_20251028_143022_a.jpg",
    ],
)
def test_what_is_no_such_name(text: str) -> None:
    assert parse_name(text) is None


def test_made_from_a_time_with_more_than_a_name_holds() -> None:
    aware = AT.replace(microsecond=186476, tzinfo=timezone(timedelta(hours=2)))
    assert make_name(42, aware, FileType.IMAGE_A) == "42_20251028_143022_a.jpg"
    assert make_name(42, AT, FileType.VIDEO) == "42_20251028_143022_video.h264"


@pytest.mark.parametrize(
    ("event_id", "year", "extension"), [(0, 2025, "jpg"), (-1, 2025, "jpg"), (1, 20, "jpg"), (1, 2025, "mp4")]
)
def test_nothing_is_made_that_could_not_be_read(event_id: int, year: int, extension: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        make_name(event_id, AT.replace(year=year), FileType.IMAGE_A, extension)
