# SPDX-License-Identifier: GPL-2.0-only
"""A cell that runs again closes its own widgets and no others, and writes the same outputs into the notebook."""

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
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown_now.append(bundle))
    monkeypatch.setattr(cell_output, "_alive", {})
    shown_now = []

    def run(cell, message, *shown):
        now.update(metadata={"cellId": cell}, header={"msg_id": message})
        shown_now.clear()
        for widget in shown:
            cell_output.CellOutput("(run this cell)").show({"text/html": "<p>still</p>"}, widget)
        return list(shown_now)

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


def test_a_cell_that_runs_again_has_the_same_outputs(run):
    first = run("a", "1", widgets.Text())
    assert first == run("a", "2", widgets.Text())
    assert first == run("a", "3", widgets.Text())


def test_outputs_with_the_same_content_have_different_names(run):
    shown = [*run("a", "1", widgets.Text(), widgets.Text()), *run("b", "2", widgets.Text())]
    stills, views = shown[::2], [one["application/vnd.jupyter.widget-view+json"]["model_id"] for one in shown[1::2]]
    assert len({one["text/html"] for one in stills}) == len(set(views)) == 3
    again = [*run("a", "3", widgets.Text(), widgets.Text()), *run("b", "4", widgets.Text())]
    assert again == shown


def test_a_still_is_replaced_where_it_is_shown_and_only_if_it_differs(run, monkeypatch):
    updates, displayed = [], []
    monkeypatch.setattr("IPython.display.update_display", lambda bundle, **options: updates.append((bundle, options)))
    run("a", "1")
    monkeypatch.setattr("IPython.display.display", lambda bundle, **options: displayed.append((bundle, options)))
    output = cell_output.CellOutput("(run this cell)")
    output.update({"text/html": "<p>not shown yet</p>"})
    output.show({"text/html": "<p>still</p>"}, widgets.Text())
    output.update({"text/html": "<p>still</p>"})
    assert updates == []
    output.update({"text/html": "<p>changed</p>"})
    ((still, there),) = updates
    assert "<p>changed</p>" in still["text/html"] and output.name in still["text/html"]
    assert there["display_id"] == displayed[0][1]["display_id"], "the output that was displayed is the one that is replaced"


def test_without_a_widget_there_is_the_still_alone(run, monkeypatch):
    displayed = []
    run("a", "1")
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: displayed.append(bundle))
    cell_output.CellOutput("(run this cell)").show({"text/html": "<p>still</p>"})
    assert displayed == [{"text/html": "<p>still</p>"}]
