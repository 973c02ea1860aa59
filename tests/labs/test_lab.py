# SPDX-License-Identifier: GPL-2.0-only
"""What all labs have in common: how they are shown and closed, and how an error in your own part is shown."""

import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from kvmmmu_lab import HostCrash, InputError, VmDead, open_guest
from kvmmmu_lab.labs import LABS, entry_decoder, fault_lab, pick_address, pool_lab, predict, rmap_lab, watch, write_lab
from kvmmmu_lab.labs import lab as lab_module
from kvmmmu_lab.labs.display import load_widgets
from kvmmmu_lab.labs.lab import Lab, PartError, Round, error_html, failing_part, name_part_errors
from kvmmmu_lab.labs.prediction import NO_GUESS
from kvmmmu_lab.mmu.rmap import ReverseMap
from kvmmmu_lab.player.cell_output import close_all

WIDGET = "application/vnd.jupyter.widget-view+json"


class ForgetfulMap(ReverseMap):
    """A reverse map with a bug."""

    def add(self, spte):
        """Raise KeyError."""
        return {}[spte]


def broken_pre_write(vm, gpa, size):
    raise ZeroDivisionError("division by <zero>")


def stopped_pre_write(vm, gpa, size):
    raise KeyboardInterrupt


ACTIONS = {"FaultLab": "go", "WriteLab": "touch", "RmapLab": "map", "PoolLab": "touch", "EntryDecoder": "shadow_results"}
"""A method of each lab that runs one operation without arguments."""


def play(lab):
    """Run one operation in a lab."""
    name = type(lab).__name__
    assert name in ACTIONS, f"give ACTIONS a method of {name} that runs one operation"
    return getattr(lab, ACTIONS[name])()


def without_ipywidgets(monkeypatch):
    """Make ipywidgets look as if it were not installed and had never been imported."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.delitem(sys.modules, "kvmmmu_lab.labs.widgets", raising=False)
    monkeypatch.delattr("kvmmmu_lab.labs.widgets", raising=False)


@pytest.mark.parametrize("make", LABS)
def test_a_lab_without_widgets_shows_its_state(make, monkeypatch):
    without_ipywidgets(monkeypatch)
    lab = make()
    play(lab)
    bundle = lab._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert lab.title in bundle["text/plain"] and lab.title in bundle["text/html"]
    assert lab.state() in str(lab)


@pytest.mark.parametrize("make", LABS)
def test_without_ipywidgets_a_cell_says_what_to_install(make, monkeypatch):
    without_ipywidgets(monkeypatch)
    monkeypatch.setattr("kvmmmu_lab.labs.display.has_kernel", lambda: True)
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(bundle))
    make()._ipython_display_()
    (bundle,) = shown
    assert "pip install ipywidgets" in bundle["text/html"]


def test_without_a_kernel_a_cell_shows_a_still(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(bundle))
    entry_decoder()._ipython_display_()
    assert [set(bundle) for bundle in shown] == [{"text/html", "text/plain"}]


@pytest.mark.parametrize("make", LABS)
def test_running_a_cell_again_closes_its_lab(make, monkeypatch):
    pytest.importorskip("ipywidgets")
    run = {"metadata": {"cellId": make.__name__}, "header": {"msg_id": "1"}}
    shell = SimpleNamespace(kernel=True, get_parent=lambda: run, user_ns={})
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(bundle))
    first = make()
    play(first)
    first._ipython_display_()
    assert [set(bundle) for bundle in shown] == [{"text/html", "text/plain"}, {WIDGET, "text/plain"}]
    assert "kvmmmu-still-" in shown[0]["text/html"]
    parts = list(everything(first.form.box))
    run["header"]["msg_id"] = "2"
    second = make()
    second._ipython_display_()
    assert all(part.comm is None for part in parts) and second.form.box.comm
    second.form.close()
    assert second.form.box.comm is None


def everything(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from everything(child)


def example():
    """Return the function of the example in the docstring of `lab`."""
    blocks = [block for block in lab_module.__doc__.split("\n\n") if not block.startswith("`Lab`")]
    lines = [line for block in blocks for line in [*block.split("\n"), ""] if line.startswith("    ") or not line]
    names = {}
    exec(textwrap.dedent("\n".join(lines)), names)
    return names["read_lab"]


def test_the_example_of_a_lab_works():
    lab = example()()
    lab.faults.guess(0)
    assert lab.read(0x1000).right is True
    lab.faults.guess(0)
    round_ = lab.read(0x2000)
    assert round_.right is False and "finds no shadow entry" in str(round_)
    assert "Faults handled by the host: 2" in str(lab) and lab.picture()
    with pytest.raises(InputError, match="parts"):
        example()(sptes=1)
    pytest.importorskip("ipywidgets")
    form = example()().form
    form.box.children[1].children[0].children[-1].children[1].click()  # its last row of controls
    assert "it was: 1" in form.status.value
    form.close()


def test_only_the_widgets_import_ipywidgets():
    """One module builds widgets, and a lab in a terminal doesn't load it."""
    folder = Path(lab_module.__file__).parent
    assert [path.name for path in folder.glob("*.py") if "import ipywidgets" in path.read_text("utf-8")] == ["widgets.py"]
    program = "import sys; from kvmmmu_lab.labs import LABS; [str(lab()) for lab in LABS]; print('ipywidgets' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"


