"""Options that several commands take, and how they end."""

from pathlib import Path
from typing import Final, NoReturn

import click

from securitycamd.config import SettingsError, load_settings
from securitycamd.settings import Settings

EXIT_KEPT_FAILING: Final = 1
"""A part without which the daemon is no use kept failing; a restart may help."""
EXIT_SETTINGS: Final = 2
"""The settings are wrong; a restart will not help."""
EXIT_START: Final = 3
"""What the daemon needs is not there."""

config_option = click.option(
    "-c",
    "--config",
    "config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SECURITYCAMD_CONFIG",
    help="The settings file (TOML).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print what the API answers, as JSON.")


def settings_or_exit(path: Path | None) -> Settings:
    """The settings; or one line for each thing that is wrong, and the end."""
    try:
        return load_settings(path)
    except SettingsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise SystemExit(EXIT_SETTINGS) from None


def fail(message: str, code: int = 1) -> NoReturn:
    """Say what is wrong, and end."""
    click.echo(f"securitycamd: {message}", err=True)
    raise SystemExit(code)
