"""``securitycamd serve`` and ``securitycamd check-config``."""

import asyncio
import sys
from pathlib import Path

import click

from securitycamd.cli.options import EXIT_KEPT_FAILING, EXIT_START, config_option, fail, settings_or_exit
from securitycamd.config import SettingsHolder


@click.command(
    epilog="Examples:\n\n  securitycamd serve --config /etc/securitycamd/securitycamd.toml\n\n"
    "  SECURITYCAMD_SERVER__PORT=8080 securitycamd serve\n\n"
    "Ends with 0 when asked to stop, 2 when a setting is wrong, 3 when something it needs is missing, 1 when a part"
    " keeps failing. SIGHUP reads the settings again."
)
@config_option
def serve(config: Path | None) -> None:
    """Run the daemon in the foreground."""
    settings = settings_or_exit(config)
    # structlog loads rich, where it is installed, for tracebacks that the log does not show: 3 MB resident.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # None makes its import fail, by the language
    # Here and not above: help and check-config need neither the loop nor the whole application.
    import uvloop  # noqa: PLC0415

    from securitycamd.daemon import Daemon, StartError  # noqa: PLC0415
    from securitycamd.db.migrate import MigrationError  # noqa: PLC0415
    from securitycamd.db.server import EmbeddedServerError  # noqa: PLC0415
    from securitycamd.instance import InstanceError  # noqa: PLC0415
    from securitycamd.memory import share_heap  # noqa: PLC0415
    from securitycamd.supervision import CriticalTaskError  # noqa: PLC0415
    from securitycamd.telemetry import pipeline  # noqa: PLC0415

    share_heap()
    logs = pipeline.start(settings.logging.level, settings.logging.keep_level, settings.logging.format)

    async def run() -> None:
        await Daemon(SettingsHolder(settings), config, logs).run()

    failures: list[BaseException] = []
    code = EXIT_START
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())
    # Only noted here: what is raised inside except* leaves it in a group, with a traceback and another code.
    except* (StartError, InstanceError, EmbeddedServerError, MigrationError) as group:
        failures += _leaves(group)
    except* CriticalTaskError as group:
        failures += _leaves(group)
        code = EXIT_KEPT_FAILING
    finally:
        logs.stop()
    if failures:
        fail("; ".join(str(failure) for failure in failures), code)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


@click.command(
    "check-config",
    epilog="Example:\n\n  securitycamd check-config --config /etc/securitycamd/securitycamd.toml\n\n"
    "Ends with 0 when all is well, 2 when something is wrong.",
)
@config_option
def check_config(config: Path | None) -> None:
    """Check the settings without starting anything.

    Prints a line "key = value: reason" for everything that is wrong.
    """
    settings = settings_or_exit(config)
    source = f"{config} and the environment" if config else "the defaults and the environment"
    click.echo(f"The settings are good ({source}). Site time zone: {settings.site.zone.key}.")
