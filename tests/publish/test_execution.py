# SPDX-License-Identifier: GPL-2.0-only
"""Notebooks are read and run, and their outputs are cached."""

import pytest
from nbformat.v4 import new_output

from kvmmmu_lab.errors import InputError, LabError
from kvmmmu_lab.publish import execution
from kvmmmu_lab.publish.execution import executed, read_notebook

from .books import code, saved, text

EMPTY = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}'


@pytest.mark.parametrize("content", [None, "", "print('hello')", '{"cells": 3}', EMPTY])
def test_a_file_that_is_no_notebook_is_refused(tmp_path, content):
    path = tmp_path / "talk.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=r"talk.ipynb: .* expected .*(notebook|exists)"):
        read_notebook(path)


def test_a_cell_that_fails_is_named_with_its_code(tmp_path):
    path = saved(tmp_path, text("# Talk"), code("x = 1"), code("print(x)\nx / 0"))
    with pytest.raises(LabError, match=r"cell 3 of 3 fails with ZeroDivisionError: division by zero(?s:.*)x / 0"):
        executed(path)


def test_outputs_are_cached_until_the_code_changes(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(execution, "run", lambda found, path: ran.append(path.name))
    path = saved(tmp_path, text("# Talk"), code("x = 1"))
    executed(path), executed(path)
    assert ran == ["talk.ipynb"]
    executed(saved(tmp_path, text("# Another title"), code("x = 1")))
    assert len(ran) == 1, "a change of the text doesn't run the code again"
    executed(saved(tmp_path, text("# Talk"), code("x = 2")))
    assert len(ran) == 2


def test_the_states_of_widgets_are_cached_with_the_outputs(tmp_path, monkeypatch):
    state = {
        "application/vnd.jupyter.widget-state+json": {"version_major": 2, "version_minor": 0, "state": {"w": {"state": {}}}}
    }
    view = {"application/vnd.jupyter.widget-view+json": {"version_major": 2, "version_minor": 0, "model_id": "w"}}

    def run(notebook, path):
        notebook.metadata["widgets"] = state
        notebook.cells[0].outputs = [new_output("display_data", data=view)]

    monkeypatch.setattr(execution, "run", run)
    path = saved(tmp_path, code("x = 1"))
    first = executed(path)
    monkeypatch.setattr(execution, "run", None)
    assert executed(path).metadata["widgets"] == first.metadata["widgets"] == state


def test_cached_outputs_are_shown_with_the_present_text(tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "run", lambda found, path: None)
    executed(saved(tmp_path, text("# Talk"), code("x = 1")))
    found = executed(saved(tmp_path, text("# Another title"), code("x = 1")))
    assert found.cells[0].source == "# Another title"
