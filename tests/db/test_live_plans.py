"""What is asked of live sessions and of the newest pictures is answered from an index."""

from datetime import UTC, datetime, timedelta

from securitycamd.db import camera_overview, live_sessions
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.values import time_out
from securitycamd.domain.models import CameraRegistration
from securitycamd.domain.principal import DAEMON
from tests.conftest import Site
from tests.db.test_plans import plan

SESSIONS = 3000
INSTANCE = "00000000000000aa"


async def fill(site: Site) -> None:
    for number in range(1, 4):
        registration = CameraRegistration(f"camera_{number}", "Front walk", "Gate", "127.0.0.1")
        await site.shared.cameras.register(DAEMON, registration)

    async def work(transaction: Transaction) -> None:
        # Written as they are: entries that an update leaves in the index are counted until they are purged.
        await transaction.script(
            "INSERT INTO live_sessions (camera_id, instance, started_at, seen_at, ended_at)"
            f" SELECT CONCAT('camera_', 1 + seq % 3), '{INSTANCE}', at, at, IF(seq % 1000 = 0, NULL, at) FROM"
            f" (SELECT seq, UTC_TIMESTAMP() - INTERVAL 2 * seq HOUR at FROM seq_1_to_{SESSIONS}) times"
        )
        await transaction.script("ANALYZE TABLE live_sessions")

    await site.shared.database.transact(work)


async def test_sessions_of_cameras_and_those_left_open_come_from_their_keys(site: Site, database: Database) -> None:
    await fill(site)
    since = time_out(datetime.now(UTC) - timedelta(days=2))
    (viewed,) = await plan(
        database, live_sessions._SINCE, camera_ids=["camera_1", "camera_2"], earliest=since, most=100
    )
    assert viewed.key == "ix_live_sessions_camera_id_started_at"
    assert viewed.rows < SESSIONS / 10
    (left,) = await plan(database, live_sessions._OPEN, owner=INSTANCE)
    assert left.key == "ix_live_sessions_ended_at"
    assert left.rows < SESSIONS / 100
    (expired,) = await plan(database, live_sessions._EXPIRE, earliest=time_out(datetime.now(UTC) - timedelta(days=400)))
    assert expired.key == "ix_live_sessions_ended_at"
    (ended,) = await plan(database, live_sessions._END, key="camera_1", owner=INSTANCE, was_on=True)
    assert ended.key in {"ix_live_sessions_ended_at", "ix_live_sessions_camera_id_started_at"}
    assert ended.rows < SESSIONS / 2


async def test_the_newest_picture_comes_from_the_cameras_own_key(site: Site, database: Database) -> None:
    await fill(site)
    (step,) = await plan(database, camera_overview._LATEST, camera="camera_1")
    assert step.key == "uq_events_camera_id_timestamp"
    assert "filesort" not in step.extra