def notebook(monkeypatch, name):
    """Imitate a notebook cell with a kernel. Return its header, whose ``msg_id`` names the run, and the list of its outputs."""
    run, shown = {"metadata": {"cellId": name}, "header": {"msg_id": "1"}}, []
    shell = SimpleNamespace(kernel=True, get_parent=lambda: run, user_ns={})
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(bundle))
    return run["header"], shown


QUESTIONS = {"predict": lambda: predict("How many?", [0, 1]), "pick": lambda: pick_address(open_guest("lin32_A"))}


@pytest.mark.parametrize("name", QUESTIONS)
def test_running_a_cell_again_closes_its_question(name, monkeypatch):
    pytest.importorskip("ipywidgets")
    header, shown = notebook(monkeypatch, name)
    first, second = QUESTIONS[name](), QUESTIONS[name]()
    first._ipython_display_()
    assert [set(bundle) for bundle in shown] == [{"text/html", "text/plain"}, {WIDGET, "text/plain"}]
    header["msg_id"] = "2"
    second._ipython_display_()
    assert all(part.comm is None for part in everything(first.widget)) and second.widget.comm
    header["msg_id"] = "3"
    second._ipython_display_()
    assert second.widget.comm, "the same question, shown again"
    close_all(second.widget)


def alive():
    """Return the number of open widgets, with their layouts and styles."""
    return len(sys.modules["ipywidgets"].widgets.widget._instances)


@pytest.mark.parametrize("make", LABS)
def test_a_closed_form_leaves_nothing_behind(make):
    pytest.importorskip("ipywidgets")
    make().form.close()
    before = alive()
    form = make().form
    play(form.lab)
    for button in [part for part in everything(form.box) if type(part).__name__ == "Button" and part.description]:
        button.click()
    form.close()
    assert alive() == before


def test_what_a_form_replaces_is_closed():
    pytest.importorskip("ipywidgets")
    form = fault_lab().form
    form.go.click()
    form.mode.value = "pae"
    form.mode.value = "64"
    before = alive()
    for _ in range(5):
        form.mode.value = "pae"
        form.go.click()
        form.source.value = "lin32_A"
        form.source.value = "tables"
        form.mode.value = "64"
    assert alive() == before
    form.close()


def test_every_control_has_a_name():
    pytest.importorskip("ipywidgets")
    for make in LABS:
        form = make().form
        for part in everything(form.box):
            if hasattr(part, "description") and type(part).__name__ not in ("HTML", "Play"):
                name = part.description or part.tooltip or getattr(part, "icon", "")
                assert name, (make, part)
        form.close()


def test_a_closed_widget_watches_nothing():
    widgets = pytest.importorskip("ipywidgets")
    seen, box = [], widgets.Checkbox()
    box.observe(seen.append, "value")
    close_all(widgets.HBox([widgets.VBox([box])]))
    box.value = True
    assert not seen and box.comm is None


class TestOwnParts:
    def test_the_part_is_named(self):
        lab = write_lab(pre_write=broken_pre_write)
        round_ = lab.write(8)
        assert isinstance(round_.error, PartError) and round_.error.part == "pre_write"
        assert "your pre_write raised ZeroDivisionError" in str(round_)
        assert "division by &lt;zero&gt;" in round_.html and "Traceback" not in round_.html
        assert "pre_write" in round_.film.steps[-1].words
        assert round_.film.error is round_.error
        assert round_.film.data["card"]["title"] == "Your own part raised an exception"
        assert isinstance(lab.write(8).error, VmDead)

    def test_your_own_film_has_the_same_card(self):
        vm = write_lab(pre_write=broken_pre_write).vm
        write = name_part_errors(lambda: vm.emulate_write_gpa(0x14008, 0, 8), {"pre_write": broken_pre_write})
        film = watch(write, vm, [0x1000])
        assert isinstance(film.error, PartError)
        assert film.data["card"]["rows"][0].startswith("your pre_write raised ZeroDivisionError")

    def test_one_that_fails_before_there_is_a_vm(self):
        for make in (write_lab, rmap_lab):
            lab = make(rmap=ForgetfulMap)
            assert lab.vm is None and lab.last.error.part == "rmap"
            assert "KeyError" in lab._repr_mimebundle_()["text/html"]
            with pytest.raises(InputError, match="correct it"):
                _ = lab.machine

    def test_forms_show_it_as_a_card(self):
        pytest.importorskip("ipywidgets")
        for make in (fault_lab, write_lab, rmap_lab, pool_lab):
            form = make(rmap=ForgetfulMap).form
            for button in [part for part in everything(form.box) if type(part).__name__ == "Button" and part.description]:
                button.click()
            assert "Traceback" not in form.status.value
            form.close()

    def test_one_that_never_ends_can_be_stopped(self):
        round_ = write_lab(pre_write=stopped_pre_write).write(8)
        assert "your pre_write was interrupted" in str(round_.error)

    def test_one_whose_sptes_raises(self):
        class Blind(ReverseMap):
            def sptes(self, hfn):
                raise LookupError(hfn)

        assert fault_lab(rmap=Blind).go().film.result.outcome == "ok"
        lab = rmap_lab(rmap=Blind)
        assert lab.map().error.part == "rmap" and "your rmap raised LookupError" in lab.state()
        assert "your rmap raised" in lab._repr_mimebundle_()["text/html"]

    def test_one_that_works(self):
        class Mine(ReverseMap):
            pass

        assert rmap_lab(rmap=Mine).map().error is None
        assert fault_lab(rmap=Mine).go().film.result.outcome == "ok"

    def test_failing_part(self):
        def fail():
            raise ValueError("x")

        class Callable:
            def __call__(self):
                fail()

        with pytest.raises(PartError, match="your walk raised ValueError: x"):
            name_part_errors(Callable(), {"rmap": ReverseMap, "walk": Callable()})()
        assert failing_part(ValueError(), {"rmap": ReverseMap, "walk": fail}) == "rmap or walk"
        with pytest.raises(ValueError):
            name_part_errors(fail, {})()

    @pytest.mark.parametrize("make", LABS)
    def test_parts_have_names(self, make):
        with pytest.raises(InputError, match="parts"):
            make(pre_writer=broken_pre_write)
        with pytest.raises(InputError, match="expected a function"):
            make(pre_write=3)


