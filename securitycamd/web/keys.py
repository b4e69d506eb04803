"""What the application is made of, and where handlers find it."""

from dataclasses import dataclass
from typing import Final

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
from securitycamd.web.assets import Assets


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


PARTS: Final = web.AppKey("parts", Parts)
ASSETS: Final = web.AppKey("assets", Assets)
