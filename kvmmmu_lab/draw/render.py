# SPDX-License-Identifier: GPL-2.0-only
"""Render DOT source as SVG text with the Graphviz that is there: an installed program, or WebAssembly in a browser tab.

Graphviz's own ``dot`` is preferred; otherwise ``graphviz-pure``, which comes with the extra ``lab``. The PyPI package
``graphviz`` is the interface to both: it builds the command line, runs it, and reports how it ended. A layout engine runs
in its own process because it can crash (``dot`` 2.43 crashed on 17 of 600 random drawings with clusters). A crash then
causes an error message and doesn't end the notebook's kernel. In a browser tab there is no process, so Graphviz in WebAssembly
draws, which the page loads before it starts Python.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sysconfig
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from ..errors import InputError, LabError
from ..host_platform import HERE

VARIABLE = "KVMMMU_LAB_RENDERER"
"""The environment variable that selects one renderer, or ``none``."""

NAMES = HERE.renderers
"""The renderers that this platform may have, the preferred one first; a program has the name of its renderer."""

GLOBAL = "kvmmmu_graphviz"
"""The JavaScript object that draws in a browser tab; its method ``layout(dot, "svg")`` returns SVG text."""

TIMEOUT = 30.0
"""Maximum time for one drawing, in seconds. Drawings in the lessons take 0.03 s; one with 3,000 nodes took 6 s."""


class RenderError(LabError):
    """A drawing could not be made. The message contains the renderer, its error and the DOT source."""


class NoRenderer(RenderError):
    """This platform has no renderer, ``KVMMMU_LAB_RENDERER`` excludes it, or the package ``graphviz`` is missing."""


@dataclass(frozen=True)
class Renderer:
    """A program that reads DOT from standard input and writes SVG to standard output."""

    name: str
    path: str

    def draw(self, dot_source: str) -> str:
        """Return the SVG of one drawing, starting with ``<svg``. Raises `RenderError` if this renderer can't draw it."""
        # That nothing failed is not enough: a control character in a label, or (in dot 2.43) a quote in an id, results in SVG
        # that no browser can read.
        drawn = self.run(dot_source)
        try:
            expat.ParserCreate().Parse(drawn, True)
            return drawn[drawn.index(b"<svg") :].decode()
        except (expat.ExpatError, ValueError) as error:
            raise self.failed(f"wrote SVG that is not well-formed ({error})", dot_source) from error

    def run(self, dot_source: str) -> bytes:
        """Return what the program writes. Raises `RenderError` if it fails."""
        graphviz = _graphviz()
        # The package's `pipe` has no timeout, and it takes the program's name from the global DOT_BINARY. The functions
        # that `pipe` calls take both as arguments, so other users of the package and other threads are not affected.
        command = [self.path, *graphviz.backend.dot_command.command("dot", "svg")[1:]]
        try:
            return graphviz.backend.execute.run_check(
                command, input=dot_source.encode(), capture_output=True, timeout=TIMEOUT, quiet=True
            ).stdout
        except UnicodeEncodeError as error:
            raise self.failed(f"can't take the character {dot_source[error.start]!r}", dot_source) from error
        except subprocess.TimeoutExpired as error:
            raise self.failed(f"did not finish within {TIMEOUT:.0f} s", dot_source) from error
        except graphviz.ExecutableNotFound as error:
            raise self.failed(f"could not be started (no program {self.path})", dot_source) from error
        except OSError as error:
            raise self.failed(f"could not be started ({self.path}: {error.strerror})", dot_source) from error
        except graphviz.CalledProcessError as error:
            raise self.failed(_failure(error.returncode, error.stderr), dot_source) from error

    def failed(self, what: str, dot_source: str) -> RenderError:
        """Return the exception that says what happened to which drawing."""
        return RenderError(f"{self.name} {what}; the DOT source begins {_short(dot_source)!r}")


