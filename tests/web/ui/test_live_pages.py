"""What the pages of live pictures say before any script runs."""

from collections.abc import Callable
from datetime import timedelta

from securitycamd.domain.pictures import Poster
from securitycamd.web.ui.contexts import PageContext
from securitycamd.web.ui.live_view import camera_context, wall_context
from tests.web.ui.samples import CAMERAS, NOW, SITE, make_camera

Render = Callable[[PageContext], str]
POSTERS = {
    "camera_1": Poster(1, NOW - timedelta(minutes=3), "camera_1/thumbs/1 a.jpg", "camera_1/pictures/1_a.jpg"),
}


def test_the_wall(render: Render) -> None:
    context = wall_context(CAMERAS, POSTERS, site=SITE, now=NOW, limit_minutes=30.0)
    assert context.summary == "3 cameras, 1 offline"
    assert [(tile.key, tile.picture_url, tile.silence) for tile in context.tiles] == [
        (1, "/media/camera_1/thumbs/1%20a.jpg", ""),
        (2, None, ""),
        (3, None, "Not heard from for 2 h"),
    ]
    page = render(context)
    assert "A camera does not look for motion while somebody watches it live." in page
    assert "3 min ago" in page
    assert "mjpeg" not in page  # nothing on the wall starts by itself
    assert page.count('data-state="idle"') == 3


def test_a_wall_without_cameras_says_what_to_do(render: Render) -> None:
    page = render(wall_context([], {}, site=SITE, now=NOW, limit_minutes=30.0))
    assert "No cameras yet" in page
    assert "Watch all" not in page


def test_nine_cameras_have_a_key() -> None:
    cameras = [make_camera(number, f"Camera {number}", 2) for number in range(1, 12)]
    context = wall_context(cameras, {}, site=SITE, now=NOW, limit_minutes=30.0)
    assert [tile.key for tile in context.tiles] == [*range(1, 10), None, None]
    assert context.summary == "11 cameras"


def test_one_camera_works_without_scripts(render: Render) -> None:
    context = camera_context(CAMERAS[0], CAMERAS, POSTERS, site=SITE, now=NOW, limit_minutes=12.5)
    assert context.tile.picture_url == "/media/camera_1/pictures/1_a.jpg"
    assert context.limit_minutes == "12.5"
    page = render(context)
    assert '<noscript><img class="no-script" src="/live/camera_1.mjpeg"' in page
    assert "Motion detection is paused while you watch." in page


def test_names_are_text(render: Render) -> None:
    camera = make_camera(1, '<b>"x"', 2)
    for context in (
        wall_context([camera], {}, site=SITE, now=NOW, limit_minutes=30.0),
        camera_context(camera, [camera], {}, site=SITE, now=NOW, limit_minutes=30.0),
    ):
        assert '<b>"x"' not in render(context)


def test_a_hidden_camera_has_its_page() -> None:
    context = camera_context(CAMERAS[2], CAMERAS[:2], {}, site=SITE, now=NOW, limit_minutes=30.0)
    assert context.tile.name == "Side gate"
    assert [tile.name for tile in context.others] == ["Front walk", "Back patio"]
