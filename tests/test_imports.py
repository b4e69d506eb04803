"""The ground rules that no linter of others checks: what each module may do, and that it stands alone."""

import ast
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "securitycamd"
FILES: Final = sorted(PACKAGE.rglob("*.py"))
LONGEST_FILE_LINES: Final = 400

# The composition root runs the application that web/ makes.
MAY_SERVE: Final = ("securitycamd/web/", "securitycamd/simulator/", "securitycamd/daemon.py")
MAY_START_PROCESSES: Final = (
    "securitycamd/media/",
    "securitycamd/db/server.py",
    "securitycamd/simulator/",
    "securitycamd/cli/demo.py",
)


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def names_in(path: Path) -> frozenset[str]:
    """The dotted names that a file imports or refers to, such as ``asyncio.create_subprocess_exec``."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute):
            names.add(ast.unparse(node))
    return frozenset(names)


# --- standing alone -----------------------------------------------------------------------------------------

# Modules in one fresh interpreter each; what other libraries need is imported once and then forked.
_IMPORT_EACH = """
import importlib, os, sys, traceback
import aiohttp, aiohttp.web, aiohttp_jinja2, aiomysql, click, httpx, jinja2, ollama, pydantic
import PIL.Image, pymysql, sqlalchemy, sqlalchemy.dialects.mysql.mariadb, structlog, uvloop
for name in sys.argv[1:]:
    if not (child := os.fork()):
        try:
            assert not [loaded for loaded in sys.modules if loaded.split(".")[0] == "securitycamd"]
            importlib.import_module(name)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(name)
"""


@pytest.mark.timeout(300)
def test_every_module_imports_alone() -> None:
    """In an interpreter that has imported no other of ours: none leans on another's having come first."""
    names = [module_name(path) for path in FILES if path.name != "__main__.py"]

    def run(batch: list[str]) -> str:
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", _IMPORT_EACH, *batch],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
            timeout=280,
        )
        assert ended.returncode == 0, ended.stderr
        return "" if not ended.stdout else f"{ended.stdout}\n{ended.stderr}"

    with ThreadPoolExecutor(2) as pool:
        failed = "".join(pool.map(run, [names[::2], names[1::2]]))
    assert failed == ""


@pytest.mark.parametrize("command", ["--help", "--version", "check-config"])
def test_small_commands_load_neither_the_application_nor_opencv(command: str) -> None:
    code = (
        "import sys, click.testing; from securitycamd.cli import main;"
        f"click.testing.CliRunner().invoke(main, [{command!r}]);"
        "heavy = ('uvloop', 'aiohttp.web', 'sqlalchemy', 'cv2', 'ollama', 'PIL');"
        "print([name for name in heavy if name in sys.modules])"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SECURITYCAMD_")}
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=clean
    )
    assert loaded.stdout.strip() == "[]"


# --- what each room may do ----------------------------------------------------------------------------------


def offenders(allowed: tuple[str, ...], names: re.Pattern[str]) -> list[str]:
    return [
        f"{place(path)}: {name}"
        for path in FILES
        if not place(path).startswith(allowed)
        for name in names_in(path)
        if names.match(name)
    ]


def test_only_web_serves() -> None:
    assert offenders(MAY_SERVE, re.compile(r"aiohttp\.web(\.|$)|aiohttp\.web_|aiohttp_jinja2")) == []


def test_only_media_the_embedded_server_and_the_demo_start_processes() -> None:
    ways = re.compile(
        r"subprocess(\.|$)|asyncio\.(create_)?subprocess|.*\.subprocess_(exec|shell)|multiprocessing(\.|$)"
        r"|os\.(system|popen|fork|posix_spawn|exec|spawn)|pty(\.|$)|concurrent\.futures\.(process|ProcessPool)"
    )
    assert offenders(MAY_START_PROCESSES, ways) == []


def test_no_shell_ever() -> None:
    assert offenders((), re.compile(r"os\.(system|popen)|asyncio\.create_subprocess_shell|.*\.subprocess_shell")) == []
    for path in FILES:
        for node in ast.walk(tree(path)):
            assert not (isinstance(node, ast.keyword) and node.arg == "shell"), place(path)


@pytest.mark.parametrize("ways", [r"pickle(\.|$)|marshal(\.|$)|shelve(\.|$)", r"yaml(\.|$)"])
def test_nothing_reads_what_could_run(ways: str) -> None:
    assert offenders((), re.compile(ways)) == []


def test_these_rules_can_fail() -> None:
    """They find what is allowed, when it is not."""
    assert offenders((), re.compile(r"aiohttp\.web(\.|$)"))
    assert any("db/server.py" in each for each in offenders((), re.compile(r"asyncio\.create_subprocess")))


def test_only_the_edges_catch_everything() -> None:
    """Each broad ``except`` says why it is there; the linter holds them to that, this to their rooms."""
    allowed = (
        "securitycamd/supervision.py",
        "securitycamd/batching.py",
        "securitycamd/tasks/",
        "securitycamd/web/",
    )
    found = [
        f"{place(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or ast.unparse(node.type) == "Exception")
        if not place(path).startswith((*allowed, "securitycamd/simulator/"))
    ]
    assert found == []


# --- files --------------------------------------------------------------------------------------------------


def test_a_file_that_passes_400_lines_wants_to_be_two() -> None:
    lengths = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE_LINES} == {}


def test_every_module_says_what_it_is() -> None:
    silent = [place(path) for path in FILES if len(ast.get_docstring(tree(path)) or "TODO.") <= len("TODO.")]
    assert silent == []


def tracked() -> list[Path]:
    suffixes = {".py", ".toml", ".sql", ".md", ".html", ".js", ".css", ".service", ".yml", ""}
    skipped = {".venv", ".git", ".cache", "var", "vendor", "build", "dist", "node_modules", "__pycache__"}
    return [
        path
        for path in ROOT.rglob("*")
        if not skipped & set(path.relative_to(ROOT).parts)
        and not any(part.startswith(".") for part in path.relative_to(ROOT).parts if part != ".ci")
        and path.suffix in suffixes
        and path.is_file()
        and path != Path(__file__)
    ]


def test_no_file_names_the_machine_it_was_written_on() -> None:
    here = re.compile(rf"{re.escape(str(ROOT))}/|/home/\w+|/root/|/Users/\w+")
    found = []
    for path in tracked():
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if here.search(line):
                found.append(f"{place(path)}:{number}: {line.strip()[:80]}")
    assert found == []


def test_tests_lie_where_the_code_lies() -> None:
    """``tests/db/test_x.py`` is about ``securitycamd/db``."""
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    ours = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.rglob("test_*.py"))}
    assert ours - rooms - {"chaos", "protocol", "benchmarks", "browser"} == set()
