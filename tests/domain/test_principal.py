import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.domain.principal import DAEMON, NOBODY, TRUSTED_OPERATOR, Audience, Principal

_CAMERA = st.sampled_from(["camera_1", "camera_2", "camera_3"])
_CAMERAS = st.none() | st.frozensets(_CAMERA)


@given(_CAMERAS, st.none() | _CAMERA, _CAMERA)
def test_a_query_touches_what_is_wanted_and_allowed(
    allowed: frozenset[str] | None, wanted: str | None, camera: str
) -> None:
    principal = Principal("someone", Audience.VIEWER, allowed)
    touched = principal.visible(wanted)
    reached = touched is None or camera in touched
    assert reached == (principal.may_see(camera) and wanted in {None, camera})


def test_who_may_see_nothing_never_sees_all() -> None:
    """An empty set is not "no limit"."""
    assert NOBODY.visible(None) == frozenset()
    assert NOBODY.visible("camera_1") == frozenset()
    assert not NOBODY.may_see("camera_1")


@pytest.mark.parametrize("principal", [TRUSTED_OPERATOR, DAEMON])
def test_the_trusted_and_the_daemon_see_every_camera(principal: Principal) -> None:
    assert principal.visible(None) is None
    assert principal.visible("camera_1") == frozenset({"camera_1"})
    assert principal.role is Audience.ADMIN


def test_audiences_grow_narrower() -> None:
    assert sorted(Audience, reverse=True) == [
        Audience.ADMIN,
        Audience.OPERATOR,
        Audience.VIEWER,
        Audience.AGENT,
        Audience.PUBLIC,
    ]
