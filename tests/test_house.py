# SPDX-License-Identifier: GPL-2.0-only
"""Rules for the whole package that a machine can check: imports, names, and what every file contains."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "kvmmmu_lab"

# Each room of the package, and the rooms that it may import. Every room may import those of `EVERYWHERE`.
# The order is from the bottom up: a room imports only rooms above it in this table.
EVERYWHERE = {"printable", "errors", "host_platform"}
ROOMS = {
    "printable": "",
    "errors": "",
    "host_platform": "",
    "files": "",
    "console_encoding": "",
    "mmu": "",
    "data": "files mmu",
    "inspect": "mmu",
    "replay": "mmu data inspect",
    "nested": "mmu",
    "recording": "files mmu inspect data",
    "draw": "files mmu inspect nested recording",
    "workspace": "files",
    "user_folders": "",
    "progress": "files user_folders",
    "browser": "workspace",
    "kernel_source": "files user_folders",
    "plots": "mmu data replay draw",
    "player": "files mmu inspect recording draw browser workspace kernel_source",
    "labs": "mmu inspect nested recording data replay draw plots player",
    "museum": "mmu inspect recording data draw player labs workspace",
    "verify": "files mmu inspect data replay",
    "bench": "mmu data replay recording draw player verify",
    "course_settings": "files",
    "exercises": "course_settings",
    "lessons": "files mmu inspect nested recording data replay draw player labs museum exercises workspace progress",
    "live": "files user_folders workspace",
    "publish": "live files mmu inspect recording data draw player labs exercises lessons workspace browser user_folders",
    "check": "files mmu inspect recording data replay draw verify exercises workspace progress user_folders",
    "grade": "files draw plots course_settings exercises workspace user_folders publish check",
    "work": "files user_folders workspace progress player grade",
    "doctor": "draw workspace publish check live",
    "cli": "draw workspace kernel_source doctor verify bench labs lessons publish check grade",
    "__main__": "cli",
    "__init__": "console_encoding mmu data recording labs",
}


def sources(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imported(path, text):
    """Return the imports of a file: the absolute name, the line, and whether it is inside a function or a block."""
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
    """Return a line of text for each import of a file that the table doesn't allow."""
    room, wrong = room_of(path), []
    if room not in ROOMS:
        return [f"{path.relative_to(ROOT)}: the room {room} is not in the table of this test"]
    allowed = {room, *EVERYWHERE, *ROOMS[room].split()}
    for name, line, lazy in imported(path, text):
        top, _, rest = name.partition(".")
        place = f"{path.relative_to(ROOT)}:{line}"
        if top == "kvmmmu_lab":
            target = rest.partition(".")[0]
            if target not in allowed:
                wrong.append(f"{place}: {room} may not import {target or 'the whole package'}")
            if room == "cli" and target not in EVERYWHERE and not lazy:
                wrong.append(f"{place}: cli has to import {target} inside the command that needs it")
        elif room == "mmu" and top != "numpy" and top not in sys.stdlib_module_names:
            wrong.append(f"{place}: the engine may import numpy and the standard library, not {top}")
    return wrong


def test_rooms_import_only_what_the_table_allows():
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
        ("check/judge.py", "from ..cli import main"),
        ("cli.py", "from .verify import cli"),
        ("draw/scene.py", "import kvmmmu_lab"),
        ("attic.py", "import os"),
    ],
)
def test_an_import_that_is_not_allowed_is_noticed(file, text):
    assert wrong_imports(PACKAGE / file, text)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("mmu/walk.py", "import numpy as np\nfrom . import bits\nfrom ..errors import InputError"),
        ("draw/scene.py", "from ..mmu.vm import Vm\nimport graphviz"),
        ("cli.py", "def f():\n    from .verify import cli"),
    ],
)
def test_an_import_that_is_allowed_is_not(file, text):
    assert wrong_imports(PACKAGE / file, text) == []


def test_the_table_is_in_order():
    order = list(ROOMS)
    for room, may in ROOMS.items():
        assert all(order.index(other) < order.index(room) for other in may.split()), room


# No circles

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in sources("kvmmmu_lab")
}


