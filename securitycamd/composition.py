"""What a daemon is made of: the services over the open parts, wired once."""

from dataclasses import dataclass
from typing import Final

from securitycamd.config import SettingsHolder
from securitycamd.db.engine import Database
from securitycamd.domain.jobs import Job, JobKind
from securitycamd.health import ai, database, queues, storage
from securitycamd.health import live as live_rule
from securitycamd.health import retention as retention_rule
from securitycamd.health import tasks as task_rule
from securitycamd.health.monitor import HealthMonitor
from securitycamd.media.pool import Media
from securitycamd.services.agent_status import AgentStatusService
from securitycamd.services.ai_gate import AiGate
from securitycamd.services.ai_status import AiStatusService
from securitycamd.services.analysis import AnalysisService
from securitycamd.services.camera_details import CameraDetailsService
from securitycamd.services.camera_removal import TASK as CAMERA_REMOVAL
from securitycamd.services.camera_removal import CameraRemovalService
from securitycamd.services.cameras import CameraService
from securitycamd.services.changes import ChangeHub
from securitycamd.services.conversion import ConversionService
from securitycamd.services.digests import DigestService
from securitycamd.services.events import EventService
from securitycamd.services.finding import FindingService
from securitycamd.services.jobs import JobQueue
from securitycamd.services.linking import LinkingService
from securitycamd.services.live import LiveService
from securitycamd.services.log_search import LogSearchService
from securitycamd.services.log_tail import LogTail
from securitycamd.services.logs import LogService
from securitycamd.services.measuring import MeasuringService
from securitycamd.services.notices import Notices
from securitycamd.services.optimisation import OptimisationService
from securitycamd.services.removal import RemovalService
from securitycamd.services.reruns import RerunService
from securitycamd.services.retention import RetentionService
from securitycamd.services.retries import RetryService
from securitycamd.services.review import ReviewService
from securitycamd.services.stats import StatsService
from securitycamd.services.stills import StillsService
from securitycamd.services.storage import StorageService
from securitycamd.services.storage_check import CHECK_TASK, StorageCheckService
from securitycamd.services.strays import StrayService
from securitycamd.services.system import SystemService
from securitycamd.services.timeline import TimelineService
from securitycamd.services.uploads import UploadService
from securitycamd.storage.files import Files
from securitycamd.supervision import Supervisor
from securitycamd.tasks.digest import NAME as DIGEST_TASK
from securitycamd.tasks.optimiser import NAME as OPTIMISER
from securitycamd.telemetry.gauges import Gauges
from securitycamd.web.keys import Parts

CONVERTER: Final = "converter"
ANALYSER: Final = "analyser"
LOG_WRITER: Final = "log writer"
EMBEDDED: Final = "database"
STILLS: Final = "picture maker"
WORKERS: Final = {
    JobKind.REMUX: CONVERTER,
    JobKind.ANALYSE: ANALYSER,
    JobKind.STILLS: STILLS,
    JobKind.OPTIMISE: OPTIMISER,
}


@dataclass(frozen=True)
class Shared(Parts):
    """What the tasks and the application share; the tasks need some more."""

    database: Database
    media: Media
    notices: Notices
    gauges: Gauges
    linking: LinkingService
    conversion: ConversionService
    ai_gate: AiGate
    analysis: AnalysisService
    optimisation: OptimisationService
    stills: StillsService
    measuring: MeasuringService

    @classmethod
    def make(cls, settings: SettingsHolder, db: Database, files: Files, media: Media, instance: str) -> "Shared":
        """Make the services over the open parts."""
        supervisor = Supervisor()

        def wake(kind: JobKind) -> None:
            supervisor.wake(WORKERS[kind])

        changes = ChangeHub()
        db.on_commit = changes.publish

        def tell_progress(job: Job, share: float) -> None:
            if job.kind is JobKind.REMUX:
                changes.progress(job.event_id, share)

        jobs = JobQueue(db, instance)
        jobs.on_progress = tell_progress
        storage_service = StorageService(db, files)
        storage_service.on_change = lambda: supervisor.wake("health")

        def registered(camera_id: str) -> None:
            storage_service.expect_camera(camera_id)
            agents.expect(camera_id)
            live.camera_registered(camera_id)

        cameras = CameraService(db, settings, instance=instance, on_registered=registered)
        live = LiveService(db, settings, cameras, instance)
        agents = AgentStatusService(db, cameras, live.control)
        events = EventService(db, settings, on_work=wake)
        ai_gate = AiGate(settings)
        linking = LinkingService(db, settings, files, events)
        measuring = MeasuringService(db, files)
        removal = RemovalService(db, files)
        camera_removal = CameraRemovalService(
            db, settings, cameras, removal, on_work=lambda: supervisor.wake(CAMERA_REMOVAL)
        )
        retention = RetentionService(db, settings, files, removal, measuring)
        log_tail = LogTail(db)
        finding, timeline, notices = FindingService(db), TimelineService(db, settings), Notices()
        log_search = LogSearchService(db)
        gauges = Gauges()
        retries = RetryService(db, jobs, on_work=wake)
        health = HealthMonitor(
            [
                database.rule(db),
                storage.rule(files, storage_service, retention.floor_of),
                ai.rule(ai_gate),
                task_rule.rule(supervisor),
                queues.rule(jobs),
                retention_rule.rule(retention),
                live_rule.rule(live),
            ],
            lambda: db.connected,
        )
        return cls(
            settings=settings,
            database=db,
            files=files,
            media=media,
            supervisor=supervisor,
            changes=changes,
            jobs=jobs,
            cameras=cameras,
            agents=agents,
            camera_removal=camera_removal,
            camera_details=CameraDetailsService(db, settings, cameras, agents, camera_removal, live.viewed),
            events=events,
            live=live,
            logs=LogService(db, settings, on_commit=log_tail.note_commit),
            log_search=log_search,
            log_tail=log_tail,
            finding=finding,
            timeline=timeline,
            notices=notices,
            digests=DigestService(
                db,
                settings,
                cameras,
                finding,
                timeline,
                notices,
                analyst=ai_gate.analyst,
                ready_since=lambda: ai_gate.ready_since,
                on_request=lambda: supervisor.wake(DIGEST_TASK),
            ),
            system=SystemService(db, settings, files, media, supervisor, jobs, retries, retention, log_search, gauges),
            gauges=gauges,
            stats=StatsService(db, settings, cameras, files, jobs),
            uploads=UploadService(settings, events, files),
            linking=linking,
            strays=StrayService(db, settings, files, events, linking),
            storage_check=StorageCheckService(db, files, linking, on_request=lambda: supervisor.wake(CHECK_TASK)),
            conversion=ConversionService(db, settings, jobs, files, media),
            ai_gate=ai_gate,
            ai_status=AiStatusService(db, settings, jobs, ai_gate),
            analysis=AnalysisService(db, settings, jobs, files, ai_gate),
            reruns=RerunService(db, on_work=wake),
            optimisation=OptimisationService(db, settings, jobs, files, media),
            stills=StillsService(db, settings, jobs, files, media, events, measuring),
            retries=retries,
            storage=storage_service,
            measuring=measuring,
            removal=removal,
            retention=retention,
            review=ReviewService(db, removal, jobs),
            health=health,
        )
