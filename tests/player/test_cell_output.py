# SPDX-License-Identifier: GPL-2.0-only
"""A cell that runs again closes its own widgets and no others."""

from types import SimpleNamespace

import pytest

from kvmmmu_lab.player import cell_output

widgets = pytest.importorskip("ipywidgets")
alive = pytest.importorskip("ipywidgets.widgets.widget")._instances


@pytest.fixture
def run(monkeypatch):
    """Return a function that shows widgets in a run of a cell."""
    now = {}
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(kernel=True, get_parent=lambda: now))
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: None)
    monkeypatch.setattr(cell_output, "_alive", {})

    def run(cell, message, *shown):
        now.update(metadata={"cellId": cell}, header={"msg_id": message})
        for widget in shown:
            cell_output.show_both({"text/html": "<p>still</p>"}, widget, "(run this cell)")

    return run


def test_a_cell_that_runs_again_closes_what_it_showed(run):
    first, second = widgets.Text(), widgets.Text()
    run("a", "1", first)
    run("a", "2", second)
    assert first.comm is None and second.comm is not None


def test_what_is_shown_again_stays_alive(run):
    film = widgets.Text()
    for message in "123":
        run("a", message, film)
        assert film.comm is not None


def test_what_another_cell_shows_as_well_stays_alive(run):
    film, other = widgets.Text(), widgets.Text()
    run("a", "1", film)
    run("b", "2", film)
    run("b", "3", other)
    assert film.comm is not None
    run("a", "4", other)
    assert film.comm is None and other.comm is not None


def test_two_in_one_cell_live_side_by_side(run):
    first, second = widgets.Text(), widgets.Text()
    run("a", "1", first, second)
    assert first.comm is not None and second.comm is not None


def test_nothing_is_left_after_many_runs(run):
    run("a", "0", widgets.VBox([widgets.Text(), widgets.HBox([widgets.Button(), widgets.IntSlider()])]))
    before = len(alive)
    for message in range(1, 9):
        run("a", str(message), widgets.VBox([widgets.Text(), widgets.HBox([widgets.Button(), widgets.IntSlider()])]))
    assert len(alive) == before
