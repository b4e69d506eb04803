"""Every page's context, and how a template gets it."""

from dataclasses import fields

from securitycamd.web.ui.camera_contexts import CameraContext, CamerasContext
from securitycamd.web.ui.contexts import DocsContext, ErrorContext, RailContext
from securitycamd.web.ui.digest_contexts import DigestContext, DigestsContext
from securitycamd.web.ui.event_contexts import EventContext
from securitycamd.web.ui.gallery_contexts import CardsContext, GalleryContext
from securitycamd.web.ui.live_contexts import LiveCameraContext, LiveWallContext
from securitycamd.web.ui.logs_contexts import LogsContext
from securitycamd.web.ui.storage_contexts import StorageContext, StraysContext
from securitycamd.web.ui.system_contexts import SystemContext

PageContext = (
    GalleryContext
    | EventContext
    | CamerasContext
    | CameraContext
    | LogsContext
    | CardsContext
    | DigestsContext
    | DigestContext
    | SystemContext
    | LiveWallContext
    | LiveCameraContext
    | StorageContext
    | StraysContext
    | ErrorContext
    | DocsContext
    | RailContext
)


def template_values(context: PageContext) -> dict[str, object]:
    """The context as names for the template: the fields of the dataclass, not copied."""
    return {field.name: getattr(context, field.name) for field in fields(context)}
