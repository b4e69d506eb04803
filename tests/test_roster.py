"""What the tasks of a daemon promise and allow."""

from securitycamd.roster import task_specs
from securitycamd.supervision import TaskSpec
from securitycamd.tasks.digest import LOOK_SECONDS
from securitycamd.tasks.digest import NAME as DIGEST_TASK
from securitycamd.tasks.watchdog import Watchdog
from securitycamd.telemetry.pipeline import KeptLines
from tests.conftest import INSTANCE, Site


def specs_of(site: Site) -> dict[str, TaskSpec]:
    specs = task_specs(site.shared, server=None, watchdog=Watchdog(), kept=KeptLines(), instance=INSTANCE)
    return {spec.name: spec for spec in specs}


async def test_what_the_daemon_needs_cannot_be_paused(site: Site) -> None:
    """The task ``live`` among it: without it cameras that nobody watches any more would stay blind to motion."""
    always = {name for name, spec in specs_of(site).items() if not spec.takes_commands}
    assert always == {"database", "watchdog", "log writer", "gauges", "live"}


async def test_a_report_may_take_as_long_as_the_model_may_now(site: Site) -> None:
    beat_seconds = specs_of(site)[DIGEST_TASK].beat_seconds
    assert callable(beat_seconds)
    settings = site.settings.current
    for timeout_seconds, least in ((1800, 1800), (3, LOOK_SECONDS)):
        analyser = settings.analyser.model_copy(update={"timeout_seconds": timeout_seconds})
        site.settings.current = settings.model_copy(update={"analyser": analyser})
        assert beat_seconds() > least, "its rest is no silence either"
