"""``python -m tests.benchmarks.conversion``: how much our conversion adds to FFmpeg's own work.

Two questions: how long one remux takes beside FFmpeg alone on the same clip, and how fast a backlog goes
through the pool beside ``xargs -P ffmpeg`` at the same parallelism. Ours and FFmpeg's runs take turns, so
that whatever else the machine does falls on both; both run at the same niceness.

FFmpeg alone is measured twice: ``plain`` copies with the rate given and nothing else, and ``same result``
adds what makes its MP4 as good as ours (exact times, the index first). The targets are held against
``plain``. Publishing the result (the disk's part) is in neither.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import uvloop

from securitycamd.media import Media
from securitycamd.storage.files import Files

FRAME_RATE = 15
NICENESS = 10
REMUX_RATIO_LIMIT = 1.15
BACKLOG_SHARE_LIMIT = 0.9
FOOTAGE = Path(os.environ.get("SECURITYCAMD_CACHE", ".cache/demo")) / "bikes.mp4"

QUIET = ["-hide_banner", "-nostdin", "-v", "error", "-y"]
INPUT = ["-f", "h264", "-framerate", str(FRAME_RATE), "-i"]
PLAIN = ["-c", "copy", "-f", "mp4"]
SAME_RESULT = ["-c", "copy", "-bsf:v", f"setts=ts=N/{FRAME_RATE}/TB", "-movflags", "+faststart", "-f", "mp4"]


@dataclass(frozen=True)
class RemuxResult:
    """Medians of the rounds, and of each round's ratio of ours to FFmpeg's."""

    clip_mb: float
    rounds: int
    ours_ms: float
    plain_ms: float
    same_result_ms: float
    ratio: float
    ratio_same_result: float
    reached: bool


@dataclass(frozen=True)
class BacklogResult:
    """Clips a second, each over all clips."""

    clips: int
    parallelism: int
    ours: float
    plain: float
    same_result: float
    share: float
    share_same_result: float
    reached: bool


def make_clip(target: Path, seconds: float) -> None:
    """A clip like a Pi's: 720p, Constrained Baseline, 15 frames and about 3 Mbit a second."""
    source = ["-stream_loop", "-1", "-i", str(FOOTAGE)]
    if not FOOTAGE.exists():
        source = ["-f", "lavfi", "-i", f"testsrc2=s=1280x720:r={FRAME_RATE}"]
    command = [
        "ffmpeg",
        *QUIET,
        *source,
        "-t",
        str(seconds),
        "-an",
        "-vf",
        f"scale=1280:720,fps={FRAME_RATE}",
    ]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "baseline", "-bf", "0", "-g", "60"]
    command += ["-b:v", "3M", "-minrate", "3M", "-maxrate", "3M", "-bufsize", "3M", "-pix_fmt", "yuv420p"]
    command += ["-x264-params", "repeat-headers=1:nal-hrd=cbr:filler=0", "-f", "h264", str(target)]
    subprocess.run(command, check=True)


