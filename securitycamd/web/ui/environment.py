"""The Jinja2 environment: strict, autoescaped, and compiled at start, so that no request touches the disk."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import jinja2
from markupsafe import Markup

from securitycamd.domain.sizes import size
from securitycamd.resources import resource
from securitycamd.web.assets import Assets, asset_urls
from securitycamd.web.ui.words import count, duration

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


def finish_environment(environment: jinja2.Environment, assets: Assets | None = None) -> jinja2.Environment:
    """Add filters and ``asset()`` to an environment of these options, and compile its templates.

    ``assets``: as read already; by default they are read here.
    """
    environment.filters.update(FILTERS)
    environment.globals["asset"] = asset = asset_urls(assets)
    environment.globals["icon"] = _icons(asset("icons.svg"))
    environment.globals["theme_colours"] = theme_colours()
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


def _icons(url: str) -> Callable[[str], Markup]:
    """``icon(name)`` of templates: a line icon of one hand, drawn in the colour of the text beside it."""

    # A function and no macro: a page of a hundred cards draws some hundreds of them.
    @cache
    def icon(name: str) -> Markup:
        drawn = Markup('<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>')
        return drawn.format(url, name)

    return icon


def make_environment() -> jinja2.Environment:
    """A complete environment."""
    return finish_environment(jinja2.Environment(**environment_options()))  # noqa: S701 - autoescape is among the options


def theme_colours() -> Mapping[str, str]:
    """The colour of a browser's own bars by theme: our surface, as the style sheet's tokens state it."""
    return _colours()


@cache
def _colours() -> Mapping[str, str]:
    style = (resource("static") / "app.css").read_text(encoding="utf-8")
    found = re.search(r"--surface: light-dark\((#\w{6}), (#\w{6})\);", style)
    if found is None:
        raise ValueError("the style sheet states no surface for both themes")
    return MappingProxyType({"light": found[1], "dark": found[2]})
