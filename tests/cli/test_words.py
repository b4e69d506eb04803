"""What commands print, in columns and as text."""

from securitycamd.cli.words import plain, table


def test_what_an_agent_says_neither_begins_a_line_nor_moves_the_cursor() -> None:
    assert plain("Gate\x1b[2J\nowned\u202e") == "Gate [2J owned "
    assert plain("one\ntwo\r", lines=True) == "one\ntwo "
    lines = table(("CAMERA", "NAME"), [("camera_1", "Gate\nowned"), ("c", "\x1b")])
    assert lines == ["CAMERA    NAME", "camera_1  Gate owned", "c"]
