"""The demo: a server, simulated cameras and, where no Ollama answers, the stand-in; from start to stop."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import click

from securitycamd.simulator.agent import AgentPlan, EventTrace
from securitycamd.simulator.check import ChainResult, check_chain
from securitycamd.simulator.fleet import Deliver, plan_fleet, running_fleet, with_usable_ports
from securitycamd.simulator.footage import DemoAssets
from securitycamd.simulator.scenes import Scene
from securitycamd.simulator.server_process import ServerFailedError, ServerProcess
from securitycamd.simulator.standin import StandIn

ENVIRONMENT_PREFIX: Final = "SECURITYCAMD_"
SERVER_COMMAND: Final = (sys.executable, "-m", "securitycamd", "serve")
LOG_NAME: Final = "daemon.log"
CLIP_SECONDS: Final = 8.0
QUIET_SECONDS: Final = 10.0
# Ten events in the first ten minutes, four an hour after some hours: some 400 MB a day and camera then.
QUIET_GROWTH: Final = 1.3
HEALTHY_SECONDS: Final = 60.0
OLLAMA_SECONDS: Final = 2.0
STOP_SECONDS: Final = 7.0
REPORT_LOOK_SECONDS: Final = 2.0
REPORT_LOOKS: Final = 150
REPORT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What was asked for. ``analyser_url`` and the models are what a server here is configured with."""

    check: bool
    timeout_seconds: float
    cameras: int
    port: int
    state: Path
    as_json: bool
    analyser_url: str
    vision_model: str
    text_model: str
    deliver: Deliver = "share"

    def say(self, line: str) -> None:
        """To people; with --json that is the error output, so that standard output stays JSON."""
        click.echo(line, err=self.as_json)