def test_cards():
    assert "The host would have crashed" in error_html(HostCrash("BUG", "f", "mmu.c:1", "why"))
    assert "a bug" in error_html(RuntimeError("<b>")) and "&lt;b&gt;" in error_html(RuntimeError("<b>"))
    assert "Your own part" in error_html(PartError("rmap", ValueError("x")))


def test_after_a_crash_a_lab_says_what_to_do():
    crash = HostCrash("BUG", "f", "mmu.c:1", "why")
    assert "dead now; build a new one" in error_html(crash)
    words_of = {fault_lab: "runs in a new VM", write_lab: "New guest", rmap_lab: "New guest", pool_lab: "New guest"}
    for make, words in words_of.items():
        card = make().add_round(Round(error=crash)).html
        assert words in card and "f(), mmu.c:1" in card and "build a new one" not in card


def test_rounds():
    empty = Round()
    assert (empty.right, empty.html, str(empty)) == (None, "", "")
    guess = predict("How <many>?", [1, 2])
    guess.answer = 1
    round_ = Round((guess.compare(2), predict("?", [1, 2]).compare(1)), ("Because.",))
    assert round_.right is False
    assert "✗" in round_.html and "·" in round_.html and "&lt;many&gt;" in round_.html
    assert "Because." in str(round_)


def test_a_guess_counts_once():
    lab = Lab({})
    lab.predictions = [predict("?", [1, 2])]
    lab.predictions[0].answer = 1
    lab.add_round(Round())
    assert lab.predictions[0].answer is None


def test_a_prediction_as_a_menu():
    pytest.importorskip("ipywidgets")
    guess = predict("How many?", [0, 1, 3])
    menu = guess.menu(load_widgets())
    assert menu.value == NO_GUESS and guess.answer is None
    menu.index = 1
    assert guess.answer == 0
    outcome = guess.compare(0)
    guess.guess(3)
    assert menu.value == 3
    guess.ask_again(["a", "b"])
    assert outcome.right and guess.answer is None and menu.index == 0
    menu.value = "b"
    assert guess.answer == "b"


def test_a_form_without_a_renderer_shows_the_steps_as_text(monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setenv("KVMMMU_LAB_RENDERER", "none")
    form = fault_lab().form
    form.go.click()
    (shown,) = form.stage.children
    assert "is taken from the pool" in shown.value and "Shown as text" in shown.value


class Counting(ReverseMap):
    """A reverse map that has a state of its own."""

    made = 0

    def __init__(self, vm):
        super().__init__(vm)
        Counting.made += 1


@pytest.mark.parametrize("parts", [{}, {"rmap": Counting}])
def test_what_was_done_can_be_taken_back_and_repeated(parts):
    lab = rmap_lab(**parts)
    assert not lab.can_undo and not lab.can_redo
    states = [lab.state()]
    for action in (lab.map, lab.map, lab.map, lambda: lab.map(read_only=True), lambda: lab.unmap(0), lab.protect):
        action()
        states.append(lab.state())
    for before in reversed(states[:-1]):
        assert "Taken back: " in str(lab.undo())
        assert lab.state() == before and not lab.machine.audit()
    for after in states[1:]:
        lab.redo()
        assert lab.state() == after
    assert not lab.can_redo and len(lab.rounds) == len(states) - 1
    lab.undo()
    lab.map()
    assert not lab.can_redo, "something else was done"
    for impossible in (lab.redo, rmap_lab().undo):
        with pytest.raises(InputError):
            impossible()


def test_rounds_before_the_one_that_was_taken_back_keep_their_verdicts():
    lab = pool_lab()
    lab.guess(evicted=0)
    lab.touch()
    lab.touch(3)
    lab.undo()
    assert lab.last.right is True and lab.next == 1