class WebAssemblyRenderer(Renderer):
    """Graphviz in the JavaScript that runs this Python. It has no time limit, as it is not a process that could be stopped."""

    def run(self, dot_source: str) -> bytes:
        """Return the SVG. Raises `RenderError` if Graphviz reports an error or crashes."""
        import js
        from pyodide.ffi import JsException

        try:
            return str(getattr(js, GLOBAL).layout(dot_source, "svg")).encode()
        except UnicodeEncodeError as error:
            raise self.failed(f"can't take the character {error.object[error.start]!r}", dot_source) from error
        except JsException as error:
            raise self.failed(f"can't draw this: {_short(str(error), 200)}", dot_source) from error


def _loaded() -> list[WebAssemblyRenderer]:
    """Return the renderer of a browser tab; an empty list if the page has not loaded it."""
    import js

    return [WebAssemblyRenderer(name, f"JavaScript's {GLOBAL}") for name in NAMES if hasattr(js, GLOBAL)]


def renderers() -> list[Renderer]:
    """Return the renderers that are installed here, the preferred one first; an empty list if there is none.

    Raises InputError if ``KVMMMU_LAB_RENDERER`` has an unknown value.
    """
    forced = os.environ.get(VARIABLE, "")
    if forced not in ("", "none", *NAMES):
        raise InputError(VARIABLE, forced, f"one of {', '.join(NAMES)}, none; or leave it unset")
    if not HERE.can_start_programs:
        return [renderer for renderer in _loaded() if forced in ("", renderer.name)]
    path = os.pathsep.join([*_script_folders(), os.environ.get("PATH", os.defpath)])
    found = {name: shutil.which(name, path=path) for name in NAMES}
    return [Renderer(name, path) for name, path in found.items() if path and forced in ("", name)]


def _script_folders() -> list[str]:
    """Return the folders where pip installs programs. The folder of a virtual environment may be missing in PATH."""
    return [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user"))]


def render(dot_source: str) -> str:
    """Return the drawing of DOT source as SVG text that starts with ``<svg``, for a file or for embedding in HTML.

    If the preferred renderer fails, the next one is tried: a drawing that crashes one renderer often works in another. Raises
    `NoRenderer` if there is none, `RenderError` if none could draw it, and InputError for a value that isn't text.

    Renderers escape labels, but ``dot`` 2.43 doesn't escape ids, URLs and classes: use only letters, digits, ``-`` and
    ``_`` in these.
    """
    if not isinstance(dot_source, str):
        raise InputError("dot_source", dot_source, "the text of a graph in the DOT language")
    failures = []
    for renderer in renderers():
        try:
            return renderer.draw(dot_source)
        except NoRenderer:
            raise
        except RenderError as error:
            failures.append(error)
    if not failures:
        raise NoRenderer(_no_renderer())
    raise RenderError("; ".join(map(str, failures))) from failures[0]


def _graphviz() -> Any:
    """Return the package ``graphviz``, imported at the first drawing, since the engine and the text form don't need it."""
    try:
        import graphviz
    except ImportError as error:
        raise NoRenderer("the Python package graphviz is missing: `pip install graphviz`") from error
    return graphviz


def _no_renderer() -> str:
    if os.environ.get(VARIABLE):
        return f"{VARIABLE}={os.environ[VARIABLE]} leaves no renderer; unset it, or install that renderer"
    if not HERE.can_start_programs:
        return (
            f"this page has not loaded Graphviz (JavaScript has no {GLOBAL}): reload it while the site can be reached; if that "
            "doesn't help, the site must be built again: `kvmmmu-lab site --live`"
        )
    return "no renderer is installed: install Graphviz, so that `dot` is on the PATH, or `pip install graphviz graphviz-pure`"


def _failure(status: int, stderr: bytes) -> str:
    """Describe how a renderer failed."""
    if status < 0:
        return f"crashed ({signal.strsignal(-status)})"
    lines = [line for line in stderr.decode(errors="replace").splitlines() if not line.startswith("Warning")]
    return f"can't draw this (exit status {status}): {_short(' '.join(lines), 200) or 'no reason given'}"


def _short(text: str, limit: int = 60) -> str:
    """Return the beginning of a text on one line; a label may be a megabyte long."""
    words = " ".join(text[: 2 * limit].split())
    return words if len(words) <= limit and len(text) <= 2 * limit else f"{words[:limit]}..."
