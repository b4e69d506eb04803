"""Where handlers find the services."""

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

SETTINGS: Final = web.AppKey("settings", SettingsHolder)
CAMERAS: Final = web.AppKey("cameras", CameraService)
AGENTS: Final = web.AppKey("agents", AgentStatusService)
CAMERA_REMOVAL: Final = web.AppKey("camera_removal", CameraRemovalService)
CAMERA_DETAILS: Final = web.AppKey("camera_details", CameraDetailsService)
EVENTS: Final = web.AppKey("events", EventService)
DIGESTS: Final = web.AppKey("digests", DigestService)
FINDING: Final = web.AppKey("finding", FindingService)
TIMELINE: Final = web.AppKey("timeline", TimelineService)
LIVE: Final = web.AppKey("live", LiveService)
LOGS: Final = web.AppKey("logs", LogService)
LOG_SEARCH: Final = web.AppKey("log_search", LogSearchService)
LOG_TAIL: Final = web.AppKey("log_tail", LogTail)
SYSTEM: Final = web.AppKey("system", SystemService)
UPLOADS: Final = web.AppKey("uploads", UploadService)
STATS: Final = web.AppKey("stats", StatsService)
STRAYS: Final = web.AppKey("strays", StrayService)
STORAGE: Final = web.AppKey("storage", StorageService)
STORAGE_CHECK: Final = web.AppKey("storage_check", StorageCheckService)
REMOVAL: Final = web.AppKey("removal", RemovalService)
RETENTION: Final = web.AppKey("retention", RetentionService)
REVIEW: Final = web.AppKey("review", ReviewService)
JOBS: Final = web.AppKey("jobs", JobQueue)
RETRIES: Final = web.AppKey("retries", RetryService)
AI_STATUS: Final = web.AppKey("ai_status", AiStatusService)
RERUNS: Final = web.AppKey("reruns", RerunService)
HEALTH: Final = web.AppKey("health", HealthMonitor)
FILES: Final = web.AppKey("files", Files)
SUPERVISOR: Final = web.AppKey("supervisor", Supervisor)
CHANGES: Final = web.AppKey("changes", ChangeHub)
DOCUMENT: Final = web.AppKey("document", bytes)
ASSETS: Final = web.AppKey("assets", Assets)