def module_of(name):
    """Return the module that an absolute import loads: the longest prefix of the name that is a module."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def import_graph():
    """Map each module to {module that it imports: line}. Imports in functions and under TYPE_CHECKING count, too."""
    graph = {}
    for module, path in MODULES.items():
        edges = {module_of(name): line for name, line, _ in imported(path, path.read_text("utf-8"))}
        graph[module] = {target: line for target, line in edges.items() if target and target != module}
    return graph


def circle(graph, start):
    """Return the shortest circle of imports through a module, beginning with it, or an empty list if there is none."""
    came_from, queue = {}, [start]
    for module in queue:
        for target in graph[module]:
            if target == start:
                way = [module]
                while way[0] != start:
                    way.insert(0, came_from[way[0]])
                return way
            if target not in came_from:
                came_from[target] = module
                queue.append(target)
    return []


def circle_in_words(graph, way):
    """Describe each import of a circle in a line of text."""
    steps = zip(way, [*way[1:], way[0]], strict=True)
    return "\n".join(f"  {MODULES[a].relative_to(ROOT)}:{graph[a][b]} imports {b}" for a, b in steps)


def test_there_are_no_circles_of_imports():
    graph = import_graph()
    ways = {module: way for module in graph if (way := circle(graph, module))}
    found = [f"{module} imports itself:\n{circle_in_words(graph, way)}" for module, way in ways.items()]
    assert not found, "\n".join(found)


def test_a_circle_is_found_and_shown_line_by_line():
    graph = {"kvmmmu_lab.cli": {"kvmmmu_lab.errors": 3}, "kvmmmu_lab.errors": {"kvmmmu_lab.cli": 7}, "kvmmmu_lab": {}}
    way = circle(graph, "kvmmmu_lab.cli")
    assert way == ["kvmmmu_lab.cli", "kvmmmu_lab.errors"] and circle(graph, "kvmmmu_lab") == []
    assert "kvmmmu_lab/errors.py:7 imports kvmmmu_lab.cli" in circle_in_words(graph, way)


# No name twice


def twice(pairs):
    """Return the names that occur in more than one place, each with its places."""
    places = {}
    for name, place in pairs:
        places.setdefault(name, set()).add(place)
    return {name: sorted(found) for name, found in places.items() if len(found) > 1}


def test_no_class_name_is_defined_in_two_modules():
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sources("kvmmmu_lab")}
    classes = [(node.name, str(path.relative_to(ROOT))) for path, tree in trees.items() for node in ast.walk(tree)
               if isinstance(node, ast.ClassDef)]  # fmt: skip
    assert twice(classes) == {}


def test_no_module_name_is_in_two_rooms():
    found = twice((path.stem, str(path.relative_to(ROOT))) for path in sources("kvmmmu_lab"))
    assert found.keys() <= {"__init__", "cli", "report"}, found


# Public names

PUBLIC = {
    "kvmmmu_lab": "Access Complaint DataError Event Guest HostCrash InputError LabError SlotError Trace Vm VmDead "
    "describe load_recording open_guest open_trace record",
    "kvmmmu_lab.mmu": "Access Complaint Event Vm describe",
    "kvmmmu_lab.recording": "Recording Step load record",
    "kvmmmu_lab.labs": "Builder Film Picture Watch audit_counters belt bit_row course_picture entry_bits entry_decoder "
    "entry_of fault_flow fault_lab film guest_tables guest_walk hash_bucket hash_table hierarchy "
    "large_page memory_slots neighbour nested_grid parent_chains parent_graph pick_address plot_exits "
    "plot_flooding plot_missing plot_nested plot_pool plot_tables pool pool_lab predict record "
    "reverse_map rmap_lab root_slots shadow_tables small_guest store_diagram walk watch watch_belt "
    "watch_bits watch_bucket watch_counters watch_fault watch_guest_walk watch_large_page watch_nested "
    "watch_parents watch_roots watch_store watch_walk who_maps write_lab",
    "kvmmmu_lab.museum": "Exhibit exhibit exhibits museum_lab",
    "kvmmmu_lab.lessons": "course course_map glossary look_up source_map",
    "kvmmmu_lab.work": "my_work",
    "kvmmmu_lab.check": "check hint",
    "kvmmmu_lab.data": "Guest Trace golden_trace golden_traces guests open_guest open_trace traces",
    "kvmmmu_lab.verify": "WITHOUT FileDifference FileReport kind_of verify_file",
}
"""The names that a notebook, an exercise or another program may use."""


def test_every_room_with_public_names_is_pinned_here():
    rooms = {module: path.read_text("utf-8") for module, path in MODULES.items() if path.name == "__init__.py"}
    assert {room for room, text in rooms.items() if "\n__all__ = " in text} == PUBLIC.keys()


@pytest.mark.parametrize("name", PUBLIC)
def test_the_public_names_are_these(name):
    module = importlib.import_module(name)
    assert sorted(module.__all__) == sorted(PUBLIC[name].split())
    assert [one for one in module.__all__ if not hasattr(module, one)] == []


def imports_in_text(text):
    """Yield (module, name) for each ``from kvmmmu_lab... import names`` in Python, Markdown or a notebook's JSON."""
    for module, names in re.findall(r'^\s*(?:>>> |")?from (kvmmmu_lab[\w.]*) import ([^\n#(\\"]+)', text, re.MULTILINE):
        yield from ((module, name.split(" as ")[0].strip()) for name in names.split(","))


