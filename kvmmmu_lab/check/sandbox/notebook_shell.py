# SPDX-License-Identifier: GPL-2.0-only
"""A stand-in for the IPython shell in a worker.

In the cells of a notebook, magics and shell commands are calls of ``get_ipython()`` (see `check.cells`). Here, those that
execute Python in the notebook's namespace do so; all others do nothing.
"""

from __future__ import annotations

import os
import sys
from typing import Any

EXECUTES = ("time", "prun", "memit", "debug")
"""Line magics whose argument is a statement that is executed."""


class CapturedOutput:
    """The result of ``%%capture``: nothing, since the output goes to the report."""

    stdout = stderr = ""
    outputs: tuple[Any, ...] = ()

    def show(self) -> None:
        """Show nothing."""

    def __str__(self) -> str:
        return ""


class ShellOutput(list[str]):
    """The output of a shell command that is not executed: no lines. It has some attributes of IPython's ``SList``."""

    n = s = ""


class NotebookShell:
    """What ``get_ipython()`` returns. Any other attribute is a function that does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *arguments, **keywords: None

    @property
    def user_ns(self) -> dict[str, Any]:
        """The namespace of the cells."""
        return vars(sys.modules["submission"])

    def run_line_magic(self, name: str, line: str, *_: Any, **__: Any) -> Any:
        """Execute a statement or a file for some magics; do nothing for others."""
        frame = sys._getframe(1)
        if name in EXECUTES:
            return _execute(line.strip(), frame.f_globals, frame.f_locals, frame.f_code.co_filename, frame.f_lineno)
        if name == "run" and (words := [word for word in line.split() if not word.startswith("-")]):
            self._run(words, frame.f_globals)
        if name == "pwd":
            return os.getcwd()
        return None

    magic = run_line_magic

    def _run(self, words: list[str], into: dict[str, Any]) -> None:
        """Execute a Python file, as ``%run FILE ARGUMENTS`` does, in its own namespace, and take over the names."""
        path = words[0].strip("'\"")
        path = path if path.endswith((".py", ".ipynb")) else f"{path}.py"
        if path.endswith(".ipynb"):
            return
        with open(path, "rb") as file:
            code = compile(file.read(), os.path.abspath(path), "exec", dont_inherit=True)
        before, sys.argv = sys.argv, words
        names: dict[str, Any] = {"__name__": "submission", "__file__": path}
        try:
            exec(code, names)
        finally:
            sys.argv = before
        into.update({name: value for name, value in names.items() if not name.startswith("__")})

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        """Write a file for ``%%writefile``; do nothing for others."""
        words = [word for word in line.split() if word not in ("-a", "--append")]
        if name in ("writefile", "file") and words:
            append = len(words) < len(line.split())
            with open(words[-1].strip("'\""), "a" if append else "w", encoding="utf-8") as file:
                file.write(cell)

    def getoutput(self, *_: Any, **__: Any) -> ShellOutput:
        """The output of a shell command."""
        return ShellOutput()

    def captured(self) -> CapturedOutput:
        """The value of the name in ``%%capture NAME``."""
        return CapturedOutput()


def _execute(text: str, known: dict[str, Any], local: Any, file: str, line: int) -> Any:
    """Execute a statement; return the value of an expression. The line number in its code is that of the magic."""
    above = "\n" * (line - 1)
    try:
        code = compile(f"{above}({text})", file, "eval", dont_inherit=True)
    except SyntaxError:
        exec(compile(f"{above}{text}", file, "exec", dont_inherit=True), known, local)
        return None
    return eval(code, known, local)


def display(*things: Any, **_: Any) -> None:
    """Print what a notebook would display."""
    print(*map(repr, things), sep="\n")
