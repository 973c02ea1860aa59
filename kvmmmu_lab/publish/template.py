# SPDX-License-Identifier: GPL-2.0-only
"""Load the templates, style sheets and scripts of decks and pages, and check that the required packages are installed."""

from __future__ import annotations

import functools
import importlib.util
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import InputError, LabError
from ..workspace import install_hint

PAGE_MODULES = ("nbconvert", "nbclient", "bs4", "tinycss2", "markdown_it")
"""Modules that every page needs."""

DECK_MODULES = (*PAGE_MODULES, "sphinx_revealjs", "yaml")
"""Modules that a deck needs."""

PACKAGES = {
    "bs4": "beautifulsoup4",
    "markdown_it": "markdown-it-py",
    "PIL": "pillow",
    "sphinx_revealjs": "sphinx-revealjs",
    "yaml": "pyyaml",
}
"""Maps a module to its package if the names differ."""


def require(*modules: str) -> None:
    """Raise LabError if one of the modules is missing. The message contains the command that installs its package."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise LabError(f"{PACKAGES.get(module, module)} is missing: install it with {install_hint('slides')}")


def render(template: str, notebook: Any, resources: dict[str, Any]) -> str:
    """Render a notebook with one of the kit's templates. The templates refer to ``resources`` as ``kit``."""
    from nbconvert.exporters.templateexporter import TemplateExporter

    class KitExporter(TemplateExporter):
        """An exporter for the kit's templates."""

        def _file_extension_default(self) -> str:
            return ".html"

        def _template_extension_default(self) -> str:
            return ".html.j2"

    folder = Path(str(files(__package__))) / "templates"
    exporter = KitExporter(template_name=template, extra_template_basedirs=[str(folder)])
    markup, _ = exporter.from_notebook_node(notebook, {"kit": resources})
    return str(markup)


def asset(*names: str) -> str:
    """Return the joined text of style sheets or scripts of this package."""
    return "\n".join(files(__package__).joinpath(name).read_text("utf-8") for name in names)


@functools.cache
def package_asset(module: str, *paths: str) -> str:
    """Return a script or style sheet that another package contains, at the first of ``paths`` that there is.

    The package isn't imported, since some of them would load all of Sphinx. Raises LabError if there is no such file.
    """
    require(module)
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    found = next((path for path in (Path(spec.origin).parent / path for path in paths) if path.is_file()), None)
    if found is None:
        package, name = PACKAGES.get(module, module), Path(paths[0]).name
        raise LabError(f"the installed {package} has no {name}: install another version (see `pip show {package}`)")
    text = found.read_text("utf-8")
    return re.sub(r"(?m)^//# sourceMappingURL=.*$", "", text).replace("</script", "<\\/script")


def reveal_asset(name: str) -> str:
    """Return the text of one of reveal.js's files."""
    root = "_static/revealjs"
    return package_asset("sphinx_revealjs", f"{root}/dist/{name}", f"{root}/plugin/notes/{name}")


def write(path: Path, markup: str) -> Path:
    """Write a page, and create its folder if needed; return the path. Raises InputError if it can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(markup, "utf-8")
    except OSError as error:
        raise InputError("out", str(path), f"a file that can be written ({error.strerror})") from None
    return path
