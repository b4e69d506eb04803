"""The Jinja2 environment: strict, autoescaped, and compiled at start, so that no request touches the disk."""

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import jinja2

from securitycamd.resources import resource
from securitycamd.web.ui.words import count, duration, size

STATIC_PREFIX: Final = "/static/"
FILTERS: Final[Mapping[str, Callable[..., str]]] = MappingProxyType(
    {"duration": duration, "size": size, "count": count}
)


def environment_options() -> dict[str, Any]:
    """The arguments of ``jinja2.Environment``, for ``aiohttp_jinja2.setup``.

    Reads every template: call it at start.
    """
    folder = resource("templates")
    sources = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.html"))
    }
    return {
        "loader": jinja2.DictLoader(sources),
        "autoescape": True,
        "undefined": jinja2.StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
        # Templates do not change while we run, and every one of them stays compiled.
        "auto_reload": False,
        "cache_size": -1,
    }


def finish_environment(environment: jinja2.Environment) -> jinja2.Environment:
    """Add filters and ``asset()`` to an environment of these options, and compile its templates."""
    environment.filters.update(FILTERS)
    environment.globals["asset"] = asset_urls()
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


def make_environment() -> jinja2.Environment:
    """A complete environment."""
    return finish_environment(jinja2.Environment(**environment_options()))  # noqa: S701 - autoescape is among the options


def asset_urls() -> Callable[[str], str]:
    """A function from a static file's name to its URL with a hash of its content: may be cached for ever.

    The function raises ``KeyError`` for a file that is not there.
    """
    folder = resource("static")
    urls = {
        name: f"{STATIC_PREFIX}{name}?v={hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
        for path in folder.rglob("*")
        if path.is_file()
        for name in (path.relative_to(folder).as_posix(),)
    }
    return urls.__getitem__