def test_whatever_lessons_readmes_and_exercises_import_exists():
    folders = [ROOT / "notebooks", ROOT / "exercises"]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".md", ".ipynb")]
    wanted = {pair: path for path in [ROOT / "README.md", *files] for pair in imports_in_text(path.read_text("utf-8"))}
    assert len(wanted) > 30
    for (module, name), path in wanted.items():
        exists = hasattr(importlib.import_module(module), name) or f"{module}.{name}" in MODULES
        assert exists, f"{path.relative_to(ROOT)} imports {name} from {module}"


# One door for each

OWN_FILES = ("draw/theme.py", "labs/widgets.py", "player/page.py", "player/cell_output.py", "publish/template.py",
             "publish/preview.py", "data/__init__.py", "check/hints.py", "lessons/lesson.py", "lessons/kernel_map.py",
             "lessons/glossary.py", "check/answers.py", "publish/execution.py", "check/sandbox/",
             "grade/views/markup.py", "grade/release.py", "grade/learner_project.py", "live/build.py", "live/lock.py",
             "live/wheels.py", "work/")  # fmt: skip
"""What reads files of the kit itself, or in a worker; everything else reads through `files`."""


def test_files_from_outside_are_read_in_one_place():
    reads = re.compile(
        r"\.read_(text|bytes)\(|np\.load\(|gzip\.open\(|json\.load\(|ZipFile\(|nbformat\.read\(|(?<![.\w])(?<!def )open\("
    )
    allowed = ("files.py", "data/arrays.py", "grade/zip_tree.py", *OWN_FILES)
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sources("kvmmmu_lab")
        if not path.relative_to(PACKAGE).as_posix().startswith(allowed)
        for line in path.read_text("utf-8").splitlines()
        if reads.search(line)
    ]
    assert not found, "\n".join(found)


def test_html_is_escaped_in_one_place():
    texts = {path: path.read_text("utf-8") for path in sources("kvmmmu_lab")}
    assert [path.name for path, text in texts.items() if re.search(r"(?<!escaped_)\bhtml\.escape\(|import escape\b", text)] == [
        "printable.py"
    ]


# Tools and files


def test_the_engine_loads_neither_drawing_nor_notebooks():
    heavy = ("IPython", "graphviz", "matplotlib", "ipywidgets", "anywidget", "jupyterlab", "kvmmmu_lab.draw")
    program = f"import sys, kvmmmu_lab.mmu; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_every_python_file_names_its_licence():
    line = "# SPDX-License-Identifier: GPL-2.0-only"
    files = sources("kvmmmu_lab", "tests", "notebooks", "exercises")
    # not only the first line: the source of a notebook begins with jupytext's header
    without = [str(path.relative_to(ROOT)) for path in files if line not in path.read_text("utf-8").splitlines()[:25]]
    assert PACKAGE / "cli.py" in files
    assert not without, without


def test_ci_runs_exactly_the_test_command_of_the_readme():
    (command,) = re.findall(r"^    (python3 .*pytest.*)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert [line.strip() for line in (ROOT / ".ci/run").read_text("utf-8").splitlines()].count(command) == 1


def test_the_top_level_has_nothing_unexpected():
    meant = {"pyproject.toml", "kvmmmu_lab", "notebooks", "exercises", "tests", "README.md", "LICENSE"}
    ignored = {line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    there = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert there - ignored <= meant