class Demonstration:
    """One run, from the first process to the last."""

    def __init__(self, options: DemoOptions, assets: DemoAssets, scenes: list[Scene]) -> None:
        self._options = options
        self._assets = assets
        self._scenes = scenes
        self._url = f"http://127.0.0.1:{options.port}"
        self._names: dict[str, str] = {}

    async def run(self) -> int:
        """Returns the exit code."""
        with _signals_cancel(self._options.say):
            try:
                async with AsyncExitStack() as stack:
                    return await self._run(stack)
            except asyncio.CancelledError:
                self._options.say("Stopped. The next demo goes on with the same data.")
                return 1 if self._options.check else 0

    async def _run(self, stack: AsyncExitStack) -> int:
        options = self._options
        analyser_url = await self._find_analyser(stack)
        root = options.state / "footage"
        root.mkdir(parents=True, exist_ok=True)
        log = options.state / LOG_NAME
        if log.exists():
            log.replace(log.with_name(f"{LOG_NAME}.1"))
        server = ServerProcess(SERVER_COMMAND, self._environment(analyser_url, root), log)
        options.say(f"Starting the server on port {options.port}; its log is {server.log} ...")
        stack.push_async_callback(server.stop, STOP_SECONDS)
        await server.start()
        try:
            await server.wait_until_healthy(self._url, HEALTHY_SECONDS)
        except ServerFailedError as error:
            return await self._failed(server, str(error))
        cameras = await stack.enter_async_context(
            running_fleet(self._plans(), self._url, root, on_event=self._tell_event)
        )
        if not options.check:
            self._welcome()
            reporting = asyncio.create_task(_have_report(self._url, enough=len(cameras)))
            stack.push_async_callback(asyncio.wait, {reporting})
            stack.callback(reporting.cancel)
            code = await server.wait()
            return await self._failed(server, f"the server ended with code {code}")
        options.say(f"Checking the chain with {len(cameras)} cameras (at most {options.timeout_seconds:.0f} s) ...")
        checking = asyncio.create_task(check_chain(cameras, self._url, options.timeout_seconds))
        ending = asyncio.create_task(server.wait())
        try:
            await asyncio.wait({checking, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not checking.done():
                return await self._failed(server, f"the server ended with code {ending.result()}")
            return await self._judge(server, checking.result())
        finally:
            for task in (checking, ending):
                task.cancel()
            await asyncio.gather(checking, ending, return_exceptions=True)

    async def _find_analyser(self, stack: AsyncExitStack) -> str:
        """The configured Ollama's address, or that of the stand-in, started."""
        wanted = (self._options.vision_model, self._options.text_model)
        address = urlsplit(self._options.analyser_url).netloc.rpartition("@")[2]
        present = await _ollama_models(self._options.analyser_url)
        missing = [model for model in dict.fromkeys(wanted) if _full_name(model) not in (present or ())]
        if not missing:
            self._options.say(f"Ollama at {address} describes what the cameras see.")
            return self._options.analyser_url
        standin = await stack.enter_async_context(StandIn(self._assets, models=wanted))
        lack = f"No Ollama answers at {address}" if present is None else f"Ollama lacks {' and '.join(missing)}"
        self._options.say(f"{lack}: the demo's own small detector describes what the cameras see.")
        return standin.url

    def _plans(self) -> list[AgentPlan]:
        plans = []
        for plan in plan_fleet(
            self._scenes,
            self._options.cameras,
            clip_seconds=CLIP_SECONDS,
            quiet_seconds=QUIET_SECONDS,
            quiet_growth=QUIET_GROWTH,
            deliver=self._options.deliver,
        ):
            usable = with_usable_ports(plan)
            self._names[plan.identity.camera_id] = plan.identity.name
            if usable.ports is None:
                self._options.say(f"{plan.identity.name}: the agents' ports are taken, so no live pictures.")
            plans.append(usable)
        return plans

    def _environment(self, analyser_url: str, root: Path) -> dict[str, str]:
        """The server's environment. No setting of the operator's: the demo must not touch their database."""
        state = self._options.state
        settings_file = state / "securitycamd.toml"
        settings_file.write_text("# The demo gives its settings by environment variables.\n", encoding="utf-8")
        ours = {
            "CONFIG": str(settings_file),
            "STATE_DIRECTORY": str(state / "state"),
            "SITE__NAME": "Demo",
            "SERVER__PORT": str(self._options.port),
            "STORAGE__ROOT": str(root),
            "LOGGING__FORMAT": "console",
            "ANALYSER__URL": analyser_url,
            "ANALYSER__VISION_MODEL": self._options.vision_model,
            "ANALYSER__TEXT_MODEL": self._options.text_model,
        }
        inherited = {key: value for key, value in os.environ.items() if not key.upper().startswith(ENVIRONMENT_PREFIX)}
        return inherited | {f"{ENVIRONMENT_PREFIX}{key}": value for key, value in ours.items()}

    def _welcome(self) -> None:
        say, port = self._options.say, self._options.port
        say("")
        say(f"  Open  http://localhost:{port}/")
        if address := _address_in_network():
            say(f"  or    http://{address}:{port}/  from another machine in your network")
        say("")
        say("The cameras report motion now and then; Ctrl-C stops everything.")
        if self._options.as_json:
            click.echo(json.dumps({"url": f"http://localhost:{port}/", "state": str(self._options.state)}))

    def _tell_event(self, trace: EventTrace) -> None:
        name = self._names.get(trace.camera_id, trace.camera_id)
        self._options.say(f"{datetime.now().astimezone():%H:%M:%S}  {name}: event {trace.event_id} {trace.status}")

    async def _judge(self, server: ServerProcess, results: list[ChainResult]) -> int:
        ok = all(result.is_complete for result in results)
        for line in _table(results):
            self._options.say(line)
        if self._options.as_json:
            cameras = [asdict(result) for result in results]
            click.echo(json.dumps({"ok": ok, "url": self._url, "cameras": cameras}, indent=2))
        if ok:
            self._options.say("The whole chain works.")
            return 0
        for result in results:
            if not result.is_complete:
                self._options.say(f"{result.name} ({result.camera_id}): {result.missing}")
        return await self._failed(server, f"not complete within {self._options.timeout_seconds:.0f} s")

    async def _failed(self, server: ServerProcess, reason: str) -> int:
        click.echo(f"The last lines of {server.log}:\n{await server.log_tail()}\n", err=True)
        click.echo(f"error: {reason}", err=True)
        return 1


def _table(results: list[ChainResult]) -> list[str]:
    """Seconds from the motion to each step."""
    heads = ("camera", "event", "pictures", "clip", "playable", "described", "seen")
    rows = [heads] + [
        (
            result.name,
            str(result.event_id or "-"),
            *(
                "-" if seconds is None else f"{seconds:.1f} s"
                for seconds in (
                    result.pictures_seconds,
                    result.clip_seconds,
                    result.playable_seconds,
                    result.described_seconds,
                )
            ),
            result.phrase or "-",
        )
        for result in results
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


@contextmanager
def _signals_cancel(say: Callable[[str], None]) -> Generator[None]:
    """INT and TERM cancel the present task, once: a second one must not interrupt the stopping."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if not stopping and task is not None:
            stopping = True
            say("Stopping ...")
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _ollama_models(url: str) -> frozenset[str] | None:
    """The full names of the models of what answers there; ``None`` when nothing like Ollama does."""
    timeout = aiohttp.ClientTimeout(total=OLLAMA_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{url}/api/tags") as response,
        ):
            body = await response.json()
            return frozenset(_full_name(str(model["name"])) for model in body["models"])
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
        return None


async def _have_report(url: str, *, enough: int) -> None:
    """Ask for a report of today once so many events are described, for those who look at the page of reports."""
    timeout = aiohttp.ClientTimeout(total=REPORT_SECONDS)
    # Without it the page says how to get one.
    with suppress(aiohttp.ClientError, TimeoutError):
        async with aiohttp.ClientSession(f"{url}/api/v1/", timeout=timeout, raise_for_status=True) as session:
            for _ in range(REPORT_LOOKS):
                async with session.get("events", params={"limit": str(enough)}) as response:
                    events = (await response.json())["events"]
                if len(events) == enough and all(event["ai_processed"] for event in events):
                    # Times are told as the site's clock says them.
                    async with session.post(f"digests/{events[0]['timestamp'][:10]}"):
                        return
                await asyncio.sleep(REPORT_LOOK_SECONDS)


def _full_name(model: str) -> str:
    return model if ":" in model else f"{model}:latest"


def _address_in_network() -> str | None:
    """This machine's address as others in its network see it; asks the routing table, sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: an address nobody has
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address
