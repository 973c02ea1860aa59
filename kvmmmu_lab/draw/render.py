# SPDX-License-Identifier: GPL-2.0-only
"""From DOT source to SVG text, hiding which program does it.

Graphviz's own ``dot`` is taken where it is installed, else ``graphviz-pure``, which comes with the
extra ``lab``. Both run as a process of their own: layout engines do crash (``dot`` 2.43 did on 17 of
600 random clustered drawings), and a crash there costs one error message, not the notebook's kernel.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sysconfig
from dataclasses import dataclass
from xml.parsers import expat

from ..errors import InputError, LabError

VARIABLE = "KVMMMU_LAB_RENDERER"
"""The environment variable that forces one renderer, or ``none``."""

NAMES = ("dot", "graphviz-pure")
"""The renderers that are known, the preferred one first; each name is also the program's."""

TIMEOUT = 30.0
"""Seconds that one drawing may take. A lesson's takes 0.03; 3,000 nodes took 6."""


class RenderError(LabError):
    """A drawing that could not be made: says which renderer, what it said, and for which DOT source."""


class NoRenderer(RenderError):
    """There is no renderer on this machine, or ``KVMMMU_LAB_RENDERER`` forbids those that are."""


@dataclass(frozen=True)
class Renderer:
    """A program that reads DOT from its standard input and writes SVG to its standard output."""

    name: str
    path: str

    def draw(self, dot_source: str) -> str:
        """Return the SVG of one drawing, from ``<svg`` on; raise `RenderError` if this program can't."""
        try:
            done = subprocess.run(
                [self.path, "-Tsvg"], input=dot_source.encode(), capture_output=True, timeout=TIMEOUT, check=False
            )
        except UnicodeEncodeError as error:
            raise self._failed(f"can't take the character {dot_source[error.start]!r}", dot_source) from error
        except subprocess.TimeoutExpired as error:
            raise self._failed(f"did not finish within {TIMEOUT:.0f} s", dot_source) from error
        except OSError as error:
            raise self._failed(f"could not be started ({self.path}: {error.strerror})", dot_source) from error
        if done.returncode:
            raise self._failed(_ending(done.returncode, done.stderr), dot_source)
        # An exit status of 0 is not enough: a control character in a label, or (in dot 2.43) a quote in
        # an id, gives SVG that no browser reads.
        try:
            expat.ParserCreate().Parse(done.stdout, True)
            return done.stdout[done.stdout.index(b"<svg") :].decode()
        except (expat.ExpatError, ValueError) as error:
            raise self._failed(f"wrote SVG that is not well-formed ({error})", dot_source) from error

    def _failed(self, what: str, dot_source: str) -> RenderError:
        return RenderError(f"{self.name} {what}; the DOT source begins {_short(dot_source)!r}")


def renderers() -> list[Renderer]:
    """Return the renderers that are usable here, the preferred one first; none at all is an empty list."""
    forced = os.environ.get(VARIABLE, "")
    if forced not in ("", "none", *NAMES):
        raise InputError(VARIABLE, forced, f"one of {', '.join(NAMES)}, none; or leave it unset")
    # pip puts programs where a virtual environment that was never activated does not have its PATH
    user = sysconfig.get_preferred_scheme("user")
    places = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", user), os.environ.get("PATH", os.defpath)]
    found = {name: shutil.which(name, path=os.pathsep.join(places)) for name in NAMES}
    return [Renderer(name, path) for name, path in found.items() if path and forced in ("", name)]


def render(dot_source: str) -> str:
    """Return DOT source drawn as SVG text, from its ``<svg`` on, fit for a file or inside HTML.

    If the preferred renderer fails, the next one is tried: a layout that crashes one often suits the
    other. Raise `NoRenderer` if there is none, `RenderError` if none could draw it.

    Labels are escaped by the renderers. Ids, URLs and classes are not (by ``dot`` 2.43): make them of
    letters, digits, ``-`` and ``_``.
    """
    if not isinstance(dot_source, str):
        raise InputError("dot_source", dot_source, "the text of a graph in the DOT language")
    failures = []
    for renderer in renderers():
        try:
            return renderer.draw(dot_source)
        except RenderError as error:
            failures.append(error)
    if not failures:
        raise NoRenderer(_none_here())
    raise RenderError("; ".join(map(str, failures))) from failures[0]


def _none_here() -> str:
    if os.environ.get(VARIABLE):
        return f"{VARIABLE}={os.environ[VARIABLE]} leaves no renderer to draw with; unset it, or install that renderer"
    return "nothing here can draw: install Graphviz, so that `dot` is on the PATH, or `pip install graphviz-pure`"


def _ending(status: int, stderr: bytes) -> str:
    """Say in words how a renderer ended that did not end well."""
    if status < 0:
        return f"crashed ({signal.strsignal(-status)})"
    lines = [line for line in stderr.decode(errors="replace").splitlines() if not line.startswith("Warning")]
    return f"can't draw this (exit status {status}): {_short(' '.join(lines), 200) or 'it did not say why'}"


def _short(text: str, limit: int = 60) -> str:
    """Return the text's beginning on one line; a label may be a megabyte long."""
    words = " ".join(text[: 2 * limit].split())
    return words if len(words) <= limit and len(text) <= 2 * limit else f"{words[:limit]}..."
