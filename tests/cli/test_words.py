"""What commands print, in columns and as text."""

from zoneinfo import ZoneInfo

from securitycamd.cli.words import local, plain, table


def test_what_an_agent_says_neither_begins_a_line_nor_moves_the_cursor() -> None:
    assert plain("Gate\x1b[2J\nowned\u202e") == "Gate [2J owned "
    assert plain("one\ntwo\r", lines=True) == "one\ntwo "
    lines = table(("CAMERA", "NAME"), [("camera_1", "Gate\nowned"), ("c", "\x1b")])
    assert lines == ["CAMERA    NAME", "camera_1  Gate owned", "c"]


def test_times_are_the_sites() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    assert local("2026-03-01T20:00:00.186476Z", tokyo) == "2026-03-02 05:00:00"
    assert local("2026-03-01T20:00:00Z", tokyo, timespec="milliseconds") == "2026-03-02 05:00:00.000"
    assert local("2026-03-01T20:00:00+01:00", ZoneInfo("UTC")) == "2026-03-01 19:00:00"
