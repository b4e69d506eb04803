import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from securitycamd import resources
from securitycamd.resources import resource

ROOT = Path(__file__).parents[1]
NAMES = ("templates", "static", "sql", "config")


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    resource.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_in_a_checkout_they_lie_beside_the_package(name: str) -> None:
    assert resource(name) == ROOT / name
    assert any(resource(name).iterdir())


def test_in_an_installation_they_lie_inside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "securitycamd" / "_resources" / "sql"
    inside.mkdir(parents=True)
    (tmp_path / "sql").mkdir()  # of somebody else, beside the package
    monkeypatch.setattr(resources, "__file__", str(tmp_path / "securitycamd" / "resources.py"))
    assert resource("sql") == inside


def test_an_incomplete_installation_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "__file__", str(tmp_path / "securitycamd" / "resources.py"))
    with pytest.raises(FileNotFoundError, match="the sql folder is missing from this installation of securitycamd"):
        resource("sql")


@pytest.mark.slow
def test_the_wheel_holds_all_of_them_and_is_used_without_a_checkout(tmp_path: Path) -> None:
    """Built as pip builds it, in an environment of its own."""
    built = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            str(tmp_path),
            str(ROOT),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("securitycamd-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    for name in NAMES:
        files = [path.relative_to(ROOT) for path in (ROOT / name).rglob("*") if path.is_file()]
        assert files
        assert {f"securitycamd/_resources/{path.as_posix()}" for path in files} - held == set()
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "securitycamd").rglob("*.py")}
    assert modules - held == set()
    foreign = [name for name in held if not name.startswith("securitycamd") or "__pycache__" in name]
    assert foreign == []

    code = (
        "from securitycamd.resources import resource; from securitycamd.db.migrate import read_migrations;"
        "print(len(read_migrations()), resource('templates'))"
    )
    used = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r}); {code}",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    count, folder = used.stdout.split()
    assert int(count) == len(list((ROOT / "sql").glob("*.sql")))
    assert folder == str(tmp_path / "installed" / "securitycamd" / "_resources" / "templates")
