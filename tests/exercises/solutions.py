# SPDX-License-Identifier: GPL-2.0-only
"""Right and wrong solutions of the exercises, as the sources that a learner could submit.

``NN_name/right/*.py`` are right solutions, one whole file each. ``NN_name/wrong/RULE.py`` contains wrong solutions that
lose the points of RULE. A wrong solution differs from a right one in one mistake, and only the difference is written
down, as a class that is never run::

    class ignores_the_last(lists.ReverseMap):
        \"""The last entry of a frame is never removed.\"""

        def remove(self, spte): ...

Its base is the right solution that it is made from (``lists``, or a class in it: ``lists.ReverseMap``); its docstring says
what the mistake is; and each of its definitions replaces the one of the same name in the base, or is added. Imports at the
top of the file hold for all solutions in it. ``right.py`` contains right solutions in the same form: they add something
to those of another exercise (``rmap_add.lists.ReverseMap``).
"""

import ast
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
FOLDERS = {path.name.partition("_")[2]: path.name for path in HERE.glob("[0-9][0-9]_*")}
"""Names of folders by names of exercises: "rmap_add" is in "04_rmap_add"."""


@dataclass(frozen=True)
class Solution:
    """The source of a submission. ``exercise`` is the folder's name; ``breaks`` the rule that a wrong solution breaks."""

    exercise: str
    name: str
    says: str
    source: str
    breaks: str = ""

    def __str__(self):
        return f"{self.exercise}-{self.name}"

    def write(self, folder):
        """Write the source to a file in a folder, and return its path."""
        path = folder / f"{self.name}.py"
        path.write_text(self.source, "utf-8")
        return path


@cache
def right(exercise):
    """The right solutions of an exercise, by name."""
    folder, found = HERE / exercise, {}
    for path in sorted(folder.glob("right/*.py")):
        source = path.read_text("utf-8")
        found[path.stem] = Solution(exercise, path.stem, ast.get_docstring(ast.parse(source)), source)
    if (folder / "right.py").is_file():
        found |= derived(exercise, folder / "right.py")
    return found


@cache
def wrong(exercise):
    """The wrong solutions of an exercise, by name."""
    found = {}
    for path in sorted((HERE / exercise / "wrong").glob("*.py")):
        for name, solution in derived(exercise, path, breaks=path.stem).items():
            assert name not in found, f"{path}: {name} is the name of another wrong solution, too"
            found[name] = solution
    return found


def derived(exercise, path, breaks=""):
    """The solutions that the classes of a file describe, by name."""
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    imports = [source_of(text, node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            base, owner = base_of(exercise, ast.unparse(node.bases[0]))
            says = ast.get_docstring(node) or base.says
            definitions = {name_of(child): source_of(text, child) for child in node.body if name_of(child)}
            source = replaced(base.source, says, imports, definitions, owner)
            assert node.name not in found, f"{path}:{node.lineno}: there are two of this name"
            found[node.name] = Solution(exercise, node.name, says, source, breaks)
    return found


def base_of(exercise, dotted):
    """The right solution and the class in it ("" for the whole file) that "lists", "lists.Map", or "other.lists.Map" means."""
    first, *rest = dotted.split(".")
    if first in FOLDERS:
        exercise, (first, *rest) = FOLDERS[first], rest
    return right(exercise)[first], ".".join(rest)


def replaced(source, says, imports, definitions, owner):
    """A source with another docstring, more imports, and other definitions in the class ``owner``, or at the top level."""
    tree, lines = parsed(source), source.splitlines()
    body = next(node.body for node in tree.body if name_of(node) == owner) if owner else tree.body
    places = {name_of(node): span(node) for node in body}
    first_definition = next(span(node)[0] for node in body if name_of(node))
    indent, gap = ("    ", "\n\n") if owner else ("", "\n\n\n")
    changes = [(span(tree.body[0]), "\n".join([f'"""{says}"""', *[""] * bool(imports), *imports]))]
    changes += [(places[name], textwrap.indent(text, indent)) for name, text in definitions.items() if name in places]
    added = "".join(text + gap for name, text in definitions.items() if name not in places)
    changes.append(((first_definition, first_definition), textwrap.indent(added, indent)))
    for (first, last), text in sorted(changes, key=lambda change: change[0], reverse=True):
        lines[first:last] = text.splitlines()
    return "\n".join(lines) + "\n"


@cache
def parsed(source):
    """The syntax tree of a source; each right solution is the base of many."""
    return ast.parse(source)


def name_of(node):
    """What a statement defines; "" if that is nothing."""
    targets = node.targets if isinstance(node, ast.Assign) else ()
    return getattr(node, "name", "") or ", ".join(map(ast.unparse, targets))


def span(node):
    """The lines of a statement with its decorators, as a slice."""
    return min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))]) - 1, node.end_lineno


def source_of(text, node):
    """The text of a statement, without the indentation of the class around it."""
    first, last = span(node)
    return textwrap.dedent("\n".join(text.splitlines()[first:last]))
