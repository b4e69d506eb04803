"""The aiohttp application: routes, middleware, pages and the services they speak to."""

from dataclasses import dataclass
from typing import Final

import aiohttp_jinja2
from aiohttp import web

from securitycamd.config import SettingsHolder
from securitycamd.health.monitor import HealthMonitor
from securitycamd.services.agent_status import AgentStatusService
from securitycamd.services.ai_status import AiStatusService
from securitycamd.services.camera_details import CameraDetailsService
from securitycamd.services.camera_removal import CameraRemovalService
from securitycamd.services.cameras import CameraService
from securitycamd.services.changes import ChangeHub
from securitycamd.services.digests import DigestService
from securitycamd.services.events import EventService
from securitycamd.services.finding import FindingService
from securitycamd.services.jobs import JobQueue
from securitycamd.services.live import LiveService
from securitycamd.services.log_search import LogSearchService
from securitycamd.services.log_tail import LogTail
from securitycamd.services.logs import LogService
from securitycamd.services.removal import RemovalService
from securitycamd.services.reruns import RerunService
from securitycamd.services.retention import RetentionService
from securitycamd.services.retries import RetryService
from securitycamd.services.review import ReviewService
from securitycamd.services.stats import StatsService
from securitycamd.services.storage import StorageService
from securitycamd.services.storage_check import StorageCheckService
from securitycamd.services.strays import StrayService
from securitycamd.services.system import SystemService
from securitycamd.services.timeline import TimelineService
from securitycamd.services.uploads import UploadService
from securitycamd.storage.files import Files
from securitycamd.supervision import Supervisor
from securitycamd.web import (
    camera_pages,
    digest_pages,
    event_pages,
    gallery_pages,
    keys,
    legacy_pages,
    live_pages,
    live_socket,
    logs_pages,
    pages,
    static,
    stray_pages,
    system_pages,
    theme,
)
from securitycamd.web.api import (
    ai,
    camera_admin,
    cameras,
    digests,
    events,
    finding,
    jobs,
    live,
    log_search,
    logs,
    media,
    reference,
    retention,
    review,
    storage,
    storage_check,
    strays,
    stream,
    system,
    system_state,
    uploads,
)
from securitycamd.web.assets import read_assets
from securitycamd.web.middleware import guard, scope, tell_errors
from securitycamd.web.registry import Route, add_routes
from securitycamd.web.ui.environment import environment_options, finish_environment

API_ROUTES: Final[list[Route]] = [
    *cameras.ROUTES,
    *camera_admin.ROUTES,
    *events.ROUTES,
    *finding.ROUTES,
    *digests.ROUTES,
    *jobs.ROUTES,
    *ai.ROUTES,
    *uploads.ROUTES,
    *live.ROUTES,
    *logs.ROUTES,
    *log_search.ROUTES,
    *retention.ROUTES,
    *review.ROUTES,
    *strays.ROUTES,
    *storage.ROUTES,
    *storage_check.ROUTES,
    *system.ROUTES,
    *system_state.ROUTES,
]
ALL_ROUTES: Final[list[Route]] = [
    *API_ROUTES,
    *reference.ROUTES,
    *media.ROUTES,
    *static.ROUTES,
    *gallery_pages.ROUTES,
    *pages.ROUTES,
    *live_socket.ROUTES,
    *live_pages.ROUTES,
    *event_pages.ROUTES,
    *legacy_pages.ROUTES,
    *stray_pages.ROUTES,
    *digest_pages.ROUTES,
    *logs_pages.ROUTES,
    *system_pages.ROUTES,
    *stream.ROUTES,
    *camera_pages.ROUTES,
    *log_search.STREAM_ROUTES,
    *theme.ROUTES,
    *ai.PAGE_ROUTES,
]


@dataclass(frozen=True)
class Parts:
    """What the application needs; the composition root makes it."""

    settings: SettingsHolder
    cameras: CameraService
    agents: AgentStatusService
    camera_removal: CameraRemovalService
    camera_details: CameraDetailsService
    events: EventService
    finding: FindingService
    digests: DigestService
    timeline: TimelineService
    live: LiveService
    logs: LogService
    log_search: LogSearchService
    log_tail: LogTail
    system: SystemService
    stats: StatsService
    strays: StrayService
    storage: StorageService
    storage_check: StorageCheckService
    uploads: UploadService
    jobs: JobQueue
    retries: RetryService
    ai_status: AiStatusService
    reruns: RerunService
    removal: RemovalService
    retention: RetentionService
    review: ReviewService
    health: HealthMonitor
    files: Files
    supervisor: Supervisor
    changes: ChangeHub


def make_app(parts: Parts) -> web.Application:
    """Build the application. Reads every template and static file's hash: not for a running loop's hot path."""
    app = web.Application(
        middlewares=[scope, tell_errors, guard],
        client_max_size=parts.settings.current.server.max_body_bytes,
    )
    app[keys.SETTINGS] = parts.settings
    app[keys.CAMERAS] = parts.cameras
    app[keys.AGENTS] = parts.agents
    app[keys.CAMERA_REMOVAL] = parts.camera_removal
    app[keys.CAMERA_DETAILS] = parts.camera_details
    app[keys.EVENTS] = parts.events
    app[keys.DIGESTS] = parts.digests
    app[keys.FINDING] = parts.finding
    app[keys.TIMELINE] = parts.timeline
    app[keys.LIVE] = parts.live
    app[keys.LOGS] = parts.logs
    app[keys.LOG_SEARCH] = parts.log_search
    app[keys.LOG_TAIL] = parts.log_tail
    app[keys.SYSTEM] = parts.system
    app.on_shutdown.append(log_search.end_streams)
    app[keys.STATS] = parts.stats
    app[keys.STRAYS] = parts.strays
    app[keys.STORAGE] = parts.storage
    app[keys.STORAGE_CHECK] = parts.storage_check
    app[keys.UPLOADS] = parts.uploads
    app[keys.JOBS] = parts.jobs
    app[keys.RETRIES] = parts.retries
    app[keys.REMOVAL] = parts.removal
    app[keys.RETENTION] = parts.retention
    app[keys.REVIEW] = parts.review
    app[keys.AI_STATUS] = parts.ai_status
    app[keys.RERUNS] = parts.reruns
    app[keys.HEALTH] = parts.health
    app[keys.FILES] = parts.files
    app[keys.SUPERVISOR] = parts.supervisor
    app[keys.CHANGES] = parts.changes

    async def end_streams(_: web.Application) -> None:
        # They would hold up the stop until its time is over.
        parts.changes.close()

    app.on_shutdown.append(end_streams)
    app[keys.DOCUMENT] = reference.render_document(API_ROUTES, parts.settings.current.site.name)
    app[keys.ASSETS] = assets = read_assets()
    finish_environment(aiohttp_jinja2.setup(app, **environment_options()), assets)
    live_socket.install(app)
    add_routes(app, ALL_ROUTES)
    return app
