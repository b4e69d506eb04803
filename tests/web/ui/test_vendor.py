"""What is vendored is what was published, nothing more and nothing less."""

import hashlib
import tomllib

import pytest

from securitycamd.resources import resource

FOLDER = resource("static") / "vendor"
PACKAGES = tomllib.loads((FOLDER / "vendor.toml").read_text(encoding="utf-8"))["package"]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_files_match_their_checksums(package: dict[str, object]) -> None:
    assert {"name", "registry", "version", "licence", "source", "folder", "sha256"} == set(package)
    folder = FOLDER / str(package["folder"])
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert found == package["sha256"]
    assert "LICENSE" in found


def test_every_vendored_folder_is_listed() -> None:
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()}
    assert folders == {package["folder"] for package in PACKAGES}
