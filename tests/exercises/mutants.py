# SPDX-License-Identifier: GPL-2.0-only
"""Mutants of right solutions, made by the operators of cosmic-ray or by leaving out a statement; and how to judge them fast.

A mutant is named by what a reader sees: the function, the line as it was, and the line as it is now.
"""

import ast
import importlib
import re
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from types import CodeType

from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.report import PASSED, Failure
from kvmmmu_lab.check.submission import Submission

from .solutions import HERE

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

SIMPLE = (ast.Assign, ast.AugAssign, ast.Expr, ast.Delete, ast.Return, ast.Continue, ast.Break, ast.Raise)


@dataclass(frozen=True)
class Mutant:
    where: str  # the function: "ReverseMap.add"; with " (2)" for the second line in it that is changed in the same way
    was: str
    now: str
    source: str

    @property
    def name(self):
        return self.where, self.was, self.now


def mutants(source):
    """All mutants of a source, each once, without those that are no Python or that the compiler can't tell from the source."""
    known, named = {_compiled(source)}, Counter()
    for changed in (*_operated(source), *_without_a_statement(source)):
        try:
            compiled = _compiled(changed)
        except SyntaxError:
            continue
        if compiled not in known:
            known.add(compiled)
            mutant = _named(source, changed)
            named[mutant.name] += 1
            again = named[mutant.name]
            yield mutant if again == 1 else replace(mutant, where=f"{mutant.where} ({again})")


class Constants(ast.NodeTransformer):
    """Replaces the kit's constants by their values, so that the compiler sees that PRESENT + WRITABLE is no change."""

    def __init__(self):
        self.known = {}

    def visit_ImportFrom(self, node):
        values = vars(importlib.import_module(node.module)) if node.module.startswith("kvmmmu_lab.") else {}
        self.known |= {alias.name: values[alias.name] for alias in node.names if isinstance(values.get(alias.name), int)}
        return node

    def visit_Name(self, node):
        value = self.known.get(node.id)
        return node if value is None else ast.copy_location(ast.Constant(value), node)


def _compiled(source):
    """What a source means to the compiler, in a form that can be compared: without line numbers, layout and docstrings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        return _meaning(compile(Constants().visit(ast.parse(source)), "mutant", "exec", optimize=2))


def _meaning(code):
    constants = tuple(_meaning(value) if isinstance(value, CodeType) else repr(value) for value in code.co_consts)
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_argcount, code.co_flags
    return code.co_code, getattr(code, "co_exceptiontable", b""), constants, names


def _operated(source):
    from cosmic_ray.mutating import MutationVisitor
    from cosmic_ray.plugins import get_operator, operator_names

    for name in operator_names():
        operator = get_operator(name)
        if not operator.arguments():  # those with arguments are about a variable that has to be named
            number = 0
            while (changed := MutationVisitor.mutate_code(source, operator(), number)) is not None:
                yield changed
                number += 1


def _without_a_statement(source):
    """Leave out each simple statement in turn, for which cosmic-ray has no operator."""
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, SIMPLE) and not docstring and node.lineno == node.end_lineno:
            line = lines[node.lineno - 1].encode()  # offsets are in bytes
            line = line[: node.col_offset] + b"pass" + line[node.end_col_offset :]
            yield "".join([*lines[: node.lineno - 1], line.decode(), *lines[node.lineno :]])


def _named(source, changed):
    old, new = source.splitlines(), changed.splitlines()
    first = next(n for n, (a, b) in enumerate(zip([*old, None], [*new, None], strict=False)) if a != b)
    same = 0
    while same < min(len(old), len(new)) - first and old[-1 - same] == new[-1 - same]:
        same += 1
    was, now = (_neat(lines[first : len(lines) - same]) for lines in (old, new))
    return Mutant(_function(ast.parse(source), first + 1), was, now, changed)


def _neat(lines):
    text = " ".join(" ".join(lines).split())
    return re.sub(r"(?<=[(\[{~]) (?=\S)", "", text)  # cosmic-ray puts a blank before what it inserts


def _function(tree, line):
    """The qualified name of the innermost function or class around a line; "" at the top level."""
    names, body = [], tree.body
    while True:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.lineno <= line <= node.end_lineno:
                names.append(node.name)
                body = node.body
                break
        else:
            return ".".join(names)


class Quick(Judge):
    """Says only that something goes wrong: it neither looks for a shorter scenario nor explains."""

    def failure(self, rule, scenario, stretch=None, following=None):
        if self._ready().failed is not None:
            return Failure("it can't be loaded")
        return self._wrong(rule, scenario, stretch, following)


def killer(exercise, source, server):
    """The name of the first rule that a source breaks, without extra rules; None if it survives."""
    with Quick(exercise, Submission(source, "mutant.py"), server) as judge:
        for rule in exercise.rules:
            if not rule.extra and judge.rule(rule).status != PASSED:
                return rule.name
    return None


def listed(exercise):
    """Known survivors of an exercise, with the reason why each is right: {(solution, (where, was, now)): why}."""
    path, found = HERE / exercise / "survivors.toml", {}
    for entry in tomllib.loads(path.read_text("utf-8"))["survivor"] if path.is_file() else ():
        assert entry["why"].strip() and entry["now"], entry
        for now in entry["now"]:
            key = entry["solution"], (entry["in"], entry["was"], now)
            assert key not in found, f"listed twice: {key}"
            found[key] = entry["why"]
    return found