def timed(work: Callable[[], object]) -> float:
    """How many seconds ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


class Bench:
    """Both measurements, on one clip in one folder."""

    def __init__(self, folder: Path, runner: asyncio.Runner, parallelism: int) -> None:
        self._folder = folder
        self._runner = runner
        self._parallelism = parallelism
        # As the daemon has it: the storage's threads do the file calls.
        self._files = Files(folder, threads=4, timeout_seconds=30)
        self._media = Media(parallelism, run_blocking=self._files.run, niceness=NICENESS)
        self._clip = folder / "clip.h264"
        self._out = folder / "out"

    def make(self, seconds: float) -> None:
        """Make the clip."""
        self._out.mkdir()
        make_clip(self._clip, seconds)

    def close(self) -> None:
        """End what was opened."""
        self._runner.run(self._media.close())
        self._files.close()

    def remux(self, rounds: int) -> RemuxResult:
        """One clip at a time."""
        ours: list[float] = []
        plain: list[float] = []
        same: list[float] = []
        turns = [
            (ours, lambda: self._ours(1)),
            (plain, lambda: self._alone(PLAIN)),
            (same, lambda: self._alone(SAME_RESULT)),
        ]
        for number in range(rounds + 1):
            for times, work in turns[number % 3 :] + turns[: number % 3]:
                seconds = timed(work)
                if number:  # the first round warms up
                    times.append(seconds)
                self._clear()
        ratio = statistics.median(a / b for a, b in zip(ours, plain, strict=True))
        return RemuxResult(
            clip_mb=round(self._clip.stat().st_size / 1e6, 1),
            rounds=rounds,
            ours_ms=round(1000 * statistics.median(ours), 1),
            plain_ms=round(1000 * statistics.median(plain), 1),
            same_result_ms=round(1000 * statistics.median(same), 1),
            ratio=round(ratio, 3),
            ratio_same_result=round(statistics.median(a / b for a, b in zip(ours, same, strict=True)), 3),
            reached=ratio <= REMUX_RATIO_LIMIT,
        )

    def backlog(self, clips: int, batch: int) -> BacklogResult:
        """Many clips, in batches that take turns: the disk never holds more than a batch."""
        seconds = {"ours": 0.0, "plain": 0.0, "same": 0.0}
        turns: list[tuple[str, Callable[[int], None]]] = [
            ("ours", self._ours),
            ("plain", partial(self._xargs, PLAIN)),
            ("same", partial(self._xargs, SAME_RESULT)),
        ]
        for number, first in enumerate(range(0, clips, batch)):
            count = min(batch, clips - first)
            for name, work in turns[number % 3 :] + turns[: number % 3]:
                seconds[name] += timed(partial(work, count))
                made = len(list(self._out.iterdir()))
                if made != count:
                    raise RuntimeError(f"{name} made {made} of {count} clips")
                self._clear()
        share = seconds["plain"] / seconds["ours"]
        return BacklogResult(
            clips=clips,
            parallelism=self._parallelism,
            ours=round(clips / seconds["ours"], 2),
            plain=round(clips / seconds["plain"], 2),
            same_result=round(clips / seconds["same"], 2),
            share=round(share, 3),
            share_same_result=round(seconds["same"] / seconds["ours"], 3),
            reached=share >= BACKLOG_SHARE_LIMIT,
        )

    def _ours(self, count: int) -> None:
        async def remux(number: int) -> None:
            target = self._out / f"{number}.mp4"
            await self._media.remux(self._clip, target, frame_rate=FRAME_RATE, timeout_seconds=120)

        async def all_of_them() -> None:
            await asyncio.gather(*(remux(number) for number in range(count)))

        self._runner.run(all_of_them())

    def _alone(self, options: list[str]) -> None:
        command = ["nice", "-n", str(NICENESS), "ffmpeg", *QUIET, *INPUT, str(self._clip), *options]
        subprocess.run([*command, str(self._out / "alone.mp4")], check=True)

    def _xargs(self, options: list[str], count: int) -> None:
        command = ["nice", "-n", str(NICENESS), "xargs", "-P", str(self._parallelism), "-I{}"]
        command += ["ffmpeg", *QUIET, *INPUT, str(self._clip), *options, str(self._out / "{}.mp4")]
        subprocess.run(command, check=True, text=True, input="".join(f"{number}\n" for number in range(count)))

    def _clear(self) -> None:
        for path in self._out.iterdir():
            path.unlink()


def main() -> int:
    """Measure and tell; 1 when a target was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.conversion",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--clips", type=int, default=300, help="in the backlog; 0 leaves it out")
    parser.add_argument("--batch", type=int, default=50, help="clips between turns")
    parser.add_argument("--rounds", type=int, default=20, help="of single remuxes; 0 leaves them out")
    parser.add_argument("--seconds", type=float, default=20, help="length of the clip")
    parser.add_argument("--parallelism", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to work; default is the system's temporary folder")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="scd-conversion-", dir=arguments.folder))
    results: list[RemuxResult | BacklogResult] = []
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            bench = Bench(folder, runner, arguments.parallelism)
            bench.make(arguments.seconds)
            if arguments.rounds:
                results.append(bench.remux(arguments.rounds))
            if arguments.clips:
                results.append(bench.backlog(arguments.clips, arguments.batch))
            bench.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for result in results:
        tell(result)
    if arguments.json:
        print(json.dumps({type(result).__name__: asdict(result) for result in results}, indent=2))
    return 0 if all(result.reached for result in results) else 1


def tell(result: RemuxResult | BacklogResult) -> None:
    """A table for people."""
    mark = "" if result.reached else "  <- missed"
    if isinstance(result, RemuxResult):
        head = (f"one clip of {result.clip_mb} MB, median of {result.rounds}", "ms")
        limit = f"(at most {REMUX_RATIO_LIMIT}){mark}"
        rows = [
            ("securitycamd", result.ours_ms, ""),
            ("ffmpeg, plain", result.plain_ms, f"{result.ratio:10.3f} {limit}"),
            ("ffmpeg, same result", result.same_result_ms, f"{result.ratio_same_result:10.3f}"),
        ]
    else:
        head = (f"{result.clips} clips, {result.parallelism} at a time", "clips/s")
        limit = f"(at least {BACKLOG_SHARE_LIMIT}){mark}"
        rows = [
            ("securitycamd", result.ours, ""),
            ("xargs ffmpeg, plain", result.plain, f"{result.share:10.3f} {limit}"),
            ("xargs ffmpeg, same result", result.same_result, f"{result.share_same_result:10.3f}"),
        ]
    print(f"{head[0]:38}{head[1]:>10}{'ours/it':>10}", file=sys.stderr)
    for name, number, text in rows:
        print(f"  {name:36}{number:10.2f}{text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
