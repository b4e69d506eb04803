"""Pages rendered from contexts."""

from collections.abc import Callable

import jinja2
import pytest

from securitycamd.web.ui.camera_contexts import CameraContext, CamerasContext
from securitycamd.web.ui.contexts import DocsContext, ErrorContext, RailContext
from securitycamd.web.ui.digest_contexts import DigestContext, DigestsContext
from securitycamd.web.ui.environment import make_environment
from securitycamd.web.ui.event_contexts import EventContext
from securitycamd.web.ui.gallery_contexts import CardsContext, GalleryContext
from securitycamd.web.ui.live_contexts import LiveCameraContext, LiveWallContext
from securitycamd.web.ui.logs_contexts import LogsContext
from securitycamd.web.ui.page_contexts import PageContext, template_values
from securitycamd.web.ui.storage_contexts import StorageContext, StraysContext
from securitycamd.web.ui.system_contexts import SystemContext

TEMPLATES: dict[type, str] = {
    GalleryContext: "events.html",
    CardsContext: "cards.html",
    EventContext: "event.html",
    CamerasContext: "cameras.html",
    CameraContext: "camera.html",
    LiveWallContext: "live.html",
    LiveCameraContext: "live_camera.html",
    StorageContext: "storage.html",
    StraysContext: "strays.html",
    LogsContext: "logs.html",
    DigestsContext: "digests.html",
    DigestContext: "digest.html",
    SystemContext: "system.html",
    ErrorContext: "error.html",
    DocsContext: "docs.html",
    RailContext: "rail.html",
}


@pytest.fixture(scope="session")
def environment() -> jinja2.Environment:
    return make_environment()


@pytest.fixture
def render(environment: jinja2.Environment) -> Callable[[PageContext], str]:
    def page(context: PageContext) -> str:
        return environment.get_template(TEMPLATES[type(context)]).render(template_values(context))

    return page
