"""What holds for all templates and the style sheet, whatever they show."""

import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from pkgutil import iter_modules

import jinja2
import pytest
from blockbuster import blockbuster_ctx
from jinja2 import meta, nodes
from markupsafe import Markup

from securitycamd.domain.names import Category
from securitycamd.resources import resource
from securitycamd.web import ui
from securitycamd.web.ui import contexts
from securitycamd.web.ui.contexts import PageContext
from securitycamd.web.ui.frame import docs_context
from tests.web.ui.samples import CAMERAS, NOW, SITE

SOURCES = {path.name: path.read_text(encoding="utf-8") for path in resource("templates").rglob("*.html")}
STATIC = resource("static")
STYLE = (STATIC / "app.css").read_text(encoding="utf-8")
PAGE_FILES = sorted((STATIC / "pages").glob("*"))
PAGE_STYLES = [path for path in PAGE_FILES if path.suffix == ".css"]
SCRIPTS = [path for path in STATIC.rglob("*.js") if "vendor" not in path.parts]
CONTEXTS = [
    import_module(f"{ui.__name__}.{module.name}") for module in iter_modules(ui.__path__) if "contexts" in module.name
]
PAGES: list[type[PageContext]] = [
    part
    for module in CONTEXTS
    for part in vars(module).values()
    if isinstance(part, type) and issubclass(part, PageContext) and part is not PageContext
]
COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl|hwb|lab|lch|oklch|oklab|color)a?\(")
TOKENS = STYLE[STYLE.index(":root {") : STYLE.index("\n}")]


def test_each_page_has_a_template_of_its_own() -> None:
    named = [page.template for page in PAGES]
    assert len(named) == len(set(named)) > 10
    # The others are parts of these.
    assert set(named) <= SOURCES.keys()


@pytest.mark.parametrize("context", PAGES, ids=lambda context: context.__name__)
def test_a_page_uses_its_context_all_of_it_and_nothing_else(
    environment: jinja2.Environment, context: type[PageContext]
) -> None:
    used: set[str] = set()
    macros: set[str] = set()
    own = context.template
    for name in (own, "base.html") if "extends" in SOURCES[own] else (own,):
        tree = environment.parse(SOURCES[name])
        used |= meta.find_undeclared_variables(tree)
        macros |= {str(macro) for node in tree.find_all(nodes.FromImport) for macro in node.names}
    assert used - macros - set(environment.globals) == {field.name for field in fields(context)}


def test_attributes_and_fields_are_the_same(environment: jinja2.Environment) -> None:
    used = {
        node.attr
        for source in SOURCES.values()
        for node in environment.parse(source).find_all(nodes.Getattr)
        if not (isinstance(node.node, nodes.Name) and node.node.name == "loop")  # Jinja's own
    }
    parts = [
        part
        for module in CONTEXTS
        for part in vars(module).values()
        if isinstance(part, type)
        and is_dataclass(part)
        and not issubclass(part, PageContext)
        and part is not contexts.Site
    ]
    assert used == {field.name for part in parts for field in fields(part)}


@pytest.mark.parametrize("name", SOURCES)
def test_a_template_states_no_colour_style_or_script(name: str) -> None:
    source = SOURCES[name]
    assert not COLOUR.search(source)
    assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:|\|\s*safe|autoescape|Markup", source)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", source))
    assert "http://" not in source
    assert "https://" not in source


def test_colours_stand_in_the_tokens_only() -> None:
    styles = [STYLE.replace(TOKENS, ""), *(path.read_text(encoding="utf-8") for path in PAGE_STYLES)]
    for style in styles:
        assert not COLOUR.search(style)
    named = {name for style in (TOKENS, *styles) for name in re.findall(r"var\((--[\w-]+)", style)}
    assert named == {name for style in (TOKENS, *styles) for name in re.findall(r"(--[\w-]+):", style)}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_states_no_colour(path: Path) -> None:
    assert not COLOUR.search(path.read_text(encoding="utf-8"))


def luminance(colour: str) -> float:
    """Relative luminance, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(name: str, ground: str, theme: int) -> float:
    pair = []
    for token in (name, ground):
        found = re.search(rf"--{token}: (?:light-dark\((#\w{{6}}), (#\w{{6}})\)|(#\w{{6}}));", TOKENS)
        assert found, token
        pair.append(luminance(found[3] or found[1 + theme]))
    darker, lighter = sorted(pair)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_signs_stand_out_from_their_ground(theme: int) -> None:
    text = {
        "ink": ("ground", "surface", "hover"),
        "muted": ("ground", "surface", "hover"),
        "accent": ("ground", "surface", "accent-soft"),
        "bad": ("ground", "surface"),
        "on-accent": ("accent",),
        "on-picture": ("dark", "place"),
        "on-picture-quiet": ("dark", "place"),
        "on-picture-bad": ("dark", "place"),
    }
    signs = dict.fromkeys(("ok", "warn", "bad", "other", "edge", *Category), ("surface",))
    assert not [(a, b) for a, grounds in text.items() for b in grounds if contrast(a, b, theme) < 4.5]
    assert not [(a, b) for a, grounds in signs.items() for b in grounds if contrast(a, b, theme) < 3]


def test_icons_exist() -> None:
    sprite = (STATIC / "icons.svg").read_text(encoding="utf-8")
    drawn = set(re.findall(r'<symbol id="(\w+)"', sprite))
    texts = [*SOURCES.values(), *(path.read_text(encoding="utf-8") for path in SCRIPTS)]
    calls = [call for text in texts for call in re.findall(r"icon\(((?:[^()]|\{[^}]*\})*)\)", text)]
    # Each string that could be a value of the call's expression; comparisons and keys are states, not icons.
    states = {"failed", "no_cameras", "no_events", "no_match", "past_end", "further", "Not reviewed"}
    named = {word for call in calls for word in re.findall(r'"(\w+)"', call)} - states
    assert named <= drawn


def test_assets_carry_a_hash_and_must_exist(environment: jinja2.Environment) -> None:
    asset = environment.globals["asset"]
    assert callable(asset)
    assert re.fullmatch(r"/static/[0-9a-f]{12}/app\.css", asset("app.css"))
    with pytest.raises(KeyError):
        asset("nothing.css")


def test_a_missing_name_is_an_error(environment: jinja2.Environment) -> None:
    with pytest.raises(jinja2.UndefinedError):
        environment.from_string("{{ nothing }}").render()


async def test_rendering_reads_nothing(render: Callable[[PageContext], str]) -> None:
    with blockbuster_ctx():
        assert "API docs" in render(docs_context(Markup(""), CAMERAS, site=SITE, now=NOW))


def test_styles_and_scripts_are_small() -> None:
    shared = [path for path in STATIC.iterdir() if path.suffix in {".css", ".js", ".svg"}]
    assert sum(path.stat().st_size for path in shared) < 60_000
    assert [path.name for path in PAGE_FILES if path.is_file() and path.stat().st_size >= 24_000] == []


def test_space_goes_in_steps_of_four() -> None:
    steps = [int(value) for value in re.findall(r"--s\d: (\d+)px", TOKENS)]
    assert len(steps) == 7
    assert all(value % 4 == 0 for value in steps)
    assert all(a < b for a, b in pairwise(steps))
