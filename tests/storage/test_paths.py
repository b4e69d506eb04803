import os
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from securitycamd.domain.errors import InvalidError
from securitycamd.storage import check_relative, resolve_inside

# Pieces out of which attacks are made, beside ordinary letters.
PIECES = st.one_of(
    st.sampled_from([*"/\\-~|. \0\n\x1b\u202e\udc80", "..", "//", "%2e", "%2E%2e", "%2f", "%5c", "%00", "ä" * 130]),
    st.sampled_from(["concat:", "http:", "file:", "pipe:1", "out", "loop", "camera_1", "videos"]),
    st.text(max_size=6),
)
PATHS = st.one_of(st.lists(PIECES, max_size=10).map("".join), st.lists(PIECES, max_size=10).map("/".join))


@pytest.mark.parametrize(
    "relative",
    [
        "camera_1/pictures/42_20251028_143022_a.jpg",
        "camera_1/videos/42_20251028_143022_video.h264",
        "a",
        "a/b c/d(1)[2]'x'.jpg",
        "Kamera/Straße/äöü.jpg",
        "100%/50%.jpg",
        "x" * 255,
        "/".join(["x" * 249] * 2) + "x",
        "a..b/c.",
    ],
)
def test_ordinary_names_stay_as_they_are(relative: str) -> None:
    assert str(check_relative(relative)) == relative
    assert resolve_inside(Path("/no/such/root"), relative) == Path("/no/such/root") / relative


def test_doubled_slashes_count_as_one() -> None:
    assert str(check_relative("a//b///c")) == "a/b/c"


@pytest.mark.parametrize(
    ("relative", "reason"),
    [
        ("", "empty"),
        ("x/" * 250 + "x", "500"),
        ("/etc/passwd", "relative"),
        ("//a", "relative"),
        ("..", "'..'"),
        ("a/../b", "'..'"),
        ("a/..", "'..'"),
        ("./a", "'.'"),
        ("a/./b", "'.'"),
        (".hidden", "hidden"),
        ("a/.b.0123456789abcdef.tmp", "hidden"),
        ("a/", "file"),
        ("%2e%2e/a", "encoded"),
        ("a/%2E%2E/b", "encoded"),
        ("a%2fb", "encoded"),
        ("a%252fb", "encoded"),
        ("a%00.jpg", "encoded"),
        ("..\\a", "backslash"),
        ("a\\b", "backslash"),
        ("a\x00.jpg", "control"),
        ("a\nb", "control"),
        ("a\x7f", "control"),
        ("a\u202egpj.exe", "control"),
        ("a\udc80", "UTF-8"),
        ("-y", "dash"),
        ("a/-i/b", "dash"),
        ("concat:a|b", "colon"),
        ("http://x/a", "colon"),
        ("a/file:b", "colon"),
        ("C:a", "colon"),
        ("x" * 256, "255 bytes"),
        ("a/" + "ä" * 128, "255 bytes"),
    ],
)
def test_refused_names(relative: str, reason: str) -> None:
    for judge in (check_relative, lambda path: resolve_inside(Path("/no/such/root"), path)):
        with pytest.raises(InvalidError, match=reason) as caught:
            judge(relative)
        assert caught.value.field == "file_path"


def test_links(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "camera_1" / "out").symlink_to(outside)
    (root / "camera_1" / "up").symlink_to("../..")
    (root / "camera_1" / "secret.jpg").symlink_to("/etc/passwd")
    (root / "camera_1" / "loop").symlink_to("loop")
    (root / "camera_1" / "self").symlink_to(root)
    (root / "inside").symlink_to(root / "camera_1" / "videos")
    for relative in (
        "camera_1/out",
        "camera_1/out/new.jpg",
        "camera_1/up",
        "camera_1/up/outside",
        "camera_1/secret.jpg",
    ):
        with pytest.raises(InvalidError, match="leads out"):
            resolve_inside(root, relative)
    with pytest.raises(InvalidError, match="leads out"):
        resolve_inside(root, "camera_1/self")  # the root itself is no file in it
    with pytest.raises(InvalidError, match="leads nowhere"):
        resolve_inside(root, "camera_1/loop/x")
    assert resolve_inside(root, "inside/a.h264") == root / "camera_1" / "videos" / "a.h264"


def test_a_folder_beside_the_root_with_its_name_as_prefix_is_outside(root: Path) -> None:
    beside = root.with_name(root.name + "-other")
    beside.mkdir()
    (root / "link").symlink_to(beside)
    with pytest.raises(InvalidError, match="leads out"):
        resolve_inside(root, "link/a")


def test_the_root_may_be_a_link_and_need_not_exist(root: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    assert resolve_inside(link, "camera_1/a.jpg") == root / "camera_1" / "a.jpg"
    assert resolve_inside(tmp_path / "none", "a") == tmp_path / "none" / "a"


def test_a_file_in_the_place_of_a_folder(root: Path) -> None:
    (root / "file").touch()
    assert resolve_inside(root, "file/below") == root / "file" / "below"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=500)
@example(relative="../footage/../../etc/passwd")
@example(relative="out/x")
@given(relative=PATHS)
def test_no_path_ever_leaves_the_root(root: Path, relative: str) -> None:
    if not (root / "out").is_symlink():
        (root / "out").symlink_to("/etc")
        (root / "loop").symlink_to("loop")
    try:
        path = resolve_inside(root, relative)
    except InvalidError:
        return
    assert path.is_absolute()
    assert os.path.realpath(path) == str(path)
    assert os.path.commonpath([path, root]) == str(root)
    assert path != root
    inside = path.relative_to(root).parts
    assert not any(part.startswith(("-", ".")) or ":" in part for part in inside)


@given(st.text(alphabet=string.ascii_letters + string.digits + "_", min_size=1, max_size=50))
def test_what_agents_send_is_accepted(camera_id: str) -> None:
    relative = f"{camera_id}/pictures/42_20251028_143022_a.jpg"
    assert str(check_relative(relative)) == relative
