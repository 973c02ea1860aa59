# SPDX-License-Identifier: GPL-2.0-only
"""The versions that the live course is made of. They go together: change one, and run ``pytest -m slow tests/live``."""

from __future__ import annotations

from dataclasses import dataclass

PYODIDE = "0.27.7"
"""The Pyodide for which jupyterlite-pyodide-kernel 0.6 is made: Python 3.12, NumPy 2.0.2."""

PYODIDE_URL = f"https://cdn.jsdelivr.net/pyodide/v{PYODIDE}/full/"
"""Where a site fetches Pyodide from by default: its makers' own place."""

PYODIDE_BYTES = 21_000_000
"""What a lesson needs of Pyodide and its packages, when their sizes are not known before they are fetched."""

CORE = ("pyodide.js", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
"""The files of Pyodide without any package."""

LITE_MODULES = {"jupyterlite_core": "jupyterlite-core", "jupyterlite_pyodide_kernel": "jupyterlite-pyodide-kernel"}
"""The modules of the extra ``live``, and their packages."""

GRAPHVIZ = "@hpcc-js/wasm-graphviz@1.29.2"
"""The npm package with Graphviz as WebAssembly: one file, no dependencies."""

KIT = "kvmmmu-lab"


@dataclass(frozen=True)
class Wheel:
    """A pure wheel that the site contains. ``needs`` are the packages that it imports where the course runs."""

    name: str
    version: str
    needs: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.name}=={self.version}"


WHEELS = (
    Wheel("anywidget", "0.11.0", ("ipywidgets", "psygnal", "typing-extensions")),
    Wheel("attrs", "26.1.0"),
    Wheel("cloudpickle", "3.1.3"),
    Wheel("comm", "0.2.3"),
    Wheel("hypothesis", "6.155.7", ("sortedcontainers", "attrs")),  # later ones are compiled: no wheel for Pyodide
    # widgetsnbextension and jupyterlab_widgets, which it asks for, are front ends: 2.4 MB that no kernel imports
    Wheel("ipywidgets", "8.1.9", ("comm", "ipython", "traitlets")),
    Wheel("platformdirs", "4.14.8"),
    Wheel("psygnal", "0.16.1"),  # likewise
    Wheel("sortedcontainers", "2.4.0"),
    Wheel("typing-extensions", "4.16.0"),
)
"""What pip would fetch for the kit, as far as it is not in Pyodide, in versions of which there is a pure wheel."""

FRONT_ENDS = (
    Wheel("anywidget", "0.11.0"),
    Wheel("jupyterlab-pygments", "0.3.0"),
    Wheel("jupyterlab-widgets", "3.0.15"),  # the last for JupyterLab 4.4, which JupyterLite 0.6 contains
    Wheel("jupyterlite-pyodide-kernel", "0.6.1"),
)
"""The wheels whose JupyterLab extensions the site contains, instead of those that are installed where it is built."""

KERNEL_WHEELS = {
    "ipykernel": ("comm",),
    "piplite": ("micropip",),
    "pyodide-kernel": ("ipykernel", "piplite", "ipython", "jedi", "comm", "traitlets"),
}
"""The wheels inside the kernel's extension, and what they need."""

KIT_NEEDS = ("numpy", "platformdirs", "cloudpickle", "hypothesis", "ipywidgets", "anywidget")
"""What the kit's wheel needs: its dependencies and those of the extra ``lab``, as far as it imports them in a browser."""

FIRST = ("pyodide-kernel", KIT)
"""What is loaded before the kernel starts, with all that it needs."""

LATER = {"matplotlib": r"\b(matplotlib|plot_\w+)\b"}
"""Packages that are loaded before the first cell in which this pattern occurs."""

CLAIMED = ("ssl", "sqlite3", "ipykernel", "comm", "pyodide_kernel", "jedi", "ipython", "micropip", "piplite")
"""What the kernel need not install when it starts: it is loaded before, or has no use here (ssl: there are no sockets)."""
