"""Where templates, static files, SQL and default settings are, installed or in a checkout."""

from functools import cache
from pathlib import Path


@cache
def resource(name: str) -> Path:
    """The folder ``name`` (``templates``, ``static``, ``sql``, ``config``).

    In the wheel they lie inside the package; in a checkout beside it.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "_resources" / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"the {name} folder is missing from this installation of securitycamd")
