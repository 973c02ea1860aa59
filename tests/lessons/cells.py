# SPDX-License-Identifier: GPL-2.0-only
"""Run the cells of a lesson in this process, with any seed: much faster than a notebook, and nothing is drawn."""

import ast
import re
from pathlib import Path

import pytest

from kvmmmu_lab.player.film import Film

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def seeds(first, *others):
    """Seeds for a test that runs much of a lesson: the first one by default, the others in the slow tests."""
    return [first, *(pytest.param(seed, marks=pytest.mark.slow) for seed in others)]


def code_cells(name, seed=None):
    """Return the code of a lesson's cells, by the notebook's name; ``seed`` replaces its own."""
    text = (NOTEBOOKS / f"{name}.py").read_text("utf-8")
    parts = re.split(r"^# %%(.*)$", text, flags=re.MULTILINE)
    cells = [body for head, body in zip(parts[1::2], parts[2::2], strict=True) if "[markdown]" not in head]
    return cells if seed is None else [re.sub(r"^seed = .*$", f"seed = {seed}", cell, flags=re.MULTILINE) for cell in cells]


def said(name, monkeypatch, seed=None):
    """Run a lesson, and return what its cells print, one text for each cell that ends with an expression."""
    monkeypatch.setenv("KVMMMU_LAB_UNATTENDED", "1")
    names, texts = {}, []
    for cell in code_cells(name, seed):
        tree = ast.parse(cell)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval"), names)
            texts.append(value.text(every=True) if isinstance(value, Film) else str(value))
    return texts


def in_order(texts, *words):
    """Assert that all these words are printed, in this order."""
    text, at = "\n".join(texts), 0
    for word in words:
        at = text.find(word, at) + 1
        assert at, f"{word!r} is not printed, or not after the words before it"


def happened(question, *result):
    """Return the answer to a question, which is one of its choices."""
    outcome = question.reveal(*result).outcome
    assert outcome.happened in question.choices
    return outcome.happened
