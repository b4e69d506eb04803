"""The commands."""

import click

from securitycamd import __version__
from securitycamd.cli.ai import ai
from securitycamd.cli.cameras import cameras
from securitycamd.cli.demo import demo
from securitycamd.cli.events import digest, events
from securitycamd.cli.jobs import jobs
from securitycamd.cli.logs import logs
from securitycamd.cli.retention import retention
from securitycamd.cli.serve import check_config, serve
from securitycamd.cli.storage import storage
from securitycamd.cli.tasks import tasks


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Settings are read from the file that --config or SECURITYCAMD_CONFIG names, then from SECURITYCAMD_* of the"
    " environment.",
)
@click.version_option(__version__, prog_name="securitycamd")
def main() -> None:
    """The central server for security cameras: events, clips, AI descriptions and a browser UI in one process."""


main.add_command(serve)
main.add_command(check_config)
main.add_command(demo)
main.add_command(cameras)
main.add_command(events)
main.add_command(digest)
main.add_command(jobs)
main.add_command(ai)
main.add_command(logs)
main.add_command(tasks)
main.add_command(retention)
main.add_command(storage)
