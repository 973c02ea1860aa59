# SPDX-License-Identifier: GPL-2.0-only
"""The house rules that a machine can hold: who imports whom, and what every file carries."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "kvmmmu_lab"

# Each room of the package, and the rooms that it may import. Everybody may import `errors`.
# Rooms are listed from the ground up: a room only ever imports rooms above it in this table.
ROOMS = {
    "errors": "",
    "mmu": "",
    "data": "mmu",
    "inspect": "mmu",
    "recording": "mmu inspect data",
    "draw": "mmu inspect recording",
    "workspace": "",
    "browser": "workspace",
    "player": "mmu inspect recording draw browser workspace",
    "labs": "mmu inspect recording data draw player",
    "verify": "mmu inspect data",
    "bench": "mmu data recording draw player verify",
    "exercises": "",
    "publish": "mmu inspect recording data draw player labs exercises workspace browser",
    "check": "mmu inspect recording data draw verify exercises workspace",
    "grade": "mmu inspect recording data exercises check",
    "doctor": "draw workspace publish",
    "cli": "draw workspace doctor verify bench labs publish check grade",
    "__main__": "cli",
    "__init__": "mmu data recording labs",
}


def sources(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imported(path, text):
    """Return (dotted name, line number, is it at the top level) of all that a file imports, absolutely."""
    tree = ast.parse(text)
    package = path.relative_to(ROOT).parent.parts
    names = []
    for node in ast.walk(tree):
        lazy = node not in tree.body
        if isinstance(node, ast.Import):
            names += [(alias.name, node.lineno, lazy) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            base += node.module.split(".") if node.module else []
            names += [(".".join([*base, alias.name]), node.lineno, lazy) for alias in node.names]
    return names


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def wrong_imports(path, text):
    """Return what a file of the package imports against the table, as lines for a message."""
    room, wrong = room_of(path), []
    if room not in ROOMS:
        return [f"{path.relative_to(ROOT)}: the room {room} is not in the table of this test"]
    allowed = {room, "errors", *ROOMS[room].split()}
    for name, line, lazy in imported(path, text):
        top, _, rest = name.partition(".")
        place = f"{path.relative_to(ROOT)}:{line}"
        if top == "kvmmmu_lab":
            target = rest.partition(".")[0]
            if target not in allowed:
                wrong.append(f"{place}: {room} may not import {target or 'the whole package'}")
            if room == "cli" and target != "errors" and not lazy:
                wrong.append(f"{place}: cli has to import {target} inside the command that needs it")
        elif room == "mmu" and top != "numpy" and top not in sys.stdlib_module_names:
            wrong.append(f"{place}: the engine may import numpy and the standard library, not {top}")
    return wrong


def test_imports_go_one_way():
    wrong = [line for path in sources("kvmmmu_lab") for line in wrong_imports(path, path.read_text("utf-8"))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("mmu/walk.py", "from ..recording import record"),
        ("mmu/walk.py", "from .. import draw"),
        ("mmu/walk.py", "def f():\n    import kvmmmu_lab.draw.render"),
        ("mmu/walk.py", "import graphviz"),
        ("recording/recorder.py", "from ..draw.render import render"),
        ("draw/scene.py", "from ..player import page"),
        ("check/judge.py", "from ..grade import store"),
        ("cli.py", "from .verify import cli"),
        ("draw/scene.py", "import kvmmmu_lab"),
        ("attic.py", "import os"),
    ],
)
def test_an_import_the_other_way_is_noticed(file, text):
    assert wrong_imports(PACKAGE / file, text)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("mmu/walk.py", "import numpy as np\nfrom . import bits\nfrom ..errors import InputError"),
        ("draw/scene.py", "from ..mmu.vm import Vm\nimport graphviz"),
        ("cli.py", "def f():\n    from .verify import cli"),
    ],
)
def test_an_import_the_right_way_is_not(file, text):
    assert wrong_imports(PACKAGE / file, text) == []


def test_the_table_has_no_way_round():
    order = list(ROOMS)
    for room, may in ROOMS.items():
        assert all(order.index(other) < order.index(room) for other in may.split()), room


def test_the_engine_loads_neither_drawing_nor_notebooks():
    heavy = ("IPython", "graphviz", "ipywidgets", "anywidget", "jupyterlab", "kvmmmu_lab.draw")
    program = f"import sys, kvmmmu_lab.mmu; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_every_python_file_names_its_licence():
    line = "# SPDX-License-Identifier: GPL-2.0-only"
    files = sources("kvmmmu_lab", "tests", "notebooks", "exercises")
    # jupytext's own header comes first in a notebook's source, hence not only the first line
    without = [str(path.relative_to(ROOT)) for path in files if line not in path.read_text("utf-8").splitlines()[:25]]
    assert PACKAGE / "cli.py" in files
    assert not without, without


def test_ci_runs_the_readmes_test_command_to_the_letter():
    (command,) = re.findall(r"^    (python3 .*pytest.*)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert [line.strip() for line in (ROOT / ".ci/run").read_text("utf-8").splitlines()].count(command) == 1


def test_the_top_level_is_what_it_is_meant_to_be():
    meant = {"pyproject.toml", "kvmmmu_lab", "notebooks", "exercises", "tests", "README.md", "LICENSE"}
    ignored = {line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    there = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert there - ignored <= meant


@pytest.mark.parametrize("tool", [["ruff", "check", "--no-cache"], ["mypy"]], ids=lambda tool: tool[0])
def test_the_tools_have_nothing_to_say(tool):
    done = subprocess.run([sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
