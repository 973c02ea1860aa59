# SPDX-License-Identifier: GPL-2.0-only
"""Widgets are shown as their state was saved in the notebook."""

import re
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_output

from kvmmmu_lab.publish.cell_renderer import CellRenderer
from kvmmmu_lab.publish.notices import Notices
from kvmmmu_lab.publish.widget_state import METADATA, keep_needed_states

from .books import book, code, text

VIEW = "application/vnd.jupyter.widget-view+json"


def model(name, _buffers=(), **state):
    return {
        "model_name": f"{name}Model",
        "model_module": "@jupyter-widgets/controls",
        "state": state,
        "buffers": list(_buffers),
    }


def shown_widget(widgets, text="VBox(children=())", notices=None):
    notebook = book(code("w", shows=[{VIEW: {"model_id": "w"}, "text/plain": text}]))
    if widgets is not None:
        notebook.metadata["widgets"] = {METADATA: {"version_major": 2, "version_minor": 0, "state": widgets}}
    return CellRenderer(notebook, Path(), notices).outputs(1)


def test_a_widget_without_its_state_is_named():
    notices = Notices()
    (note,) = shown_widget(None, "IntSlider(value=5)", notices)
    assert note.kind == "notice" and "An interactive IntSlider is left out here: run the notebook to use it." in note.html
    assert str(next(iter(notices))) == "cell 1: the interactive IntSlider is left out: run the notebook to use it"


def test_an_output_widget_shows_what_it_caught():
    """As `interact` leaves it: a box with a slider and the outputs of the function."""
    caught = [
        {"output_type": "stream", "name": "stdout", "text": "x is 3\n"},
        {"output_type": "display_data", "data": {"image/png": "AAAA"}, "metadata": {}},
        {"output_type": "display_data", "data": {"text/html": "<table><tr><td>1</td></tr></table>"}, "metadata": {}},
    ]
    widgets = {
        "w": model("VBox", children=["IPY_MODEL_s", "IPY_MODEL_o"]),
        "s": model("IntSlider", description="x", value=3, min=0, max=10),
        "o": model("Output", outputs=caught),
    }
    notices = Notices()
    slider, *rest = shown_widget(widgets, notices=notices)
    assert (
        '<input type="range" disabled="" min="0" max="10"' in slider.html.replace("disabled ", 'disabled="" ')
        and ">3<" in slider.html
    )
    assert [one.kind for one in rest] == ["text", "picture", "table"] and not list(notices)


@pytest.mark.parametrize(
    ("widget", "shown"),
    [
        (
            model("Dropdown", description="d", _options_labels=["a", "b<"], index=1),
            '<span class="widget-option chosen">b&lt;</span>',
        ),
        (
            model("Dropdown", _options_labels=[str(n) for n in range(99)], index=42),
            '<span class="widget-option chosen">42</span>',
        ),
        (model("SelectMultiple", _options_labels=["a", "b"], index=[0, 1]), '<span class="widget-option chosen">a</span>'),
        (model("FloatRangeSlider", value=[1.5, 2.5]), "1.5 \u2013 2.5"),
        (model("Checkbox", description="on?", value=True), "checked"),
        (model("FloatProgress", description="50%", value=5.0, min=0.0, max=10.0), '<progress max="10.0" value="5.0">'),
        (model("HTML", value="<b>bold</b><script>x()</script>"), "<b>bold</b>"),
        (model("Label", value="<x>"), "&lt;x&gt;"),
        (model("Textarea", value="text", description="t"), '<span class="widget-label">t</span>'),
        (model("Button", description="Go"), "<button disabled"),
        (
            model("Image", [{"path": ["value"], "encoding": "base64", "data": "AAAA"}], format="png"),
            "data:image/png;base64,AAAA",
        ),
        (model("MPLCanvas", _data_url="data:image/png;base64,AAAA"), '<img alt="a picture" src="data:image/png;base64,AAAA"'),
    ],
)
def test_a_control_is_shown_with_its_value(widget, shown):
    (output,) = shown_widget({"w": widget})
    found = output.html.replace(
        'src="data:image/png;base64,AAAA" alt="a picture"', 'alt="a picture" src="data:image/png;base64,AAAA"'
    )
    assert shown in found and "script" not in found


def test_a_control_that_isn_t_known_is_named_among_the_others():
    notices = Notices()
    widgets = {
        "w": model("HBox", children=["IPY_MODEL_a", "IPY_MODEL_b", "IPY_MODEL_c", "IPY_MODEL_w", "IPY_MODEL_gone"]),
        "a": model("Label", value="one"),
        "b": model("LeafletMap"),
        "c": model("Label", value="two"),
    }
    kinds = [(one.kind, re.sub(r"<[^>]*>", "", one.html)) for one in shown_widget(widgets, notices=notices)]
    assert kinds == [
        ("text", "one"),
        ("notice", "An interactive LeafletMap is left out here: run the notebook to use it."),
        ("text", "two"),
    ]


def test_a_figure_of_plotly_is_drawn_like_another():
    (output,) = shown_widget({"w": model("Figure", _data=[{"x": [1]}], _layout={"width": 300})})
    assert output.kind == "picture" and 'class="plotly"' in output.html and "&quot;width&quot;: 300" in output.html


def test_only_the_states_of_widgets_that_are_shown_are_kept():
    still = new_output("display_data", data={"text/html": "<p>still</p>"}, metadata={"kvmmmu_lab": "kvmmmu-still-1"})
    views = [new_output("display_data", data={VIEW: {"model_id": name}}) for name in ("lab", "mine")]
    notebook = book(text("# T"), new_code_cell("x", outputs=[still, *views]))
    states = {
        "lab": model("VBox", children=[]),
        "mine": model("VBox", children=["IPY_MODEL_s"]),
        "s": model("Text", value="v", _esm="js"),
    }
    notebook.metadata["widgets"] = {METADATA: {"state": {**states, "l": model("Layout"), "other": model("Text")}}}
    keep_needed_states(notebook)
    kept = notebook.metadata["widgets"][METADATA]["state"]
    assert set(kept) == {"mine", "s"} and kept["s"]["state"] == {"value": "v"}
    assert [one.kind for one in CellRenderer(notebook, Path()).outputs(2)] == ["text", "text"]


def test_the_kit_s_own_widget_is_skipped_because_the_output_before_it_contains_its_html():
    still = new_output("display_data", data={"text/html": "<p>1 / 2</p>"}, metadata={"kvmmmu_lab": "kvmmmu-still-1"})
    view = new_output("display_data", data={VIEW: {"model_id": "x"}, "text/plain": "x"})
    assert [one.kind for one in CellRenderer(book(new_code_cell("x", outputs=[still, view])), Path()).outputs(1)] == ["text"]
