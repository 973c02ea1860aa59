# SPDX-License-Identifier: GPL-2.0-only
"""The widget as Python sees it, without a browser."""

import pytest

from kvmmmu_lab.errors import InputError
from kvmmmu_lab.player.page import script, style

from . import films

pytest.importorskip("anywidget", reason="needs the extra `lab`")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def widget():
    from kvmmmu_lab.player.widget import film_widget

    return film_widget(films.small())


def click(widget, **content):
    widget._handle_custom_msg({"event": "pick", **content}, [])


def test_it_brings_film_and_player(widget):
    from kvmmmu_lab.player.widget import FilmWidget

    assert isinstance(widget, FilmWidget)
    state = widget.get_state()
    assert state["film"] == films.small()
    assert (state["step"], state["picked"], state["theme"]) == (0, None, "auto")
    assert (state["_esm"], state["_css"]) == (script(), style())


@pytest.mark.parametrize(("wanted", "step"), [(3, 3), (-5, 0), (99, 9)])
def test_a_step_is_the_nearest_that_there_is(widget, wanted, step):
    widget.step = wanted
    assert widget.step == step


def report(widget, step, seeks=None):
    widget._handle_custom_msg({"event": "step", "step": step, "seeks": widget.seeks if seeks is None else seeks}, [])


def test_the_browsers_step_is_taken_over_and_each_step_of_the_kernel_is_counted(widget):
    report(widget, 4)
    assert (widget.step, widget.seeks) == (4, 0)
    widget.step = 4  # no change
    assert widget.seeks == 0
    widget.seek(4)  # the player may have moved on
    assert widget.seeks == 1
    widget.step = 6
    widget.seek(99)
    assert (widget.step, widget.seeks) == (9, 3)
    report(widget, 2)
    widget.step = 9
    assert widget.seeks == 4


def test_a_step_that_was_reported_before_the_kernel_moved_the_player_is_out_of_date(widget):
    widget.step = 6
    report(widget, 2, seeks=0)
    assert widget.step == 6
    report(widget, 2, seeks=1)
    assert widget.step == 2


def test_an_answer_to_the_browsers_step_is_counted(widget):
    widget.observe(lambda _: setattr(widget, "step", 0), "step")
    report(widget, 7)
    assert (widget.step, widget.seeks) == (0, 1)


def test_a_click_is_told_each_time(widget):
    heard = []
    off = widget.on_pick(heard.append)
    assert widget.picked is None
    for step in (7, 7, 8):
        click(widget, key="s:252:5", step=step)
    assert heard == [{"key": "s:252:5", "step": 7}, {"key": "s:252:5", "step": 7}, {"key": "s:252:5", "step": 8}]
    assert widget.picked == heard[-1]
    off()
    click(widget, key="s:252:6", step=8)
    assert len(heard) == 3
    assert widget.picked["key"] == "s:252:6"


OTHER = [
    {},
    {"key": 3, "step": 1},
    {"key": "s:1"},
    {"key": "s:1", "step": "1"},
    {"event": "step", "step": "1", "seeks": 0},
    {"event": "step", "step": 1},
]


@pytest.mark.parametrize("content", OTHER)
def test_other_messages_are_ignored(widget, content):
    click(widget, **content)
    assert (widget.step, widget.picked) == (0, None)


def test_what_is_no_film_is_refused():
    from kvmmmu_lab.player.widget import film_widget

    with pytest.raises(InputError, match="film"):
        film_widget({"chapters": []})
