# SPDX-License-Identifier: GPL-2.0-only
"""Slides become one HTML file that needs nothing: reveal.js, the player and all films are in it."""

from __future__ import annotations

import functools
import html
import importlib.util
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import InputError, LabError
from ..player.page import as_script, script, style
from ..workspace import install_hint
from .execute import executed, notebook
from .outputs import colours
from .slides import Cutter, Sheet
from .strips import strip_pages

THEMES = ("auto", "light", "dark")
PAGES = ("nbconvert", "nbclient", "bs4", "latex2mathml")
"""Modules without which no notebook becomes markup."""

PACKAGES = {"bs4": "beautifulsoup4", "PIL": "pillow", "sphinx_revealjs": "sphinx-revealjs"}
"""Where a module comes from, if the package has another name."""


def deck(
    path: Path,
    *,
    execute: bool = True,
    theme: str = "auto",
    title: str = "",
    code: bool = True,
    paper: bool = False,
    links: Mapping[str, str] | None = None,
) -> str:
    """A notebook as a deck, an HTML text. ``paper``: for print, with films as strips of their key steps. ``links``: by name of
    a notebook, where links to it lead.

    Raises InputError for a notebook that is none or another theme, LabError for a cell that fails or a missing package.
    """
    if theme not in THEMES:
        raise InputError("theme", theme, "auto, light or dark")
    needs(*PAGES, "sphinx_revealjs")
    path = Path(path)
    found = executed(path) if execute else notebook(path)
    columns = Cutter(found, path, code=code, links=links or {}).cut()
    if not columns:
        raise InputError("notebook", str(path), "a notebook of which something is left for slides: all its cells stay out")
    return deck_html(columns, title or _title(columns, path), found, theme=theme, paper=paper)


def deck_html(columns: list[list[Sheet]], title: str, found: Any, *, theme: str = "auto", paper: bool = False) -> str:
    """These slides as a deck."""
    if paper:
        columns = [[page for sheet in column for page in strip_pages(sheet)] for column in columns]
    films = [part.film for column in columns for sheet in column for part in sheet.films if part.film is not None]
    resources = {
        "title": title,
        "lang": html.escape(str(found.metadata.get("language", "en"))),
        "theme": theme,
        "paper": paper,
        "columns": columns,
        "films": [film.film for film in films],
        "reveal_css": "" if paper else reveal("reveal.css"),
        "reveal_js": "" if paper else reveal("reveal.js"),
        "notes_js": "" if paper else reveal("notes.js"),
        "player_css": style(),
        "player_js": script(),
        "code_css": f"{colours('light')}\n{colours('dark')}",
        "deck_css": text("theme.css", "deck.css"),
        "deck_js": text("deck.js"),
        "as_script": as_script,
    }
    return render("kvmmmu_deck", found, resources)


def render(template: str, found: Any, resources: dict[str, Any]) -> str:
    """A notebook through one of the kit's templates for nbconvert."""
    from nbconvert.exporters.templateexporter import TemplateExporter

    class KitExporter(TemplateExporter):
        """Knows no template but the kit's own."""

        def _file_extension_default(self) -> str:
            return ".html"

        def _template_extension_default(self) -> str:
            return ".html.j2"

    folder = Path(str(files(__package__))) / "templates"
    exporter = KitExporter(template_name=template, extra_template_basedirs=[str(folder)])
    shown, _ = exporter.from_notebook_node(found, {"kit": resources})
    return str(shown)


def text(*names: str) -> str:
    """Files of this package, one after the other."""
    return "\n".join(files(__package__).joinpath(name).read_text("utf-8") for name in names)


def write(path: Path, markup: str) -> Path:
    """Write a page, and the folders that it lies in. Raises InputError where that can't be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(markup, "utf-8")
    except OSError as error:
        raise InputError("out", str(path), f"a place that can be written ({error.strerror})") from None
    return path


@functools.cache
def reveal(name: str) -> str:
    """One of reveal.js's files, as a dependency brings it. The package isn't imported: that would load all of Sphinx."""
    needs("sphinx_revealjs")
    spec = importlib.util.find_spec("sphinx_revealjs")
    assert spec is not None and spec.origin is not None
    root = Path(spec.origin).parent / "_static" / "revealjs"
    found = next((path for path in (root / "dist" / name, root / "plugin" / "notes" / name) if path.is_file()), None)
    if found is None:
        raise LabError(f"the installed sphinx-revealjs has no {name}: it needs another version (`pip show sphinx-revealjs`)")
    said = found.read_text("utf-8")
    return re.sub(r"(?m)^//# sourceMappingURL=.*$", "", said).replace("</script", "<\\/script")


def needs(*modules: str) -> None:
    """Raises LabError if one of these isn't here."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise LabError(f"this needs {PACKAGES.get(module, module)}, which is missing: {install_hint('slides')}")


def _title(columns: list[list[Sheet]], path: Path) -> str:
    found = next((sheet.title for column in columns for sheet in column if sheet.title), "")
    return html.unescape(re.sub(r"<[^>]+>", "", found)) or path.stem
