# SPDX-License-Identifier: GPL-2.0-only
"""Notebooks are read, run and remembered."""

import pytest

from kvmmmu_lab.errors import InputError, LabError
from kvmmmu_lab.publish import execute
from kvmmmu_lab.publish.execute import executed, notebook

from .books import code, saved, text

EMPTY = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}'


@pytest.mark.parametrize("content", [None, "", "print('hello')", '{"cells": 3}', EMPTY])
def test_what_is_no_notebook_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "talk.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match="notebook"):
        notebook(path)


def test_a_cell_that_fails_is_named_with_its_code(tmp_path):
    path = saved(tmp_path, text("# Talk"), code("x = 1"), code("print(x)\nx / 0"))
    with pytest.raises(LabError, match=r"cell 3 of 3 fails with ZeroDivisionError: division by zero(?s:.*)x / 0"):
        executed(path)


def test_what_ran_is_remembered_until_its_code_changes(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(execute, "run", lambda found, path: ran.append(path.name))
    path = saved(tmp_path, text("# Talk"), code("x = 1"))
    executed(path), executed(path)
    assert ran == ["talk.ipynb"]
    executed(saved(tmp_path, text("# Another title"), code("x = 1")))
    assert len(ran) == 1, "the text isn't run"
    executed(saved(tmp_path, text("# Talk"), code("x = 2")))
    assert len(ran) == 2


def test_outputs_remembered_go_with_the_text_of_today(tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "run", lambda found, path: None)
    executed(saved(tmp_path, text("# Talk"), code("x = 1")))
    found = executed(saved(tmp_path, text("# Another title"), code("x = 1")))
    assert found.cells[0].source == "# Another title"
